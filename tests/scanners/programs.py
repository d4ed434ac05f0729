"""The programs that these tests call, where they are installed."""

from __future__ import annotations

import shutil

import pytest


def needs(*programs: str) -> pytest.MarkDecorator:
    """Leave a test out, and say so, where one of the programs is not installed."""
    missing = [program for program in programs if not shutil.which(program)]
    return pytest.mark.skipif(bool(missing), reason=f"not on the PATH: {', '.join(missing)}")
