"""What a run reads and imports once, so that no task does."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from ansible import constants
from ansible.parsing.dataloader import DataLoader
from module_run import PLUGINS, plugin

warm_up = plugin("callback/warm_up.py")
COLLECTION = "ansible_collections.berth.platform"


def test_pythons_own_loader_keeps_the_bytecode_of_what_a_collection_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "subject.py").write_text("VALUE = 1\n")
    package = ModuleType("ansible_collections.some")
    package.__path__ = [str(tmp_path)]
    monkeypatch.setitem(sys.modules, "ansible_collections.some", package)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "meta_path", [warm_up.WithBytecode(), *sys.meta_path])
    assert importlib.import_module("ansible_collections.some.subject").VALUE == 1
    sys.modules.pop("ansible_collections.some.subject")
    assert [path.name.partition(".")[0] for path in (tmp_path / "__pycache__").iterdir()] == ["subject"]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (f"{COLLECTION}.plugins.module_utils.kube", [str(PLUGINS / "module_utils")]),
        (f"{COLLECTION}.plugins.module_utils.nothing", [str(PLUGINS / "module_utils")]),
        ("ansible_collections", None),
        ("yaml.loader", [str(PLUGINS / "module_utils/kube")]),
    ],
    ids=["package", "absent", "top", "of no collection"],
)
def test_what_is_no_file_of_a_collection_is_left_to_others(name: str, path: list[str] | None) -> None:
    assert warm_up.WithBytecode().find_spec(name, path) is None


def test_what_each_tasks_process_would_read_is_read_before() -> None:
    """A name that Ansible has changed would cost time in each task, without a word."""
    results = importlib.import_module("ansible._internal._task").UnifiedTaskResult
    results.get_result_key_to_resolved_field_mapping.cache_clear()
    warm_up.read_once(SimpleNamespace(get_loader=DataLoader))
    assert results.get_result_key_to_resolved_field_mapping.cache_info().currsize == 2
    assert constants.config.get_configuration_definitions("connection", f"{COLLECTION}.plugins.connection.forked")
    assert constants.config.get_configuration_definitions("shell", "sh")
    assert "ansible.module_utils._internal._json._profiles._module_legacy_m2c" in sys.modules
