"""The Dockerfile that follows from a project: its text is read as builders read it."""

from __future__ import annotations

import gettext
import json
import re
import shutil
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.image import dockerfile as dockerfiles
from ansible_collections.berth.platform.plugins.module_utils.image import failures
from ansible_collections.berth.platform.plugins.module_utils.image import project_dockerfile as generator
from ansible_collections.berth.platform.plugins.module_utils.image.assets import Assets
from ansible_collections.berth.platform.plugins.module_utils.image.context import content_hash, context
from ansible_collections.berth.platform.plugins.module_utils.image.project import Dependencies, Project, ProjectError, Settings, Wish
from ansible_collections.berth.platform.plugins.modules import app_dockerfile
from module_run import run

PLAIN = Project(
    directory="",
    settings="shop.settings",
    wsgi="shop.wsgi:application",
    asgi="shop.asgi:application",
    dependencies=Dependencies("requirements", "", ("requirements.txt",)),
)
STATIC = Settings(texts=frozenset({"django.contrib.staticfiles", "whitenoise.middleware.WhiteNoiseMiddleware"}), names=frozenset({"STATIC_ROOT"}))


def needing(*names: str, kind: str = "requirements", **more: Any) -> Dependencies:
    """Return dependencies on packages that a project names itself."""
    files = {
        "requirements": ("requirements.txt",),
        "pyproject": ("pyproject.toml",),
        "uv": ("pyproject.toml", "uv.lock"),
        "pdm": ("pyproject.toml", "pdm.lock"),
        "poetry": ("pyproject.toml", "poetry.lock"),
        "pipenv": ("Pipfile", "Pipfile.lock"),
    }[kind]
    return Dependencies(kind, "", files, direct=frozenset(names), names=frozenset(names), **more)


def instructions(project: Project, **options: Any) -> list[str]:
    """Return each instruction of a project's Dockerfile as a line."""
    return [f"{one.keyword} {one.text}" for one in dockerfiles.parse(generator.dockerfile(project, **options))]


def command(project: Project) -> str:
    """Return the command of a project's image."""
    return " ".join(json.loads(next(line for line in instructions(project) if line.startswith("CMD ")).removeprefix("CMD ")))


# --- The whole ---------------------------------------------------------------------
def test_a_plain_project_has_one_stage_and_runs_as_nobody_of_the_machine() -> None:
    found = instructions(PLAIN)
    assert [line.split(" ")[0] for line in found] == ["ARG", "FROM", "ENV", "RUN", "WORKDIR", "COPY", "RUN", "RUN", "EXPOSE", "CMD", "COPY", "RUN", "USER"]
    assert found[-1] == "USER 10001:10001"


@pytest.mark.parametrize("kind", ["requirements", "pyproject", "uv", "poetry", "pdm", "pipenv"])
def test_an_edit_of_code_leaves_the_packages_layers_as_they_are(kind: str) -> None:
    found = instructions(replace(PLAIN, dependencies=needing("psycopg2", kind=kind)))
    source = next(number for number, line in enumerate(found) if line == "COPY . /srv/app/")
    assert not any("pip " in line or "apt-get" in line or "export" in line for line in found[source:])
    assert sum(line.startswith("COPY . ") for line in found) == 1


@pytest.mark.parametrize(("assets", "source"), [(None, "COPY . /srv/app/"), (Assets(""), "COPY --from=assets /srv/app/ /srv/app/")])
def test_translations_are_compiled_apart_and_the_image_gets_the_source_with_them(assets: Assets | None, source: str) -> None:
    text = generator.dockerfile(replace(PLAIN, directory="site", uncompiled=True, assets=assets))
    stage, image = dockerfiles.stages(dockerfiles.parse(text))[-2:]
    apart, last = ([f"{one.keyword} {one.text}" for one in each.instructions] for each in (stage, image))
    assert apart[0] == "FROM ${PYTHON_IMAGE} AS translations"
    assert "install --yes --no-install-recommends gettext" in apart[1]
    assert apart[2:4] == ["WORKDIR /srv/app/site", source]
    assert "COPY --from=translations /srv/app/ /srv/app/" in last
    assert not any("gettext" in line or line.startswith("COPY . ") for line in last)


