"""The commands of a page in Markdown, and what they print: read, compared with what they print today, and written again.

A block that is fenced as ``console`` is run. A line that begins with ``$ `` is a command, those that begin with ``> `` go on with it, and what follows is its
output. A line ``...`` in an output stands for any number of lines, also none. Everything here is a function of text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

FENCE = re.compile(r"^```(\S*)\s*$")
ANY = "..."
"""The line that stands for any lines."""


class PageError(Exception):
    """A page cannot be read; the text says which line."""


@dataclass(frozen=True)
class Step:
    """A command of a page.

    Attributes:
        line: The line of the page on which it begins, from 1 on.
        command: As a shell takes it.
        output: What it prints, by lines.
        first: The index of the output's first line among the page's lines.
    """

    line: int
    command: str
    output: tuple[str, ...]
    first: int


def steps(text: str) -> list[Step]:
    """Return the commands of a page, in its order.

    Raises:
        PageError: A block is not closed, or begins with an output.
    """
    lines, found, kind, opened = text.splitlines(), [], None, 0
    number = 0
    while number < len(lines):
        fence = FENCE.match(lines[number])
        if fence and (kind is None or not fence[1]):
            kind, opened = (fence[1], number) if kind is None else (None, 0)
            number += 1
        elif kind == "console":
            if not lines[number].startswith("$ "):
                raise PageError(f"Line {number + 1}: a block of console begins with a command: $ COMMAND")
            step, number = _step(lines, number)
            found.append(step)
        else:
            number += 1
    if kind is not None:
        raise PageError(f"Line {opened + 1}: the block is not closed")
    return found


def _step(lines: Sequence[str], begins: int) -> tuple[Step, int]:
    """Return the command that begins on a line (from 0 on), and the line after its output."""
    command, number = [lines[begins][2:]], begins + 1
    while number < len(lines) and lines[number].startswith("> "):
        command.append(lines[number][2:])
        number += 1
    first = number
    while number < len(lines) and not lines[number].startswith("$ ") and not FENCE.match(lines[number]):
        number += 1
    return Step(begins + 1, "\n".join(command), tuple(lines[first:number]), first), number


# --- What differs from one run to the next ---------------------------------
SAFE = "bcdfghjklmnpqrstvwxz2456789"
"""The characters of names that Kubernetes makes up: k8s.io/apimachinery/pkg/util/rand."""
AGE = r"\d+(?:y(?:\d+d)?|d(?:\d+h)?|h(?:\d+m)?|m(?:\d+s)?|s)"
"""As kubectl prints a time span: k8s.io/apimachinery/pkg/util/duration."""
# In this order. What a rule leaves is what the next one reads.
RULES: tuple[tuple[str, str], ...] = (
    (r"\bversion \S+?(?=[ ,])", "version <id>"),
    (r"^\d+  \S+$", "<n>  <id>"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uuid>"),
    (rf"\b([a-z][a-z0-9-]*?)-[{SAFE}]{{5,10}}-[{SAFE}]{{5}}\b", r"\1-<id>-<id>"),
    (r"\b(?=[a-f]*\d)[0-9a-f]{7,64}\b", "<id>"),
    (rf"\b([a-z][a-z0-9-]*?)-[{SAFE}]{{5,10}}\b", r"\1-<id>"),
    (r"\b\d{1,3}(?:\.\d{1,3}){3}\b", "<ip>"),
    (r"<ip>:\d+", "<ip>:<port>"),
    (r" deleted from \S+ namespace$", " deleted"),
    (r"\bnot \S+ \(revision", "not <id> (revision"),
    (r"\b80:\d+/TCP", "80:<port>/TCP"),
    (r"\bv\d+\.\d+\.\d+\S*", "<version>"),
    (r"://\d+\.\d+\.\d+\S*", "://<version>"),
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?Z?", "<time>"),
    (r"\b\d+(?:\.\d+)?(?:Ki|Mi|Gi)\b", "<size>"),
    (r"\b\d+  <size>", "<n>  <size>"),
    (r"\b(Running|Completed)  \d+(?: \([^)]*\))?", r"\1  <n>"),
    (rf"(?:\b{AGE}|<unknown>)(?=$|  )", "<age>"),
    (r"(False|True)  \d+  (?:<none>|<age>)  <age>", r"\1  <n>  <age>  <age>"),
    (r"cpu: (?:\d+%|<unknown>)/", "cpu: <n>/"),
    (r"(?:\b\d+ min )?\b\d+(?:\.\d+)? s$", "<seconds>"),
    (r"\b\d+ ms\b", "<ms>"),
    (r"\b(ok|changed|skipped|rescued|ignored)=\d+", r"\1=<n>"),
    (r"\brevision \d+", "revision <n>"),
    (r"\b\d+, of which 0 failed; [\d.]+ a second", "<n>, of which 0 failed; <n> a second"),
)
LEAVING = re.compile(r"  Terminating  |  0/1  (?:Completed|Error)  ")
"""The row of a pod that ends: how long it is still shown is a matter of luck."""


def normal(line: str) -> str:
    """Return a line without what differs from one run to the next, such as ages, addresses, made-up names, and the width of columns.

    >>> normal("polls-7c9d8f6b5c-8x2kq   1/1     Running   0          24m")
    'polls-<id>-<id>  1/1  Running  <n>  <age>'
    """
    line = re.sub(r" {2,}", "  ", line.strip())
    for pattern, replacement in RULES:
        line = re.sub(pattern, replacement, line)
    return _more_pods(line)


def _more_pods(line: str) -> str:
    """Return the pods of a load test without their numbers, but only where the autoscaler wants more than there were: else it has not done its work."""
    found = re.fullmatch(r"pods  (\d+) to \d+, (\d+) are wanted", line)
    return "pods  <n> to <n>, more are wanted" if found and int(found[2]) > int(found[1]) else line


def compared(lines: Iterable[str]) -> list[str]:
    """Return lines as they are compared: normal ones, without those of pods that end, and without empty ones at the end."""
    found = [normal(line) for line in lines]
    found = [line for line in found if not LEAVING.search(line)]
    while found and not found[-1]:
        found.pop()
    return found


# --- Comparing and writing -------------------------------------------------
def same(page: Sequence[str], printed: Sequence[str]) -> bool:
    """Whether an output is what the page has, but for what differs from one run to the next."""
    return _fits(compared(page), compared(printed))


def _fits(wanted: Sequence[str], lines: Sequence[str]) -> bool:
    """Whether lines are those that are wanted; ``...`` is any of them."""
    parts: list[list[str]] = [[]]
    for line in wanted:
        if line == ANY:
            parts.append([])
        else:
            parts[-1].append(line)
    first, last = parts[0], parts[-1]
    if len(parts) == 1:
        return first == list(lines)
    if len(first) + len(last) > len(lines) or list(lines[: len(first)]) != first or list(lines[len(lines) - len(last) :]) != last:
        return False
    rest = list(lines[len(first) : len(lines) - len(last)])
    for part in parts[1:-1]:
        at = next((start for start in range(len(rest) - len(part) + 1) if rest[start : start + len(part)] == part), None)
        if at is None:
            return False
        rest = rest[at + len(part) :]
    return True


def rewritten(page: Sequence[str], printed: Sequence[str], every: bool = False) -> list[str]:
    """Return the output that the page gets: its own where that is true, unless ``every`` one is wanted as it was printed today, else what was printed.

    Where the page leaves lines out (``...``), the lines that it shows are replaced by those that begin alike, as far as there are such; else it
    gets all that was printed.
    """
    shown = [line.rstrip() for line in printed if not LEAVING.search(re.sub(r" {2,}", "  ", line))]
    while shown and not shown[-1]:
        shown.pop()
    if same(page, printed) and not every:
        return list(page)
    if ANY not in page:
        return shown
    found, at = [], 0
    for line in page:
        if line == ANY:
            found.append(ANY)
            continue
        number = next((number for number in range(at, len(shown)) if _alike(line, shown[number])), None)
        if number is None:
            return shown
        found.append(shown[number])
        at = number + 1
    return found


def _alike(one: str, other: str) -> bool:
    """Whether two lines begin alike: with the same words up to the first digit or column."""
    begins = [re.split(r"\d|\s{2,}|<", line.strip())[0] for line in (one, other)]
    return bool(begins[0]) and begins[0] == begins[1]


def written(text: str, outputs: Sequence[Sequence[str]]) -> str:
    """Return a page with other outputs, one for each of its steps in order."""
    lines = text.splitlines()
    for step, output in reversed(list(zip(steps(text), outputs, strict=True))):
        lines[step.first : step.first + len(step.output)] = output
    return "\n".join(lines) + "\n"


# --- Another environment than the page's -----------------------------------
@dataclass(frozen=True)
class Place:
    """The environment in which a page is run.

    Attributes:
        environment: Its name, which is that of its inventory in inventories/.
        namespace: Its namespace.
        project: The project's directory.
    """

    environment: str = "dev"
    namespace: str = "polls-dev"
    project: str = ""

    def command(self, command: str) -> str:
        """Return a command of the page, which is written for dev, for this environment."""
        for own, ours in self._names():
            command = command.replace(own, ours)
        return command

    def output(self, line: str) -> str:
        """Return a line that was printed here as it is printed in dev."""
        for own, ours in self._names():
            line = line.replace(ours, own)
        line = re.sub(rf"^(\s*){re.escape(self.environment)}(?=\s|:)", r"\1dev", line) if self.environment != "dev" else line
        return line.replace(self.project, "~/berth") if self.project else line

    def _names(self) -> list[tuple[str, str]]:
        name = self.environment
        return [("polls-dev", self.namespace), ("inventories/dev", f"inventories/{name}"), (".cache/dev", f".cache/{name}"), ("dev@berth", f"{name}@berth")]
