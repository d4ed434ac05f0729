"""Run a module in this process, and find a plugin by its path."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"


def plugin(path: str) -> ModuleType:
    """Return the plugin at ``path`` below plugins/."""
    return importlib.import_module(f"ansible_collections.berth.platform.plugins.{path.removesuffix('.py').replace('/', '.')}")


def run(module: ModuleType, capsys: pytest.CaptureFixture[str], check: bool = False, **arguments: Any) -> dict[str, Any]:
    """Return an Ansible module's result for ``arguments``."""
    capsys.readouterr()
    with patch_module_args({**arguments, "_ansible_check_mode": check, "_ansible_diff": True}), pytest.raises(SystemExit):
        module.main()
    return json.loads(capsys.readouterr().out)
