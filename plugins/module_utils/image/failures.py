"""Why a build failed, and what to do about it, by the last words of its builder."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .assets import LOCKS
from .dockerfile import KNOWN_FLAGS, Image, Instruction, full_name, parse, unreachable
from .pip import named_in
from .project_dockerfile import compiled_with

COMPILERS = ("c++", "cc", "g++", "gcc", "make", "x86_64-linux-gnu-gcc", "aarch64-linux-gnu-gcc")
# Commands that the full image of Python has and the slim one lacks, as far as Dockerfiles use them, and the Debian packages that have them.
LACKING = {
    **{name: name for name in ("curl", "file", "git", "gpg", "rsync", "unzip", "wget", "zip")},
    **{name: "build-essential" for name in COMPILERS},
    "envsubst": "gettext-base", "gettext": "gettext", "msgfmt": "gettext", "nc": "netcat-openbsd", "node": "nodejs", "npm": "npm", "pg_config": "libpq-dev",
    "ps": "procps", "psql": "postgresql-client", "ssh": "openssh-client", "xz": "xz-utils",
}  # fmt: skip
# The name of the prebuilt variant of a package that has no wheel of any version.
WHEELED = {"psycopg2": "psycopg2-binary", "psycopg-c": "psycopg-binary"}

# What buildah says about a word of an instruction, the text in its line, and what that means.
MISREAD = (
    (r'Unknown instruction: "(\S+?)"', "{}", "{} is not a Dockerfile instruction"),
    (r"parsing chmod (\S+)", "--chmod={}", "this machine's buildah only accepts a number in --chmod, such as 755, not {}"),
    (r"from=(\S+?): no stage or image found", "{}", "{} is neither a stage above that line nor an image on this machine"),
    (r"(\S+): image not known", "{}", "this machine has no image {}"),
)
MANAGERS = tuple(dict.fromkeys(LOCKS.values()))
# Packages of Node whose program has another name.
PROVIDED_BY = {"ng": "@angular/cli", "tsc": "typescript", "vue-cli-service": "@vue/cli-service", "postcss": "postcss-cli", "tailwindcss": "@tailwindcss/cli"}

# How buildah and Docker begin to name the step that failed.
BUILDAHS, DOCKERS = "building at STEP", "process"
FAILED = re.compile(rf'(?:{BUILDAHS} "RUN |{DOCKERS} "/bin/sh -c )([^\n]+)')
STEP = re.compile(r"^(?:\[[^\]\n]+\] )?(?:STEP \S+ )?RUN ([^\n]+)", re.MULTILINE)  # as both announce it
NOT_FOUND = re.compile(r"^(?:/bin/)?(?:ba|da)?sh: (?:line )?\d+: ([\w.+-]+): (?:command )?not found$", re.MULTILINE)  # as dash and bash say it
MISTAKE = re.compile(r"^(?:.*msgfmt failed: )?(?:\./)?(\S+\.po):(\d+)(?::\d+)?: (?!warning: )(.+)$", re.MULTILINE)  # as msgfmt names one
# What pip says before it looks, and when it got no answer in the end.
INDEX = re.compile(r"Looking in indexes: ([^\s,]+)")
UNANSWERED = re.compile(r"(?s)after connection broken by '(\w+).*No matching distribution found")
# What pip says about a requirement that was added to a file with hashes, with or without a version.
HASHLESS = re.compile(r"(?:pinned with ==\. These do not:|Hashes are required in --require-hashes mode, (?:[^\n]|\n(?! {4}))*)\n\s+([\w.-]+)")
# What compilers and setup scripts say, and what pip says about the package.
MISSING = re.compile(
    r"command '(\S+)' failed: No such file|fatal error: (\S+): No such file|(\w+) executable not found|cannot find (-l[\w.+-]+)"
    r"|^\s*error: \[Errno 2\] No such file or directory: '([a-z][\w+-]*)'",  # setuptools about a program
    re.MULTILINE,
)
WHEEL = re.compile(r"Failed (?:building wheel for|to build) '?([\w.-]+)'?")
COLLECTING = re.compile(r"^\s*Collecting ([\w.-]+)", re.MULTILINE)


@dataclass(frozen=True)
class Failure:
    """A build that failed.

    Attributes:
        words: The builder's last words.
        dockerfile: The Dockerfile.
        text: Its text.
        source: The project.
        own: Whether the Dockerfile is the project's own; Berth's has what compiling needs.
        project: What the words say about the project itself, and what to do, if a command of manage.py fails.
    """

    words: str
    dockerfile: Path
    text: str
    source: Path
    own: bool
    project: str = ""

    @cached_property
    def instructions(self) -> list[Instruction]:
        """The Dockerfile's instructions."""
        return parse(self.text)

    @cached_property
    def step(self) -> str:
        """The RUN that failed, "" if none did."""
        found = FAILED.search(self.words)
        return found[1] if found else ""

    def runs(self, command: str) -> re.Match[str] | None:
        """Return where the step that failed runs a command, which is its first group, None if it does not."""
        return re.search(rf'(?:{BUILDAHS}|{DOCKERS}) "[^\n]*({command})', self.words)

    def line(self, text: str) -> int:
        """Return the first line of the Dockerfile that contains a text, 1 if none does."""
        return next((number for number, line in enumerate(self.text.split("\n"), 1) if text.lower() in line.lower()), 1)

    def at(self, text: str) -> str:
        """Return the place of the first line that contains a text."""
        return f"{self.dockerfile}, line {self.line(text)}"

    def at_step(self, step: str) -> str:
        """Return the place of the RUN that a builder shows so, as far as the first quote; the Dockerfile alone if there is none like it."""
        command = _plain(re.sub(r"\A(?:--\S+\s+)*", "", step.partition('"')[0]))  # the mounts may be Berth's own
        line = next((one.line for one in self.instructions if one.keyword == "RUN" and command and _plain(one.words()).startswith(command)), 0)
        return f"{self.dockerfile}, line {line}" if line else str(self.dockerfile)


