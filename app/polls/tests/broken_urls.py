"""The site's addresses and one that fails, for the test of the error page."""

from __future__ import annotations

from typing import NoReturn

from django.http import HttpRequest
from django.urls import path
from mysite.urls import urlpatterns as site_urls


def broken(request: HttpRequest) -> NoReturn:
    """Fail."""
    raise RuntimeError("the inside")


urlpatterns = [*site_urls, path("broken", broken)]
