"""What a run prints for a person: lines and their widths as functions, and small playbooks, run for real."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import struct
import sys
import tempfile
import termios
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ansible_fork
import pytest
from ansible_collections.berth.platform.plugins.filter import release
from ansible_collections.berth.platform.plugins.plugin_utils import screen, steps
from module_run import PLUGINS, plugin

output, progress = plugin("callback/berth_output.py"), plugin("callback/progress.py")
LONG = "Remove what is no longer declared, and the configuration of releases that are no longer kept by anybody"


# --- Lines -------------------------------------------------------------------
@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0.0 s"), (0.44, "0.4 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (372, "6 min 12 s")]
)
def test_how_long_something_took_is_said_in_words(seconds: float, words: str) -> None:
    assert screen.duration(seconds) == words


@pytest.mark.parametrize("text", ["Build", LONG, "日本語" * 40, "é" * 200, ""])
@pytest.mark.parametrize("wide", [20, 60, 80, 200])
def test_a_line_fits_the_terminal_and_ends_with_its_seconds(text: str, wide: int) -> None:
    line = screen.row(text, 372, wide)
    assert screen.get_text_width(line) == min(wide, 80) and line.endswith(" 6 min 12 s")


def test_without_a_terminal_nothing_is_cut_off() -> None:
    assert screen.row(LONG, 1, None) == f"{LONG} 1.0 s"


@pytest.mark.parametrize(
    ("text", "room", "kept"), [("Wait", 4, "Wait"), ("Waiting", 4, "W..."), ("Waiting", 2, ".."), ("Waiting", 0, ""), ("日本語日本語", 8, "日本...")]
)
def test_what_is_cut_off_is_marked(text: str, room: int, kept: str) -> None:
    assert screen.cut(text, room) == kept


PLAIN = "{:26} : ok=53   changed=22   unreachable=0    failed=0    skipped=9    rescued=0    ignored=0   "
COLOURED = (
    "\x1b[0;33mdev\x1b[0m                        : \x1b[0;32mok=53  \x1b[0m \x1b[0;33mchanged=22  \x1b[0m unreachable=0    failed=0    "
    "\x1b[0;36mskipped=9   \x1b[0m rescued=0    ignored=0   "
)


@pytest.mark.parametrize(
    ("line", "wide", "expected"),
    [
        (PLAIN.format("dev"), 80, "dev : ok=53 changed=22 unreachable=0 failed=0 skipped=9 rescued=0 ignored=0"),
        (PLAIN.format("shop-production"), 80, "shop-production : ok=53 changed=22 unreachable=0 failed=0 skipped=9 rescued=0"),
        (PLAIN.format("dev"), 60, "dev : ok=53 changed=22 unreachable=0 failed=0 skipped=9"),
        (PLAIN.format("dev"), 20, "dev : ok=53 changed=22 unreachable=0 failed=0 skipped=9"),
        ("", 80, ""),
    ],
)
def test_the_recap_fits_the_terminal_with_its_counts_of_what_changed_and_failed(line: str, wide: int, expected: str) -> None:
    assert screen.recap(line, wide) == expected


def test_the_recap_keeps_its_colours() -> None:
    fitted = screen.recap(COLOURED, 80)
    assert re.sub(screen.COLOUR, "", fitted) == "dev : ok=53 changed=22 unreachable=0 failed=0 skipped=9 rescued=0 ignored=0"
    assert "\x1b[0;33mchanged=22\x1b[0m" in fitted


@pytest.mark.parametrize(("environment", "expected"), [
    ({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, True), ({"TERM": "xterm", "CI": "false"}, True),
    ({"TERM": "xterm", "CI": "true"}, False), ({"TERM": "dumb"}, False), ({}, False),
])  # fmt: skip
def test_a_line_is_written_over_where_nobody_keeps_what_is_printed(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: bool) -> None:
    monkeypatch.setattr(screen, "columns", lambda: 80)
    assert screen.rewrites(environment) is expected
    monkeypatch.setattr(screen, "columns", lambda: None)
    assert not screen.rewrites(environment)


@pytest.mark.parametrize(("action", "arguments", "seen"), [
    ("ansible.builtin.command", {}, ["Do"]), ("berth.platform.k8s_command", {"interactive": False}, ["Do"]),
    ("ansible.builtin.pause", {}, []), ("pause", {}, []), ("berth.platform.k8s_command", {"interactive": True}, []),
])  # fmt: skip
def test_nothing_is_written_into_what_somebody_types(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], action: str, arguments: dict[str, Any], seen: list[str]
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(progress, "HEARTBEAT", 0.0)
    monkeypatch.setattr(screen.STATUS, "open", True)
    monkeypatch.setattr(screen.STATUS, "show", lambda text, _seconds: shown.append(text))
    callback = progress.CallbackModule()
    callback.v2_playbook_on_task_start(SimpleNamespace(action=action, args=arguments, get_name=lambda: "Do"), False)
    callback._tell([])
    assert shown == seen and capsys.readouterr().out == ""


def test_without_a_terminal_the_newest_line_is_printed_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(screen.STATUS, "brief", True)
    callback = progress.CallbackModule()
    callback.v2_playbook_on_task_start(SimpleNamespace(action="command", args={}, get_name=lambda: "Do"), False)
    for clock.now, lines in ((1.0, ["one", "two"]), (4.0, ["three"]), (5.0, []), (6.0, ["four"]), (7.0, [""]), (10.0, []), (24.0, []), (25.0, [])):
        callback._tell(lines)
    assert capsys.readouterr().out == "  ... three (5 s)\n  ... four (25 s)\n", "after a silence, what was said last"
    callback.v2_playbook_on_task_start(SimpleNamespace(action="command", args={}, get_name=lambda: "Do"), False)
    clock.now = 40.0
    callback._tell([])
    assert capsys.readouterr().out == "  ... Do (15 s)\n", "the name of a task that has said nothing"


@pytest.mark.parametrize(("name", "verbosity", "brief"), [("site.yml", 0, True), ("site.yml", 1, False), ("__adhoc_playbook__", 0, False)])
def test_who_asks_for_more_and_who_runs_a_single_task_gets_ansibles_output(monkeypatch: pytest.MonkeyPatch, name: str, verbosity: int, brief: bool) -> None:
    monkeypatch.setattr(output.DefaultCallback, "v2_playbook_on_start", lambda *_: None)
    monkeypatch.setattr(output, "write_out", lambda _display: None)
    monkeypatch.setattr(screen.STATUS, "begin", lambda: None)
    callback = output.CallbackModule()
    monkeypatch.setattr(callback._display, "verbosity", verbosity)
    callback.v2_playbook_on_start(SimpleNamespace(_file_name=name))
    assert callback._brief is brief


# --- The summary -------------------------------------------------------------
def step(phase: str, changed: int = 0, **how: Any) -> steps.Step:
    """Return a step of so many changes that took two seconds."""
    return steps.Step(phase, phase, 0, seconds=2.0, ran=True, changed=[f"{phase} : Change {number}" for number in range(changed)], **how)


def test_a_run_names_what_changed_and_how_long_each_phase_took() -> None:
    assert steps.summary([step("preflight"), step("preflight"), step("cluster", 2), step("app", 1)], 80) == [
        "3 tasks changed something:", "  cluster : Change 0", "  cluster : Change 1", "  app : Change 0", "8.0 s: preflight 4.0 s, cluster 2.0 s, app 2.0 s.",
    ]  # fmt: skip


@pytest.mark.parametrize("changed", range(steps.NAMED, steps.NAMED + 4))
def test_many_changes_are_counted_and_never_is_one_left_out_for_a_line_that_says_so(changed: int) -> None:
    lines = steps.summary([step("cluster", changed), step("app")], 80)[1:-1]
    assert len(lines) <= steps.NAMED + 1 and lines[-1] != "  and 1 more"
    assert len(lines) == changed or lines[-1] == f"  and {changed - steps.NAMED} more"


@pytest.mark.parametrize("checks", [True, False])
def test_a_run_that_changed_nothing_says_so(checks: bool) -> None:
    assert steps.summary([step("cluster", checks=checks), step("app", checks=checks)], 80)[0] == ("Nothing would change." if checks else "Nothing changed.")


def test_a_run_of_one_step_sums_nothing_up() -> None:
    assert steps.summary([step("status"), steps.Step("skipped", "image", 0)], 80) == []


def test_the_phases_seconds_are_wrapped_between_them() -> None:
    lines = steps.summary([step(f"phase-{number}") for number in range(9)], 60)[1:]
    assert max(map(len, lines)) <= 60 and [line for line in lines if re.search(r"(phase-\d|2\.0)$", line)] == []


@pytest.mark.parametrize(("result", "words"), [
    ({"applied": ["Deployment polls", "Service polls"]}, ": Deployment polls, Service polls"),
    ({"applied": ["a", "b", "c", "d"]}, ": a, b, c, d"), ({"applied": ["a", "b", "c", "d", "e"]}, ": a, b, c, and 2 more"),
    ({"removed": [{"kind": "CronJob", "name": "old", "spec": {"secret": "no"}}]}, ": CronJob old"),
    ({"changed_paths": ["/etc/a"], "removed": []}, ": /etc/a"), ({"removed": True, "applied": None, "imported": [1, {}, ""]}, ""), ({}, ""),
])  # fmt: skip
def test_a_task_that_says_what_it_changed_has_that_in_its_line(result: dict[str, Any], words: str) -> None:
    assert steps.things(result) == words


APP = {"revision": "3", "replicas": 2}


def test_a_release_says_where_it_answers_what_it_is_and_what_to_do_next() -> None:
    assert release.release_summary(APP, "polls", "dev", "http://127.0.0.1:30080/", "1.4").splitlines() == [
        "polls answers at http://127.0.0.1:30080/",
        "release: version 1.4, revision 3, 2 pods",
        "next: ansible-playbook playbooks/ops/status.yml -i inventories/dev",
        "      ansible-playbook playbooks/ops/logs.yml -i inventories/dev",
    ]


def test_a_release_without_an_address_says_how_to_reach_it_and_one_in_check_mode_no_more_than_the_address() -> None:
    assert "polls runs; this machine reaches no node of the cluster: ansible-playbook playbooks/ops/open.yml -i inventories/dev\n" in (
        release.release_summary(APP, "polls", "dev", "", "1.4")
    )
    assert release.release_summary(APP, "polls", "dev", "http://a/", "") == "polls answers at http://a/"


# --- Whole runs --------------------------------------------------------------
SECRET = "xyzzy-plugh"
REPORT = "import os, time; open(os.environ['BERTH_PROGRESS'], 'a').write('1 of 2 pods \\x1b[2Jready, ' + 'and more of this, ' * 9 + '\\n'); time.sleep(0.5)"


def play(name: str, *tasks: dict[str, Any], hosts: str = "dev") -> dict[str, Any]:
    """Return a play without a lock, as it has no cluster."""
    return {"name": name, "hosts": hosts, "gather_facts": False, "vars": {"run_lock": False}, "tasks": list(tasks)}


def task(name: str, *words: str, **more: Any) -> dict[str, Any]:
    """Return a task that runs Python with these words."""
    return {"name": name, "ansible.builtin.command": {"argv": [sys.executable, *words]}} | more


def say(name: str, message: Any, **more: Any) -> dict[str, Any]:
    """Return a task with a message."""
    return {"name": name, "ansible.builtin.debug": {"msg": message}} | more


QUIET = {"changed_when": False}
SITE = [
    play("Check the inventory", say("Say what was decided", "provider kubeadm (root on this machine)")),
    play(
        "Provide a cluster",
        {"name": "Write a file", "ansible.builtin.copy": {"dest": "{{ place }}/file", "content": "new line\n", "mode": "0644"}},
        task("Report", "-c", REPORT, **QUIET),
        task(LONG, "-c", "", when="not ansible_check_mode"),
        task("Loop", "-c", "", loop=["a", "b"]),
        task("Be silent", "-c", f"print('{SECRET}')", no_log=True),
        say("Say a secret", SECRET, no_log=True),
    ),
    play("Build the image", task("Skip", "-c", "", when=False)),
    play("Give the app its settings", task("Look", "-c", "", **QUIET)),
    play(
        "Release the app",
        say("Say where the app answers", "polls answers\n  at http://127.0.0.1:30080/", vars={"summary": True}),
        say("Say a list", ["kept: /var/lib/berth/volumes", "and \x1b[31mmore"]),
        say("Say each", "{{ item }}", loop=["first", "second"]),
        say("Say data", {"key": "value"}),
    ),
]
FAILING = [
    play("Provide a cluster", task("Change", "-c", "", notify="Handle")) | {"handlers": [task("Handle", "-c", "")]},
    play("Release the app", {"name": "Refuse", "ansible.builtin.fail": {"msg": "Nothing was changed.\nMend this."}}),
]
WARNING = {"ansible.builtin.command": {"argv": [sys.executable, "-c", ""], "executable": "/bin/sh"}, **QUIET}
AGAIN = {"ansible.builtin.command": {"argv": ["true"]}, "register": "looked", "until": "looked.attempts > 1", "retries": 3, "delay": 0, **QUIET}
NAMES = ("dev", "test")
HOSTS = {"berth": {"hosts": {name: {"ansible_connection": "berth.platform.forked", "ansible_python_interpreter": sys.executable} for name in NAMES}}}


class Started:
    """A run under way, and what it prints, through a pipe or to a terminal of ``columns``."""

    def __init__(self, place: Path, plays: list[Any], *arguments: str, columns: int = 0, **environment: str) -> None:
        place.mkdir(parents=True)
        (place / "play.yml").write_text(json.dumps(plays))
        (place / "hosts.yml").write_text(json.dumps(HOSTS))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "BERTH_")) and name not in ("CI", "NO_COLOR")}
        kept |= {
            "ANSIBLE_CONFIG": str(PLUGINS.parent / "ansible.cfg"),
            "XDG_CACHE_HOME": str(place.parent / "cache"),
            "TERM": "xterm",
            "BERTH_RUN": "test",
        } | environment
        command = ["ansible-playbook", "-i", "hosts.yml", "play.yml", "-e", f"place={place}", *arguments]
        self.printed = ""
        ours, theirs = pty.openpty() if columns else os.pipe()
        if columns:
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        with open(theirs, "wb", buffering=0) as output:
            self.process = ansible_fork.Run(command, output, output, cwd=place, env=kept)
        self.reader = threading.Thread(target=self._read, args=(ours,), daemon=True)
        self.reader.start()

    def _read(self, ours: int) -> None:
        with open(ours, "rb", buffering=0) as source, contextlib.suppress(OSError):  # a terminal's end is an error
            content = b""
            while more := source.read(65536):
                content += more
                self.printed = content.decode(errors="replace").replace("\r\n", "\n")

    def end(self) -> str:
        """Return all that it printed."""
        self.process.wait(60)
        self.reader.join(10)
        return self.printed


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Yield what runs have printed, which were under way at the same time."""
    here = tmp_path_factory.mktemp("output")
    two = [play("Two", task("Change", "-c", ""), say("Say", "{{ inventory_hostname }}"), hosts="berth")]
    one = ["-l", "dev"]
    with tempfile.TemporaryDirectory(prefix="o-") as temporary:  # Ansible's sockets lie there, and the other's name is too long for theirs
        how = {"TMPDIR": temporary}
        started = {
            "pipe": Started(here / "pipe", SITE, "--diff", *one, **how),
            "terminal": Started(here / "terminal", SITE, *one, columns=80, **how),
            "check": Started(here / "check", SITE, "--check", "--diff", *one, **how),
            "failing": Started(here / "failing", FAILING, *one, **how),
            "warned": Started(here / "warned", [play("Warn", {"name": "Warn"} | WARNING, {"name": "Warn again"} | WARNING)], *one, **how),
            "waiting": Started(here / "waiting", [play("Wait", {"name": "Look"} | AGAIN)], *one, **how),
            "several": Started(here / "several", two, **how),
            "talkative": Started(here / "talkative", SITE[:2], "-v", *one, **how),
        }
        yield {name: run.end() for name, run in started.items()}


