from django.contrib import admin

from news.models import Notice

admin.site.register(Notice)
