"""Management commands of the polls app."""
