"""Which files of a directory go into an image: those that a builder sees, and their hash."""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from .dockerfile import read
from .registry import ImageError

# Where each builder looks for its rules, in this order: next to the Dockerfile, then in the context.
# docs.docker.com/build/concepts/context, "Filename and location"; github.com/containers/buildah/blob/v1.28.2/pkg/parse/parse.go, ContainerIgnoreFile
BESIDE = {"docker": (".dockerignore",), "buildah": (".dockerignore", ".containerignore")}
INSIDE = {"docker": (".dockerignore",), "buildah": (".containerignore", ".dockerignore")}
# unicode.IsSpace of Go; str.strip() strips more.
SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
# A rule's syntax is that of pkg.go.dev/path/filepath#Match.
MEMBER = r"(?:\\.|[^\\\]-])"
CLASS = rf"\[\^?(?:{MEMBER}(?:-{MEMBER})?)+\]"
TOKEN = re.compile(rf"(?P<stars>\*\*/?)|(?P<star>\*)|(?P<one>\?)|(?P<group>{CLASS})|\\(?P<escaped>.)|(?P<plain>[^\\\[])", re.DOTALL)


class Entry(NamedTuple):
    """A file, directory, link or pipe of the context: its name relative to it, and its ``lstat`` result."""

    name: str
    info: os.stat_result


class Rule(NamedTuple):
    """A line of an ignore file."""

    exception: bool  # it began with "!"
    literal: str  # the part before its first special character
    matches: Callable[[str], bool]


# For each rule, whether it matches a path, and whether Docker's walk has found that it does.
Meant = list[tuple[bool, bool]]


class Unclear(Exception):
    """Builders read a rule differently; see :func:`expression`."""


def shown(name: str) -> str:
    """Return a file's name in printable form, whatever its bytes are."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


# --- The rules -------------------------------------------------------------
def expression(rule: str) -> str:
    """Return the regular expression that Docker makes of a rule, without its anchors.

    It works as github.com/moby/patternmatcher/blob/v0.6.0/patternmatcher.go does, one character after another.

    Raises:
        Unclear: Docker makes a Go expression of it by accident that nobody means, such as ``\\d`` from a path with backslashes.
    """
    made = ""
    for token in TOKEN.finditer(rule):
        match token.lastgroup:
            case "stars":
                made += ".*" if token.end() == len(rule) else "(?:.*/)?"  # any number of directories, including none
            case "star":
                made += "[^/]*"
            case "one":
                made += "[^/]"
            case "group":
                made += group(token[0])
            case "escaped" if token["escaped"].isalnum():
                raise Unclear
            case "plain" if token["plain"] == "^":
                made += "^"  # as an expression has it
            case _:
                made += re.escape(token["escaped"] or token["plain"])
    return made


def group(rule: str) -> str:
    """Return the expression for a rule's list of characters, such as ``[^a-z]``."""
    start = 2 if rule.startswith("[^") else 1
    if re.search(r"[*?]|\[:|\\[A-Za-z0-9]", rule[start:]):
        raise Unclear
    members = [token if token == "-" else re.escape(token[-1]) for token in re.findall(r"\\.|.", rule[start:-1], re.DOTALL)]
    return f"{rule[:start]}{''.join(members)}]"


def matcher(rule: str) -> Callable[[str], bool]:
    """Return a function that tells whether a rule matches a name, as Docker does: it does not read every rule as an expression.

    Raises:
        Unclear: See :func:`expression`.
        re.error: A character range ends before it begins.
    """
    if not re.search(r"[*?\[\]\\]", rule):
        return lambda name: name == rule
    if end := re.fullmatch(r"\*\*([^*?\[\]\\]+)", rule):
        return lambda name: name.endswith(end[1]) or name == end[1].removeprefix("/")
    if beginning := re.fullmatch(r"([^*?\[\]\\]*)\*\*", rule):
        return lambda name: name.startswith(beginning[1])
    pattern = re.compile(expression(replaced(rule)) + r"\Z")
    return lambda name: pattern.match(replaced(name)) is not None


def replaced(name: str) -> str:
    """Return a name as Go's regular expressions see it: each byte that is not UTF-8 becomes the same replacement character."""
    return re.sub(r"[\udc80-\udcff]", "\ufffd", name)


def clean(path: str) -> str:
    """Return the shortest equivalent path, relative to the context, as Go's filepath.Clean and Docker's reading of a leading slash do."""
    return posixpath.normpath(path).lstrip("/") if path else ""


