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

# Where each builder looks for its rules, the first that there is: beside the Dockerfile, then in the context.
# docs.docker.com/build/concepts/context, "Filename and location"; github.com/containers/buildah/blob/v1.28.2/pkg/parse/parse.go, ContainerIgnoreFile
BESIDE = {"docker": (".dockerignore",), "buildah": (".dockerignore", ".containerignore")}
INSIDE = {"docker": (".dockerignore",), "buildah": (".containerignore", ".dockerignore")}
# unicode.IsSpace of Go; str.strip() takes more.
SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
# A rule's syntax is that of pkg.go.dev/path/filepath#Match.
MEMBER = r"(?:\\.|[^\\\]-])"
CLASS = rf"\[\^?(?:{MEMBER}(?:-{MEMBER})?)+\]"
TOKEN = re.compile(rf"(?P<stars>\*\*/?)|(?P<star>\*)|(?P<one>\?)|(?P<group>{CLASS})|\\(?P<escaped>.)|(?P<plain>[^\\\[])", re.DOTALL)


class Entry(NamedTuple):
    """A file, directory, link or pipe of the context: its name relative to it, and what ``lstat`` says of it."""

    name: str
    info: os.stat_result


class Rule(NamedTuple):
    """A line of an ignore file."""

    exception: bool  # it began with "!"
    literal: str  # the part before its first special character
    matches: Callable[[str], bool]


# For each rule, whether it means a path, and whether Docker's walk has found that it does.
Meant = list[tuple[bool, bool]]


class Unclear(Exception):
    """Builders read a rule in their own ways; see :func:`expression`."""


def shown(name: str) -> str:
    """Return a file's name so that it can be printed, whatever its bytes are."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


# --- The rules -------------------------------------------------------------
def expression(rule: str) -> str:
    """Return the regular expression that Docker makes of a rule, without its ends.

    As github.com/moby/patternmatcher/blob/v0.6.0/patternmatcher.go does it, one character after another.

    Raises:
        Unclear: What it makes of it, by accident, is an expression of Go that nobody means, such as ``\\d`` of a path with backslashes.
    """
    made = ""
    for token in TOKEN.finditer(rule):
        match token.lastgroup:
            case "stars":
                made += ".*" if token.end() == len(rule) else "(?:.*/)?"  # any number of directories, none too
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
    """Return whether a name is one that a rule means, as Docker does: some rules it does not read as an expression.

    Raises:
        Unclear: See :func:`expression`.
        re.error: A range of characters ends before it begins.
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
    """Return a name as Go's regular expressions see it: each byte that is no UTF-8 is the same replacement character."""
    return re.sub(r"[\udc80-\udcff]", "\ufffd", name)


def clean(path: str) -> str:
    """Return the shortest equal path, relative to the context, as filepath.Clean of Go and Docker's reading of a leading slash do."""
    return posixpath.normpath(path).lstrip("/") if path else ""


def problem(rule: str) -> str:
    """Return why no builder takes a rule, "" when they do."""
    if not rule:
        return "it names nothing"
    if re.fullmatch(f"(?:{TOKEN.pattern})*", rule, re.DOTALL):
        return ""
    if re.search(r"(?<!\\)(?:\\\\)*\\\Z", rule):
        return "a \\ escapes the character after it, but none follows; directories are separated by /"
    return "a [ starts a list of characters, such as [a-z], but this is not one; write \\[ for the character itself"