@pytest.mark.skipif(not shutil.which("msgfmt"), reason="gettext is not installed")
@pytest.mark.parametrize("wrong", ["de", "fr"])  # one of them is not the last that is compiled
def test_translations_are_compiled_beside_their_source_and_a_mistake_in_one_fails_the_build(tmp_path: Path, wrong: str) -> None:
    files = {language: tmp_path / f"goods/locale/{language}/LC_MESSAGES/django.po" for language in ("de", "fr")}
    for language, file in files.items():
        file.parent.mkdir(parents=True)
        file.write_text(f'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\nmsgid "Shop"\nmsgstr "Shop {language}"\n', encoding="utf-8")
    text = generator.dockerfile(replace(PLAIN, uncompiled=True))
    [line] = [one.text for one in dockerfiles.parse(text) if "msgfmt" in one.text]
    assert subprocess.run(["sh", "-c", line], cwd=tmp_path, check=False).returncode == 0
    for language, file in files.items():
        with file.with_suffix(".mo").open("rb") as compiled:
            assert gettext.GNUTranslations(compiled).gettext("Shop") == f"Shop {language}"
    with files[wrong].open("a", encoding="utf-8") as file:
        file.write('\n#, python-format\nmsgid "%(count)s goods"\nmsgstr "%(zahl)s Waren"\n')
    failed = subprocess.run(["sh", "-c", line], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert failed.returncode != 0
    told = failures.explain(
        failures.Failure(f'{failed.stderr}\nError: building at STEP "RUN {line}": exit status 1', Path("Dockerfile"), text, Path("src"), own=False)
    )
    assert re.match(rf"Dockerfile, line \d+: the translation in goods/locale/{wrong}/LC_MESSAGES/django\.po, line 9, cannot be compiled: ", told)


@pytest.mark.parametrize("kind", ["requirements", "pyproject", "uv", "poetry", "pdm", "pipenv"])
def test_every_pip_of_a_build_is_told_what_this_machines_is_and_leaves_no_cache(kind: str) -> None:
    for instruction in dockerfiles.parse(generator.dockerfile(replace(PLAIN, dependencies=needing(kind=kind, locked=False)))):
        if "pip install" in instruction.text or " lock" in instruction.text:
            assert {mount.id for mount in dockerfiles.mounts(instruction)} == {"pip_conf", "ca_bundle"}, instruction.text
            assert "pip install" not in instruction.text or "--no-cache-dir" in instruction.text


@pytest.mark.parametrize(
    ("needs", "line"),
    [
        (needing(kind="uv"), "uv export --quiet --frozen --no-dev --no-emit-project --output-file /opt/requirements.txt"),
        (needing(kind="uv", groups=("prod",), git=True), "uv export --quiet --frozen --no-dev --no-emit-project --group prod --no-hashes --output-file"),
        (needing(kind="poetry", groups=("prod",)), "poetry export --with prod --output /opt/requirements.txt"),
        (needing(kind="poetry", locked=False), "poetry lock --no-interaction && poetry export --output /opt/requirements.txt"),
        (needing(kind="pdm"), "pdm export --prod --output /opt/requirements.txt"),
        (needing(kind="pipenv"), "pipenv requirements --hash > /opt/requirements.txt"),
        (needing(kind="pyproject"), "import tomllib"),
        (needing(encoding="cp1252"), "encoding='cp1252'"),
    ],
)
def test_the_projects_own_tool_says_what_is_installed(needs: Dependencies, line: str) -> None:
    assert any(line in " ".join(one.split()) for one in instructions(replace(PLAIN, dependencies=needs)))


def test_paths_that_requirements_name_are_there_when_they_are_installed() -> None:
    found = instructions(replace(PLAIN, dependencies=needing(local=True)))
    assert found.index("COPY . /srv/app/") < next(number for number, line in enumerate(found) if "pip install" in line)


def test_files_of_requirements_keep_their_places() -> None:
    needs = replace(needing(), files=("requirements/production.txt", "requirements/base.txt", "constraints.txt"))
    found = instructions(replace(PLAIN, dependencies=needs))
    assert "COPY requirements/production.txt requirements/base.txt /srv/app/requirements/" in found
    assert any("--requirement requirements/production.txt" in line for line in found)
    below = replace(PLAIN, directory="web", dependencies=replace(needing(), place="web", files=("web/requirements.txt",)))
    assert instructions(below)[4:6] == ["WORKDIR /srv/app/web", "COPY web/requirements.txt /srv/app/web/"]


# --- Server ------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "expected", "added"),
    [
        ({"dependencies": needing("gunicorn")}, "gunicorn --bind 0.0.0.0:8000 --keep-alive 75 --threads 4", ""),
        ({}, "gunicorn --bind", "'gunicorn<28'"),
        ({"dependencies": needing("uwsgi")}, "uwsgi --http-socket 0.0.0.0:8000 --module shop.wsgi:application --master", ""),
        ({"dependencies": needing("uwsgi", "gunicorn")}, "gunicorn --bind", ""),
        ({"dependencies": needing("waitress")}, "waitress-serve --listen=0.0.0.0:8000 shop.wsgi:application", ""),
        ({"dependencies": needing("uvicorn")}, "uvicorn --host 0.0.0.0 --port 8000 --timeout-keep-alive 75 shop.asgi:application", ""),
        ({"dependencies": needing("uvicorn"), "asgi": ""}, "gunicorn --bind", "'gunicorn<28'"),
        (
            {"dependencies": needing("uvicorn-worker", "gunicorn")},
            "gunicorn --bind 0.0.0.0:8000 --keep-alive 75 --worker-class uvicorn_worker.UvicornWorker",
            "",
        ),
        ({"dependencies": needing("daphne")}, "daphne --bind 0.0.0.0 --port 8000 shop.asgi:application", ""),
        ({"dependencies": needing("hypercorn")}, "hypercorn --bind 0.0.0.0:8000 --keep-alive 75", ""),
        ({"dependencies": needing("channels")}, "uvicorn --host", "'uvicorn[standard]<1'"),
        ({"loaded": Settings(applications={"ASGI_APPLICATION": "shop.asgi.application"})}, "uvicorn --host", "'uvicorn[standard]<1'"),
        ({"wsgi": "", "asgi": ""}, "gunicorn --bind 0.0.0.0:8000", "'gunicorn<28'"),
        ({"configured": frozenset({"bind", "wsgi_app"})}, "gunicorn", "'gunicorn<28'"),
        ({"configured": frozenset({"workers"})}, "gunicorn --bind 0.0.0.0:8000 --keep-alive 75 shop.wsgi:application", "'gunicorn<28'"),
        ({"configured": frozenset({"keepalive"})}, "gunicorn --bind 0.0.0.0:8000 shop.wsgi:application", "'gunicorn<28'"),
    ],
)
def test_the_server_is_the_one_that_the_project_names_or_one_is_added(changes: dict[str, Any], expected: str, added: str) -> None:
    project = replace(PLAIN, **changes)
    assert command(project).startswith(expected), command(project)
    assert sum("pip install" in line for line in instructions(project)) == 1 + bool(added)
    assert not added or any(added in line for line in instructions(project))


