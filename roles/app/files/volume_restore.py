"""Replace the files in a volume (the argument) with a tar archive on standard input. The old ones stay until the archive is complete."""

import contextlib
import os
import shutil
import sys
import tarfile

top = sys.argv[1]
new, old = (os.path.join(top, name) for name in (".berth-restore", ".berth-before"))


def others():
    """Return the volume's other entries."""
    return [name for name in os.listdir(top) if name not in (".berth-restore", ".berth-before", "lost+found")]


try:
    for side in (new, old):  # leftovers of a killed run
        shutil.rmtree(side, ignore_errors=True)
        os.mkdir(side)
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
        whole = False
        for member in archive:
            if whole := member.name == ".berth-end":
                break
            archive.extract(member, new, filter="data")
            archive.members = []  # otherwise memory use grows with the number of files
    if not whole:
        raise tarfile.TarError("the archive is truncated, or was not created by playbooks/ops/backup.yml")
    for name in others():
        os.rename(os.path.join(top, name), os.path.join(old, name))
    for name in os.listdir(new):
        os.rename(os.path.join(new, name), os.path.join(top, name))
except (OSError, tarfile.TarError) as error:
    shutil.rmtree(new, ignore_errors=True)
    with contextlib.suppress(OSError):  # if it has files, they belong to the volume
        os.rmdir(old)
    sys.exit(f"{getattr(error, 'filename', None) or top}: {getattr(error, 'strerror', None) or error}")
for side in (new, old):
    shutil.rmtree(side, ignore_errors=True)
