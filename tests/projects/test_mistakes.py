"""The mistakes that people make first, in each of the three projects: each is told, and the advice, followed to the letter, mends it.

Run by hand on the shared cluster (pytest -m long tests/projects/test_mistakes.py): test_projects makes one of them in each project.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from test_projects import Team, authority, first_pages, teams, together  # noqa: F401 -- fixtures
from user_environment import Ran, edit

pytestmark = pytest.mark.long

SETTINGS = {"shop": "config/settings.py", "blog": "blog/settings.py", "legacy": "website/intranet/settings/production.py"}
SERVED = {"shop": "config/asgi.py", "blog": "blog/wsgi.py", "legacy": "website/intranet/wsgi.py"}
REQUIREMENTS = {"shop": "pyproject.toml", "blog": "requirements.txt", "legacy": "requirements.txt"}
LACKING = {"shop": '    "django-environ>=0.12",\n', "blog": "dj-database-url>=2.3\n", "legacy": "python-dateutil==2.9.*\n"}
ELSEWHERE = {
    "shop": 'berth_app_command: [uvicorn, "config.asgi:application", --host, 0.0.0.0, --port, "9001"]',
    "blog": "berth_app_port: 9001",
    "legacy": 'berth_app_command: [gunicorn, --bind, "0.0.0.0:9001", intranet.wsgi]',
}
FIRST_PAGE = {
    "shop": ("orders/views.py", "def order_list(request):\n"),
    "blog": ("posts/views.py", "def post_list(request):\n"),
    "legacy": ("website/news/views.py", "def index(request):\n"),
}
WRITES = "\nos.makedirs('/srv/spool', exist_ok=True)\n"


def say(team: Team, line: str) -> None:
    """Let the inventory say a variable's line, in the place of the one that it has."""
    variable = line.partition(":")[0]
    text = re.sub(rf"(?m)^{variable}:.*\n", "", team.main.read_text(encoding="utf-8"))
    team.main.write_text(f"{text}{line}\n", encoding="utf-8")


def lock(team: Team) -> None:
    """Lock the requirements, where they are locked."""
    if (team.source / "pyproject.toml").exists():
        subprocess.run([Path(sys.executable).with_name("uv"), "lock", "--quiet", "--python", sys.executable], cwd=team.source, check=True)


def serve_elsewhere(team: Team) -> None:
    say(team, ELSEWHERE[team.source.name])


def forget_a_requirement(team: Team) -> None:
    edit(team.source / REQUIREMENTS[team.source.name], LACKING[team.source.name], "")
    lock(team)


def import_what_is_not_there(team: Team) -> None:
    with (team.source / SETTINGS[team.source.name]).open("a", encoding="utf-8") as settings:
        settings.write("from mail_of_nobody import *\n")


def ask_for_another_path(team: Team) -> None:
    say(team, "berth_app_readiness_path: /no-such-page/")


def write_to_the_root(team: Team) -> None:
    path = team.source / SERVED[team.source.name]
    path.write_text(path.read_text(encoding="utf-8").replace("import os\n", f"import os\n{WRITES}", 1), encoding="utf-8")


def break_the_first_page(team: Team) -> None:
    path, begins = FIRST_PAGE[team.source.name]
    edit(team.source / path, begins, f'{begins}    {{}}["mail_of_nobody"]\n')


def set_variables(team: Team, told: Ran) -> None:
    """Set what the message says, line by line."""
    found = re.findall(r"Set (berth_app_[a-z_]+: [^.{]+?(?:\{[^}]*\})?)[.,](?= |$)", told.words)
    assert found, told.words
    for line in found[-1].split(" and "):
        say(team, line)


def add_the_package(team: Team, told: Ran) -> None:
    found = re.search(r"Add the package (\S+) to the project's requirements (and its lock file)", told.words)
    assert found, told.words
    file = team.source / REQUIREMENTS[team.source.name]
    if file.suffix == ".toml":
        edit(file, "dependencies = [\n", f'dependencies = [\n    "{found[1]}",\n')
    else:
        file.write_text(f"{file.read_text(encoding='utf-8')}{found[1]}\n", encoding="utf-8")
    lock(team)


def mend_the_line(team: Team, told: Ran) -> None:
    found = re.search(r"\((?:\S*/)?([a-z_]+/(?:settings/)?[a-z]+\.py):(\d+)\)", told.words)
    assert found, told.words
    (path,) = (each for each in team.source.rglob("*.py") if str(each).endswith(f"/{found[1]}"))
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    assert "mail_of_nobody" in lines.pop(int(found[2]) - 1)
    path.write_text("".join(lines), encoding="utf-8")


def name_the_directory(team: Team, told: Ran) -> None:
    found = re.search(r"Name the directory in (berth_app_writable: \{\S+ \w+\})", told.words)
    assert found, told.words
    say(team, found[1])


@pytest.mark.parametrize(
    ("mistake", "says", "follow"),
    [
        (serve_elsewhere, "nothing listens on port", set_variables),
        (forget_a_requirement, "is not installed", add_the_package),
        (import_what_is_not_there, "mail_of_nobody", mend_the_line),
        (ask_for_another_path, "no pod becomes ready", set_variables),
        (break_the_first_page, "500 in ", mend_the_line),
        (write_to_the_root, "the app cannot write to /srv/spool", name_the_directory),
    ],
)
def test_the_mistake_is_told_and_the_advice_mends_it(
    teams: dict[str, Team],  # noqa: F811
    mistake: Callable[[Team], None],
    says: str,
    follow: Callable[[Team, Ran], None],
) -> None:
    if not teams["shop"].url:
        together(teams)
    before = {name: team.main.read_text(encoding="utf-8") for name, team in teams.items()}
    for team in teams.values():
        mistake(team)
    began = time.monotonic()
    for name, told in together(teams, refused=True).items():
        print(f"{name}, {time.monotonic() - began:.0f} s:\n{told.text[told.text.find('fatal:') :]}")
        assert says in told.words
        follow(teams[name], told)
    together(teams)
    first_pages(teams)
    for name, team in teams.items():
        if mistake in (serve_elsewhere, ask_for_another_path):
            team.main.write_text(before[name], encoding="utf-8")
