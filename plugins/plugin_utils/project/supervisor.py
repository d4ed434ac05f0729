"""The programs that a supervisor in an image runs, from the files that the Dockerfile copies: s6, runit and supervisord."""

from __future__ import annotations

import configparser
import itertools
import posixpath
import re
from pathlib import Path

from ...module_utils.image.project import text_of
from .dockerfile import Dockerfile
from .procfile import SERVERS

STARTS = re.compile(r"(?:\S*/)?(?:my_init|runsvdir|s6-svscan|supervisord)|/init")
# Where s6-overlay and runit have a directory with a script "run" for each program. github.com/just-containers/s6-overlay
RUNNING = ("/etc/s6-overlay/s6-rc.d", "/etc/services.d", "/etc/service", "/etc/sv")
# The default paths of supervisord and of Debian's package. supervisord.org/configuration.html
CONFIGURATIONS = ("supervisord.conf", "/etc/supervisord.conf", "/etc/supervisor/supervisord.conf", "/etc/supervisor/conf.d/supervisord.conf")
EXEC = re.compile(r"^[ \t]*exec[ \t]+(\S.*)$", re.MULTILINE)
CHANGES_USER = re.compile(r"(?:\S*/)?(?:s6-setuidgid|setuidgid|gosu|su-exec|chpst\s+-u)\s+\S+\s+")
# System services, and those that Berth runs beside the app.
SYSTEM = re.compile(r"(?:\S*/)?(?:apache2?|caddy|crond?|httpd|memcached|nginx|redis-server|rsyslogd|sshd|valkey-server)\b")
SOCKET = re.compile(r"\bunix:|\.sock\b|\.ini\b|\.ya?ml\b")  # reachable only within the pod, or an address in a file


def programs(source: Path, dockerfile: Dockerfile) -> dict[str, str] | None:
    """Return the commands of the programs that an image's supervisor runs, by name, as far as known; None for an image without one."""
    started = [*dockerfile.entrypoint[:1], *dockerfile.command[:1]]
    if not any(STARTS.fullmatch(word) for word in started):
        return None
    found = {name: command for directory in RUNNING for name, command in scripts(source, dockerfile, directory).items()}
    line = [*dockerfile.entrypoint, *dockerfile.command]
    named = [after for word, after in itertools.pairwise(line) if word in ("-c", "--configuration")]
    for path in named or CONFIGURATIONS:
        found |= sections(dockerfile.text(source, posixpath.normpath(posixpath.join(dockerfile.workdir or "/", path))))
    return {name: command for name, command in found.items() if not SYSTEM.match(command)}


def scripts(source: Path, dockerfile: Dockerfile, directory: str) -> dict[str, str]:
    """Return the programs that the scripts below a directory of the image exec, except those that s6 runs once."""
    found = {}
    for place, origin in dockerfile.files:
        if directory == place or directory.startswith(f"{place.rstrip('/')}/"):
            for file in sorted((source / origin / posixpath.relpath(directory, place)).glob("*/run")):
                lines = EXEC.findall(text_of(file).replace("\\\n", " "))
                if lines and text_of(file.with_name("type")).strip() in ("", "longrun"):
                    plain = next((line for line in lines if not CHANGES_USER.match(line)), lines[0])
                    found[file.parent.name.removeprefix("svc-")] = CHANGES_USER.sub("", plain).strip()
    return found


def sections(text: str) -> dict[str, str]:
    """Return the programs in a supervisord configuration."""
    parser = configparser.ConfigParser(interpolation=None, strict=False, inline_comment_prefixes=(";",))
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    programs = {name.removeprefix("program:"): parser[name].get("command", "") for name in parser.sections() if name.startswith("program:")}
    return {name: " ".join(command.split()) for name, command in programs.items() if command}


def server(found: dict[str, str]) -> str:
    """Return the command that serves on a port that other pods can reach; "" if none is known.

    >>> server({"web": "gunicorn shop.wsgi"}), server({"web": "granian shop.wsgi"}), server({"web": "gunicorn -b unix:/tmp/x shop.wsgi"})
    ('gunicorn shop.wsgi', 'granian --host 0.0.0.0 shop.wsgi', '')
    """
    command = next((command for command in found.values() if SERVERS.search(command) and not SOCKET.search(command)), "")
    # It listens on 127.0.0.1 by default. github.com/emmett-framework/granian#options
    return re.sub(r"\bgranian\b", "granian --host 0.0.0.0", command, count=1) if "--host" not in command else command
