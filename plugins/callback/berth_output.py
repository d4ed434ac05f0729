"""A run's output for a person: a line per step, and with -v Ansible's own. Failures are text, and nothing in it is what a terminal obeys."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ansible import constants as C
from ansible import context
from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback.default import CallbackModule as DefaultCallback
from ansible.utils.display import Display

from ..module_utils import terminal
from ..plugin_utils import commands, screen, steps

DOCUMENTATION = """
name: berth_output
type: stdout
short_description: One line per step, with each failure shown once and as text; with -v Ansible's default output
description:
  - Without C(-v), a play is a step. It is a line with its seconds or, where it changed or said something, a heading with a line for each task that did.
    The end is the recap, what changed, and the seconds of each phase. On a terminal the last line says what is under way.
  - The message of a task with the variable C(summary=true) is the last that is printed.
  - With C(-v), and with C(ANSIBLE_STDOUT_CALLBACK=ansible.builtin.default), the output is Ansible's own.
  - The default callback shows a failure twice, once with its position in the playbook and once as data. Without C(-v), this one prints only its message.
  - Control sequences in the output, such as escape sequences in a pod's log, are printed as text. Ansible's own colours stay.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
"""

AD_HOC = "__adhoc_playbook__"  # the playbook name of an ansible ad hoc command, which is run for its result


class Painted(str):
    """Text in Ansible's own colours, in which everything else is already escaped."""


def inventories() -> list[str]:
    """Return the values of this run's -i; none if it uses Ansible's default."""
    found = list(context.CLIARGS.get("inventory") or [])
    return [each for each in found if "," not in each] if found != list(C.DEFAULT_HOST_LIST) else []


def write_out(display: Display) -> None:
    """Escape everything that a terminal obeys in all displayed text, whatever part of Ansible or Berth it comes from."""

    def displayed(msg: str, color: str | None = None, *rest: Any, screen_only: bool = False, **how: Any) -> None:
        # The recap, with the inventory's host names and numbers, is coloured, and so for the screen only.
        painted = isinstance(msg, Painted) or (screen_only and color is None)
        text = commands.typed(terminal.shown(msg), inventories=inventories()) if isinstance(msg, str) and not painted else msg
        with display._lock:  # nobody writes the status line again in between
            screen.STATUS.erase()
            before(text, color, *rest, screen_only=screen_only, **how)

    before: Callable[..., None] = display.display
    if not getattr(before, "writes_out", False):
        displayed.writes_out = True  # type: ignore[attr-defined]
        display.display = displayed  # type: ignore[method-assign]


def written_out(value: Any) -> Any:
    """Return data in which every text is safe to show in a terminal."""
    if isinstance(value, str):
        return terminal.shown(value)
    if isinstance(value, Mapping):
        return {written_out(name): written_out(each) for name, each in value.items()}
    return [written_out(each) for each in value] if isinstance(value, list | tuple) else value


