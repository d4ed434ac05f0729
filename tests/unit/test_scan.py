"""Known vulnerabilities of what is in an image: what counts, and what is said."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.image import scan
from ansible_collections.berth.platform.plugins.module_utils.image.scan import Finding, Package
from ansible_collections.berth.platform.plugins.modules import image_scan
from ansible_collections.berth.platform.plugins.plugin_utils.inventory import supply
from module_run import run

OPENSSL = "pkg:deb/debian/libssl3@3.0.17-1~deb12u2?arch=amd64&distro=debian-12&upstream=openssl"
MUSL = "pkg:apk/alpine/musl@1.2.5-r8?arch=x86_64&distro=alpine-3.20.3"
PURLS = ["pkg:pypi/django@5.2", OPENSSL]


def record(identity: str, name: str, *events: tuple[str, str], ecosystem: str = "PyPI", **more: Any) -> dict[str, Any]:
    """Return a record of OSV."""
    span = {"type": "ECOSYSTEM", "events": [{kind: version} for kind, version in events]}
    return {"id": identity, "affected": [{"package": {"ecosystem": ecosystem, "name": name}, "ranges": [span]}], **more}


DJANGO = record(
    "GHSA-1",
    "Django",
    ("introduced", "5.0"),
    ("fixed", "5.2.3"),
    aliases=["CVE-2026-1"],
    database_specific={"severity": "HIGH"},
)
SSL = record("DEBIAN-CVE-2026-2", "openssl", ("introduced", "0"), ("fixed", "3.0.18-1~deb12u1"), ecosystem="Debian:12", upstream=["CVE-2026-2"])
UNFIXED = record("GHSA-3", "django", ("introduced", "0"))
OTHER = record("GHSA-4", "flask", ("introduced", "0"), ("fixed", "9"))


@pytest.mark.parametrize(
    ("url", "package"),
    [
        ("pkg:pypi/a@1.0%2Blocal", Package("pypi", "a", "1.0+local", "", "a", "1.0+local")),
        (OPENSSL, Package("deb", "libssl3", "3.0.17-1~deb12u2", "debian-12", "openssl", "3.0.17-1~deb12u2")),
        (
            "pkg:deb/debian/libstdc%2B%2B6@1:12.2-14%2Bdeb12u1?distro=debian-12&upstream=gcc-12%4012.2+1",
            Package("deb", "libstdc++6", "1:12.2-14+deb12u1", "debian-12", "gcc-12", "12.2+1"),
        ),
        (MUSL, Package("apk", "musl", "1.2.5-r8", "alpine-3.20.3", "musl", "1.2.5-r8")),
        ("pkg:oci/polls@sha256:12", None),
    ],
)
def test_a_package_is_read_from_its_url(url: str, package: Package | None) -> None:
    assert scan.read_url(url) == package


def test_versions_of_debian_sort_as_dpkg_sorts_them() -> None:
    ascending = ["0~~", "0~", "0", "1.0~rc1", "1.0", "1.0-1~bpo1", "1.0-1", "1.0-1.1", "1.0a", "1.0+deb12u2", "1.0+deb12u10", "1.0.0", "1.10", "1:0.1"]
    assert sorted(reversed(ascending), key=scan.debian_key) == ascending
    assert scan.debian_key("1.0") == scan.debian_key("1.0-0") == scan.debian_key("0:1.00")


@pytest.mark.parametrize(
    ("events", "version", "answer"),
    [
        ([("introduced", "0"), ("fixed", "5.2.3")], "5.2", (True, "5.2.3")),
        ([("introduced", "0"), ("fixed", "5.2.3")], "5.2.3", (False, "")),
        ([("introduced", "5.0"), ("fixed", "5.2.3")], "4.2", (False, "5.2.3")),
        ([("introduced", "0"), ("last_affected", "5.2")], "5.2", (True, "")),
        ([("introduced", "0"), ("last_affected", "5.2")], "5.2.1", (False, "")),
        ([("introduced", "0"), ("fixed", "4.2.9"), ("introduced", "5.0"), ("fixed", "5.10")], "5.9", (True, "5.10")),
        ([("fixed", "5.10"), ("introduced", "5.0"), ("fixed", "4.2.9"), ("introduced", "0")], "4.2.10", (False, "5.10")),
        ([("introduced", "0"), ("fixed", "no version"), ("fixed", "6")], "5", (True, "6")),
        ([("introduced", "0")], "no version", (False, "")),
    ],
)
def test_a_record_concerns_the_versions_of_its_ranges(events: list[tuple[str, str]], version: str, answer: tuple[bool, str]) -> None:
    [entry] = record("X", "a", *events)["affected"]
    assert scan.judge(entry, version, scan.python_key) == answer


def test_a_record_concerns_the_versions_that_it_lists_and_no_range_of_another_kind() -> None:
    entry = {"versions": ["1", "no version"], "ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]}
    assert [scan.judge(entry, version, scan.python_key)[0] for version in ("1", "no version", "2")] == [True, True, False]


def test_a_withdrawn_record_concerns_nothing() -> None:
    packages = [package for url in PURLS if (package := scan.read_url(url))]
    assert scan.look_up(packages, [{**DJANGO, "withdrawn": "2026-01-01T00:00:00Z"}, SSL])[0][0].id == SSL["id"]
    assert len(scan.look_up(packages, [{**DJANGO, "withdrawn": "2026-01-01T00:00:00Z"}])[0]) == 0


@pytest.fixture
def image(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Return what looks at an image made of packages (their URLs), with records of a database."""
    warnings: list[str] = []
    # Not from the answer: Ansible keeps a process's warnings, and all runs of a test are one process.
    monkeypatch.setattr(image_scan.AnsibleModule, "warn", lambda _, text: warnings.append(text))

    def look(purls: list[str], records: list[dict[str, Any]], check: bool = False, **options: Any) -> dict[str, Any]:
        bill, database = tmp_path / "content-1.cdx.json", tmp_path / "osv"
        bill.write_text(json.dumps({"components": [{"purl": purl} for purl in purls]}))
        database.mkdir(exist_ok=True)
        for each in records:
            (database / f"{each['id']}.json").write_text(json.dumps(each))
        given = {"image": "polls", "sbom": str(bill), "action": "refuse", "database": str(database), **options}
        warnings.clear()
        return run(image_scan, capsys, check=check, **given) | {"warnings": [*warnings]}

    return look


