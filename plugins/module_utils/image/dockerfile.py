"""Read a Dockerfile: its instructions and stages, and the images and mounts that it names. docs.docker.com/reference/dockerfile"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import shlex
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from .registry import ImageError

DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*\Z")
WORD = re.compile(r"""(?:[^\s"'\\]|\\.|"(?:\\.|[^"\\])*"|'[^']*')+""")
DOCUMENT = re.compile(r"""\d*<<(?P<chomp>-?)(?P<quote>["']?)(?P<name>[^<"'\s]+)(?P=quote)\Z""")
FLAG = re.compile(r"\s*--([a-z-]+)(?:=(\S*))?(?=\s|\Z)")
VARIABLE = re.compile(r"\$(?:(?P<plain>\w+)|\{(?P<name>\w+)(?::?(?P<sign>[-+])(?P<word>[^}]*))?\})")
UNTOLD = re.compile(r"[*?\[\\$]|://|<<")  # in a word of COPY or ADD that is not a path, or whose path depends on something else
KNOWN_FLAGS = ("chmod", "chown", "from", "mount")  # in buildah 1.28
BRINGS = {"PYTHON_IMAGE": "python"}  # the image that Berth brings
# Repositories whose images run as root, and run a shell, Python or uv by default.
ROOTS = (*(f"docker.io/library/{name}" for name in ("alpine", "debian", "python", "ubuntu")), "ghcr.io/astral-sh/uv")
# Instructions that may carry a here-document.
DOCUMENTED = ("ADD", "COPY", "RUN")


@dataclass(frozen=True)
class Instruction:
    """An instruction: its first line, counted from 1, and its text, on any number of lines."""

    line: int
    keyword: str  # in capitals
    text: str  # what follows it, in one line
    raw: str = ""  # all of it as written, with its here-documents
    documents: tuple[str, ...] = ()  # the names of those

    def flags(self) -> list[tuple[str, str]]:
        """Return the flags before its words, such as ``("from", "build")``."""
        found, end = [], 0
        while flag := FLAG.match(self.text, end):
            found.append((flag[1], flag[2] or ""))
            end = flag.end()
        return found

    def words(self) -> str:
        """Return the text after the flags."""
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
    """A part of a Dockerfile that begins with a FROM."""

    name: str  # in lower case, "" if none
    base: str
    instructions: list[Instruction] = field(default_factory=list)  # including the FROM


class Image(NamedTuple):
    """An image that a Dockerfile names."""

    line: int
    keyword: str
    written: str
    name: str  # in full


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
    """Return the character that continues lines, by the directives at the top of a Dockerfile."""
    for line in lines:
        directive = DIRECTIVE.match(line)
        if not directive:
            break
        if directive[1].lower() == "escape" and directive[2] in ("\\", "`"):
            return directive[2]
    return "\\"


def here_documents(text: str) -> list[tuple[str, bool]]:
    """Return the here-documents that a line begins: the name of each, and whether tabs before its lines are removed."""
    found = [DOCUMENT.match(word) for word in WORD.findall(text)]
    return [(document["name"], bool(document["chomp"])) for document in found if document]


def mounts(instruction: Instruction) -> list[Mount]:
    """Return the mounts of a RUN instruction; none for any other instruction."""
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
def expand(word: str, values: dict[str, str]) -> str | None:
    """Return a word with its variables replaced, None if one is not among ``values``."""
    unknown = False

    def replace(found: re.Match[str]) -> str:
        nonlocal unknown
        value = values.get(found["plain"] or found["name"], "")
        if found["sign"] == "+":
            return found["word"] if value else ""
        if found["sign"] == "-":
            return value or found["word"]
        unknown = unknown or not value
        return value

    done = VARIABLE.sub(replace, word)
    return None if unknown or "$" in done else done


def global_arguments(instructions: list[Instruction], given: dict[str, str]) -> dict[str, str]:
    """Return the values of the ARGs before the first FROM; ``given`` are the build arguments."""
    values: dict[str, str] = {}
    for instruction in instructions:
        if instruction.keyword == "FROM":
            break
        for word in WORD.findall(instruction.text) if instruction.keyword == "ARG" else []:
            name, _, default = word.partition("=")
            value = str(given[name]) if name in given else expand(default.strip("\"'"), values)
            if value:
                values[name] = value
    return values


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


class Known(NamedTuple):
    """What is known at an instruction."""

    values: dict[str, str]  # the variables, as far as the Dockerfile itself sets them
    place: str | None  # the working directory, None if it is not known


def ancestry(every: list[Stage], number: int, values: dict[str, str]) -> list[Stage]:
    """Return the stages that a stage is based on, with itself last; ``values`` are those of the ARGs before the first FROM."""
    stage: Stage | None = every[number]
    found: list[Stage] = []
    while stage:
        found.insert(0, stage)
        stage = stage_of(expand(stage.base, values) or stage.base, every[: every.index(stage)])
    return found


def history(instructions: list[Instruction], number: int) -> Iterator[tuple[Instruction, Known]]:
    """Yield the instructions that make the stage with a number, those of the stages that it starts from first; each with what is known there.

    https://docs.docker.com/reference/dockerfile/#using-arg-variables
    """
    outer = global_arguments(instructions, {})
    kept: dict[str, str] = {}
    place: str | None = "/"
    for stage in ancestry(stages(instructions), number, outer):
        values = dict(kept)
        for each in stage.instructions:
            yield each, Known(dict(values), place)
            if each.keyword == "WORKDIR":
                word = expand(each.words().strip("\"'"), values)
                place = None if word is None or (place is None and not word.startswith("/")) else posixpath.normpath(posixpath.join(place or "/", word))
            for name, value in _assignments(each, outer):
                known = expand(value, values)
                if each.keyword == "ENV":
                    kept[name] = values[name] = known or ""
                elif name not in kept:  # an ENV of that name takes precedence
                    values[name] = known or ""


def served(instructions: list[Instruction]) -> Iterator[tuple[Instruction, Known]]:
    """Yield the instructions that make the served image, as ``history`` does, and finally an instruction END, with what is known about the image."""
    if stages(instructions):
        yield from history([*instructions, Instruction(0, "END", "")], -1)


def _assignments(instruction: Instruction, outer: dict[str, str]) -> list[tuple[str, str]]:
    """Return the variables that an ARG or ENV sets, each with its value as written; ``outer`` are the values of the ARGs before the first FROM."""
    words = WORD.findall(instruction.text) if instruction.keyword in ("ARG", "ENV") else []
    if instruction.keyword == "ENV" and words and "=" not in words[0]:
        return [(words[0], instruction.text[len(words[0]) :].strip())]
    pairs = [word.partition("=") for word in words]
    return [(name, value.strip("\"'") if sign else outer.get(name, "")) for name, sign, value in pairs]


def work_directories(instructions: list[Instruction]) -> list[str]:
    """Return the directories that the image is made in, last one first, as far as the Dockerfile itself says."""
    found: list[str | None] = []
    said = False
    for each, known in served(instructions):
        found += [known.place] if said else []
        said = said or each.keyword == "WORKDIR"
    return [] if None in found else list(dict.fromkeys(place for place in reversed(found) if place))


def runs_as_root(instructions: list[Instruction]) -> bool:
    """Whether the image definitely runs as root: by its last USER, or because neither it nor its base sets one."""
    users = [each.words() for each in chain(instructions) if each.keyword == "USER"]
    return users[-1].partition(":")[0] in ("root", "0") if users else is_plain(instructions)


def serves_nothing(instructions: list[Instruction]) -> bool:
    """Whether the image definitely exits immediately: it sets no command, and its base runs a shell or Python, which then has nothing to do."""
    return is_plain(instructions) and not any(each.keyword in ("CMD", "ENTRYPOINT") for each in chain(instructions))


def chain(instructions: list[Instruction]) -> list[Instruction]:
    """Return the instructions that make the served image, those of the stages that it starts from first."""
    return [each for stage in _served_stages(instructions) for each in stage.instructions]


def is_plain(instructions: list[Instruction]) -> bool:
    """Whether the served image definitely starts from one of ROOTS."""
    first = next(iter(_served_stages(instructions)), None)
    base = (expand(first.base, global_arguments(instructions, BRINGS)) or "") if first else ""
    return bool(base) and re.fullmatch(rf"(?:{'|'.join(map(re.escape, ROOTS))})[:@].*", full_name(base)) is not None


def _served_stages(instructions: list[Instruction]) -> list[Stage]:
    every = stages(instructions)
    return ancestry(every, -1, global_arguments(instructions, BRINGS)) if every else []


def stage_of(name: str, earlier: list[Stage]) -> Stage | None:
    """Return the stage among ``earlier`` that a FROM, ``--from`` or ``from=`` means, None if it means an image."""
    if name.isdigit() and int(name) < len(earlier):
        return earlier[int(name)]
    return next((stage for stage in reversed(earlier) if stage.name and stage.name == name.lower()), None)


def references(stage: Stage) -> list[tuple[Instruction, str]]:
    """Return the stages or images that a stage names, each with its instruction."""
    found = [(stage.instructions[0], stage.base)]
    for instruction in stage.instructions:
        if instruction.keyword == "COPY":
            found += [(instruction, value) for name, value in instruction.flags() if name == "from" and value]
        found += [(instruction, mount.origin) for mount in mounts(instruction) if mount.origin]
    return found


def images(instructions: list[Instruction], given: dict[str, str]) -> list[Image]:
    """Return the external images that a build needs: those of the stages that the last one needs.

    An image that is named by a variable with an unknown value is left out; ``given`` are the build arguments.
    """
    values = global_arguments(instructions, given)
    every = stages(instructions)
    needed = every[-1:]
    found: list[Image] = []
    for stage in needed:  # grows during the loop
        earlier = every[: every.index(stage)]
        for instruction, word in references(stage):
            name = expand(word, values if instruction.keyword == "FROM" else {})  # a stage has its own arguments
            other = stage_of(name, earlier) if name else None
            if other:
                needed += [] if any(other is one for one in needed) else [other]
            elif name and name.lower() != "scratch":
                found.append(Image(instruction.line, instruction.keyword, name, full_name(name)))
    return sorted(set(found))


def full_name(image: str) -> str:
    """Return an image's name with the parts that Docker adds.

    >>> full_name("python")
    'docker.io/library/python:latest'
    """
    host, slash, _ = image.partition("/")
    if not slash or not (re.search(r"[.:]", host) or host == "localhost"):
        image = f"docker.io/{image}" if slash else f"docker.io/library/{image}"
    elif host == "docker.io" and image.count("/") == 1:
        image = image.replace("/", "/library/", 1)
    return image if "@" in image or ":" in image.rpartition("/")[2] else f"{image}:latest"


def secret_beside(instructions: list[Instruction], first: str, second: str) -> str:
    """Return where the secret ``second`` is mounted for an instruction that also gets ``first``, "" if no instruction gets both."""
    for instruction in instructions:
        targets = {mount.id: mount.target or f"/run/secrets/{mount.id}" for mount in mounts(instruction) if mount.kind == "secret"}
        if first in targets and second in targets:
            return targets[second]
    return ""


# --- What buildah does not know, or does not see by itself -------------------------
def for_buildah(text: str) -> str:
    """Return a Dockerfile as buildah can build it."""
    return with_released_locks(with_absolute_mounts(without_health_checks(without_links(text))))


def without_links(text: str) -> str:
    """Return a Dockerfile without the flag ``--link``, which buildah rejects. It affects how BuildKit stores a layer, not its content."""
    lines = text.split("\n")
    for instruction in parse(text):
        if instruction.keyword in ("ADD", "COPY") and "link" in dict(instruction.flags()):
            for number in range(instruction.line - 1, instruction.line + instruction.raw.count("\n")):
                if found := re.search(r"(?<=\s)--link(?:=\S*)?(?=\s|\Z)", lines[number]):
                    lines[number] = lines[number][: found.start()] + lines[number][found.end() :]
                    break
    return "\n".join(lines)


def without_health_checks(text: str) -> str:
    """Return a Dockerfile without HEALTHCHECK, because buildah rejects its newer flags. Kubernetes uses a pod's probes and ignores the image's."""
    lines = text.split("\n")
    for instruction in parse(text):
        if instruction.keyword == "HEALTHCHECK":
            for number in range(instruction.line - 1, instruction.line + instruction.raw.count("\n")):
                lines[number] = ""
    return "\n".join(lines)


LOCKED = re.compile(r",sharing=locked\b|\bsharing=locked,")


def with_released_locks(text: str) -> str:
    """Return a Dockerfile whose RUNs lock only the last of their caches.

    Up to version 1.28, buildah releases only that lock, and a later RUN waits forever for any other (github.com/containers/buildah, pull
    request 4349). The last one is enough to keep two builds from running the same instruction at the same time.
    """
    lines = text.split("\n")
    for instruction in parse(text):
        flags = instruction.flags() if instruction.keyword == "RUN" else []
        caches = [words for name, words in flags if name == "mount" and "type=cache" in words.strip("\"'").split(",")]
        for words in caches[:-1]:
            for number in range(instruction.line - 1, instruction.line + instruction.raw.count("\n")):
                if words in lines[number]:
                    lines[number] = lines[number].replace(words, LOCKED.sub("", words), 1)
                    break
    return "\n".join(lines)


TARGET = re.compile(r"(?<=[,=\s\"'])(target|dst|destination)=([^/$,\s\"'][^,\s\"']*)")


def with_absolute_mounts(text: str) -> str:
    """Return a Dockerfile whose mounts have absolute targets, as buildah requires; BuildKit resolves relative ones against the working directory.

    https://docs.docker.com/reference/dockerfile/#run---mount
    """
    lines = text.split("\n")
    instructions = parse(text)
    places = {each.line: known.place for number in range(len(stages(instructions))) for each, known in history(instructions, number)}
    for each in instructions:
        if each.keyword == "RUN" and (place := places.get(each.line)) and any(name == "mount" for name, _ in each.flags()):
            for number in range(each.line - 1, each.line + each.raw.count("\n")):
                if "--mount" in lines[number]:
                    lines[number] = TARGET.sub(lambda found: f"{found[1]}={posixpath.normpath(posixpath.join(place, found[2]))}", lines[number])
    return "\n".join(lines)


def of_period(text: str, period: str) -> str:
    """Return a Dockerfile whose RUNs buildah takes from its cache only if they were run in the same period.

    ``--no-cache`` would do so for one build only: the next one finds the older layer first. The arguments in force are part of a RUN.
    """
    lines = text.split("\n")
    for instruction in reversed(parse(text)):
        if period and instruction.keyword == "FROM":
            lines.insert(instruction.line + instruction.raw.count("\n"), f"ARG BERTH_PERIOD={period}")
    return "\n".join(lines)


def with_mounts_seen(text: str, context: Callable[[str], str], given: dict[str, str], beside: str) -> str:
    """Return a Dockerfile whose layers buildah takes from its cache only if what they mount has not changed.

    buildah compares only the text of an instruction (github.com/containers/buildah, issues 5400 and 6609), which includes the arguments in force.
    So an argument with a hash of what is mounted comes before it. And up to buildah 1.28, a stage that comes from the cache lacks its last
    instruction's files when it is mounted (issue 4375). So an instruction without files ends the stage.

    Args:
        text: The Dockerfile.
        context: Returns a hash of the part of the context at a path, "" for all of it.
        given: The build arguments.
        beside: Everything else that goes into every stage, such as the available base images.
    """
    instructions = parse(text)
    values = global_arguments(instructions, given)
    every = stages(instructions)
    beside += json.dumps(given, sort_keys=True)
    keys: dict[int, str] = {}

    def brought(instruction: Instruction, place: int) -> list[str]:
        """Return what identifies the content that an instruction of the stage at ``place`` brings in."""
        found = [stage_key(mount.origin, place) if mount.origin else context(mount.source) for mount in binds(instruction)]
        if instruction.keyword in ("ADD", "COPY"):
            origin = dict(instruction.flags()).get("from")
            found += [stage_key(origin, place)] if origin else [context(source) for source in copied(instruction)]
        return found

    def stage_key(name: str, place: int) -> str:
        """Return a hash of what a stage before ``place`` is made of, or the name of an image."""
        stage = stage_of(name, every[:place])
        if stage is None:
            return context("") if "$" in name else name
        number = every.index(stage)
        if number not in keys:
            inputs = [word for one in stage.instructions for word in (one.raw, *brought(one, number))]
            keys[number] = short_hash(beside, stage_key(expand(stage.base, values) or stage.base, number), *inputs)
        return keys[number]

    inserted: dict[int, str] = {}
    for place, stage in enumerate(every):
        if place and any(mount.origin for other in every for one in other.instructions for mount in binds(one)):
            inserted[stage.instructions[0].line] = "ARG BERTH_STAGE_ENDS=1"
        for instruction in stage.instructions:
            if binds(instruction):
                inserted[instruction.line] = f"ARG BERTH_MOUNTED={short_hash(*brought(instruction, place))}"
    return "\n".join(f"{inserted[number]}\n{line}" if number in inserted else line for number, line in enumerate(text.split("\n"), 1))


def copied(instruction: Instruction) -> list[str]:
    """Return the context's paths that a COPY or ADD takes, as far as its words say; "" stands for all of it.

    >>> copied(parse("COPY --chown=1 a b/c /")[0]), copied(parse('COPY ["a b", "/"]')[0]), copied(parse("COPY *.txt /")[0])
    (['a', 'b/c'], ['a b'], [''])
    """
    written = instruction.words()
    try:
        words = [str(word) for word in json.loads(written)] if written.startswith("[") else shlex.split(written)
    except ValueError:
        return [""]
    return [""] if not words[:-1] or any(UNTOLD.search(word) for word in words) else words[:-1]


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


def of_python(brought: Collection[str]) -> str:
    """Return what a Dockerfile's owner has to know about the Python image that Berth provides, "" if it is not known."""
    version = next((found[1] for name in brought if (found := re.search(r"/python:(\d+\.\d+)", name))), "")
    return f" It has Python {version} and no compiler: packages without a wheel for it need Debian's package build-essential." if version else ""


def built_by(source: Path, image: str, but: Path) -> str:
    """Return the Dockerfile of a project that seems to build an image, by the name of its directory or its own, such as base/Dockerfile for acme/base:1.

    Args:
        source: The project.
        image: The image, as it is written.
        but: The Dockerfile that names the image.
    """
    name = re.split("[:@]", image.rpartition("/")[2])[0].lower()
    if "/library/" in full_name(image):
        return ""
    own = {f"dockerfile.{name}", f"{name}.dockerfile", f"dockerfile-{name}"}
    files = sorted(file for depth in range(4) for file in source.glob(f"{'*/' * depth}*[Dd]ockerfile*") if file.is_file() and file != but)
    return next((str(file) for file in files if file.name.lower() in own or (file.name == "Dockerfile" and file.parent.name.lower() == name)), "")


def unreachable(dockerfile: Path, image: Image, host: str, reason: str, brought: Collection[str] = (), source: Path | None = None) -> str:
    """Return what to say about an image that is not here and cannot be pulled.

    Args:
        dockerfile: The file that names it.
        image: The image; its keyword is empty if a directive at the top of the file names it.
        host: The registry that does not answer.
        reason: Why.
        brought: The images that Berth provides, by their full names.
        source: The project, if the Dockerfile is its own.
    """
    own = image.name.partition("/")[0]
    said = f"{dockerfile}, line {image.line}: the image {image.written} is not on this machine"
    if not image.keyword:
        return f"{said}, and its registry {host} does not answer ({reason}). Remove the line: the engine reads Dockerfiles without it too."
    if image.keyword != "FROM" and re.fullmatch(r"[\w-]+", image.written):
        said = f"{dockerfile}, line {image.line}: no stage above is called {image.written}, and no image on this machine"
    if host == own:
        way = f"Name a mirror that has it, such as berth_artifacts_mirrors: {{{own}: mirror.example.org/{own}}}"
    else:
        way = f"Correct {host} in berth_artifacts_mirrors"
    way += (
        f", or start from the image that Berth brings: ARG PYTHON_IMAGE={image.written} above the first FROM, "
        f"then FROM ${{PYTHON_IMAGE}} in each stage that needs Python.{of_python(brought)}"
        if image.keyword == "FROM"
        else ", or get the files that are copied from it in another way, such as RUN with pip install."
    )
    if source and image.keyword == "FROM":
        stage = built_by(source, image.written, dockerfile)
        way += f" {stage} seems to build it: its instructions can be a stage above that line." if stage else ""
        way += " Or put this Dockerfile aside, remove berth_app_dockerfile if it is set, and Berth writes one."
    return f"{said}, and its registry {host} does not answer ({reason}). {way}"


def refuse_documents(dockerfile: Path, instructions: list[Instruction], version: str) -> None:
    """Refuse here-documents if this machine's buildah does not support them: its changelog lists them under 1.33.0.

    Raises:
        ImageError: There is one.
    """
    first = next((instruction for instruction in instructions if instruction.documents), None)
    number = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if first and number < (1, 33):
        way = "join its commands in lines that end with && \\" if first.keyword == "RUN" else "put its lines into a file in the source and COPY that"
        what = f"buildah {version} does not support the here-document <<{first.documents[0]}, only 1.33 and later do"
        raise ImageError(f"{dockerfile}, line {first.line}: {what}: {way} instead.")
