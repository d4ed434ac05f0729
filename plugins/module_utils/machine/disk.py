"""What to say if a command failed because a disk is full."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

LITTLE = 16
"""MiB. With less, whatever failed probably failed for that: some programs only report that something could not be written."""


def nearest(path: Path) -> Path:
    """Return a path, or the nearest directory above it that exists."""
    return next(each for each in (path, *path.parents) if each.exists())


def shortage(words: str, places: Iterable[Path]) -> str:
    """Return how much space is left in the places that a command writes to, if that may be why it failed; "" otherwise.

    Args:
        words: What it said. After a failure programs free space again, so their words count more than what is free now.
        places: Directories, which need not exist.
    """
    free = {place: shutil.disk_usage(nearest(place)).free // 2**20 for place in places}
    if "no space left on device" in words.lower():
        return f"No space is left on this machine: {', '.join(f'{amount} MiB are free at {place}' for place, amount in free.items())}"
    full = [f"{amount} MiB are free at {place}" for place, amount in free.items() if amount < LITTLE]
    return f"The disk is full: {', '.join(full)}" if full else ""
