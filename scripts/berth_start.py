"""Prepares Ansible's commands in .venv, or next to the wheel, in any directory: with a working locale and Berth's ansible.cfg.

Ansible checks the locale before it reads any setting, and looks for ansible.cfg only in the current directory. So berth.pth, a file next to
this one, imports it whenever its Python starts (docs.python.org/3/library/site.html). It does nothing for any other program.
"""

from __future__ import annotations

import _locale
import os
import sys
from collections.abc import Iterable, MutableMapping

COLLECTION = "berth.platform."
WORKS = "C.UTF-8"  # part of the C library of Debian and Ubuntu, whatever locales are installed


def utf8() -> bool:
    """Whether the locale in the environment exists and its encoding is UTF-8, which Ansible requires."""
    before = _locale.setlocale(_locale.LC_ALL, None)
    try:
        _locale.setlocale(_locale.LC_ALL, "")
        return _locale.nl_langinfo(_locale.CODESET).upper() in ("UTF-8", "UTF8")
    except _locale.Error:
        return False
    finally:
        _locale.setlocale(_locale.LC_ALL, before)


def names_collection(word: str) -> bool:
    """Whether an argument of a command is a playbook that imports one of Berth's."""
    if not word.endswith((".yml", ".yaml")) or not os.path.isfile(word):
        return False
    with open(word, encoding="utf-8", errors="replace") as playbook:
        return f"import_playbook: {COLLECTION}" in playbook.read()


def configuration(project: str, words: Iterable[str]) -> str | None:
    """Return Berth's ansible.cfg if a command's arguments name a file or directory in ``project`` or a playbook of Berth's; otherwise None.

    A playbook of Berth's may be named by an argument or imported by the user's own playbook. In that case, an ansible.cfg in the current directory
    takes precedence.
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
    """Prepare the environment of a command (as in ``sys.orig_argv``). Return whether Python must be restarted for it."""
    if len(command) < 2 or not os.path.basename(command[1]).startswith("ansible"):
        return False
    if "ANSIBLE_CONFIG" not in environment:
        # In the project's .venv this is a link to the project; if the wheel is installed, it is the collection itself.
        found = configuration(os.path.realpath(os.path.join(os.path.dirname(__file__), "ansible_collections", "berth", "platform")), command[2:])
        if found:
            environment["ANSIBLE_CONFIG"] = found
            if not os.path.isdir(os.path.join(os.path.dirname(found), "inventories")):  # the inventory in ansible.cfg exists only in a clone
                environment.setdefault("ANSIBLE_INVENTORY", os.devnull)
    if environment.get("LC_ALL") == WORKS or utf8():
        return False
    environment["LC_ALL"] = WORKS
    return True


if start(sys.orig_argv, os.environ):
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