# --- Debian packages ---------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "asked", "build", "needed"),
    [
        ({}, [], [], []),
        ({"dependencies": needing("psycopg2")}, [], ["build-essential", "libpq-dev", "python3-dev"], ["libpq5"]),
        ({"dependencies": needing("psycopg2-binary", "pillow", "lxml")}, [], [], []),
        (
            {"dependencies": needing("lxml", pins={"lxml": "5.2.2"})},
            [],
            ["build-essential", "libxml2-dev", "libxslt1-dev", "python3-dev"],
            ["libxml2", "libxslt1.1"],
        ),
        ({"dependencies": needing("lxml", pins={"lxml": "5.3.0"})}, [], [], []),
        ({"dependencies": needing("lxml", pins={"lxml": "unreadable"})}, [], [], []),
        ({"dependencies": needing("psycopg")}, [], [], ["libpq5"]),
        ({"dependencies": needing("psycopg", "psycopg-binary")}, [], [], []),
        ({"dependencies": needing("uwsgi")}, [], ["build-essential", "python3-dev"], ["libpython3.13"]),
        ({"dependencies": needing(git=True)}, [], ["ca-certificates", "git"], []),
        ({"loaded": Settings(texts=frozenset({"django.contrib.gis"}))}, [], [], ["gdal-bin"]),
        ({}, ["gcc"], ["build-essential", "gcc", "python3-dev"], []),
        ({}, ["libxslt1-dev", "libxslt1.1"], ["build-essential", "libxslt1-dev", "python3-dev"], ["libxslt1.1"]),
    ],
)
def test_what_has_no_wheels_is_compiled_in_a_stage_of_its_own(changes: dict[str, Any], asked: list[str], build: list[str], needed: list[str]) -> None:
    project = replace(PLAIN, **changes)
    assert generator.libraries(project, asked, "3.13") == (build, needed)
    stages = dockerfiles.stages(dockerfiles.parse(generator.dockerfile(project, packages=asked)))
    assert len(stages) == 1 + bool(build)
    last = " ".join(one.text for one in stages[-1].instructions)
    assert all(name in last for name in needed) and not any(f" {name} " in last for name in build)


