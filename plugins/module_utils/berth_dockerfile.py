"""What a Dockerfile says: its instructions and stages, the images and mounts that it names. docs.docker.com/reference/dockerfile"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ansible.module_utils.berth_image import ImageError

DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*\Z")
WORD = re.compile(r"""(?:[^\s"'\\]|\\.|"(?:\\.|[^"\\])*"|'[^']*')+""")
DOCUMENT = re.compile(r"""\d*<<(?P<chomp>-?)(?P<quote>["']?)(?P<name>[^<"'\s]+)(?P=quote)\Z""")
FLAG = re.compile(r"\s*--([a-z-]+)(?:=(\S*))?(?=\s|\Z)")
# Instructions that may carry a here-document.
DOCUMENTED = ("ADD", "COPY", "RUN")


@dataclass(frozen=True)
class Instruction:
    """An instruction: its first line, counted from 1, and what it says on however many lines."""

    line: int
    keyword: str  # in capitals
    text: str  # what follows it, in one line
    raw: str = ""  # all of it as it is written, with its here-documents
    documents: tuple[str, ...] = ()  # the names of those

    def flags(self) -> list[tuple[str, str]]:
        """Return the flags before its words, such as ``("from", "build")``."""
        found, end = [], 0
        while flag := FLAG.match(self.text, end):
            found.append((flag[1], flag[2] or ""))
            end = flag.end()
        return found

    def words(self) -> str:
        """Return what follows the flags."""
        end = 0
        while flag := FLAG.match(self.text, end):
            end = flag.end()
        return self.text[end:].strip()


class Mount(NamedTuple):
    """A ``--mount`` of a RUN instruction."""

    kind: str
    origin: str  # the stage or image, "" for the context
    source: str
    target: str
    id: str


@dataclass(eq=False)
class Stage:
    """What begins with a FROM."""

    name: str  # in small letters, "" for none
    base: str
    instructions: list[Instruction] = field(default_factory=list)  # with the FROM


# --- Instructions ------------------------------------------------------------
def parse(text: str) -> list[Instruction]:
    """Return a Dockerfile's instructions, read as BuildKit does (github.com/moby/buildkit, frontend/dockerfile/parser/parser.go)."""
    lines = [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]
    escape = re.escape(escape_character(lines))
    continued = re.compile(rf"(?:(?<!{escape})|\A){escape}[ \t]*\Z")
    found, number = [], 0
    while number < len(lines):
        start, words = number, ""
        goes_on = True
        while goes_on and number < len(lines):
            line = lines[number]
            number += 1
            if line.lstrip().startswith("#"):
                goes_on = bool(words)
                continue
            goes_on = continued.search(line) is not None or (bool(words) and not line.strip())
            words += continued.sub("", line)
        keyword, _, text = re.sub(r"\A\s*(\S*)\s*", r"\1\0", words).partition("\0")
        if not keyword:
            continue
        documents = here_documents(text) if keyword.upper() in DOCUMENTED else []
        for name, chomp in documents:
            while number < len(lines) and (lines[number].lstrip("\t") if chomp else lines[number]) != name:
                number += 1
            number += 1
        raw = "\n".join(lines[start:number])
        found.append(Instruction(start + 1, keyword.upper(), text.strip(), raw, tuple(name for name, _ in documents)))
    return found


def escape_character(lines: list[str]) -> str:
    """Return the character that the directives at a Dockerfile's top make the one that continues lines."""
    for line in lines:
        directive = DIRECTIVE.match(line)
        if not directive:
            break
        if directive[1].lower() == "escape" and directive[2] in ("\\", "`"):
            return directive[2]
    return "\\"


def here_documents(text: str) -> list[tuple[str, bool]]:
    """Return the here-documents that a line begins: each one's name, and whether tabs before its lines go."""
    found = [DOCUMENT.match(word) for word in WORD.findall(text)]
    return [(document["name"], bool(document["chomp"])) for document in found if document]


def mounts(instruction: Instruction) -> list[Mount]:
    """Return the mounts of a RUN instruction, none of another."""
    found = []
    for name, value in instruction.flags() if instruction.keyword == "RUN" else []:
        if name == "mount":
            options = {key.lower(): word for key, _, word in (part.partition("=") for part in value.strip("\"'").split(","))}
            source = options.get("source", options.get("src", ""))
            target = options.get("target", options.get("dst", options.get("destination", "")))
            found.append(Mount(options.get("type", "bind"), options.get("from", ""), source, target, options.get("id", "")))
    return found


def binds(instruction: Instruction) -> list[Mount]:
    """Return the mounts that bring files from the context, a stage or an image."""
    return [mount for mount in mounts(instruction) if mount.kind == "bind"]


# --- Stages and images ---------------------------------------------------------
def stages(instructions: list[Instruction]) -> list[Stage]:
    """Return the stages of a Dockerfile."""
    found: list[Stage] = []
    for instruction in instructions:
        if instruction.keyword == "FROM":
            base, _, name = re.sub(r"\s+(?i:as)\s+", "\0", instruction.words()).partition("\0")
            found.append(Stage(name.lower(), base))
        if found:
            found[-1].instructions.append(instruction)
    return found


def stage_of(name: str, earlier: list[Stage]) -> Stage | None:
    """Return the stage among ``earlier`` that a FROM, ``--from`` or ``from=`` means, None when it means an image."""
    if name.isdigit() and int(name) < len(earlier):
        return earlier[int(name)]
    return next((stage for stage in reversed(earlier) if stage.name and stage.name == name.lower()), None)


# --- What buildah does not see by itself -------------------------------------------
def with_mounts_seen(text: str, context: Callable[[str], str], beside: str) -> str:
    """Return a Dockerfile whose layers buildah takes from its cache only where what they mount is what it was.

    It asks for the text of an instruction alone (github.com/containers/buildah, issues 5400 and 6609), to which the arguments in force
    belong: so one with a hash of what is mounted comes before. And up to buildah 1.28 a stage that comes from the cache lacks its last
    instruction's files where it is mounted (issue 4375): so an instruction without files ends it.

    Args:
        text: The Dockerfile.
        context: Gives a hash of what of the context is at a path, "" for all of it.
        beside: What else goes into every stage: the build arguments, and which base images there are.
    """
    every = stages(parse(text))
    keys: dict[int, str] = {}

    def brought(instruction: Instruction, place: int) -> list[str]:
        """Return what tells what an instruction of the stage at ``place`` brings in."""
        found = [stage_key(mount.origin, place) if mount.origin else context(mount.source) for mount in binds(instruction)]
        if instruction.keyword in ("ADD", "COPY"):
            origin = dict(instruction.flags()).get("from")
            found.append(stage_key(origin, place) if origin else context(""))
        return found

    def stage_key(name: str, place: int) -> str:
        """Return a hash of what a stage before ``place`` is made of, or the name of an image."""
        stage = stage_of(name, every[:place])
        if stage is None:
            return context("") if "$" in name else name
        number = every.index(stage)
        if number not in keys:
            inputs = [word for one in stage.instructions for word in (one.raw, *brought(one, number))]
            keys[number] = short_hash(beside, stage_key(stage.base, number), *inputs)
        return keys[number]

    inserted: dict[int, str] = {}
    for place, stage in enumerate(every):
        if place and any(mount.origin for other in every for one in other.instructions for mount in binds(one)):
            inserted[stage.instructions[0].line] = "ARG BERTH_STAGE_ENDS=1"
        for instruction in stage.instructions:
            if binds(instruction):
                inserted[instruction.line] = f"ARG BERTH_MOUNTED={short_hash(*brought(instruction, place))}"
    return "\n".join(f"{inserted[number]}\n{line}" if number in inserted else line for number, line in enumerate(text.split("\n"), 1))


def short_hash(*parts: str) -> str:
    """Return 16 hexadecimal digits for some texts."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]


# --- What is wrong -----------------------------------------------------------
def read(dockerfile: Path) -> str:
    """Return a Dockerfile's text.

    Raises:
        ImageError: It cannot be read.
    """
    try:
        return dockerfile.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise ImageError(f"{dockerfile} cannot be read: {error.strerror}. Set berth_app_source and berth_app_dockerfile.") from error
