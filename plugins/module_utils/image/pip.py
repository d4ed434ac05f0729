"""This machine's pip network settings, for the pip of a build: indexes, proxy, certificate authorities."""

from __future__ import annotations

import configparser
import io
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from .registry import ImageError

# Where systems keep the certificate authorities that they trust.
CA_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem")
# Variables that name authorities instead, for pip and its libraries.
CA_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
# Options whose value, or each word of it, is a file or directory unless it is a URL.
PATHS = {
    "build-constraint",
    "cache-dir",
    "client-cert",
    "constraint",
    "editable",
    "extra-index-url",
    "find-links",
    "index-url",
    "log",
    "log-file",
    "prefix",
    "python",
    "report",
    "requirement",
    "root",
    "src",
    "target",
}
# Options about where packages go on this machine, and those that pip itself does not know.
HERE = {"config-file", "require-virtualenv", "user"}
ADDRESS = re.compile(r"(?!file:)[a-z][a-z0-9+.-]*:", re.IGNORECASE)

Options = dict[str, dict[str, str]]  # values by name, by section


def configuration_files(environment: Mapping[str, str], prefix: str = sys.prefix, root: Path = Path("/")) -> list[Path]:
    """Return pip's configuration files, highest precedence last; they need not all exist.

    pip.pypa.io/en/stable/topics/configuration, "Location" and "Precedence / Override order".

    Args:
        environment: The environment variables.
        prefix: The prefix of the Python that pip belongs to.
        root: Where this machine's files are.
    """
    named = environment.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return []
    home = Path(environment.get("HOME") or Path.home())
    if sys.platform == "darwin":
        support = home / "Library/Application Support/pip"
        shared, own = [root / "Library/Application Support/pip"], support if support.is_dir() else home / ".config/pip"
    else:
        places = environment.get("XDG_CONFIG_DIRS", "").strip() or str(root / "etc/xdg")
        shared = [Path(place) / "pip" for place in places.split(os.pathsep)] + [root / "etc"]
        own = Path(environment.get("XDG_CONFIG_HOME", "").strip() or home / ".config") / "pip"
    users = [] if named and Path(named).exists() else [home / ".pip", own]
    return [place / "pip.conf" for place in [*shared, *users, Path(prefix)]] + ([Path(named)] if named else [])


def normal(name: str) -> str:
    """Return an option's name as pip normalizes it."""
    return name.lower().replace("_", "-").removeprefix("--")


def read_options(files: list[Path], environment: Mapping[str, str]) -> Options:
    """Return the options that pip takes from its files and, with the highest precedence, the environment, in every section.

    Raises:
        ImageError: A file is one that pip rejects.
    """
    merged: Options = {}
    for file in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ImageError(f"{file} is not UTF-8, so pip cannot read it: correct it.") from error
        except configparser.Error as error:  # its text may quote a line with a password
            line = getattr(error, "lineno", None) or next((number for number, _ in getattr(error, "errors", [])), "?")
            what = re.sub(r"(?<!^)([A-Z])", r" \1", type(error).__name__.removesuffix("Error")).lower()
            raise ImageError(f"{file}, line {line}: pip cannot read this file ({what}): correct it.") from error
        for section in parser.sections():
            merged.setdefault(section, {}).update({normal(name): value for name, value in parser.items(section)})
    variables = {normal(name[4:]): value for name, value in environment.items() if name.startswith("PIP_") and value}
    for options in [merged.setdefault("global", {}), *merged.values()]:
        for name, value in variables.items():
            options.pop(name, None)
            options[name] = value  # last: pip lets the later of two names for one option count
    return {section: found for section, options in merged.items() if (found := {name: value for name, value in options.items() if value})}


def for_build(options: Options, certificates: str) -> tuple[Options, list[str]]:
    """Return the options that can work in a build, and a note on each that cannot.

    Args:
        options: The options of this machine's pip.
        certificates: Where the build has the authorities, "" if it has none.
    """
    kept: Options = {}
    notes: list[str] = []
    for section, values in options.items():
        for name, value in values.items():
            if name == "cert" or name in HERE:
                continue
            words = value.split()
            usable = [word for word in words if name not in PATHS or ADDRESS.match(word)]
            if lost := [word for word in words if word not in usable]:
                notes.append(f"pip's {name} is used without {', '.join(lost)}: a build has no access to files of this machine.")
            if usable:
                kept.setdefault(section, {})[name] = value if usable == words else "\n".join(usable)
    if certificates:
        kept.setdefault("global", {})["cert"] = certificates
    return kept, list(dict.fromkeys(notes))


def addresses(options: Options) -> Iterator[tuple[str, str]]:
    """Yield the URLs that options send pip to, each with its option's name."""
    for name, value in (each for values in options.values() for each in values.items()):
        yield from ((name, word) for word in value.split() if name == "proxy" or (name in PATHS and ADDRESS.match(word)))


def text_of(options: Options) -> str:
    """Return the text of a configuration file, "" if there are no options."""
    parser = configparser.RawConfigParser()
    parser.read_dict(options)
    output = io.StringIO()
    parser.write(output)
    return output.getvalue()


def authorities(options: Options, environment: Mapping[str, str], systems: tuple[str, ...] = CA_BUNDLES) -> tuple[str, list[str]]:
    """Return the certificates of the authorities that this machine trusts, "" if there are none, and a note on each file that cannot be read.

    The files that variables and pip's ``cert`` name are added to the system's, because a build needs to reach what either of them reaches.
    """
    system = next((name for name in systems if Path(name).is_file()), None)
    named = [environment.get(variable, "") for variable in CA_VARIABLES] + [values.get("cert", "") for values in options.values()]
    found: dict[str, None] = {}
    notes = []
    for name in dict.fromkeys([*([system] if system else []), *filter(None, named)]):
        try:
            found |= dict.fromkeys(certificate for text in texts(Path(name).expanduser()) for certificate in CERTIFICATE.findall(text))
        except OSError as error:
            notes.append(f"{name}, which names certificate authorities, cannot be read: {error.strerror}.")
    return "".join(f"{certificate}\n" for certificate in found), notes


def texts(place: Path) -> Iterator[str]:
    """Yield the text of a file, or of each file of a directory."""
    for file in sorted(place.iterdir()) if place.is_dir() else [place]:
        if file.is_file() or file == place:
            yield file.read_text(encoding="utf-8", errors="replace")


def named_in(source: Path, index: str, dockerfile: str) -> str:
    """Return the files and lines of a project's requirements that name a package index for all of them, "" if none does.

    Those of files that the Dockerfile names, otherwise all: one file includes others. Two levels of directories are searched, which is where
    projects keep them. pip.pypa.io/en/stable/reference/requirements-file-format

    Args:
        source: The project.
        index: The index's address.
        dockerfile: The text of its Dockerfile.
    """
    pattern = re.compile(rf"\s*(?:-i|--index-url)[\s=]*{re.escape(index)}\s*(?:#.*)?")
    words = set(dockerfile.split())
    found = {}
    for file in sorted(file for place in ("*.txt", "*.in", "*/*.txt", "*/*.in") for file in source.glob(place) if file.is_file()):
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        if number := next((number for number, line in enumerate(lines, 1) if pattern.fullmatch(line)), 0):
            found[str(file.relative_to(source))] = f"line {number} of {file}"
    return " and ".join([place for file, place in found.items() if {file, f"./{file}"} & words] or found.values())
