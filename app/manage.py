#!/usr/bin/env python
"""Django's command line for the polls site."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run a management command. A wrong setting or a database error is reported in one line, without a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
        from django.db import DatabaseError
    except ImportError as error:
        sys.exit(f"manage.py: {error}. Install the app's requirements: pip install --require-hashes -r requirements.txt")
    try:
        execute_from_command_line(sys.argv)
    except (ImproperlyConfigured, DatabaseError) as error:
        if "--traceback" in sys.argv:
            raise
        reason = "the database refused" if isinstance(error, DatabaseError) else "wrong settings"
        sys.exit(f"manage.py: {reason}: {' '.join(str(error).split())}")


if __name__ == "__main__":
    main()
