from django.db import models


class Order(models.Model):
    product = models.CharField(max_length=100)
    quantity = models.PositiveIntegerField(default=1)
    task = models.CharField(max_length=36, blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created"]

    def __str__(self):
        return f"{self.quantity} x {self.product}"


class Parcel(models.Model):
    packed = models.BooleanField(default=False)


class Count(models.Model):
    asked = models.FloatField()
    orders = models.PositiveIntegerField()