class CallbackModule(DefaultCallback):
    """The default callback, shorter."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "berth_output"

    _display: Any

    def __init__(self) -> None:
        super().__init__()
        write_out(self._display)
        self._brief = False
        self._steps: list[steps.Step] = []
        self._last_words: list[str] = []
        self._warned: set[str] = set()
        self._several = False
        self._began = time.monotonic()
        self._line_of = ""  # the task whose line is already printed

    def _get_diff(self, difflist: Any) -> str:
        return Painted(super()._get_diff(written_out(difflist)))

    # --- Steps ---------------------------------------------------------------
    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Begin without steps, because one command can run several playbooks."""
        super().v2_playbook_on_start(playbook)
        self._brief = self._display.verbosity == 0 and playbook._file_name != AD_HOC
        self._steps, self._last_words = [], []
        if self._brief:
            screen.STATUS.begin()

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """End a step and begin the next."""
        if not self._brief:
            super().v2_playbook_on_play_start(play)
            return
        self._end_step()
        self._play = play
        self._several = len(play.get_variable_manager()._inventory.get_hosts(play.hosts)) > 1
        checks = bool(play.check_mode or context.CLIARGS.get("check"))
        self._steps.append(steps.Step(screen.one_line(play.get_name()), steps.phase(play.get_path()), time.monotonic(), checks))

    def _end_step(self) -> None:
        if self._steps:
            step = self._steps[-1]
            step.seconds = time.monotonic() - step.began
            if line := step.last_line():
                self._display.display(screen.row(line, step.seconds, screen.columns()), color=C.COLOR_CHANGED if step.changed else C.COLOR_OK)

    def _head(self) -> None:
        """Print the step's name once, before anything is printed in it."""
        step = self._steps[-1]
        if not step.headed:
            step.headed = True
            wide = screen.columns()
            self._display.display(step.name if wide is None else screen.cut(step.name, wide))

    def _task_start(self, task: Any, prefix: str | None = None) -> None:
        self._began, self._line_of = time.monotonic(), ""
        if not self._brief:
            super()._task_start(task, prefix)
            return
        self._task_type_cache[task._uuid] = prefix  # its banner is only printed before a failure
        self._last_task_name = str(task.get_name()).strip()

    def _print_task_banner(self, task: Any) -> None:
        if self._brief:
            self._head()
        super()._print_task_banner(task)

    def _changed(self, result: Any) -> None:
        """Print the line of a task that changed something, unless it is already printed above its diff."""
        key = f"{result.task._uuid} {result.host.name}"
        if key != self._line_of:
            self._line_of = key
            self._head()
            name = screen.one_line(self._place(result) + result.task.get_name() + steps.things(result.result))
            self._steps[-1].changed.append(name)
            self._display.display(screen.row(f"  {name}", time.monotonic() - self._began, screen.columns()), color=C.COLOR_CHANGED)

    def _place(self, result: Any) -> str:
        """Return which host a result is from, if that is not obvious."""
        return f"[{self.host_label(result)}] " if self._several else ""

    def _message(self, result: Any) -> None:
        """Print a debug task's message."""
        if result.task.action not in C._ACTION_DEBUG or not self._run_is_verbose(result):
            return
        found = result.result
        self._clean_results(found, result.task.action)
        said = found.get("msg")
        lines = said if isinstance(said, list) and all(isinstance(line, str) for line in said) else [said]
        text = "\n".join(lines) if all(isinstance(line, str) for line in lines) else self._dump_results(found)
        text = (self._place(result) + text).strip("\n")
        if result.task.vars.get("summary"):
            self._last_words.append(text)
            return
        self._head()
        self._display.display("\n".join(f"  {line}".rstrip() for line in text.split("\n")))

    def _warns(self, result: Any) -> None:
        """Print a task's warnings as Ansible does, each once and below its banner."""
        warned = {str(result.result[kind]) for kind in ("warnings", "exception") if result.result.get(kind)}
        if warned - self._warned and self._last_task_banner != result.task._uuid:
            self._print_task_banner(result.task)
        self._warned |= warned
        self._handle_warnings_and_exception(result)

    # --- Results -------------------------------------------------------------
    def v2_runner_on_ok(self, result: Any) -> None:
        """Print a task that changed or reports something."""
        if not self._brief:
            super().v2_runner_on_ok(result)
            return
        if isinstance(result.task, TaskInclude):
            return
        self._steps[-1].ran, self._steps[-1].failed = True, False  # an earlier failure was rescued
        self._warns(result)
        if result.result.get("changed", False):
            self._changed(result)
        if not (result.task.loop and "results" in result.result):
            self._message(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        """Print an item that reports something; the task's line is for all of them."""
        if not self._brief:
            super().v2_runner_item_on_ok(result)
        elif not isinstance(result.task, TaskInclude):
            self._warns(result)
            self._message(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """Print nothing but warnings."""
        if self._brief:
            self._warns(result)
        else:
            super().v2_runner_on_skipped(result)

    def v2_runner_item_on_skipped(self, result: Any) -> None:
        """Print nothing but warnings."""
        if self._brief:
            self._warns(result)
        else:
            super().v2_runner_item_on_skipped(result)

    def v2_on_file_diff(self, result: Any) -> None:
        """Print a diff below its task's line."""
        if not self._brief:
            super().v2_on_file_diff(result)
            return
        results = result.result["results"] if result.task.loop and "results" in result.result else [result.result]
        diffs = [self._get_diff(each["diff"]) for each in results if each.get("diff") and each.get("changed", False)]
        for diff in filter(None, diffs):
            self._changed(result)
            self._display.display(diff)

    def v2_playbook_on_include(self, included_file: Any) -> None:
        """Print what Ansible prints, with -v."""
        if not self._brief:
            super().v2_playbook_on_include(included_file)

    def v2_runner_retry(self, result: Any) -> None:
        """Print what Ansible prints, with -v: it calls each look at something that takes its time a failure."""
        if not self._brief:
            super().v2_runner_retry(result)

    def v2_runner_on_async_poll(self, result: Any) -> None:
        """Print what Ansible prints, with -v."""
        if not self._brief:
            super().v2_runner_on_async_poll(result)

    def v2_runner_on_async_ok(self, result: Any) -> None:
        """Print what Ansible prints, with -v."""
        if not self._brief:
            super().v2_runner_on_async_ok(result)

    def v2_playbook_on_no_hosts_matched(self) -> None:
        """Print it below the step's name."""
        if self._brief and self._steps:
            self._head()
        super().v2_playbook_on_no_hosts_matched()

    # --- The end -------------------------------------------------------------
    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Print the recap and, after a run that did not fail, what it did."""
        if not self._brief:
            super().v2_playbook_on_stats(stats)
            return
        screen.STATUS.end()
        self._end_step()
        wide = screen.columns()
        self._recap(stats, wide)
        failed = any((*stats.failures.values(), *stats.dark.values()))
        lines = [] if failed else steps.summary(self._steps, wide)
        for part in filter(None, ["\n".join(lines), *self._last_words]):
            self._display.display(part)
            self._display.display("")

    def _recap(self, stats: Any, wide: int | None) -> None:
        display = self._display
        self._display = display if wide is None else screen.Fitting(display, wide)
        try:
            super().v2_playbook_on_stats(stats)
        finally:
            self._display = display

    # --- Failures ------------------------------------------------------------
    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Print the message of a failed task."""
        self._note_failure(ignore_errors)
        if not self._tells_message(result) or (result.task.loop and "results" in result.result):
            super().v2_runner_on_failed(result, ignore_errors)
            return
        if self._last_task_banner != result.task._uuid:
            self._print_task_banner(result.task)
        self._handle_warnings(result.result)
        self._print_message(f"fatal: [{self.host_label(result)}]: FAILED!", result.result)
        if ignore_errors:
            self._display.display("...ignoring", color=C.COLOR_SKIP)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Print it as Ansible does."""
        self._note_failure(result.task.ignore_unreachable)
        super().v2_runner_on_unreachable(result)

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

    def _note_failure(self, ignored: bool) -> None:
        if self._steps:
            self._steps[-1].ran = True
            self._steps[-1].failed |= not ignored

    def _tells_message(self, result: Any) -> bool:
        return self._display.verbosity == 0 and isinstance(result.result.get("msg"), str)

    def _print_message(self, head: str, result: dict[str, Any]) -> None:
        texts = [result["msg"], *(str(result[stream]) for stream in ("stdout", "stderr") if result.get(stream))]
        lines = [head, *(f"    {line}" for text in texts for line in text.strip().splitlines())]
        self._display.display("\n".join(lines), color=C.COLOR_ERROR, stderr=self.get_option("display_failed_stderr"))
