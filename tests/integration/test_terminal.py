"""What comes from outside, as a terminal is given it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unicodedata

import pytest
from ansible_collections.berth.platform.plugins.module_utils import terminal

# What is sent, and how it is shown.
SENT = {
    "a colour": ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
    "text that is hidden": ("\x1b[8mhidden", r"\x1b[8mhidden"),
    "a cleared screen": ("\x1b[2J\x1b[H", r"\x1b[2J\x1b[H"),
    "a title (OSC 0)": ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
    "a link (OSC 8)": ("\x1b]8;;https://example.org\x1b\\here", r"\x1b]8;;https://example.org\x1b\here"),
    "the clipboard (OSC 52)": ("\x1b]52;c;cm0gLXJm\x07", r"\x1b]52;c;cm0gLXJm\x07"),
    "a device control string": ("\x1bPq\x1b\\", r"\x1bPq\x1b" + "\\"),
    "a question to the terminal": ("\x1b[6n\x05", r"\x1b[6n\x05"),
    "CSI in one character": ("\x9b31m", r"\x9b31m"),
    "OSC in one character": ("\x9d52;c;x\x9c", r"\x9d52;c;x\x9c"),
    "a return to the line's beginning": ("failed\rok", r"failed\rok"),
    "backspaces": ("rm\x08\x08ls", r"rm\x08\x08ls"),
    "a bell, a form feed and a vertical tab": ("\x07\x0c\x0b", r"\x07\x0c\x0b"),
    "NUL and DEL": ("a\x00b\x7f", r"a\x00b\x7f"),
    "another set of characters": ("\x0e\x1b(0", r"\x0e\x1b(0"),
    "an override of direction": ("\u202egnp.exe\u202c", r"\u202egnp.exe\u202c"),
    "isolates and marks of direction": ("\u2066\u2069\u200e\u200f\u061c", r"\u2066\u2069\u200e\u200f\u061c"),
    "separators of lines": ("a\u2028b\u2029c\x85d", r"a\u2028b\u2029c\x85d"),
    "tags": ("\U000e0041", r"\U000e0041"),
}
STAYS = ["", "two\nlines", "\ta tab", "a\r\nWindows line", "Zürich, 日本語, עברית, 👩‍👩‍👧", r"\x1b[31m written out already"]


@pytest.mark.parametrize(("sent", "expected"), SENT.values(), ids=SENT)
def test_what_a_terminal_obeys_is_written_out(sent: str, expected: str) -> None:
    assert terminal.shown(f"before {sent} after") == f"before {expected} after"


@pytest.mark.parametrize("text", STAYS)
def test_ordinary_text_stays_and_nothing_is_written_out_twice(text: str) -> None:
    assert terminal.shown(text) == text.replace("\r\n", "\n") == terminal.shown(terminal.shown(text))


def test_no_control_character_is_left_out() -> None:
    every = {chr(number) for number in range(0x110000)}
    directions = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    controls = {each for each in every if unicodedata.category(each) in ("Cc", "Zl", "Zp") or unicodedata.bidirectional(each) in directions}
    assert {each for each in controls if terminal.shown(each) == each} == {"\t", "\n"}


# --- A whole run -------------------------------------------------------------
EVIL = "".join(sent for sent, _ in SENT.values())
MODULE = f"""#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule
EVIL = {EVIL!r}
module = AnsibleModule({{"fail": {{"type": "bool"}}}}, supports_check_mode=True)
module.warn("warned " + EVIL)
if module.params["fail"]:
    module.fail_json(msg="msg " + EVIL, stdout="stdout " + EVIL, stderr="stderr " + EVIL)
module.exit_json(changed=True, word=EVIL, lines=[EVIL], diff={{"before_header": EVIL, "before": "old\\n", "after": "new " + EVIL + "\\n"}})
"""
COLOURS = re.compile(r"\x1b\[(0|[01];3[0-9]|38;5;[0-9]+)m")


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what a run prints to a terminal with colours, in which everything says what a terminal would obey."""
    here = tmp_path_factory.mktemp("said")
    (here / "modules").mkdir()
    (here / "modules/evil.py").write_text(MODULE)
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"word": EVIL},
        "tasks": [
            {"name": "Name {{ word }}", "evil": {}, "register": "found"},
            {"name": "Show", "ansible.builtin.debug": {"var": "found.word"}},
            {"name": "Say", "ansible.builtin.debug": {"msg": "said {{ found.word }}"}},
            {"name": "Loop", "ansible.builtin.debug": {"msg": "item {{ item }}"}, "loop": ["{{ word }}"]},
            {"name": "Fail", "evil": {"fail": True}, "ignore_errors": True},
            {"name": "Fail in a loop", "evil": {"fail": True}, "loop": ["{{ word }}"], "ignore_errors": True},
            {"name": "Assert", "ansible.builtin.assert": {"that": False, "fail_msg": "asserted {{ word }}"}, "ignore_errors": True},
            {"name": "Refuse", "ansible.builtin.fail": {"msg": "refused {{ word }}"}, "ignore_errors": True},
            {"name": "Unknown", "ansible.builtin.debug": {"msg": "{{ lookup('ansible.builtin.file', word) }}"}},
        ],
    }
    (here / "play.yml").write_text(json.dumps([play]))
    (here / "ansible.cfg").write_text("[defaults]\nlibrary = modules\nstdout_callback = berth.platform.berth_output\ncallback_result_format = yaml\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "BERTH_"))}
    environment |= {"ANSIBLE_CONFIG": str(here / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "1", "ANSIBLE_LOG_PATH": str(here / "log")}
    interpreter = f"ansible_python_interpreter={sys.executable}"
    said = ""
    for verbosity in ([], ["-vvv"]):
        command = [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "-c", "local", "-e", interpreter, "--diff", *verbosity, "play.yml"]
        ran = subprocess.run(command, cwd=here, env=environment, capture_output=True, check=False, timeout=120)
        assert ran.returncode == 2
        said += (ran.stdout + ran.stderr).decode()
    return said + (here / "log").read_text(encoding="utf-8")


def test_a_run_prints_nothing_from_outside_that_a_terminal_obeys(said: str) -> None:
    rest = COLOURS.sub("", said)
    assert [line for line in rest.split("\n") if terminal.shown(line) != line] == []
    assert "\x1b[31m" not in said and "\x1b[8m" not in said


@pytest.mark.parametrize("place", ["msg", "stdout", "stderr", "warned", "asserted", "refused", "+new"])
def test_what_was_written_out_is_there_to_be_read(said: str, place: str) -> None:
    assert re.search(re.escape(place) + r" \\x1b\[31mred", COLOURS.sub("", said))


def test_ansibles_own_colours_stay(said: str) -> None:
    assert re.search("\x1b\\[0;31m.*refused", said) and re.search("\x1b\\[0;32m\\+new", said) and re.search("\x1b\\[0;33mchanged=", said)