def test_an_image_with_a_known_vulnerability_is_refused_with_what_to_do(image: Any) -> None:
    answer = image(PURLS, [DJANGO, SSL, UNFIXED, OTHER])
    assert answer["failed"]
    assert answer["msg"].splitlines() == [
        "polls has 2 known vulnerabilities for which there is a fixed version:",
        "  django 5.2: GHSA-1, CVE-2026-1 (high), fixed in 5.2.3",
        "  openssl 3.0.17-1~deb12u2: DEBIAN-CVE-2026-2, CVE-2026-2 (severity unknown), fixed in 3.0.18-1~deb12u1",
        "  (and 1 that no version fixes yet)",
        "Upgrade Python packages to the fixed version in the project's requirements.",
        "System packages come with the base image: name a newer one in the Dockerfile, or upgrade the package in it. "
        "If Berth generates the Dockerfile, a newer Berth has a newer image. What the Dockerfile installs is renewed every berth_image_max_age days.",
        "If one does not affect the app, add its name with the reason to berth_scan_ignore.",
        "It is not released, because berth_scan is refuse.",
    ]


def test_where_it_is_only_told_the_image_is_released(image: Any) -> None:
    answer = image(PURLS, [DJANGO, SSL], action="warn")
    assert "failed" not in answer
    assert answer["warnings"][0].startswith("polls has 2 known vulnerabilities")


@pytest.mark.parametrize("name", ["GHSA-1", "CVE-2026-1"])
def test_what_is_ignored_by_any_of_its_names_does_not_count_and_what_is_not_there_is_told(image: Any, name: str) -> None:
    answer = image(PURLS, [DJANGO, {**SSL, "affected": []}, UNFIXED], ignored={name: "no XML", "CVE-2020-1": "an old one"})
    assert "failed" not in answer
    assert answer["findings"] == []
    assert answer["unfixed"] == 1
    assert "berth_scan_ignore names CVE-2020-1, which the image does not have; remove it." in answer["warnings"]


def test_what_the_database_does_not_know_of_is_told(image: Any) -> None:
    answer = image([*PURLS, MUSL], [OTHER])
    assert answer["warnings"] == [
        "Not looked up: packages of a system whose versions Berth cannot compare (1); grype and trivy can.",
        "Not looked up: packages of Debian:12 (1), for which the database has no records.",
    ]


def test_an_image_of_which_nothing_is_known_is_refused_or_told(image: Any, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "content-2.cdx.json")
    assert "Change berth_image_max_age to have it built here." in image([], [OTHER], sbom=nowhere)["msg"]
    assert "The content of polls is not known" in image([], [OTHER], sbom=nowhere, action="warn")["warnings"][0]
    assert image([], [OTHER], sbom=nowhere, check=True)["msg"] == "polls will be scanned once it is built"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "There are no OSV records in"),
        ({"a.json": b"[]"}, "a.json is not an OSV record"),
        ({"a.json": b"{"}, "a.json (berth_scan_database) cannot be read"),
        ({"all.zip": b"PK"}, "all.zip (berth_scan_database) cannot be read"),
    ],
)
def test_a_database_that_is_none_is_told_without_a_traceback(image: Any, tmp_path: Path, files: dict[str, bytes], words: str) -> None:
    database = tmp_path / "other"
    database.mkdir()
    for name, content in files.items():
        (database / name).write_bytes(content)
    assert words in image(PURLS, [], database=str(database))["msg"]


