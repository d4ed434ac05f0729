"""The polls app."""

from __future__ import annotations

from django.apps import AppConfig


class PollsConfig(AppConfig):
    """The app's configuration for Django."""

    name = "polls"
