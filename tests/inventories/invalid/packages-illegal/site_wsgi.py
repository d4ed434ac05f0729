"""Served by gunicorn."""
