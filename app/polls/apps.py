"""The polls app."""

from __future__ import annotations

from django.apps import AppConfig


class PollsConfig(AppConfig):
    """Tells Django about the app."""

    name = "polls"
