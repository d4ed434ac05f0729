"""The file into which the modules of a run write what they wait for, and those that killed runs have left behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from pathlib import Path

PREFIX = "berth-progress-"


def make() -> tuple[int, Path]:
    """Make a run's file, and remove those of dead runs; return its descriptor and its path.

    The descriptor holds a lock, which shows that the file is in use. The kernel releases it when the last process of the run has ended, however it ends.
    """
    sweep()
    while True:
        handle, name = tempfile.mkstemp(prefix=PREFIX)
        with contextlib.suppress(OSError):  # a file system without locks: then nobody takes the file for abandoned
            fcntl.flock(handle, fcntl.LOCK_EX)
        # Another run may have taken it for abandoned before it had its lock.
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(handle), os.lstat(name)):
                return handle, Path(name)
        os.close(handle)


def sweep() -> None:
    """Remove this user's files that no run holds."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                found = os.fstat(handle)
                if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
            finally:
                os.close(handle)