def problem(rule: str) -> str:
    """Return why no builder accepts a rule, "" if they do."""
    if not rule:
        return "it names nothing"
    if re.fullmatch(f"(?:{TOKEN.pattern})*", rule, re.DOTALL):
        return ""
    if re.search(r"(?<!\\)(?:\\\\)*\\\Z", rule):
        return "a \\ escapes the character after it, but none follows; directories are separated by /"
    return "a [ starts a list of characters, such as [a-z], but this is not one; write \\[ for the character itself"


def read_rules(file: Path) -> list[Rule]:
    """Return the rules of an ignore file.

    They are read as github.com/moby/patternmatcher/blob/v0.6.0/ignorefile/ignorefile.go reads them. A rule that builders read differently
    ignores nothing: an extra file in the hash costs a build, a missing one would leave an edit out.

    Raises:
        ImageError: The file cannot be read, or no builder accepts one of its rules.
    """
    try:
        lines = file.read_bytes().removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape").split("\n")
    except OSError as error:
        raise ImageError(f"{file} cannot be read: {error.strerror}.") from error
    rules: list[Rule] = []
    clear = True
    for number, line in enumerate(lines, 1):
        text = line.strip(SPACE)
        if line.startswith("#") or not text:
            continue
        rule = "!" + clean(text[1:].strip(SPACE)) if text.startswith("!") else clean(text).strip(SPACE)
        exception = rule.startswith("!")  # of /!name too
        rule = rule.removeprefix("!")
        wrong = problem(rule) if rule or exception else ""  # a lone / means nothing
        try:
            rules += [] if wrong else [Rule(exception, re.split(r"[*?\[\\]", rule)[0], matcher(rule))]
        except re.error:
            wrong = "a range of characters, such as a-z, ends before it starts"
        except Unclear:
            clear = clear and not exception
        if wrong:
            raise ImageError(f"{file}, line {number}: {shown(text)} cannot be understood: {wrong}. Correct the line, or remove it.")
    return rules if clear else []


class Ignore:
    """An ignore file that is asked about one path after another, from the root downwards."""

    def __init__(self, file: Path | None) -> None:
        self.rules = read_rules(file) if file else []
        self.exceptions = [rule.literal for rule in self.rules if rule.exception]

    def look(self, name: str, above: Meant) -> tuple[bool, Meant]:
        """Return whether no builder sees a path, and which rules match it; ``above`` is the latter for its directory.

        The documentation says that the last rule that matches it or a directory above decides, and buildah works that way. Docker's walk skips
        a rule that would change nothing, and so does not apply it to anything below either (MatchesUsingParentResults of
        github.com/moby/patternmatcher). If they differ, a path that either of them sees counts as seen.
        """
        nothing = [(False, False)] * len(self.rules)
        plain = docker = False
        meant = []
        for rule, (before, found) in zip(self.rules, above or nothing, strict=True):
            means = rule.matches(name)
            hit = found or (means and rule.exception == docker)
            meant.append((before or means, hit))
            plain = not rule.exception if before or means else plain
            docker = not rule.exception if hit else docker
        return plain and docker, meant

    def reaches(self, directory: str) -> bool:
        """Whether an exception may match something below an ignored directory."""
        inside = f"{directory}/"
        return any(inside.startswith(literal) or literal.startswith(inside) for literal in self.exceptions)


def ignore_file(source: Path, dockerfile: Path, builder: str) -> Path | None:
    """Return the ignore file that a builder reads, None if it reads none."""
    beside = [dockerfile.with_name(dockerfile.name + suffix) for suffix in BESIDE[builder]]
    return next((file for file in [*beside, *(source / name for name in INSIDE[builder])] if file.exists()), None)


# --- The files -------------------------------------------------------------
def context(source: Path, dockerfile: Path, builder: str = "") -> Iterator[Entry]:
    """Yield what a builder (``docker`` or ``buildah``) gets of ``source``, or what any of them would get, sorted and directories first.

    Sockets are not copied into images. An ignored directory is copied, empty, if something below it is not ignored.

    Raises:
        ImageError: A directory or an ignore file cannot be read, or a rule cannot be understood.
    """
    files = {ignore_file(source, dockerfile, name) for name in ([builder] if builder else BESIDE)}
    return walk(os.fspath(source), "", [(ignore, []) for ignore in map(Ignore, sorted(files, key=str))])


