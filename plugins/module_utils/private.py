"""Files that are trusted only if nobody else can have written them: tokens, and pickles, which are programs.

Programs that start often use this too, so it imports nothing of Ansible's.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from pathlib import Path

WRITE = stat.S_IWGRP | stat.S_IWOTH
ALL = stat.S_IRWXG | stat.S_IRWXO


def is_ours(status: os.stat_result, others: int = WRITE) -> bool:
    """Whether a file or directory is this user's or root's, and denies ``others`` (bits of a mode) to everybody else."""
    return status.st_uid in (0, os.geteuid()) and not status.st_mode & others


def way_is_ours(path: str | Path) -> bool:
    """Whether nobody else can replace what a path points to.

    In a directory with the sticky bit, such as /tmp, only its owner and the owner of an entry can rename the entry (inode(7)).
    """
    parents = [os.lstat(parent) for parent in Path(os.path.realpath(path)).parents]
    return all(is_ours(each) or (each.st_uid in (0, os.geteuid()) and each.st_mode & stat.S_ISVTX) for each in parents)


def read(path: str | Path, others: int = WRITE) -> bytes | None:
    """Return the content of a file, or None if there is none that can be trusted.

    Args:
        path: The file; a symbolic link does not count.
        others: What nobody else may do, as bits of a mode.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            return file.read() if stat.S_ISREG(status.st_mode) and is_ours(status, others) and way_is_ours(path) else None
    except OSError:
        return None


def directory(path: str | Path) -> bool:
    """Ensure that a directory exists that nobody else can write to; return whether it does.

    Anything else in its place is removed unread, and so is anything in it that is not a file or that others may write to.
    """
    path = Path(path)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (_closed(path.parent) and way_is_ours(path)):
            return False
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
        status = path.lstat()
        if not (stat.S_ISDIR(status.st_mode) and is_ours(status)):
            _remove(path)
            path.mkdir(mode=0o700)
        for entry in path.iterdir():
            status = entry.lstat()
            if stat.S_ISLNK(status.st_mode) or not is_ours(status):
                _remove(entry)
    except OSError:
        return False
    return True


def _closed(path: Path) -> bool:
    """Remove others' write permission if the directory is ours, in case another umask allowed it; return whether they have none now."""
    status = path.stat()
    if status.st_uid == os.geteuid() and status.st_mode & WRITE and not status.st_mode & stat.S_ISVTX:
        path.chmod(stat.S_IMODE(status.st_mode) & ~WRITE)
    return status.st_uid in (0, os.geteuid())


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
