"""Put the files of a tar archive on standard input in the place of a volume's (the argument). Until all of them are there, the old ones stay."""

import contextlib
import os
import shutil
import sys
import tarfile

top = sys.argv[1]
new, old = (os.path.join(top, name) for name in (".berth-restore", ".berth-before"))


def others():
    """Return what is in the volume besides."""
    return [name for name in os.listdir(top) if name not in (".berth-restore", ".berth-before", "lost+found")]


try:
    for side in (new, old):  # what a killed run left
        shutil.rmtree(side, ignore_errors=True)
        os.mkdir(side)
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
        whole = False
        for member in archive:
            if whole := member.name == ".berth-end":
                break
            archive.extract(member, new, filter="data")
            archive.members = []  # or memory grows with the number of files
    if not whole:
        raise tarfile.TarError("the archive is cut off, or not one that playbooks/ops/backup.yml made")
    for name in others():
        os.rename(os.path.join(top, name), os.path.join(old, name))
    for name in os.listdir(new):
        os.rename(os.path.join(new, name), os.path.join(top, name))
except (OSError, tarfile.TarError) as error:
    shutil.rmtree(new, ignore_errors=True)
    with contextlib.suppress(OSError):  # where it has files, they are the volume's
        os.rmdir(old)
    sys.exit(f"{getattr(error, 'filename', None) or top}: {getattr(error, 'strerror', None) or error}")
for side in (new, old):
    shutil.rmtree(side, ignore_errors=True)
