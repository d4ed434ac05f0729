"""Known vulnerabilities of an image's packages: from a scanner on this machine, or an offline copy of OSV's database."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

SCANNERS = ("grype", "trivy")
INSTALL = "install grype or trivy, or set berth_scan_database to an offline copy of OSV's database"
PATIENCE = 600  # seconds; a scanner may fetch its database first
SHOWN = 20  # findings in a message
RANKS = ("critical", "high", "medium", "moderate", "low", "negligible", "unimportant")


class ScanError(Exception):
    """Why an image cannot be scanned; the text is for the user."""


@dataclass(frozen=True)
class Package:
    """A package of an image, by its package URL.

    Attributes:
        kind: The type in the URL: C(pypi), C(deb), C(apk).
        distro: The distribution and its version, such as C(debian-12); empty for Python packages.
        source: The source package that it was built from, which is what distributions' databases list; its own name if there is none.
        source_version: That package's version.
    """

    kind: str
    name: str
    version: str
    distro: str = ""
    source: str = ""
    source_version: str = ""


@dataclass(frozen=True)
class Finding:
    """A known vulnerability of a package.

    Attributes:
        kind: The type of the package's URL.
        others: Its names in other databases.
        severity: As the database gives it, "" if it gives none.
        fixed: The versions without it, "" if there are none.
    """

    kind: str
    package: str
    version: str
    id: str
    others: tuple[str, ...] = ()
    severity: str = ""
    fixed: str = ""

    def __str__(self) -> str:
        other = next((name for name in self.others if name.startswith("CVE-")), "")
        name = self.id if self.id.startswith("CVE-") or not other else f"{self.id}, {other}"
        return f"{self.package} {self.version}: {name} ({self.severity or 'severity unknown'}), fixed in {self.fixed}"


def read_packages(bill: dict[str, Any]) -> list[Package]:
    """Return the packages of a bill of materials (CycloneDX)."""
    urls = (part["purl"] for part in bill.get("components") or [] if part.get("purl"))
    return [package for url in urls if (package := read_url(url))]


def read_url(url: str) -> Package | None:
    """Return the package of a package URL, None for other types than these: github.com/package-url/purl-spec."""
    found = re.fullmatch(r"pkg:(pypi|deb|apk)/(?:[^@?]*/)?([^/@?]+)@([^?]+)(?:\?(.*))?", url)
    if not found:
        return None
    name, version = unquote(found[2]), unquote(found[3])
    more = dict(parse_qsl((found[4] or "").replace("+", "%2B")))
    source, _, source_version = more.get("upstream", "").partition("@")
    return Package(found[1], name, version, more.get("distro", ""), source or name, source_version or version)


# --- OSV's database: ossf.github.io/osv-schema -------------------------------------
def python_key(version: str) -> Any:
    """Return a sort key for a version of a Python package, None if it is not a version."""
    try:
        return Version(version)
    except InvalidVersion:
        return None


def debian_key(version: str) -> Any:
    """Return a sort key for a version of a Debian package: debian.org/doc/debian-policy/ch-controlfields.html#version."""
    epoch, colon, rest = version.partition(":")
    number, rest = (int(epoch), rest) if colon and epoch.isdigit() else (0, version)
    upstream, dash, revision = rest.rpartition("-")
    return number, *((_debian_part(upstream), _debian_part(revision)) if dash else (_debian_part(rest), _debian_part("0")))


def _debian_part(text: str) -> list[Any]:
    # A tilde sorts before the end (0), which sorts before letters, which sort before everything else.
    def weight(character: str) -> int:
        return -1 if character == "~" else ord(character) + (0 if character.isalpha() else 256)

    pairs = re.findall(r"([^0-9]*)([0-9]*)", text)
    return [((*map(weight, letters), 0), int(digits or 0)) for letters, digits in pairs]


KEYS: dict[str, Callable[[str], Any]] = {"pypi": python_key, "deb": debian_key}


def ecosystem(package: Package) -> str:
    """Return the database's name of a package's ecosystem, "" if its versions cannot be compared here."""
    if package.kind == "pypi":
        return "PyPI"
    system, _, release = package.distro.partition("-")
    name = {"debian": "Debian", "ubuntu": "Ubuntu"}.get(system)
    return f"{name}:{release}" if package.kind == "deb" and name and release else ""


