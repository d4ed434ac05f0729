"""What an image is made of, as its files say it and as CycloneDX has it."""

from __future__ import annotations

import datetime
import io
import json
import os
import tarfile
from pathlib import Path

import pytest
from ansible_collections.berth.platform.plugins.module_utils.image import sbom

WHEN = datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.UTC)
SITE = "usr/local/lib/python3.13/site-packages"
RELEASE = {"usr/lib/os-release": b'NAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="12"\n'}
DPKG = b"""Package: libssl3
Status: install ok installed
Architecture: amd64
Source: openssl (3.0.1-1)
Version: 3.0.17-1~deb12u2
Description: a library
 Package: none, for this is a description

Package: libstdc++6
Status: install ok installed
Architecture: amd64
Version: 1:12.2.0-14+deb12u1

Package: gone
Status: deinstall ok config-files
Version: 1
"""
APK = b"C:Q1abc=\nP:libcrypto3\nV:3.3.2-r1\nA:x86_64\nL:Apache-2.0\no:openssl\nF:lib\n\nP:musl\nV:1.2.5-r8\nA:x86_64\nL:MIT\no:musl\n"


def metadata(name: str, version: str, *lines: str) -> bytes:
    """Return a distribution's METADATA."""
    return "\n".join(["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *lines, "", "Name: other", "what it is"]).encode()


@pytest.mark.parametrize(
    ("files", "purls"),
    [
        ({f"{SITE}/Django-5.2.dist-info/METADATA": metadata("Django", "5.2")}, ["pkg:pypi/django@5.2"]),
        (
            {"app/.venv/lib/python3.12/site-packages/typing_extensions-4.dist-info/METADATA": metadata("typing_extensions", "4.15.0")},
            ["pkg:pypi/typing-extensions@4.15.0"],
        ),
        ({f"{SITE}/a-1.egg-info/PKG-INFO": metadata("a", "1.0+local")}, ["pkg:pypi/a@1.0%2Blocal"]),
        ({f"{SITE}/a.dist-info/METADATA": metadata("a", "1"), "opt/a.dist-info/METADATA": metadata("a", "1")}, ["pkg:pypi/a@1"]),
        ({f"{SITE}/a.dist-info/METADATA": b"\xff\xfe no metadata"}, []),
        ({"usr/lib/python3/dist-packages/six.dist-info/METADATA": metadata("six", "1.16")}, []),
        ({f"{SITE}/a.dist-info/RECORD": b"", f"{SITE}/METADATA": metadata("a", "1")}, []),
        (
            {**RELEASE, "var/lib/dpkg/status": DPKG},
            [
                "pkg:deb/debian/libssl3@3.0.17-1~deb12u2?arch=amd64&distro=debian-12&upstream=openssl%403.0.1-1",
                "pkg:deb/debian/libstdc%2B%2B6@1:12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-12",
            ],
        ),
        ({"var/lib/dpkg/status.d/base": b"Package: base-files\nVersion: 12\n"}, ["pkg:deb/debian/base-files@12"]),
        (
            {"etc/os-release": b"ID=alpine\nVERSION_ID=3.20.3\n", "lib/apk/db/installed": APK},
            [
                "pkg:apk/alpine/libcrypto3@3.3.2-r1?arch=x86_64&distro=alpine-3.20.3&upstream=openssl",
                "pkg:apk/alpine/musl@1.2.5-r8?arch=x86_64&distro=alpine-3.20.3",
            ],
        ),
        ({}, []),
    ],
)
def test_each_installed_package_is_named_once_by_its_package_url(files: dict[str, bytes], purls: list[str]) -> None:
    wanted = {name: content for name, content in files.items() if sbom.wanted(name)}
    assert [each["purl"] for each in sbom.components(wanted)] == purls


def test_a_package_has_its_source_where_each_scanner_looks_for_it() -> None:
    """grype reads the URL, trivy properties of its own; without them neither looks up what is known of OpenSSL."""
    debian = sbom.components({**RELEASE, "var/lib/dpkg/status": DPKG})
    alpine = sbom.components({"lib/apk/db/installed": APK})
    found = {each["name"]: {one["name"].rpartition(":")[2]: one["value"] for one in each.get("properties", [])} for each in [*debian, *alpine]}
    assert found == {
        "libssl3": {"SrcName": "openssl", "SrcVersion": "3.0.1-1"},
        "libstdc++6": {},
        "libcrypto3": {"SrcName": "openssl"},
        "musl": {},
    }


@pytest.mark.parametrize(
    ("lines", "licences"),
    [
        (["License-Expression: BSD-3-Clause OR MIT", "License: other"], [{"expression": "BSD-3-Clause OR MIT"}]),
        (["License: MIT"], [{"license": {"name": "MIT"}}]),
        (["License: A licence", "        of several lines", "Classifier: License :: OSI Approved :: MIT License"], [{"license": {"name": "MIT License"}}]),
        (["License: UNKNOWN"], None),
        ([], None),
    ],
)
def test_a_distributions_licence_is_the_one_that_it_names(lines: list[str], licences: list[object] | None) -> None:
    [found] = sbom.components({f"{SITE}/a.dist-info/METADATA": metadata("a", "1", *lines)})
    assert found.get("licenses") == licences


def test_no_link_of_an_image_leads_to_a_file_of_this_machine(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(DPKG)
    image = tmp_path / "image"
    (image / "var/lib/dpkg/status.d").mkdir(parents=True)
    (image / "var/lib/dpkg/status").symlink_to(outside)
    (image / "usr").mkdir()
    (image / "usr/lib").symlink_to(tmp_path)
    (tmp_path / "os-release").write_text("ID=host\n")
    os.mkfifo(image / "var/lib/dpkg/status.d/pipe")
    (image / "var/lib/dpkg/status.d/base").write_text("Package: base\nVersion: 1\n")
    assert sbom.read_tree(image) == {"var/lib/dpkg/status.d/base": b"Package: base\nVersion: 1\n"}


def test_an_exported_image_has_the_same_files_as_a_mounted_one(tmp_path: Path) -> None:
    for name, content in {**RELEASE, "var/lib/dpkg/status": DPKG, f"{SITE}/a.dist-info/METADATA": metadata("a", "1"), "srv/other": b"x"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.add(tmp_path, arcname=".")
    stream.seek(0)
    found = sbom.read_tar(stream)
    assert found == sbom.read_tree(tmp_path)
    assert len(found) == 3


def test_the_bill_is_that_of_its_image_and_of_no_other_and_names_the_system() -> None:
    files = {**RELEASE, "var/lib/dpkg/status": DPKG}
    bill = sbom.document(files, "polls", "content-1", "sha256:12", WHEN)
    other = sbom.document(files, "polls", "content-1", "sha256:13", WHEN)
    assert bill["serialNumber"] != other["serialNumber"]
    assert bill == sbom.document(files, "polls", "content-1", "sha256:12", WHEN)
    assert bill["metadata"]["component"]["properties"] == [{"name": "berth:image_id", "value": "sha256:12"}]
    assert bill["components"][-1] == {"type": "operating-system", "bom-ref": "os", "name": "debian", "version": "12"}
    references = [each["bom-ref"] for each in [*bill["components"], bill["metadata"]["component"]]]
    assert len(references) == len(set(references)), "cyclonedx.org/docs/1.5/json: unique in the document"


def test_only_the_newest_bills_of_a_repository_are_kept(tmp_path: Path) -> None:
    for number in range(sbom.KEPT + 2):
        path = tmp_path / f"content-{number}.cdx.json"
        sbom.write({"number": number}, path)
        os.utime(path, (number, number))
    sbom.write({"number": "new"}, tmp_path / "content-new.cdx.json")
    numbers = {json.loads(path.read_text())["number"] for path in tmp_path.iterdir()}
    assert numbers == {*range(3, sbom.KEPT + 2), "new"}
