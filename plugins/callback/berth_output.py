"""Ansible's default output, with each failure told once and as text."""

from __future__ import annotations

from typing import Any

from ansible import constants as C
from ansible.plugins.callback.default import CallbackModule as DefaultCallback

DOCUMENTATION = """
name: berth_output
type: stdout
short_description: Ansible's default output, with each failure told once and as text
description:
  - The default callback tells a failure twice, once with the place in the playbook and once as data. Without C(-v), this one prints its message only.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
"""


class CallbackModule(DefaultCallback):
    """The default callback with shorter failures."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "berth_output"

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
