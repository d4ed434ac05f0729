from django.db import models


class Post(models.Model):
    title = models.CharField(max_length=200)
    attachment = models.FileField(upload_to="%Y/%m", blank=True)
    published = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-published"]

    def __str__(self):
        return self.title
