"""What an image contains: a software bill of materials (SBOM) in CycloneDX format, read from the image's files.

The format is a list of components, so this module writes it itself: cyclonedx.org/docs/1.5/json. It identifies a package by its
package URL: github.com/package-url/purl-spec.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import stat
import tarfile
import uuid
from collections.abc import Iterator
from email.parser import HeaderParser
from email.policy import compat32
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

KEPT = 50  # how many bills of a repository are kept, newest first: as many as ECR keeps images
LONGEST = 64 * 2**20  # bytes; a longer file is not a list of packages
NOT_LOOKED_AT = frozenset({"proc", "sys", "dev"})
DPKG = re.compile(r"var/lib/dpkg/(status|status\.d/[^/]+)")  # the directory is distroless images'
APK = re.compile(r"(usr/)?lib/apk/db/installed")
RELEASE = re.compile(r"(usr/lib|etc)/os-release")
# Packages in dist-packages are Debian's, and are in dpkg's list: wiki.debian.org/Python
PYTHON = re.compile(r"(?!.*/dist-packages/)(.*/)?[^/]+(\.dist-info/METADATA|\.egg-info/PKG-INFO)")
WANTED = re.compile("|".join(f"(?:{pattern.pattern})" for pattern in (DPKG, APK, RELEASE, PYTHON)))


def wanted(name: str) -> bool:
    """Whether a file of an image (a path without the first slash) says what is installed."""
    return bool(WANTED.fullmatch(name))


# --- The image's files -----------------------------------------------------------
def read_tree(root: Path) -> dict[str, bytes]:
    """Return the files of a mounted image that say what is installed, by path.

    A link in an image may point to a file of this machine, so links are not followed.
    """
    found = {}
    for place, directories, files, descriptor in os.fwalk(root, follow_symlinks=False):
        within = os.path.relpath(place, root)
        prefix = "" if within == "." else f"{within}/"
        if not prefix:
            directories[:] = [name for name in directories if name not in NOT_LOOKED_AT]
        for name in files:
            if wanted(f"{prefix}{name}") and (content := _read(name, descriptor)) is not None:
                found[f"{prefix}{name}"] = content
    return found


def _read(name: str, directory: int) -> bytes | None:
    """Return the content of a file in a directory (given by its descriptor), None if it is not a regular file."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        return file.read() if stat.S_ISREG(status.st_mode) and status.st_size <= LONGEST else None


def read_tar(stream: IO[bytes]) -> dict[str, bytes]:
    """Return the same from an image's file system as a tar archive, which is read once from beginning to end."""
    found = {}
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            name = member.name.removeprefix("./").lstrip("/")
            if member.isfile() and member.size <= LONGEST and wanted(name) and (content := archive.extractfile(member)):
                found[name] = content.read()
    return found


# --- What is installed -----------------------------------------------------------
def system(files: dict[str, bytes]) -> dict[str, str]:
    """Return the values of os-release(5) by name, none if the image has no such file."""
    text = next((text for name, text in sorted(files.items(), reverse=True) if RELEASE.fullmatch(name)), b"")
    pairs = re.findall(r"^([A-Z_]+)=(.*)$", text.decode(errors="replace"), re.MULTILINE)
    return {name: value.strip().strip("\"'") for name, value in pairs}


def components(files: dict[str, bytes]) -> list[dict[str, Any]]:
    """Return the packages in an image as CycloneDX components, without duplicates, sorted by package URL."""
    release = system(files)
    found = {}
    for name, content in files.items():
        if PYTHON.fullmatch(name):
            packages = _python(content)
        elif DPKG.fullmatch(name):
            packages = _debian(content, release)
        elif APK.fullmatch(name):
            packages = _alpine(content, release)
        else:
            continue
        found.update({each["purl"]: each for each in packages})
    return [found[purl] for purl in sorted(found)]


def _component(purl: str, name: str, version: str, licences: list[dict[str, Any]], source: str = "", source_version: str = "") -> dict[str, Any]:
    """Return a package; ``source`` is the package that it was built from, with its version, if they differ from its own."""
    found: dict[str, Any] = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    # Distributions' databases list source packages. trivy reads them from here, not from the URL: github.com/aquasecurity/trivy, pkg/sbom/io/decode.go
    properties = [{"name": f"aquasecurity:trivy:{key}", "value": value} for key, value in (("SrcName", source), ("SrcVersion", source_version)) if value]
    return found | ({"licenses": licences} if licences else {}) | ({"properties": properties} if properties else {})


def _purl(kind: str, name: str, version: str, **qualifiers: str) -> str:
    """Return a package URL; ``kind`` is its type, with the namespace if it has one."""
    words = "&".join(f"{key}={quote(value, safe=':')}" for key, value in sorted(qualifiers.items()) if value)
    return f"pkg:{kind}/{quote(name, safe='')}@{quote(version, safe=':')}" + (f"?{words}" if words else "")