@pytest.mark.parametrize(
    ("name", "version", "python", "first"),
    [
        *((name, *case) for name in ("psycopg2", "psycopg2-binary") for case in (("2.9.6", "3.13", "2.9.10"), ("2.9.10", "3.13", ""), ("2.9.6", "3.12", ""))),
        ("psycopg2", "2.10", "3.13", ""),
        ("django", "1.11.29", "3.10", "2.1"),
        ("django", "3.1", "3.11", ""),
        ("django", "3.1.14", "3.12", "3.2"),
        ("django", "4.0.10", "3.13", "4.1"),
        ("django", "4.1", "3.13", ""),
    ],
)
def test_a_version_that_the_python_cannot_have_is_refused_before_the_build(name: str, version: str, python: str, first: str) -> None:
    project = replace(PLAIN, dependencies=needing(name, pins={name: version}))
    with pytest.raises(ProjectError, match=rf"requirements.txt pins {name} {version}.*use {name} {first} or later") if first else nullcontext():
        generator.refuse_unfit(project, python)


@pytest.mark.parametrize(
    ("wish", "django", "python"),
    [
        (None, "5.2", "3.13"),
        (None, "3.2.25", "3.12"),
        (">=3.9", "3.1", "3.11"),
        ("==3.10.*", "3.1", "3.10"),
        (None, "1.11", "3.13"),
        ("==3.14.*", "5.2", "3.14"),
    ],
)
def test_the_python_is_one_with_which_what_is_pinned_works(wish: str | None, django: str, python: str) -> None:
    project = replace(PLAIN, wish=Wish(wish, "runtime.txt") if wish else None, dependencies=needing("django", pins={"django": django}))
    assert generator.choose_python(generator.wished(project), "3.13", True)[0] == python


# --- Static files ------------------------------------------------------------------
def test_a_python_that_is_not_debians_has_its_library_in_itself() -> None:
    assert generator.libraries(replace(PLAIN, dependencies=needing("uwsgi")), [], "")[1] == []


def test_static_files_are_collected_with_values_that_no_layer_keeps() -> None:
    project = replace(PLAIN, loaded=replace(STATIC, variables={"SECRET_KEY": "build", "DB": "sqlite:///:memory:"}))
    found = instructions(project)
    assert any(line.startswith("RUN SECRET_KEY=build DB=sqlite:///:memory: python manage.py collectstatic") for line in found)
    assert not any("SECRET_KEY" in line for line in found if line.startswith(("ENV", "ARG")))
    assert generator.notes(project) == []


@pytest.mark.parametrize(
    ("loaded", "words"),
    [(Settings(), "do not set STATIC_ROOT"), (replace(STATIC, texts=frozenset({"django.contrib.staticfiles"})), "add whitenoise to the requirements")],
)
def test_it_is_said_when_pages_come_without_their_static_files(loaded: Settings, words: str) -> None:
    [note] = generator.notes(replace(PLAIN, loaded=loaded))
    assert words in note


FILES = Settings(texts=frozenset({"django.contrib.staticfiles"}), names=frozenset({"STATIC_URL"}))
COLLECTED = replace(FILES, names=FILES.names | {"STATIC_ROOT"})


