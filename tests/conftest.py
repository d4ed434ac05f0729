"""Make the collection importable as Ansible sees it, and the tests' own helpers."""

from __future__ import annotations

import sys
from pathlib import Path

from ansible.plugins.loader import init_plugin_loader

TESTS = Path(__file__).resolve().parent

init_plugin_loader()
import ansible_collections.berth.platform as collection

# Else these tests would look at another checkout's plugins, and pass.
assert TESTS.parent.samefile(collection.__path__[0]), f"berth.platform is {collection.__path__[0]}: make bootstrap links this checkout"

for directory in ("unit", "cluster", "minikube", "machines"):
    sys.path.insert(0, str(TESTS / directory))