def untimed(text: str) -> str:
    """Return a text without its seconds."""
    return re.sub(r" +[\d.]+ s$", " N s", text, flags=re.MULTILINE)


def last_lines(text: str) -> str:
    """Return what a terminal has shown in the end: no line that was written over."""
    return "\n".join(re.split(r"\r", line)[-1] for line in text.split("\n"))


def test_a_run_prints_a_line_a_step_and_one_for_each_task_that_changed_or_said_something(runs: dict[str, str]) -> None:
    text = untimed(re.sub(r"^---.*?(?=^  \w)", "", runs["pipe"].partition("\nPLAY RECAP")[0], flags=re.MULTILINE | re.DOTALL))
    assert text.splitlines() == [
        "Check the inventory",
        "  provider kubeadm (root on this machine)",
        "  nothing changed N s",
        "Provide a cluster",
        "  Write a file N s",
        f"  {LONG} N s",
        "  Loop N s",
        "  Be silent N s",
        "  4 tasks changed something N s",
        "Give the app its settings N s",
        "Release the app",
        "  kept: /var/lib/berth/volumes",
        "  and \\x1b[31mmore",
        "  first",
        "  second",
        "      msg:",
        "          key: value",
        "  nothing changed N s",
    ]


def test_the_end_is_ansibles_recap_once_what_changed_the_seconds_and_the_last_words(runs: dict[str, str]) -> None:
    _, *ends = runs["pipe"].split("\nPLAY RECAP ")
    assert len(ends) == 1
    end = re.sub(r"[\d.]+ s\b", "N s", ends[0]).splitlines()
    assert re.fullmatch(r"dev +: ok=\d+ +changed=4 +unreachable=0 +failed=0 +skipped=1 +rescued=0 +ignored=0 *", end[1])
    assert end[2:] == [
        "", "4 tasks changed something:", "  Write a file", f"  {LONG}", "  Loop", "  Be silent", "", "polls answers", "  at http://127.0.0.1:30080/", "",
    ]  # fmt: skip


