INSTALLED_APPS = ["django.contrib.staticfiles"]
STATIC_URL = "static/"
