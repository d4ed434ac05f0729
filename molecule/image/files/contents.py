"""Print what an image in a registry holds, as JSON.

Arguments: the registry's address, the repository, the digest, and files that no layer may contain a line of. AUTHORIZATION logs in.
Prints ``user``, ``environment``, ``files`` (names in all layers) and ``leaks`` (file in the image, file on this machine).
"""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
import urllib.request
from pathlib import Path

SMALL = 4_000_000  # bytes; what is larger is a library


def main(api: str, repository: str, digest: str, secrets: list[str]) -> None:
    """Read the manifest, the configuration and every layer."""

    def get(path: str) -> bytes:
        headers = {"Accept": "application/vnd.oci.image.manifest.v1+json", "Authorization": os.environ["AUTHORIZATION"]}
        request = urllib.request.Request(f"{api}{repository}/{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()

    manifest = json.loads(get(f"manifests/{digest}"))
    configuration = get(f"blobs/{manifest['config']['digest']}")
    private = {secret: lines(Path(secret)) for secret in secrets if Path(secret).is_file()}
    files: set[str] = set()
    leaks = [("the configuration", secret) for secret in private if private[secret] & set(configuration.replace(b'"', b"\n").split(b"\n"))]
    for layer in manifest["layers"]:
        with tarfile.open(fileobj=io.BytesIO(get(f"blobs/{layer['digest']}")), mode="r:*") as archive:
            for member in archive:
                files.add(f"/{member.name.removeprefix('./')}")
                body = archive.extractfile(member) if member.isfile() and member.size < SMALL else None
                found = set(body.read().splitlines()) if body else set()
                leaks += [(member.name, secret) for secret in private if private[secret] & found]
    parsed = json.loads(configuration)["config"]
    print(json.dumps({"user": parsed["User"], "environment": parsed["Env"], "files": sorted(files), "leaks": leaks}))


def lines(path: Path) -> set[bytes]:
    """Return the lines of a file that say something: of a bundle of authorities those of its last one, which Debian did not put there."""
    text = path.read_bytes().strip()
    if b"BEGIN CERTIFICATE" in text:
        text = text.rpartition(b"-----BEGIN CERTIFICATE-----")[2].partition(b"-----END")[0]
    return {line.strip() for line in text.splitlines() if len(line.strip()) > 15 and not line.startswith(b"#")}


if __name__ == "__main__":
    main(*sys.argv[1:4], sys.argv[4:])