@pytest.mark.parametrize("run", ["pipe", "check", "failing", "several"])
def test_where_there_is_no_terminal_no_control_character_is_printed(runs: dict[str, str], run: str) -> None:
    assert re.findall(r"[\x00-\x08\x0b-\x1f\x7f]", runs[run]) == []


def test_no_line_is_wider_than_the_terminal_also_while_it_is_written_over(runs: dict[str, str]) -> None:
    assert max(screen.get_text_width(part) for line in runs["terminal"].split("\n") for part in line.split("\r")) == 80


def test_a_terminal_shows_what_is_under_way_and_nothing_of_that_stays(runs: dict[str, str]) -> None:
    assert re.search(r"\r  \.\.\. 1 of 2 pods \\x1b\[2Jready, and more of this, .*\.\.\. \(\d+ s\)", runs["terminal"])
    assert "..." not in last_lines(runs["terminal"]).replace(LONG[:50], "").partition("Provide a cluster")[0]
    assert not re.search(r"\.\.\. .* \(\d+ s\)", last_lines(runs["terminal"]))
    assert "\x1b" not in runs["terminal"]


@pytest.mark.parametrize("run", ["pipe", "terminal", "check", "talkative"])
def test_what_no_task_may_log_is_not_printed(runs: dict[str, str], run: str) -> None:
    assert SECRET not in runs[run]


