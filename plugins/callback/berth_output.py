"""Ansible's default output, with each failure told once and as text, and nothing in it that a terminal obeys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible import constants as C
from ansible.plugins.callback.default import CallbackModule as DefaultCallback
from ansible.utils.display import Display

from ..module_utils import terminal

DOCUMENTATION = """
name: berth_output
type: stdout
short_description: Ansible's default output, with each failure told once and as text
description:
  - The default callback tells a failure twice, once with the place in the playbook and once as data. Without C(-v), this one prints its message only.
  - What a terminal would obey in what is printed, such as escape sequences in a pod's log, is written out. Ansible's own colours stay.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
"""


class Painted(str):
    """Text in Ansible's own colours, in which everything else is written out already."""


def write_out(display: Display) -> None:
    """Let everything that is displayed, by whatever part of Ansible or of Berth, be free of what a terminal obeys."""

    def displayed(msg: str, color: str | None = None, *rest: Any, screen_only: bool = False, **how: Any) -> None:
        # The recap, which has the inventory's names of hosts, and numbers, comes in its colours, and so for the screen only.
        painted = isinstance(msg, Painted) or (screen_only and color is None)
        text = terminal.shown(msg) if isinstance(msg, str) and not painted else msg
        before(text, color, *rest, screen_only=screen_only, **how)

    before: Callable[..., None] = display.display
    if not getattr(before, "writes_out", False):
        displayed.writes_out = True  # type: ignore[attr-defined]
        display.display = displayed  # type: ignore[method-assign]


def written_out(value: Any) -> Any:
    """Return data with every text in them as a terminal may show it."""
    if isinstance(value, str):
        return terminal.shown(value)
    if isinstance(value, Mapping):
        return {written_out(name): written_out(each) for name, each in value.items()}
    return [written_out(each) for each in value] if isinstance(value, list | tuple) else value


class CallbackModule(DefaultCallback):
    """The default callback with shorter failures."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "berth_output"

    def __init__(self) -> None:
        super().__init__()
        write_out(self._display)

    def _get_diff(self, difflist: Any) -> str:
        return Painted(super()._get_diff(written_out(difflist)))

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Print the message of a failed task."""
        if not self._tells_message(result) or (result.task.loop and "results" in result.result):
            super().v2_runner_on_failed(result, ignore_errors)
            return
        if self._last_task_banner != result.task._uuid:
            self._print_task_banner(result.task)
        self._handle_warnings(result.result)
        self._print_message(f"fatal: [{self.host_label(result)}]: FAILED!", result.result)
        if ignore_errors:
            self._display.display("...ignoring", color=C.COLOR_SKIP)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        """Print the message of a failed item."""
        if not self._tells_message(result):
            super().v2_runner_item_on_failed(result)
            return
        if self._last_task_banner != result.task._uuid:
            self._print_task_banner(result.task)
        self._handle_warnings(result.result)
        label = self._get_item_label(result.result)
        self._print_message(f"failed: [{self.host_label(result)}] (item={label})", result.result)

    def _tells_message(self, result: Any) -> bool:
        return self._display.verbosity == 0 and isinstance(result.result.get("msg"), str)

    def _print_message(self, head: str, result: dict[str, Any]) -> None:
        texts = [result["msg"], *(str(result[stream]) for stream in ("stdout", "stderr") if result.get(stream))]
        lines = [head, *(f"    {line}" for text in texts for line in text.strip().splitlines())]
        self._display.display("\n".join(lines), color=C.COLOR_ERROR, stderr=self.get_option("display_failed_stderr"))