def walk(directory: str, prefix: str, ignores: list[tuple[Ignore, Meant]]) -> Iterator[Entry]:
    """Yield the entries of a directory that at least one of ``ignores`` does not ignore; each comes with its rules for the directory."""
    for found in sorted(os.scandir(directory), key=lambda entry: os.fsencode(entry.name)):
        name = prefix + found.name
        verdicts = [(ignore, *ignore.look(name, above)) for ignore, above in ignores]
        seen = not all(ignored for _, ignored, _ in verdicts)
        try:
            info = found.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue  # it has just been removed
        below: list[Entry] = []
        if stat.S_ISDIR(info.st_mode) and (seen or any(ignore.reaches(name) for ignore, _, _ in verdicts)):
            try:
                below = list(walk(found.path, f"{name}/", [(ignore, meant) for ignore, _, meant in verdicts]))
            except PermissionError as error:
                if seen:
                    raise unreadable(found.path, error) from error
        if (seen or below) and not stat.S_ISSOCK(info.st_mode):
            yield Entry(name, info)
        yield from below


def unreadable(path: str, error: OSError) -> ImageError:
    """Return what to say about a file of the context that cannot be read."""
    return ImageError(f"{shown(path)} cannot be read: {error.strerror}. Change its mode, or name it in .dockerignore.")


def content_hash(source: Path, dockerfile: Path, inputs: dict[str, str]) -> str:
    """Return 16 hexadecimal digits that change when a build of ``source`` could give another image.

    ``inputs`` are the build arguments and everything else that goes into the build. Names, contents, modes, extended attributes and link targets
    count; times and owners do not.

    Raises:
        ImageError: The Dockerfile or a part of the context cannot be read, or a rule cannot be understood.
    """
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode())
    digest.update(read(dockerfile).encode("utf-8", "surrogateescape"))
    for entry in context(source, dockerfile):
        digest.update(content(source, entry))
    return digest.hexdigest()[:16]


def hash_at(source: Path, entries: list[Entry], path: str) -> str:
    """Return a hash of the part of the context at a path; of all of it for "" and for paths that only a link points to."""
    path = posixpath.normpath(f"/{path}").strip("/")
    found = [entry for entry in entries if not path or entry.name == path or entry.name.startswith(f"{path}/")]
    if not found or stat.S_ISLNK(found[0].info.st_mode):
        found = entries
    return hashlib.sha256(b"".join(content(source, entry) for entry in found)).hexdigest()[:16]


def content(source: Path, entry: Entry) -> bytes:
    """Return bytes that equal another entry's only if both are the same in an image.

    Raises:
        ImageError: It cannot be read.
    """
    path, mode = os.path.join(source, entry.name), entry.info.st_mode
    parts = [os.fsencode(entry.name)]
    try:
        if stat.S_ISLNK(mode):
            parts += [b"link", os.fsencode(os.readlink(path))]
        elif stat.S_ISREG(mode):
            with open(path, "rb") as file:
                parts += [b"%o" % mode, hashlib.file_digest(file, "sha256").digest()]
        else:
            parts.append(b"%o" % mode)
    except OSError as error:
        raise unreadable(path, error) from error
    return b"".join(b"%d:%b" % (len(part), part) for part in [*parts, *attributes(path)]) + b";"


def attributes(path: str) -> Iterator[bytes]:
    """Yield the extended attributes that go into an image with a file: name, value, and so on. Not every system has them."""
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except (AttributeError, OSError):
        return
    for name in sorted(names):
        if name != "security.selinux":  # specific to the machine
            yield os.fsencode(name)
            yield os.getxattr(path, name, follow_symlinks=False)


def lay_out(entries: Iterable[Entry], source: Path, target: Path) -> None:
    """Copy ``entries`` of ``source`` into the empty directory ``target``, so that a builder sees them and nothing else.

    Links to the files would show in the source: in its times, to git, and if a build writes into what it mounts.
    """
    directories = []
    for entry in entries:
        here, there = os.path.join(source, entry.name), os.path.join(target, entry.name)
        if stat.S_ISDIR(entry.info.st_mode):
            os.mkdir(there)
            directories.append((here, there))
        elif stat.S_ISREG(entry.info.st_mode):
            shutil.copy2(here, there)
        elif stat.S_ISLNK(entry.info.st_mode):
            os.symlink(os.readlink(here), there)
        elif stat.S_ISFIFO(entry.info.st_mode):
            os.mkfifo(there)
            shutil.copystat(here, there)
    for here, there in reversed(directories):
        shutil.copystat(here, there)