def test_a_check_prints_each_diff_below_its_task_and_says_would(runs: dict[str, str]) -> None:
    assert re.search(r"^  Write a file +[\d.]+ s\n--- before\n\+\+\+ after: \S+\n@@ .*\n\+new line\n", runs["check"], re.MULTILINE)
    assert "1 task would change something" in runs["check"]


def test_a_failure_is_told_as_ansible_tells_it_and_nothing_comes_between_it_and_the_recap(runs: dict[str, str]) -> None:
    assert untimed(runs["failing"]).split("\n")[:10] == [
        "Provide a cluster",
        "  Change N s",
        "  Handle N s",
        "  2 tasks changed something N s",
        "Release the app",
        "",
        f"TASK [Refuse] {'*' * 66}",
        "fatal: [dev]: FAILED!",
        "    Nothing was changed.",
        "    Mend this.",
    ]
    assert re.search(r"Mend this\.\n\nPLAY RECAP \*+\ndev +: ok=2 +changed=2 +unreachable=0 +failed=1 .*\n\n$", runs["failing"])


def test_a_warning_is_told_as_ansible_tells_it_below_its_task_and_once(runs: dict[str, str]) -> None:
    assert re.match(r"Warn\n\nTASK \[Warn\] \*+\n\[WARNING\]: As of Ansible 2\.4, .*\n  nothing changed ", runs["warned"])
    assert runs["warned"].count("WARNING") == runs["warned"].count("TASK [") == 1


def test_a_task_that_looks_again_until_something_is_there_does_not_speak_of_failure(runs: dict[str, str]) -> None:
    assert untimed(runs["waiting"]).partition("\nPLAY RECAP")[0].splitlines() == ["Wait N s"]


def test_where_there_are_several_environments_each_line_says_whose_it_is(runs: dict[str, str]) -> None:
    lines = untimed(runs["several"]).splitlines()
    assert sorted(lines[1:5]) == ["  [dev] Change N s", "  [dev] dev", "  [test] Change N s", "  [test] test"]


def test_ansibles_own_output_is_a_switch_away(runs: dict[str, str]) -> None:
    for line in ("PLAY [Check the inventory] *", "TASK [Write a file] *", "ok: [dev] => ", "changed: [dev]", "changed: [dev] => (item=a)", "PLAY RECAP *"):
        assert f"\n{line}" in runs["talkative"]
    assert "something" not in runs["talkative"] and "\r" not in runs["talkative"]
