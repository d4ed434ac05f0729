"""Make the collection importable as Ansible sees it, and the tests' own helpers."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from ansible.plugins.loader import init_plugin_loader

TESTS = Path(__file__).resolve().parent

gc.disable()  # until all tests are collected: there is nothing to find, and each look goes over all that is there
init_plugin_loader()
import ansible_collections.berth.platform as collection

# Else these tests would look at another checkout's plugins, and pass.
assert TESTS.parent.samefile(collection.__path__[0]), f"berth.platform is {collection.__path__[0]}: make bootstrap links this checkout"

for directory in ("unit", "integration", "cluster", "minikube", "machines", "kubernetes_101", "pictures", "callbacks"):
    sys.path.insert(0, str(TESTS / directory))
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # the commands of this environment, be it activated or not


def pytest_collection_finish() -> None:
    """Leave what has been collected alone from now on: it stays until the end, and a fork copies what the collector touches."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a test that would be skipped fail where the environment variable BERTH_TEST_EVERYTHING is set: a tool is missing that should be there."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("BERTH_TEST_EVERYTHING"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} would be skipped, and BERTH_TEST_EVERYTHING is set. {report.longrepr[2]}"
    return report
