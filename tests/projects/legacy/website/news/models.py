from django.db import models


class Notice(models.Model):
    title = models.CharField(max_length=200)
    text = models.TextField()
    date = models.DateField()

    class Meta:
        ordering = ("-date",)

    def __str__(self):
        return self.title
