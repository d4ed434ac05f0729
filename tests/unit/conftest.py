"""Make the plugins importable as Ansible sees them."""

from __future__ import annotations

import sys
from pathlib import Path

import ansible.module_utils

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"

for directory in (PLUGINS / "modules", Path(__file__).parent):
    sys.path.insert(0, str(directory))
ansible.module_utils.__path__.append(str(PLUGINS / "module_utils"))
