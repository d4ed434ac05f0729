"""Pictures of what users see, as SVG: drawn by the tests that see it too, and held to those that are committed.

Without more, a test draws its picture and compares its words with those of docs/pictures. BERTH_TEST_PICTURES=docs/pictures writes it there instead.
"""

from __future__ import annotations

import html
import io
import itertools
import os
import re
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from rich.console import Console
from rich.text import Text

PROJECT = Path(__file__).resolve().parents[2]
PICTURES = PROJECT / "docs/pictures"
COLUMNS = 80
NAMESPACE = "{http://www.w3.org/2000/svg}"
# Rich's own has a font from elsewhere, which no browser loads into a picture.
FRAME = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px/{line_height}px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
SMALL = ("--set-precision=4", "--set-c-precision=2", "--enable-id-stripping", "--shorten-ids", "--strip-xml-prolog", "--indent=none")
# In this order. What a rule leaves is what the next one reads.
RULES: tuple[tuple[str, str], ...] = (
    (r"(?m)^(.{40}).*\.\.\.(?: .*)?$", r"\1"),  # cut off at what room its seconds leave
    (r"\bversion \S+,", "version <id>,"),
    (r"\d{1,2} [A-Z][a-z]{2} \d{4}", "<date>"),
    (r"\b(?=[a-f]*\d)[0-9a-f]{7,64}\b", "<id>"),
    (r"\d+(?:\.\d+)*", "<n>"),
    (r"<n> min <n> s\b", "<n> s"),
    (r"<n> (pod|task|vote)s?\b", r"<n> \1s"),
)


# --- Drawing ---------------------------------------------------------------
def of_terminal(command: str, recorded: str) -> str:
    """Return the picture of a terminal, COLUMNS wide, after a command.

    Args:
        command: What was typed.
        recorded: What it wrote to the terminal. What was written over is not in the picture.
    """
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text(f"$ {command}", style="bold"))
    console.print(Text.from_ansi(recorded.replace("\r\n", "\n").rstrip() + "\n"))  # the last line would be cut off below
    drawn = console.export_svg(title="", code_format=FRAME, unique_id="terminal")
    return re.sub(r" +$", "", drawn, flags=re.MULTILINE)


def of_page(page: Any) -> str:
    """Return the picture of a page that Playwright has open, as wide as its screen and as high as the page.

    Letters are outlines there, the same with whatever fonts; the words are its description.
    """
    width, height = page.viewport_size["width"], page.evaluate("document.documentElement.scrollHeight")
    with tempfile.TemporaryDirectory() as directory:
        printed, drawn = Path(directory, "page.pdf"), Path(directory, "page.svg")
        page.emulate_media(media="screen")
        page.pdf(path=printed, width=f"{width}px", height=f"{height}px", page_ranges="1", print_background=True)
        page.emulate_media(media="null")
        _output("pdftocairo", "-svg", printed, drawn)
        words = " ".join(_output("pdftotext", printed, "-").split())
        small = _output("scour", "-q", *SMALL, "-i", drawn)
    return small.replace("<defs>", f"<desc>{html.escape(words)}</desc>\n<defs>", 1)


def _output(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


# --- Comparing -------------------------------------------------------------
def words(picture: str) -> str:
    """Return the words of a picture: its description, and its texts from top to bottom, a line each."""
    root = ElementTree.fromstring(picture)
    rows = itertools.groupby(root.iter(f"{NAMESPACE}text"), key=lambda text: text.get("y"))
    lines = [*(each.text or "" for each in root.iter(f"{NAMESPACE}desc")), *("".join(text.text or "" for text in row) for _, row in rows)]
    return "\n".join(filter(None, (" ".join(line.split()) for line in lines)))


def normal(text: str) -> Counter[str]:
    """Return the words that do not differ from one run to the next, without their order: votes decide which choice comes first.

    >>> sorted(normal("version 0a1b2c3, 1 vote on 29 Nov 2026, 1 min 2 s"))
    ['<date>,', '<id>,', '<n>', 'on', 's', 'version', 'votes']
    >>> sorted(normal("Import the images of the control plane: etcd, kube-apise... 12 s"))
    ['Import', 'control', 'images', 'of', 'plane:', 'the']
    """
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement, text)
    return Counter(text.split())


def keep(name: str, picture: str, lines: str = "") -> None:
    """Hold a picture to the committed one of that name, or write it where BERTH_TEST_PICTURES says.

    Args:
        name: The file's, without its suffix.
        picture: The picture.
        lines: Matches the beginnings of the lines that count; the others depend on the machine. Without it all do.
    """
    if directory := os.environ.get("BERTH_TEST_PICTURES"):
        path = PROJECT / directory / f"{name}.svg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(picture, encoding="utf-8")
    found, committed = (
        normal("\n".join(line for line in words(each).splitlines() if re.match(lines, line)))
        for each in (picture, (PICTURES / f"{name}.svg").read_text(encoding="utf-8"))
    )
    assert found == committed, (
        f"docs/pictures/{name}.svg lacks {sorted(found - committed)} and has {sorted(committed - found)} too much: "
        "with BERTH_TEST_PICTURES=docs/pictures, this test writes it again."
    )
