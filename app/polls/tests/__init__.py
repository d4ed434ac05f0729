"""Tests of the polls site: ``python manage.py test`` with DJANGO_DEBUG=1, or against the database of DATABASE_HOST."""

from __future__ import annotations

import logging

# Many tests ask for what is refused; a line for each would hide what fails.
for name in ("axes", "django.request", "django.security.csrf"):
    logging.getLogger(name).setLevel(logging.ERROR)
