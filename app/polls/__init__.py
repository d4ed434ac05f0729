"""The polls of the Django tutorial."""
