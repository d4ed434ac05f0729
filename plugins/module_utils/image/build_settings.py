"""This machine's network settings for a build whose Dockerfile does not mention them: each RUN gets them, and no layer keeps them."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from .dockerfile import Instruction, Stage, expand, full_name, global_arguments, mounts, parse, stage_of, stages


class Setting(NamedTuple):
    """A secret of a build: its ID, where a RUN finds it, and the variables that point to it."""

    id: str
    target: str
    variables: tuple[str, ...] = ()


SETTINGS = (
    # pip.pypa.io/en/stable/topics/configuration
    Setting("pip_conf", "/run/secrets/pip_conf", ("PIP_CONFIG_FILE",)),
    # npm's documentation, Using npm, "npmrc Files"
    Setting("npmrc", "/run/secrets/npmrc", ("NPM_CONFIG_GLOBALCONFIG",)),
    # docs.astral.sh/uv/concepts/configuration-files: the system's own, in addition to which the project's applies
    Setting("uv_toml", "/etc/uv/uv.toml"),
    # Not if the system has its own: update-ca-certificates replaces that file, and a mount cannot be replaced.
    Setting(
        "ca_bundle",
        "/run/secrets/ca_bundle",
        ("CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS", "PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"),
    ),
)
# The files of an image have the time 0, so that the same content gives the same image. By default, bytecode records the time of its source: it would
# never match, and every process would compile what it imports. If this variable is set, bytecode records a hash of the source instead:
# docs.python.org/3/library/py_compile.html. The time itself can be any that a ZIP file, such as a wheel, can hold.
REPRODUCIBLE = "SOURCE_DATE_EPOCH=1580601600"
# Only if the stage starts from an image that Berth made, which has no sources of its own.
APT = Setting("apt_sources", "/etc/apt/sources.list.d/berth.list")
IDS = {setting.id for setting in (*SETTINGS, APT)}
ADDED = ",required=false,mode=0444"  # for any user in the image, root or not
MOUNT = re.compile(rf" --mount=type=secret,id=(?:{'|'.join(sorted(IDS))}),target=[^\s,]+{ADDED}")
# A RUN with its own flags, on any number of lines. Ours come after them: up to buildah 1.28, a mount without a type takes the type of the one before it.
RUN = re.compile(r"\A\s*RUN(?:(?:[ \t]|[\\`][ \t]*\r?\n(?:[ \t]*(?:#[^\n]*)?\n)*)+--[a-z-]+(?:=\S*)?(?=\s))*", re.IGNORECASE)


def taken(instructions: list[Instruction]) -> set[str]:
    """Return the IDs of the secrets of which a Dockerfile itself says where it wants them."""
    return {mount.id for instruction in instructions for mount in mounts(instruction) if mount.kind == "secret"} & IDS


def from_ours(instructions: list[Instruction], ours: Collection[str], given: dict[str, str]) -> list[bool]:
    """Return for each stage whether it starts from one of the images ``ours``, directly or through another stage; ``given`` are the build arguments."""
    values = global_arguments(instructions, given)
    every = stages(instructions)
    found: list[bool] = []
    for number, stage in enumerate(every):
        name = expand(stage.base, values) or ""
        other: Stage | None = stage_of(name, every[:number])
        found.append(found[every.index(other)] if other else bool(name) and full_name(name) in ours)
    return found


def told(text: str, there: Collection[str], ours: Collection[str], given: dict[str, str]) -> str:
    """Return a Dockerfile whose RUNs compile bytecode that stays valid and, unless it handles them itself, have this machine's settings.

    One that handles any, such as pip's, still gets apt's sources unless it handles those: nobody expects an image of Debian without.

    A mount, which no layer keeps, provides each, and an ARG, which no image keeps either, points to it. The project's own ENV takes precedence.

    Args:
        text: The Dockerfile.
        there: The IDs of the settings that this machine has.
        ours: The images that Berth made, by their full names.
        given: The build arguments.
    """
    instructions = parse(text)
    handled = taken(instructions)
    lines = text.split("\n")
    settings = [setting for setting in SETTINGS if setting.id in there and not handled]
    variables = "".join(f" {name}={setting.target}" for setting in settings for name in setting.variables)
    for stage, apt in zip(stages(instructions), from_ours(instructions, ours, given), strict=True):
        here = [*settings, *([APT] if apt and APT.id in {*there} - handled else [])]
        flags = "".join(f" --mount=type=secret,id={one.id},target={one.target}{ADDED}" for one in here)
        for instruction in stage.instructions:
            place, end = instruction.line - 1, instruction.line + instruction.raw.count("\n")
            if instruction.keyword == "RUN" and (found := RUN.match("\n".join(lines[place:end]))):
                lines[place:end] = f"{found[0]}{flags}{found.string[found.end() :]}".split("\n")
            elif instruction.keyword == "FROM":
                lines[end - 1] += f"\nARG {REPRODUCIBLE}{variables}"
    return "\n".join(lines)


def as_written(line: str) -> str:
    """Return a line in which an engine quotes an instruction, without what told() has added to it."""
    return MOUNT.sub("", line)


def npmrc(environment: Mapping[str, str]) -> str:
    """Return this machine's npm settings for registries, "" if there are none: the user's npmrc, and the variables, which take precedence."""
    home = Path(environment.get("HOME") or Path.home())
    variables = {name.lower(): value for name, value in environment.items() if name.lower().startswith("npm_config_") and value}
    file = Path(variables.get("npm_config_userconfig") or home / ".npmrc")
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []
    kept = [line for line in lines if not re.match(r"\s*(?:cache|cafile|logs-dir|nodedir|prefix|tmp)\s*=", line)]  # files of this machine
    if registry := variables.get("npm_config_registry"):
        kept.append(f"registry={registry}")
    return "".join(f"{line}\n" for line in kept)


def registries(text: str) -> list[str]:
    """Return the addresses of the registries in the text of an npmrc."""
    return re.findall(r"^\s*(?:@[\w.-]+:)?registry\s*=\s*[\"']?([^\s\"']+)", text, re.MULTILINE)


def uv_toml(environment: Mapping[str, str], system: Path = Path("/etc/uv/uv.toml")) -> str:
    """Return this machine's uv settings, "" if there are none: the user's uv.toml or else the system's, and the index from the variables."""
    home = Path(environment.get("HOME") or Path.home())
    own = Path(environment.get("UV_CONFIG_FILE") or Path(environment.get("XDG_CONFIG_HOME") or home / ".config", "uv/uv.toml"))
    file = own if own.is_file() else system
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    index = environment.get("UV_DEFAULT_INDEX") or environment.get("UV_INDEX_URL")
    if index:
        text = re.sub(r"^index-url\s*=.*\n?", "", text, flags=re.MULTILINE)
    if index and not re.search(r"^default\s*=\s*true", text, re.MULTILINE):
        quoted = index.replace("\\", "\\\\").replace('"', '\\"')
        text = f'index-url = "{quoted}"\n{text}'  # keys come before the first table
    return text


def machine(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the settings of npm and uv on this machine by the secret's ID, without empty ones."""
    return {name: text for name, text in (("npmrc", npmrc(environment)), ("uv_toml", uv_toml(environment))) if text.strip()}