def explain(failure: Failure) -> str:
    """Return a sentence about a failure, and a line break; "" if the builder's words need no explanation."""
    said = next(filter(None, (explanation(failure) for explanation in EXPLANATIONS)), "")
    return f"{said}\n" if said else ""


# --- The Dockerfile and its images -----------------------------------------------------------------------------------
def _misread(failure: Failure) -> str:
    for pattern, where, what in MISREAD:
        if found := re.search(pattern, failure.words):
            return f"{failure.at(where.format(found[1]))}: {what.format(found[1])}."
    return ""


def _unknown_flag(failure: Failure) -> str:
    found = re.search(r"(ADD|COPY|RUN) only supports", failure.words)
    flags = [(one.line, name) for one in failure.instructions if found and one.keyword == found[1] for name, _ in one.flags() if name not in KNOWN_FLAGS]
    if not found or not flags:
        return ""
    line, name = flags[0]
    return f"{failure.dockerfile}, line {line}: this machine's buildah does not support --{name} in {found[1]}: remove it, or build with Docker."


def _missing_mount(failure: Failure) -> str:
    found = re.search(r"couldn't find \\?\"(\S+?)\\?\" on host to bind mount", failure.words)
    if not found:
        return ""
    path = re.sub(r".*/(?:merged|context)(?=/)", "", found[1])
    return f"{failure.dockerfile}: a --mount of RUN uses {path}, which does not exist: no stage has created it, or .dockerignore excludes it."


def _no_container(failure: Failure) -> str:
    found = re.search(r"running container: from (\S+) creating container for \[.*?\]: (?:: )?(.*)", failure.words)
    if not found:
        return ""
    return (
        f"{failure.dockerfile}: this machine cannot start a container for RUN: {found[1]} says: {found[2]}. Without one, RUN would run as root here. "
        "Install runc, and build on a machine or in a container that may start containers (with CAP_SYS_ADMIN and writable cgroups), "
        "or start Docker."
    )


def _no_registry(failure: Failure) -> str:
    found = re.search(r"failed to solve: (\S+): .*?(dial tcp.*|no such host|i/o timeout|connection refused)", failure.words)
    if not found:
        return ""
    line, name = failure.line(found[1]), full_name(found[1])
    keyword = next((one.keyword for one in failure.instructions if one.line <= line <= one.line + one.raw.count("\n")), "")  # "" for a comment
    return unreachable(
        failure.dockerfile, Image(line, keyword, found[1], name), name.partition("/")[0], found[2], source=failure.source if failure.own else None
    )


# --- The project's own commands --------------------------------------------------------------------------------------
def _collectstatic(failure: Failure) -> str:
    found = failure.runs(r"manage\.py collectstatic|-m served")
    return f"{failure.at(found[1])}: collectstatic failed: {failure.project or 'its last lines say why. Fix that in the project'}" if found else ""


