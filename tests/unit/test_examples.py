"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest
from module_run import plugin

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
WITH_EXAMPLES = [
    str(path.relative_to(PLUGINS)) for path in sorted(PLUGINS.rglob("*.py")) if re.search(r"^\s+>>> ", path.read_text(encoding="utf-8"), re.MULTILINE)
]


@pytest.mark.parametrize("path", WITH_EXAMPLES)
def test_the_examples_of_a_module_are_true(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    results = doctest.testmod(plugin(path))
    assert results.attempted > 0
    assert results.failed == 0, capsys.readouterr().out
