"""Write the files in a volume (the argument) to standard output, as a tar archive."""

import os
import sys
import tarfile

top = sys.argv[1]
# Leftovers of a killed restore, and mkfs's own directory.
SKIPPED = {".berth-restore", ".berth-before", "lost+found"}


def refuse(error):
    """Fail on a directory that cannot be read instead of skipping it."""
    raise error


try:
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
        for place, directories, files in os.walk(top, onerror=refuse):
            if place == top:
                directories[:] = [name for name in directories if name not in SKIPPED]
            for name in sorted(directories + files):
                path = os.path.join(place, name)
                try:
                    info = archive.gettarinfo(path, os.path.relpath(path, top))
                    if info is None:
                        continue  # a socket
                    if info.isreg():
                        with open(path, "rb") as content:
                            archive.addfile(info, content)
                    else:
                        archive.addfile(info)
                except FileNotFoundError:
                    continue  # removed in the meantime
                archive.members, archive.inodes = [], {}  # otherwise memory use grows with the number of files
        archive.addfile(tarfile.TarInfo(".berth-end"))  # tar cannot tell a truncated archive from a complete one
except OSError as error:
    sys.exit(f"{error.filename or top}: {error.strerror or error}")