def _python(content: bytes) -> Iterator[dict[str, Any]]:
    """Yield the distribution of a METADATA file: packaging.python.org/specifications/core-metadata."""
    head = re.split(rb"\r?\n\r?\n", content, maxsplit=1)[0]
    fields = HeaderParser(policy=compat32).parsestr(head.decode(errors="replace"))
    name, version = (str(fields.get(key) or "").strip() for key in ("Name", "Version"))
    if name and version:
        purl = _purl("pypi", name.lower().replace("_", "-"), version)
        yield _component(purl, name, version, _python_licences(fields))


def _python_licences(fields: Any) -> list[dict[str, Any]]:
    """Return a distribution's licence: an expression, a single line, or classifiers. A full licence text is ignored."""
    if expression := str(fields.get("License-Expression") or "").strip():
        return [{"expression": expression}]
    line = str(fields.get("License") or "").strip()
    if line and line != "UNKNOWN" and "\n" not in line and len(line) <= 100:
        return [{"license": {"name": line}}]
    classifiers = [str(each) for each in fields.get_all("Classifier") or []]
    return [{"license": {"name": each.rpartition(" :: ")[2].strip()}} for each in classifiers if each.startswith("License :: ")]


def _records(content: bytes, separator: str) -> Iterator[dict[str, str]]:
    """Yield the fields of each record of a list with empty lines between records; of a multi-line field, only the first line."""
    for record in re.split(r"\n\s*\n", content.decode(errors="replace")):
        pairs = (line.partition(separator) for line in record.splitlines() if line[:1].strip())
        if fields := {name: value.strip() for name, _, value in pairs}:
            yield fields


def _distro(identity: str, release: dict[str, str]) -> str:
    """Return a distribution with its version, such as C(debian-12), "" for one without versions."""
    return f"{identity}-{release['VERSION_ID']}" if "VERSION_ID" in release else ""


def _debian(content: bytes, release: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the installed packages of dpkg's list: dpkg(1), deb-control(5)."""
    identity = release.get("ID", "debian")
    for fields in _records(content, ":"):
        name, version = fields.get("Package"), fields.get("Version")
        # Distroless images have no status: every listed package is installed.
        if not name or not version or fields.get("Status", "install ok installed").split()[-1] != "installed":
            continue
        found = re.fullmatch(r"(\S+)(?:\s+\((\S+)\))?", fields.get("Source", ""))
        source, source_version = (found[1], found[2] or "") if found else ("", "")
        upstream = f"{source}@{source_version}" if source_version else source
        purl = _purl(f"deb/{identity}", name, version, arch=fields.get("Architecture", ""), distro=_distro(identity, release), upstream=upstream)
        yield _component(purl, name, version, [], source, source_version)


def _alpine(content: bytes, release: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the packages of apk's list: wiki.alpinelinux.org/wiki/Apk_spec."""
    identity = release.get("ID", "alpine")
    for fields in _records(content, ":"):
        if fields.get("P") and fields.get("V"):
            upstream = fields.get("o", "") if fields.get("o") != fields["P"] else ""
            purl = _purl(f"apk/{identity}", fields["P"], fields["V"], arch=fields.get("A", ""), distro=_distro(identity, release), upstream=upstream)
            yield _component(purl, fields["P"], fields["V"], [{"license": {"name": fields["L"]}}] if fields.get("L") else [], upstream)


# --- The document ----------------------------------------------------------------
def document(files: dict[str, bytes], name: str, version: str, identity: str, when: datetime.datetime) -> dict[str, Any]:
    """Return the bill of an image.

    Args:
        files: The image's files that say what is installed.
        name: The image's repository.
        version: The tag of its content.
        identity: The builder's ID of the image, which is the digest of its configuration.
        when: The time.
    """
    parts, release = components(files), system(files)
    if release.get("ID"):
        parts.append({"type": "operating-system", "bom-ref": "os", "name": release["ID"], "version": release.get("VERSION_ID", "")})
    image = {"type": "container", "bom-ref": "image", "name": name, "version": version}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{name}:{version}@{identity}')}",
        "version": 1,
        "metadata": {
            "timestamp": when.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": image | ({"properties": [{"name": "berth:image_id", "value": identity}]} if identity else {}),
        },
        "components": parts,
    }


def write(bill: dict[str, Any], path: Path) -> None:
    """Write an image's bill atomically, and remove the oldest ones next to it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(json.dumps(bill, indent=1), encoding="utf-8")
    temporary.rename(path)
    bills = sorted(path.parent.glob("*.cdx.json"), key=lambda each: each.stat().st_mtime, reverse=True)
    for old in bills[KEPT:]:
        old.unlink(missing_ok=True)
