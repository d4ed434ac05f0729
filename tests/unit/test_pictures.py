"""The pictures of the README and the docs, what draws that of a terminal, and what holds one to what users see."""

from __future__ import annotations

import ast
import doctest
import re
from pathlib import Path
from xml.etree import ElementTree

import pictures
import pytest

PROJECT = Path(__file__).resolve().parents[2]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md")), *sorted((PROJECT / "playbooks").rglob("*.md"))]
COMMITTED = sorted(pictures.PICTURES.iterdir())
RUN = (
    "\x1b[0;32mCheck the inventory                    0.1 s\x1b[0m\r\n"
    "\r  ... Wait for the nodes (1 s)\r                              \rProvide a cluster\r\n"
    "\x1b[0;33m  Write <a> & file                     2.0 s\x1b[0m\r\n"
    "\r\npolls answers at http://127.0.0.1:30080/\r\n\r\n"
)
LINES = ["$ make dev", "Check the inventory 0.1 s", "Provide a cluster", "Write <a> & file 2.0 s", "polls answers at http://127.0.0.1:30080/"]


def shown(path: Path) -> list[Path]:
    """Return the files of the pictures that a page in Markdown shows."""
    text = path.read_text(encoding="utf-8")
    return [(path.parent / name).resolve() for name in re.findall(r'<img [^>]*?src="([^"]+)"|!\[[^]]*\]\(([^)]+)\)', text) for name in name if name]


# --- What draws and compares -------------------------------------------------
def test_the_picture_of_a_terminal_has_what_was_written_but_not_what_was_written_over() -> None:
    assert pictures.words(pictures.of_terminal("make dev", RUN)).splitlines() == LINES


def test_the_picture_of_a_terminal_has_its_colours() -> None:
    drawn = pictures.of_terminal("make dev", RUN)
    colours = dict(re.findall(r"\.(terminal-r\d) { fill: (#\w+)", drawn))
    found = [colours[name] for name in re.findall(r'class="(terminal-r\d)"[^>]*>(?:Check|Provide|&#160;&#160;Write)&', drawn)]
    assert len(set(found)) == 3


def test_the_examples_in_the_documentation_hold() -> None:
    results = doctest.testmod(pictures)
    assert results.attempted > 0 and results.failed == 0


@pytest.fixture
def committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of the committed pictures, of which there is one, run."""
    monkeypatch.setattr(pictures, "PICTURES", tmp_path)
    monkeypatch.delenv("BERTH_TEST_PICTURES", raising=False)
    (tmp_path / "run.svg").write_text(pictures.of_terminal("make dev", RUN), encoding="utf-8")
    return tmp_path


@pytest.mark.usefixtures("committed")
def test_a_picture_whose_seconds_alone_differ_is_the_committed_one() -> None:
    pictures.keep("run", pictures.of_terminal("make dev", RUN.replace("2.0 s", "1 min 2 s")))


@pytest.mark.parametrize("other", [RUN.replace("Provide", "Make"), RUN + "more", RUN.replace("Check", "")])
@pytest.mark.usefixtures("committed")
def test_a_picture_with_other_words_is_refused_with_what_writes_it_again(other: str) -> None:
    with pytest.raises(AssertionError, match="BERTH_TEST_PICTURES=docs/pictures, this test writes it again"):
        pictures.keep("run", pictures.of_terminal("make dev", other))


@pytest.mark.usefixtures("committed")
def test_lines_that_depend_on_the_machine_do_not_count() -> None:
    first = RUN.splitlines()[0]
    pictures.keep("run", pictures.of_terminal("make dev", first), re.escape(first.split()[0]))


def test_a_picture_is_written_where_it_is_asked_for(committed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_TEST_PICTURES", str(committed))
    drawn = pictures.of_terminal("make dev", "something else")
    pictures.keep("run", drawn)
    assert (committed / "run.svg").read_text(encoding="utf-8") == drawn


# --- The committed ones ------------------------------------------------------
def test_every_picture_of_a_page_is_there_and_each_that_is_there_is_on_a_page() -> None:
    assert sorted({picture for page in PAGES for picture in shown(page)}) == COMMITTED


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_a_picture_is_small_svg_that_loads_nothing_and_names_no_file_of_a_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text) < 60 * 1024
    assert ElementTree.fromstring(text).tag == f"{pictures.NAMESPACE}svg"
    assert set(re.findall(r"[a-z]+://[^/\s\"]+", text)) <= {"http://www.w3.org", "http://127.0.0.1:30080"}
    assert set(re.findall(r'(?:href="|url\()(.)', text)) <= {"#"}
    assert set(re.findall(r"(?<![\w.:/])/\w+", pictures.words(text))) <= {"/var", "/va"}  # the cluster's own files, one in a line that is cut off


def test_the_pictures_show_the_example_and_where_it_answers() -> None:
    seeds = (PROJECT / "app/polls/management/commands/seed_polls.py").read_text(encoding="utf-8")
    polls = next(ast.literal_eval(node.value) for node in ast.parse(seeds).body if isinstance(node, ast.Assign))
    found = {path.stem: pictures.words(path.read_text(encoding="utf-8")) for path in COMMITTED}
    assert not [poll for poll in polls if poll not in found["polls"]]
    poll, choices = next(iter(polls.items()))
    assert not [words for words in (poll, *choices) if words not in found["question"]]
    assert "polls answers at http://127.0.0.1:30080/" in found["make-dev"]
