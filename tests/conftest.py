"""Make the plugins importable as Ansible sees them, and the tests' own helpers."""

from __future__ import annotations

import sys
from pathlib import Path

import ansible.module_utils

TESTS = Path(__file__).resolve().parent
PLUGINS = TESTS.parent / "plugins"

for directory in (PLUGINS / "modules", TESTS / "unit", TESTS / "cluster", TESTS / "minikube", TESTS / "machines"):
    sys.path.insert(0, str(directory))
ansible.module_utils.__path__.append(str(PLUGINS / "module_utils"))