@pytest.mark.parametrize(
    ("changes", "application"),
    [
        ({"loaded": FILES}, "served:application"),
        ({"loaded": COLLECTED}, "served:application"),
        ({"loaded": COLLECTED, "dependencies": needing("uwsgi")}, "served:application"),
        ({"loaded": COLLECTED, "dependencies": needing("waitress")}, "served:application"),
        ({"loaded": COLLECTED, "dependencies": needing("daphne")}, "served:application"),
        ({"loaded": COLLECTED, "dependencies": needing("uvicorn-worker", "gunicorn")}, "served:application"),
        ({"loaded": COLLECTED, "wsgi": "", "asgi": ""}, "served:application"),
        ({"loaded": Settings()}, "shop.wsgi:application"),
        ({"loaded": replace(COLLECTED, texts=STATIC.texts)}, "shop.wsgi:application"),
        ({"loaded": replace(COLLECTED, texts=COLLECTED.texts | {"servestatic.middleware.ServeStaticMiddleware"})}, "shop.wsgi:application"),
        ({"loaded": replace(COLLECTED, names=frozenset({"STATIC_ROOT"}))}, "shop.wsgi:application"),
    ],
)
def test_static_files_that_the_project_does_not_serve_are_served_around_it_and_never_twice(changes: dict[str, Any], application: str) -> None:
    project = replace(PLAIN, **changes)
    found = instructions(project)
    around = application == "served:application"
    assert application in command(project).split(" ")
    assert any(generator.WHITENOISE in line for line in found) is around
    assert any(line.startswith("ENV") and "PYTHONPATH=/opt/static" in line for line in found) is around
    assert not around or generator.notes(project) == []


def test_static_files_that_the_source_alone_has_are_not_collected_over() -> None:
    for loaded in (STATIC, replace(STATIC, texts=frozenset({"django.contrib.staticfiles"}), names=frozenset({"STATIC_ROOT", "STATIC_URL"}))):
        text = "\n".join(instructions(replace(PLAIN, loaded=loaded, collected=True)))
        assert "collectstatic --" not in text and "python -m served" not in text and "compileall" in text


def test_an_application_that_gunicorns_file_names_is_left_to_it() -> None:
    project = replace(PLAIN, loaded=COLLECTED, configured=frozenset({"bind", "wsgi_app"}))
    assert "served" not in command(project)
    assert "add whitenoise to the requirements" in generator.notes(project)[0]


def test_a_project_that_does_not_say_where_has_its_static_files_collected_all_the_same() -> None:
    found = instructions(replace(PLAIN, loaded=replace(FILES, variables={"SECRET_KEY": "build"})))
    assert any(line.startswith("RUN SECRET_KEY=build python -m served") for line in found)
    assert not any("manage.py collectstatic" in line for line in found)


PAGE = """
import sys
from django.test import RequestFactory
sys.path[:0] = [{served!r}, {project!r}]
import served
environ = RequestFactory().get("/static/admin/css/base.css").environ
status = []
body = b"".join(served.application(environ, lambda line, headers: status.append(line)))
print(status[0], len(body) > 1000)
"""


@pytest.mark.parametrize(
    ("wsgi", "last"),
    [
        ("shop.wsgi:application", ["    from shop.wsgi import application"]),
        ("shop.wsgi:app", ["    from shop.wsgi import app as application"]),
        ("shop.wsgi:make()", ["    from shop.wsgi import make", "    application = make()"]),
        ("", ["    from django.core.wsgi import get_wsgi_application", "    application = get_wsgi_application()"]),
    ],
)
def test_what_is_served_is_the_projects_own_application(wsgi: str, last: list[str]) -> None:
    lines = generator.served(replace(PLAIN, asgi="", wsgi=wsgi))
    compile("\n".join(lines), "served.py", "exec")
    assert lines[lines.index("else:") + 1 :] == last


def test_a_visitor_gets_the_admins_style_sheet_with_debug_off(tmp_path: Path) -> None:
    served, project = tmp_path / "served", tmp_path / "project"
    served.mkdir()
    project.mkdir()
    text = "\n".join(generator.served(replace(PLAIN, asgi="", wsgi="shop_wsgi:app"))).replace(generator.STATIC, str(served))
    (served / "served.py").write_text(text, encoding="utf-8")
    (project / "shop_wsgi.py").write_text("from django.core.wsgi import get_wsgi_application\napp = get_wsgi_application()\n", encoding="utf-8")
    (project / "shop_settings.py").write_text(
        'SECRET_KEY = "x"\nALLOWED_HOSTS = ["*"]\nSTATIC_URL = "static/"\nROOT_URLCONF = "shop_wsgi"\n'
        'INSTALLED_APPS = ["django.contrib.staticfiles", "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes"]\n',
        encoding="utf-8",
    )
    environment = {"PATH": "/usr/bin:/bin", "DJANGO_SETTINGS_MODULE": "shop_settings", "PYTHONPATH": f"{served}:{project}"}
    for words in (["-m", "served"], ["-c", PAGE.format(served=str(served), project=str(project))]):
        done = subprocess.run([sys.executable, *words], cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["200", "OK", "True"]


# --- Python ------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("wish", "official", "python", "warned"),
    [
        (None, True, "3.13", False),
        ("==3.13.*", False, "3.13", False),
        (">=3.10", True, "3.13", False),
        (">=3.13.4", False, "3.13", False),
        ("==3.12.*", True, "3.12", False),
        ("==3.12.*", False, "3.13", True),
        (">=3.10,<3.13", True, "3.12", False),
        (">=3.10,<3.13", False, "3.13", True),
        (">=3.14", True, "3.14", False),
        ("==2.7.*", True, "3.13", True),
        ("three", True, "3.13", True),
    ],
)
def test_the_python_is_the_one_asked_for_or_the_nearest_with_a_warning(wish: str | None, official: bool, python: str, warned: bool) -> None:
    found, text = generator.choose_python(Wish(wish, "pyproject.toml") if wish else None, "3.13", official)
    assert (found, bool(text)) == (python, warned)
    assert not warned or "pyproject.toml asks for" in text


