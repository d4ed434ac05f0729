INSTALLED_APPS = ["django.contrib.staticfiles"]
STATIC_URL = "static/"
WSGI_APPLICATION = "site_wsgi.application"