def read_rules(file: Path) -> list[Rule]:
    """Return the rules of an ignore file.

    They are read as github.com/moby/patternmatcher/blob/v0.6.0/ignorefile/ignorefile.go reads them. A rule that builders read in their
    own ways ignores nothing: a file more in the hash costs a build, one less would leave an edit out.

    Raises:
        ImageError: The file cannot be read, or no builder takes one of its rules.
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
    """An ignore file, asked about one path after another from the root downwards."""

    def __init__(self, file: Path | None) -> None:
        self.rules = read_rules(file) if file else []
        self.exceptions = [rule.literal for rule in self.rules if rule.exception]

    def look(self, name: str, above: Meant) -> tuple[bool, Meant]:
        """Return whether no builder sees a path, and which rules mean it; ``above`` is the latter for its directory.

        The last rule that means it or a directory above decides, says the documentation, and buildah does so. Docker's walk does not look
        at a rule that would change nothing, and so does not find it for what is below either (MatchesUsingParentResults of
        github.com/moby/patternmatcher). Where they differ, what either sees is seen.
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
        """Whether an exception may mean something below an ignored directory."""
        inside = f"{directory}/"
        return any(inside.startswith(literal) or literal.startswith(inside) for literal in self.exceptions)


def ignore_file(source: Path, dockerfile: Path, builder: str) -> Path | None:
    """Return the ignore file that a builder reads, None when it reads none."""
    beside = [dockerfile.with_name(dockerfile.name + suffix) for suffix in BESIDE[builder]]
    return next((file for file in [*beside, *(source / name for name in INSIDE[builder])] if file.exists()), None)


# --- The files -------------------------------------------------------------
def context(source: Path, dockerfile: Path, builder: str = "") -> Iterator[Entry]:
    """Yield what a builder (``docker`` or ``buildah``) gets of ``source``, or what any of them would get, sorted and directories first.

    A socket is not copied into images. An ignored directory is, empty, when something below it is.

    Raises:
        ImageError: A directory or an ignore file cannot be read, or a rule cannot be understood.
    """
    files = {ignore_file(source, dockerfile, name) for name in ([builder] if builder else BESIDE)}
    return walk(os.fspath(source), "", [(ignore, []) for ignore in map(Ignore, sorted(files, key=str))])


def walk(directory: str, prefix: str, ignores: list[tuple[Ignore, Meant]]) -> Iterator[Entry]:
    """Yield what of a directory is ignored by not all of ``ignores``, each with what it says of the directory."""
    for found in sorted(os.scandir(directory), key=lambda entry: os.fsencode(entry.name)):
        name = prefix + found.name
        verdicts = [(ignore, *ignore.look(name, above)) for ignore, above in ignores]
        seen = not all(ignored for _, ignored, _ in verdicts)
        try:
            info = found.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue  # it has just gone
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

    ``inputs`` are the build arguments and whatever else goes into the build. Names, contents, modes and extended attributes count, and
    where links lead; times and owners do not.

    Raises:
        ImageError: The Dockerfile or something of the context cannot be read, or a rule cannot be understood.
    """
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode())
    digest.update(read(dockerfile).encode("utf-8", "surrogateescape"))
    for entry in context(source, dockerfile):
        digest.update(content(source, entry))
    return digest.hexdigest()[:16]


def hash_at(source: Path, entries: list[Entry], path: str) -> str:
    """Return a hash of what of the context lies at a path, "" for all of it, and so for what only a link leads to."""
    path = posixpath.normpath(f"/{path}").strip("/")
    found = [entry for entry in entries if not path or entry.name == path or entry.name.startswith(f"{path}/")]
    if not found or stat.S_ISLNK(found[0].info.st_mode):
        found = entries
    return hashlib.sha256(b"".join(content(source, entry) for entry in found)).hexdigest()[:16]


def content(source: Path, entry: Entry) -> bytes:
    """Return bytes that are another entry's only where it is the same in an image.

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
    """Yield the extended attributes that go into an image with a file, one after another: name, value. Not every system has them."""
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except (AttributeError, OSError):
        return
    for name in sorted(names):
        if name != "security.selinux":  # the machine's own
            yield os.fsencode(name)
            yield os.getxattr(path, name, follow_symlinks=False)


def lay_out(entries: Iterable[Entry], source: Path, target: Path) -> None:
    """Put copies of ``entries`` of ``source`` into the empty directory ``target``, where a builder sees them and nothing else.

    Links to the files would show in the source: in its times, to git, and where a build writes into what it mounts.
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
