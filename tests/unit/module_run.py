"""Run a module in this process, and load plugins that are no importable packages."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"


def plugin(path: str) -> ModuleType:
    """Return the plugin at ``path`` below plugins/, as a Python module of its own."""
    specification = importlib.util.spec_from_file_location(f"berth_{Path(path).stem}_plugin", PLUGINS / path)
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def run(module: ModuleType, capsys: pytest.CaptureFixture[str], check: bool = False, **arguments: Any) -> dict[str, Any]:
    """Return what an Ansible module answers to ``arguments``."""
    capsys.readouterr()
    with patch_module_args({**arguments, "_ansible_check_mode": check, "_ansible_diff": True}), pytest.raises(SystemExit):
        module.main()
    return json.loads(capsys.readouterr().out)
