"""Migrations of the polls."""
