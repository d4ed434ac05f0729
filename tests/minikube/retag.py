"""Write an image's archive (docker-archive) once more under another name.

Usage: retag.py ARCHIVE NAME TARGET. TARGET is whole or not there.
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
from pathlib import Path


def main(archive: str, name: str, target: str) -> None:
    """Copy every member, and the manifest with the other name: https://github.com/moby/docker-image-spec/blob/main/spec.md"""
    unfinished = Path(target + ".new")
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as source, tarfile.open(unfinished, "w", format=tarfile.PAX_FORMAT) as copy:
        for member in source:
            content = source.extractfile(member)
            if member.name == "manifest.json" and content:
                manifest = json.dumps([{**image, "RepoTags": [name]} for image in json.load(content)]).encode()
                member.size, content = len(manifest), io.BytesIO(manifest)
            copy.addfile(member, content)
    unfinished.rename(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