def _missing_command(failure: Failure) -> str:
    lacking = [one for one in NOT_FOUND.finditer(failure.words) if one[1] in LACKING]
    if not failure.own or not lacking or not re.search(r"\bexit (?:status|code:) 127\b", failure.words):
        return ""
    # The step of the first one, because what was to be installed by a pipe from it is not found either.
    before = list(STEP.finditer(failure.words, 0, lacking[0].start()))[-1:]
    names = list(dict.fromkeys(one[1] for one in lacking))
    apk = re.search(r"\bapk add\b", failure.text)
    packages = " ".join(names if apk else dict.fromkeys(LACKING[name] for name in names))
    way = f"apk add --no-cache {packages}" if apk else f"apt-get update && apt-get install --yes --no-install-recommends {packages}"
    where = failure.at_step(before[0][1] if before else failure.step)
    return f"{where}: the base image has no command {' and no '.join(names)}. Above that line, install what has it: RUN {way}"


def _missing_package(failure: Failure) -> str:
    found, lacking = failure.runs(rf"(?:{'|'.join(MANAGERS)}) (?:run )?[\w:-]+"), NOT_FOUND.search(failure.words)
    if not found or not lacking or lacking[1] in (*MANAGERS, *LACKING):  # these are no packages of Node
        return ""
    # The program of most packages has the package's name.
    package = PROVIDED_BY.get(lacking[1], lacking[1])
    manager = found[1].split()[0]
    add = f"{manager} add --dev {package}" if manager == "yarn" else f"{manager} install --save-dev {package}"
    return (
        f"{failure.at(found[1])}: {found[1]} runs {lacking[1]}, but package.json has no package that provides it. "
        f"Add the one that does, such as by {add}, and commit package.json and the lock file."
    )


def _translation(failure: Failure) -> str:
    found, mistake = failure.runs("msgfmt|compilemessages"), MISTAKE.search(failure.words)
    if not found or not mistake:
        return ""
    file, number, why = mistake.groups()
    return f"{failure.at(found[1])}: the translation in {file}, line {number}, cannot be compiled: {why}. Correct it in the project."


# --- pip ---------------------------------------------------------------------------------------------------------------
def _no_index(failure: Failure) -> str:
    index, broken = INDEX.search(failure.words), UNANSWERED.search(failure.words)
    if not index or not broken:
        return ""
    places = named_in(failure.source, index[1], failure.text)
    way = (
        f"Remove {places}, where it is named: that overrides this machine's pip configuration"
        if places
        else "If a line with -i or --index-url in the requirements names it, remove that line: it overrides this machine's pip configuration. "
        "Otherwise correct that configuration (pip config debug shows its files)"
    )
    return f"{failure.dockerfile}: pip gets no answer from {index[1]} ({broken[1]}). {way}."


def _no_hash(failure: Failure) -> str:
    found = HASHLESS.search(failure.words)
    way = "Generate that file again with it, e.g. with uv pip compile --generate-hashes requirements.in -o requirements.txt"
    return f"{failure.dockerfile}: {found[1]} has no hash, but other requirements in its file have one. {way}." if found else ""


def _no_wheel(failure: Failure) -> str:
    missing = MISSING.search(failure.words)
    if not missing:
        return ""
    # If it fails before there is anything to build, it is the last one that was started.
    wheel = WHEEL.search(failure.words) or next(reversed(list(COLLECTING.finditer(failure.words[: missing.start()]))), None)
    what, lacks = wheel[1] if wheel else "a package", next(filter(None, missing.groups()))
    said = f"{failure.at_step(failure.step)}: {what} has no wheel for this Python and cannot be compiled: {lacks} is missing."
    return f"{said} {_to_compile(what, lacks, failure.own)}."


def _to_compile(what: str, lacks: str, own: bool) -> str:
    """Return what to do about a package that has no wheel and lacks something that compiling it needs, in the project's own Dockerfile or in Berth's."""
    other = f"Use {WHEELED[what.lower()]} instead, which has one" if what.lower() in WHEELED else f"Use a version of {what} that has one"
    if not own:
        more = "build-essential" if lacks in COMPILERS else "the Debian packages that it is compiled with"
        return f"{other}, or add {more} to berth_app_packages"
    packages = ["build-essential", *compiled_with(what)]
    unknown = "" if packages[1:] or lacks in COMPILERS else f", and the one that provides {lacks}"
    return f"{other}, or install Debian packages above that line: RUN apt-get update && apt-get install --yes {' '.join(packages)}{unknown}"


def _plain(command: str) -> str:
    """Return a command in one line."""
    return " ".join(command.split())


# The first that has something to say is right: what fails early hides what comes later.
EXPLANATIONS: tuple[Callable[[Failure], str], ...] = (
    _misread,
    _unknown_flag,
    _missing_mount,
    _no_container,
    _collectstatic,
    _missing_package,
    _missing_command,
    _translation,
    _no_index,
    _no_hash,
    _no_wheel,
    _no_registry,
)
