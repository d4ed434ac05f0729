"""What a command of Ansible's finds when it starts from .venv, or beside the wheel, wherever it is called: a locale that works, and Berth's ansible.cfg.

Ansible looks at the locale before it reads any setting, and for ansible.cfg in the current directory alone. So this is called by
a file beside it, berth.pth, whenever its Python starts (docs.python.org/3/library/site.html); it does nothing for any other program.
"""

from __future__ import annotations

import _locale
import os
import sys
from collections.abc import Iterable, MutableMapping

COLLECTION = "berth.platform."
WORKS = "C.UTF-8"  # part of Debian's and Ubuntu's C library, whatever locales are installed


def utf8() -> bool:
    """Whether the locale that the environment asks for exists and its encoding is UTF-8, which is what Ansible requires."""
    before = _locale.setlocale(_locale.LC_ALL, None)
    try:
        _locale.setlocale(_locale.LC_ALL, "")
        return _locale.nl_langinfo(_locale.CODESET).upper() in ("UTF-8", "UTF8")
    except _locale.Error:
        return False
    finally:
        _locale.setlocale(_locale.LC_ALL, before)


def names_collection(word: str) -> bool:
    """Whether a command's word is a playbook that names one of Berth's."""
    if not word.endswith((".yml", ".yaml")) or not os.path.isfile(word):
        return False
    with open(word, encoding="utf-8", errors="replace") as playbook:
        return f"import_playbook: {COLLECTION}" in playbook.read()


def configuration(project: str, words: Iterable[str]) -> str | None:
    """Return Berth's ansible.cfg where a command's words name a file or directory of ``project``, or a playbook of Berth's; else None.

    A playbook of Berth's may be named by a word or within somebody's own playbook; a directory with an ansible.cfg of its own then has its own settings.
    """
    found = os.path.join(project, "ansible.cfg")
    if not os.path.isfile(found):
        return None
    for word in words:
        if word.startswith(COLLECTION) or names_collection(word):
            return None if os.path.exists("ansible.cfg") else found
        path = os.path.realpath(word.partition("=")[2] if word.startswith("-") else word)
        if os.path.exists(path) and os.path.commonpath([path, project]) == project:
            return found
    return None


def start(command: list[str], environment: MutableMapping[str, str]) -> bool:
    """Prepare the environment of a command (as in ``sys.orig_argv``); return whether Python has to begin again for it."""
    if len(command) < 2 or not os.path.basename(command[1]).startswith("ansible"):
        return False
    if "ANSIBLE_CONFIG" not in environment:
        # A link to the project in its own .venv, the collection itself where the wheel is installed.
        found = configuration(os.path.realpath(os.path.join(os.path.dirname(__file__), "ansible_collections", "berth", "platform")), command[2:])
        if found:
            environment["ANSIBLE_CONFIG"] = found
            if not os.path.isdir(os.path.join(os.path.dirname(found), "inventories")):  # the inventory that it names is the clone's
                environment.setdefault("ANSIBLE_INVENTORY", os.devnull)
    if environment.get("LC_ALL") == WORKS or utf8():
        return False
    environment["LC_ALL"] = WORKS
    return True


if start(sys.orig_argv, os.environ):
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