def test_a_zip_of_records_is_a_database(image: Any, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("GHSA-1.json", json.dumps(DJANGO))
    assert image(PURLS, [], database=str(tmp_path / "all.zip"))["findings"] == ["django 5.2: GHSA-1, CVE-2026-1 (high), fixed in 5.2.3"]


# --- Scanners -----------------------------------------------------------------------
GRYPE = {
    "matches": [
        {
            "vulnerability": {"id": "GHSA-1", "severity": "High", "fix": {"versions": ["5.2.3"], "state": "fixed"}},
            "relatedVulnerabilities": [{"id": "CVE-2026-1"}],
            "artifact": {"name": "Django", "version": "5.2", "purl": "pkg:pypi/django@5.2"},
        }
    ]
}
TRIVY = {
    "Results": [
        {"Target": "debian"},
        {
            "Vulnerabilities": [
                {"VulnerabilityID": "CVE-2026-2", "PkgName": "libssl3", "InstalledVersion": "3.0.17", "Severity": "MEDIUM", "PkgIdentifier": {"PURL": OPENSSL}},
                {
                    "VulnerabilityID": "CVE-2026-1",
                    "VendorIDs": ["GHSA-1"],
                    "PkgName": "Django",
                    "InstalledVersion": "5.2",
                    "FixedVersion": "5.2.3",
                    "Severity": "HIGH",
                    "PkgIdentifier": {"PURL": "pkg:pypi/django@5.2"},
                },
            ]
        },
    ]
}


def stand_in(directory: Path, name: str, text: str, code: int = 0) -> None:
    """Make a program that writes down its arguments and answers."""
    (directory / "answer").write_text(text)
    program = directory / name
    said = '[ "$1" = --quiet ] || [ -z "$NO_COLOR" ] || echo "no database" >&2'
    program.write_text(f'#!/bin/sh\necho "$@" >"{directory}/asked"\n{said}\nwhile read -r line; do echo "$line"; done <"{directory}/answer"\nexit {code}\n')
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("name", "text", "asked", "found"),
    [
        ("grype", GRYPE, "--output json sbom:{}", [Finding("pypi", "Django", "5.2", "GHSA-1", ("CVE-2026-1",), "high", "5.2.3")]),
        (
            "trivy",
            TRIVY,
            "sbom --no-progress --format json {}",
            [
                Finding("deb", "libssl3", "3.0.17", "CVE-2026-2", (), "medium", ""),
                Finding("pypi", "Django", "5.2", "CVE-2026-1", ("GHSA-1",), "high", "5.2.3"),
            ],
        ),
    ],
)
def test_a_scanner_that_is_installed_gets_the_bill_and_its_answer_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: Any, asked: str, found: list[Finding]
) -> None:
    stand_in(tmp_path, name, f"{json.dumps(text)}\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert scan.scanner("") == name
    assert scan.ask(name, Path("/srv/bill.cdx.json")) == found
    assert (tmp_path / "asked").read_text().strip() == asked.format("/srv/bill.cdx.json")


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [("", 1, "it ended with exit code 1. Its last lines:\nno database\n"), ("no JSON\n", 0, "not the JSON"), ('{"matches": [{}]}\n', 0, "not the JSON")],
)
def test_a_scanner_that_does_not_answer_lets_no_image_pass(
    image: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, code: int, words: str
) -> None:
    stand_in(tmp_path, "grype", text, code)
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = image(PURLS, [], database="")
    assert answer["failed"]
    assert words in answer["msg"]


# --- Preflight ----------------------------------------------------------------------
def said(suspect: set[str] = frozenset(), **values: Any) -> dict[str, str]:
    """Return what is wrong with the variables, by name."""
    defaults = {"berth_scan": "none", "berth_scan_database": ""}
    return {problem.name: problem.text for problem in supply.problems({**defaults, **values}.get, "loopback", suspect)}


def test_preflight_refuses_a_scan_that_nothing_could_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "install grype or trivy, or set berth_scan_database" in said(berth_scan="refuse")["berth_scan"]
    assert "/nowhere does not exist" in said(berth_scan="warn", berth_scan_database="/nowhere")["berth_scan_database"]
    assert said() == said(berth_scan="warn", berth_scan_database=str(tmp_path)) == said({"berth_scan"}, berth_scan="yes") == {}
    stand_in(tmp_path, "trivy", "")
    assert said(berth_scan="refuse") == {}