def records(database: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a database: a directory of JSON files or of zip files with them, or one such file.

    Raises:
        ScanError: There are none, or a file is not valid.
    """
    paths = sorted(database.rglob("*")) if database.is_dir() else [database]
    number = 0
    for path in paths:
        try:
            for name, content in _contents(path):
                record = json.loads(content)
                if not isinstance(record, dict) or "id" not in record:
                    raise ScanError(f"{name} is not an OSV record. berth_scan_database is a directory or zip file of such records in JSON.")
                number += 1
                yield record
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise ScanError(f"{path} (berth_scan_database) cannot be read: {error}.") from error
    if not number:
        raise ScanError(f"There are no OSV records in {database} (berth_scan_database). They are JSON files, or zip files of them.")


def _contents(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the JSON files at a path, each with its name."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".json"):
                    yield f"{path}/{name}", archive.read(name)
    elif path.suffix == ".json":
        yield str(path), path.read_bytes()


def look_up(packages: Iterable[Package], known: Iterable[dict[str, Any]]) -> tuple[list[Finding], list[str]]:
    """Return the findings for packages in the records of a database, and a sentence for those that could not be looked up."""
    by_name: dict[tuple[str, str], dict[str, Package]] = {}
    counts: dict[str, int] = {}
    for package in packages:
        place = ecosystem(package)
        counts[place] = counts.get(place, 0) + 1
        name = canonicalize_name(package.name) if package.kind == "pypi" else package.source
        by_name.setdefault((place, name), {})[package.version if package.kind == "pypi" else package.source_version] = package
    found, places = {}, set()
    for record in known:
        for entry in record.get("affected") or []:
            of = entry.get("package") or {}
            # Ubuntu:22.04:LTS is just 22.04 here.
            place = ":".join(str(of.get("ecosystem", "")).split(":")[:2])
            places.add(place)
            name = canonicalize_name(of.get("name", "")) if place == "PyPI" else of.get("name", "")
            for version, package in by_name.get((place, name), {}).items() if not record.get("withdrawn") else ():
                affected, fixed = judge(entry, version, KEYS[package.kind])
                if affected:
                    others = tuple(str(other) for other in [*(record.get("aliases") or []), *(record.get("upstream") or [])])
                    found[record["id"], name, version] = Finding(package.kind, name, version, record["id"], others, _severity(record, entry), fixed)
    notes = [f"packages of a system whose versions Berth cannot compare ({counts.pop('')}); grype and trivy can"] if "" in counts else []
    notes += [f"packages of {place} ({count}), for which the database has no records" for place, count in counts.items() if place not in places]
    return list(found.values()), notes


def judge(entry: dict[str, Any], version: str, key: Callable[[str], Any]) -> tuple[bool, str]:
    """Return whether a record's entry affects a version, and the next version without the vulnerability, "" if there is none.

    Source: ossf.github.io/osv-schema, "Evaluation".
    """
    here = key(version)
    listed = version in (entry.get("versions") or [])
    if here is None:
        return listed, ""
    affected, fixes = listed, []
    for span in entry.get("ranges") or []:
        if span.get("type") != "ECOSYSTEM":
            continue
        pairs = [(kind, value) for event in span.get("events") or [] for kind, value in event.items()]
        since = [kind for kind, value in pairs if kind == "introduced" and value == "0"]
        events = sorted((place, kind, value) for kind, value in pairs if value != "0" and (place := key(value)) is not None)
        inside = bool(since)
        for place, kind, value in events:
            if kind == "introduced" and place <= here:
                inside = True
            elif (kind == "fixed" and place <= here) or (kind == "last_affected" and place < here):
                inside = False
            elif kind == "fixed":
                fixes.append((place, value))
        affected = affected or inside
    return affected, min(fixes)[1] if fixes else ""


def _severity(record: dict[str, Any], entry: dict[str, Any]) -> str:
    places = (record.get("database_specific"), entry.get("database_specific"), entry.get("ecosystem_specific"))
    return next((str(place[name]).lower() for place in places if place for name in ("severity", "urgency") if isinstance(place.get(name), str)), "")


# --- Scanners of this machine ------------------------------------------------------
def scanner(database: str) -> str:
    """Return the scanner to use here: C(osv) with a database, else the first installed program, "" if there is none."""
    return "osv" if database else next((name for name in SCANNERS if shutil.which(name)), "")


def grype(answer: dict[str, Any]) -> Iterator[Finding]:
    """Yield what grype found: github.com/anchore/grype, ``--output json``."""
    for match in answer.get("matches") or []:
        weakness, package = match["vulnerability"], match["artifact"]
        others = tuple(each["id"] for each in match.get("relatedVulnerabilities") or [])
        fixed = ", ".join((weakness.get("fix") or {}).get("versions") or [])
        kind = re.sub(r"\Apkg:(\w+)/.*", r"\1", package.get("purl") or "")
        yield Finding(kind, package["name"], package["version"], weakness["id"], others, str(weakness.get("severity") or "").lower(), fixed)


def trivy(answer: dict[str, Any]) -> Iterator[Finding]:
    """Yield what trivy found: trivy.dev, "Reporting", format json."""
    for result in answer.get("Results") or []:
        for weakness in result.get("Vulnerabilities") or []:
            kind = re.sub(r"\Apkg:(\w+)/.*", r"\1", (weakness.get("PkgIdentifier") or {}).get("PURL") or "")
            severity, fixed = str(weakness.get("Severity") or "").lower(), weakness.get("FixedVersion") or ""
            others = tuple(weakness.get("VendorIDs") or [])
            yield Finding(kind, weakness["PkgName"], weakness["InstalledVersion"], weakness["VulnerabilityID"], others, severity, fixed)


# Not --quiet: with it, grype 0.121 does not print why it failed either.
COMMANDS: dict[str, tuple[list[str], Callable[[dict[str, Any]], Iterator[Finding]]]] = {
    "grype": (["grype", "--output", "json", "sbom:{}"], grype),
    "trivy": (["trivy", "sbom", "--no-progress", "--format", "json", "{}"], trivy),
}


def ask(program: str, bill: Path) -> list[Finding]:
    """Return the findings of a scanner on this machine for an image's bill.

    Raises:
        ScanError: The scanner fails.
    """
    words, read = COMMANDS[program]
    try:
        command, environment = [word.format(bill) for word in words], {**os.environ, "NO_COLOR": "1"}
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False, timeout=PATIENCE, env=environment
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ScanError(f"{program} could not scan {bill}: {error}.") from error
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise ScanError(f"{program} could not scan {bill}: it ended with exit code {done.returncode}. Its last lines:\n{last}")
    try:
        return list(read(json.loads(done.stdout)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ScanError(f"{program} scanned {bill}, but its output is not the JSON that Berth knows. Use another version of it.") from error


# --- What is said ------------------------------------------------------------------
@dataclass
class Result:
    """The findings for an image.

    Attributes:
        open: Findings that have a fixed version and are not ignored, worst first.
        unfixed: How many have no fixed version.
        unused: Names in the list of ignored vulnerabilities that match no finding.
        notes: What could not be looked up.
    """

    open: list[Finding]
    unfixed: int
    unused: list[str]
    notes: list[str]


def sift(findings: list[Finding], ignored: dict[str, str], notes: list[str]) -> Result:
    """Return what to report about findings; ``ignored`` maps names of vulnerabilities to the reasons."""
    names = {name for finding in findings for name in (finding.id, *finding.others)}
    left = [finding for finding in findings if not {finding.id, *finding.others} & ignored.keys()]

    def rank(finding: Finding) -> tuple[int, str, str]:
        return (RANKS.index(finding.severity) if finding.severity in RANKS else len(RANKS), finding.package, finding.id)

    fixable = sorted({finding for finding in left if finding.fixed}, key=rank)
    return Result(fixable, len(left) - len([each for each in left if each.fixed]), sorted(ignored.keys() - names), notes)


def message(result: Result, image: str) -> str:
    """Return what was found in an image and what to do, "" if there is nothing to do."""
    if not result.open:
        return ""
    count = "1 known vulnerability" if len(result.open) == 1 else f"{len(result.open)} known vulnerabilities"
    lines = [f"{image} has {count} for which there is a fixed version:", *(f"  {finding}" for finding in result.open[:SHOWN])]
    if len(result.open) > SHOWN:
        lines.append(f"  and {len(result.open) - SHOWN} more, which are no worse")
    if result.unfixed:
        lines.append(f"  (and {result.unfixed} that no version fixes yet)")
    if any(finding.kind == "pypi" for finding in result.open):
        lines.append("Upgrade Python packages to the fixed version in the project's requirements.")
    if any(finding.kind != "pypi" for finding in result.open):
        lines.append(
            "System packages come with the base image: name a newer one in the Dockerfile, or upgrade the package in it. "
            "If Berth generates the Dockerfile, a newer Berth has a newer image. What the Dockerfile installs is renewed every berth_image_max_age days."
        )
    lines.append("If one does not affect the app, add its name with the reason to berth_scan_ignore.")
    return "\n".join(lines)


def remarks(result: Result) -> list[str]:
    """Return the remarks that are worth a line of their own."""
    found = [f"Not looked up: {note}." for note in result.notes]
    if result.unused:
        found.append(f"berth_scan_ignore names {', '.join(result.unused)}, which the image does not have; remove it.")
    return found