def test_another_python_than_berths_is_pulled() -> None:
    found = instructions(replace(PLAIN, dependencies=needing("psycopg2")), python="3.12")
    assert [line for line in found if line.startswith(("ARG", "FROM"))] == [
        "FROM docker.io/library/python:3.12-slim AS packages",
        "FROM docker.io/library/python:3.12-slim",
    ]


# --- The module --------------------------------------------------------------------
def lay(source: Path) -> dict[str, Any]:
    """Write a project, and return the arguments that make its Dockerfile."""
    for name, text in {
        "manage.py": 'import django\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n',
        "shop/settings.py": "",
        "requirements.txt": "django\n",
        ".env": "SECRET=1\n",
        "db.sqlite3": "",
        "media/cat.png": "",
        ".venv/bin/python": "",
        "shop/__pycache__/settings.pyc": "",
        ".git/HEAD": "",
    }.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    python = "docker.io/library/python:3.13-slim"
    return {"source": str(source), "dockerfile": str(source / "Dockerfile"), "directory": str(source.parent / "cache"), "python": python}


def test_a_projects_image_is_made_without_a_change_of_its_source_and_not_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "source"
    arguments = lay(source)
    before = sorted(source.rglob("*"))
    first = run(app_dockerfile, capsys, **arguments)
    assert (first["changed"], first["made"], Path(first["path"]).read_text()) == (False, True, first["text"])
    assert sorted(source.rglob("*")) == before
    assert {entry.name for entry in context(source, Path(first["path"]))} == {"manage.py", "requirements.txt", "shop", "shop/settings.py"}
    known = content_hash(source, Path(first["path"]), {})
    again = run(app_dockerfile, capsys, check=True, **arguments)
    assert content_hash(source, Path(again["path"]), {}) == known
    other = run(app_dockerfile, capsys, **arguments, port=8080)
    assert content_hash(source, Path(other["path"]), {}) != known


def test_an_ignore_file_of_the_project_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = lay(tmp_path / "source")
    run(app_dockerfile, capsys, **arguments)
    (tmp_path / "source/.dockerignore").write_text("*\n!manage.py\n")
    found = run(app_dockerfile, capsys, **arguments)
    assert [entry.name for entry in context(tmp_path / "source", Path(found["path"]))] == ["manage.py"]


def test_a_dockerfile_that_is_there_is_taken_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = lay(tmp_path / "source")
    (tmp_path / "source/Dockerfile").write_text("FROM scratch\n")
    found = run(app_dockerfile, capsys, **arguments)
    assert (found["path"], found["made"]) == (arguments["dockerfile"], False)
    refused = run(app_dockerfile, capsys, **arguments, own=True)
    assert refused["failed"] and "was left alone" in refused["msg"]
    assert (tmp_path / "source/Dockerfile").read_text() == "FROM scratch\n"


def test_whoever_wants_to_own_the_file_gets_what_was_built_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = lay(tmp_path / "source")
    made = run(app_dockerfile, capsys, **arguments)
    assert run(app_dockerfile, capsys, check=True, **arguments, own=True)["changed"]
    assert not (tmp_path / "source/Dockerfile").exists()
    assert run(app_dockerfile, capsys, **arguments, own=True)["changed"]
    assert (tmp_path / "source/Dockerfile").read_text() == made["text"]
    assert "**/.env" in (tmp_path / "source/.dockerignore").read_text().splitlines()
