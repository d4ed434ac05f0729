"""What is found out about a Django project from its files."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.berth.platform.plugins.module_utils.image.project import (
    Project,
    ProjectError,
    Wish,
    find_dependencies,
    find_wish,
    gunicorn_settings,
    read_project,
    specifiers,
)

MANAGE = 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "{}")\nfrom django.core.management import execute_from_command_line\n'
SERVE = (
    'import os\nfrom django.core.{0} import get_{0}_application\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "{1}")\napplication = get_{0}_application()\n'
)

Files = dict[str, str | bytes]


def lay(directory: Path, files: Files) -> Path:
    """Write files, and return their directory."""
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return directory


def started(name: str = "shop", prefix: str = "", settings: str = "") -> Files:
    """Return what django-admin startproject writes, as far as it matters, and an empty requirements.txt."""
    module = settings or f"{name}.settings"
    return {
        f"{prefix}manage.py": MANAGE.format(module), f"{prefix}{name}/__init__.py": "", f"{prefix}{name}/settings.py": "DEBUG = True\n",
        f"{prefix}{name}/wsgi.py": SERVE.format("wsgi", module), f"{prefix}{name}/asgi.py": SERVE.format("asgi", module), "requirements.txt": "django\n",
    }  # fmt: skip


def project(source: Path, files: Files, **given: str) -> Project:
    """Return the project that ``files`` make."""
    return read_project(lay(source, files), **given)


# --- Where it is -----------------------------------------------------------------
@pytest.mark.parametrize(
    ("files", "directory"),
    [
        (started(), ""),
        (started(prefix="code/"), "code"),
        (started(prefix="a/b/c/"), "a/b/c"),
        ({**started(), **started(prefix="example/")}, ""),
        ({**started(prefix="web/"), **started(prefix="web/tests/site/")}, "web"),
        ({**started(prefix="web/"), "cli/manage.py": "from flask_script import Manager\n"}, "web"),
        ({**started(prefix="web/"), ".venv/manage.py": MANAGE, "venv2/pyvenv.cfg": "", "venv2/manage.py": MANAGE, "node_modules/x/manage.py": MANAGE}, "web"),
    ],
)
def test_the_highest_manage_py_of_django_is_the_projects(tmp_path: Path, files: Files, directory: str) -> None:
    assert project(tmp_path, files).directory == directory


@pytest.mark.parametrize(("given", "directory"), [("shop/", "shop"), ("./shop", "shop"), (".hidden", ".hidden")])
def test_the_inventory_chooses_among_several(tmp_path: Path, given: str, directory: str) -> None:
    files = {**started(prefix="web/"), **started(prefix="shop/"), **started(prefix=".hidden/")}
    assert project(tmp_path, files, directory=given).directory == directory


@pytest.mark.parametrize(
    ("files", "given", "variable", "text"),
    [
        ({"README": ""}, {}, "berth_app_source", "is not a Django project: it has no manage.py"),
        ({"manage.py": "from flask_script import Manager\n"}, {}, "berth_app_source", "is not a Django project"),
        ({"x/wsgi.py": SERVE.format("wsgi", "x.settings")}, {}, "berth_app_source", "it has x/wsgi.py, but no manage.py"),
        ({**started(prefix="web/"), **started(prefix="shop/")}, {}, "berth_app_directory", "has a manage.py: shop, web; set it"),
        (started(), {"directory": "code"}, "berth_app_directory", "code is not a directory"),
        (started(), {"directory": "/"}, "berth_app_directory", "/ is not in"),
        (started(), {"directory": "shop/../../x"}, "berth_app_directory", "shop/../../x is not in"),
        (started(), {"directory": "shop"}, "berth_app_directory", "shop has no Django manage.py"),
        ({"manage.py": MANAGE.format("gone.settings"), "requirements.txt": ""}, {}, "berth_app_settings", "set DJANGO_SETTINGS_MODULE in it"),
        ({**started(), "requirements.txt": "-r base.txt\n"}, {}, "berth_app_source", "requirements.txt includes base.txt, which is not in"),
        ({**started(), "requirements.txt": "-r ../base.txt\n"}, {}, "berth_app_source", "requirements.txt includes ../base.txt, which is not in"),
        ({**started(), "pyproject.toml": "[project\n"}, {}, "berth_app_source", "pyproject.toml cannot be read as TOML"),
    ],
)
def test_what_cannot_be_deployed_is_refused_with_the_variable(tmp_path: Path, files: Files, given: dict[str, str], variable: str, text: str) -> None:
    with pytest.raises(ProjectError) as error:
        project(tmp_path, files, **given)
    assert (error.value.variable, text in error.value.text) == (variable, True), error.value.text


def test_a_project_that_says_nothing_of_its_packages_is_refused(tmp_path: Path) -> None:
    files = started()
    del files["requirements.txt"]
    with pytest.raises(ProjectError, match="does not say which packages it needs"):
        project(tmp_path, {**files, "pyproject.toml": "[tool.ruff]\n"})


# --- Settings --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "settings"),
    [
        ({}, "shop.settings"),
        ({"shop/wsgi.py": SERVE.format("wsgi", "shop.live"), "shop/live.py": ""}, "shop.live"),
        ({"manage.py": MANAGE.format("shop.dev"), "shop/dev.py": "", "shop/wsgi.py": "", "shop/asgi.py": ""}, "shop.dev"),
        ({"manage.py": "import django\n", "shop/wsgi.py": "", "shop/asgi.py": ""}, "shop.settings"),
        ({"manage.py": 'import django, os\nos.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"\n', "shop/wsgi.py": "", "shop/asgi.py": ""}, "shop.settings"),
    ],
)
def test_the_settings_module_is_the_one_that_servers_take(tmp_path: Path, changes: Files, settings: str) -> None:
    assert project(tmp_path, {**started(), **changes}).settings == settings


@pytest.mark.parametrize(
    ("files", "uncompiled"),
    [
        ({"goods/locale/de/LC_MESSAGES/django.po": ""}, True),
        ({"apps/shop/goods/locale/de/LC_MESSAGES/djangojs.po": ""}, True),
        ({"goods/locale/de/LC_MESSAGES/django.po": "", "goods/locale/de/LC_MESSAGES/django.mo": ""}, False),
        ({"docs/locale/de/LC_MESSAGES/index.po": ""}, False),
        ({"goods/locale/de/django.po": ""}, False),
        ({"venv/pyvenv.cfg": "", "venv/lib/shop/locale/de/LC_MESSAGES/django.po": ""}, False),
    ],
)
def test_translations_that_are_not_compiled_are_known(tmp_path: Path, files: Files, uncompiled: bool) -> None:
    assert project(tmp_path, started() | {"requirements.txt": "django"} | files).uncompiled is uncompiled


@pytest.mark.parametrize("other", ["local", "base", "common"])
def test_settings_for_production_are_taken_instead_of_those_for_development_and_it_is_said(tmp_path: Path, other: str) -> None:
    files = started(settings=f"shop.conf.{other}")
    found = project(tmp_path, {**files, f"shop/conf/{other}.py": "", "shop/conf/production.py": "", "shop/conf/__init__.py": ""})
    assert found.settings == "shop.conf.production"
    assert f"manage.py uses shop.conf.{other}" in found.notes[0] and "DJANGO_SETTINGS_MODULE in berth_app_settings" in found.notes[0]


def test_packages_in_src_beside_manage_py_are_found(tmp_path: Path) -> None:
    files = {"src/" + name if name.startswith("shop/") else name: text for name, text in started().items()}
    found = project(tmp_path, files)
    assert (found.settings, found.paths, found.wsgi) == ("shop.settings", ("src",), "shop.wsgi:application")


@pytest.mark.parametrize(
    ("changes", "wsgi"),
    [
        ({}, "shop.wsgi:application"),
        ({"shop/settings.py": 'WSGI_APPLICATION = "shop.serve.app"\n', "shop/serve.py": "app = 1"}, "shop.serve:app"),
        ({"shop/wsgi.py": ""}, ""),
        ({"shop/wsgi.py": SERVE.format("wsgi", "shop.conf.live"), "shop/conf/live.py": ""}, "shop.wsgi:application"),
    ],
)
def test_the_application_is_the_one_that_the_settings_name_or_that_is_beside_them(tmp_path: Path, changes: Files, wsgi: str) -> None:
    assert project(tmp_path, {**started(), **changes}).wsgi == wsgi


@pytest.mark.parametrize(
    ("line", "variables"),
    [
        ('SECRET_KEY = os.environ["KEY"]', {"KEY": "build"}),
        ('SECRET_KEY = os.environ.get("KEY")', {"KEY": "build"}),
        ('SECRET_KEY = helper("KEY")', {"KEY": "build"}),
        ('X = os.environ.get("KEY")', {}),
        ('X = env("KEY", default="")', {}),
        ('X = config("KEY", cast=int)', {"KEY": "0"}),
        ('X = env.bool("KEY")', {"KEY": "0"}),
        ('DATABASES = {"default": env.db("DB")}', {"DB": "sqlite:///:memory:"}),
        ('X = env("DB_ENGINE"), env("CACHE_BACKEND")', {"DB_ENGINE": "django.db.backends.sqlite3", "CACHE_BACKEND": "build"}),
        ('X = env("DATABASE_URL")', {"DATABASE_URL": "sqlite:///:memory:"}),
        ('X = env("REDIS_URL")', {"REDIS_URL": "redis://localhost:6379/0"}),
        # What kind a variable is of, and what it is by default, may be said once for all.
        ('env = environ.Env(SECONDS=(int, 30))\nX = env("SECONDS")', {}),
        ('env = environ.FileAwareEnv(SECONDS=int)\nX = env("SECONDS"), env("KEY")', {"SECONDS": "0", "KEY": "build"}),
        ('env = Env(SECRET_KEY=(str, ""))\nSECRET_KEY = env("SECRET_KEY")', {"SECRET_KEY": "build"}),
        ('os.environ["KEY"] = "1"', {}),
        ('if "A" in os.environ:\n    X = os.environ["A"], os.environ["B"]', {}),
        ('if os.environ.get("A"):\n    X = env("B")\nelse:\n    Y = env("C")', {"C": "build"}),
        ('if not DEBUG:\n    X = os.environ["A"]', {"A": "build"}),
        ('try:\n    X = os.environ["A"]\nexcept KeyError:\n    X = ""', {}),
        ('X = os.environ["A"] if "A" in os.environ else ""', {}),
        # A choice by a variable of its own: asked for where that is its default, or where nobody can tell.
        ('S = env("S", default="local")\nif S == "s3":\n    X = env("A")', {}),
        ('S = as_enum(Kind, env("S", default="local"))\nif S == Kind.S3:\n    X = env("A")', {}),
        ('S = env.bool("S", False)\nT = env.bool("T", False)\nif S or T:\n    X = env.str("A")', {}),
        ('S = env.bool("S", False)\nT = env.bool("T", True)\nif S or T:\n    X = env.str("A")', {"A": "build"}),
        ('S = as_enum(Kind, env("S", default="local"))\nif S == Kind.LOCAL:\n    X = env("A")', {"A": "build"}),
        ('S = env("S", default="local")\nif S == "s3":\n    X = 1\nelse:\n    X = env("A")', {"A": "build"}),
        ('S = env("S", default="local")\nif S != "s3":\n    X = env("A")', {"A": "build"}),
        ('S = env("S", default="local")\nif S in ("s3", "gs"):\n    X = env("A")', {}),
        ('S = env("S", default="local")\nif S in ["s3", "local"]:\n    X = env("A")', {"A": "build"}),
        ('S = env("S", default="local")\nif S in ["s3", OTHER]:\n    X = env("A")', {"A": "build"}),
        ('S = env.bool("S", default=True)\nif not S:\n    X = env("A")', {}),
        ('S = env.bool("S", default=False)\nif not S:\n    X = env("A")', {"A": "build"}),
        ('DEBUG = env.bool("DEBUG", default=True)\nif not DEBUG:\n    X = env("A")', {"A": "build"}),
        ('S = env.bool("S", default=False)\nif S and DEPLOYED:\n    X = env("A")', {}),
        ('S = os.getenv("S")\nif S:\n    X = env("A")', {}),
        ('S = env.bool("S", default=True)\nif S:\n    X = env("A")', {"A": "build"}),
        ('S = env.bool("S", default=False)\nif not S:\n    X = env("A")', {"A": "build"}),
        ('S = "local"\nif S == "s3":\n    X = env("A")', {"A": "build"}),
        ('if DEBUG:\n    X = env("A")', {}),
        ("from .base import *", {"BASE": "build"}),
        ("from shop.base import *", {"BASE": "build"}),
        ("this is no Python", {}),
    ],
)
def test_environment_variables_without_which_the_settings_do_not_load_get_a_value_for_the_build(tmp_path: Path, line: str, variables: dict[str, str]) -> None:
    files = {**started(), "shop/settings.py": line, "shop/base.py": 'import os\nX = os.environ["BASE"]\n'}
    assert project(tmp_path, files).loaded.variables == variables


# --- Dependencies ----------------------------------------------------------------
PEP621 = '[project]\nname = "x"\ndependencies = ["Django>=5", "uvicorn[standard]"]\n[dependency-groups]\nprod = ["psycopg"]\ndev = ["daphne"]\n'
POETRY = '[tool.poetry.dependencies]\npython = "^3.11"\nDjango = "*"\n[tool.poetry.group.dev.dependencies]\nuvicorn = "*"\n'


@pytest.mark.parametrize(
    ("files", "kind", "read", "direct"),
    [
        ({"requirements.txt": "Django==5 # x\n-r more.txt\n", "more.txt": "gunicorn\n"}, "requirements", ("requirements.txt", "more.txt"),
         {"django", "gunicorn"}),
        ({"requirements.txt": "psycopg[c, pool]>=3\n"}, "requirements", ("requirements.txt",), {"psycopg", "psycopg-c", "psycopg-pool"}),
        ({"requirements/base.txt": "django", "requirements/production.txt": "-r base.txt\npsycopg2\n"}, "requirements",
         ("requirements/production.txt", "requirements/base.txt"), {"django", "psycopg2"}),
        ({"requirements.txt": b"\xff\xfe" + "Django\r\n".encode("utf-16-le")}, "requirements", ("requirements.txt",), {"django"}),
        ({"requirements.txt": "Django --hash=sha256:00 \\\n    --hash=sha256:11\ngit+https://example.org/a/b.git@v1#egg=b\n"}, "requirements",
         ("requirements.txt",), {"django", "b"}),
        ({"pyproject.toml": PEP621}, "pyproject", ("pyproject.toml",), {"django", "uvicorn", "uvicorn-standard", "psycopg"}),
        ({"pyproject.toml": PEP621, "uv.lock": '[[package]]\nname = "sqlparse"\n', "requirements.txt": "flask"}, "uv", ("pyproject.toml", "uv.lock"),
         {"django", "uvicorn", "uvicorn-standard", "psycopg"}),
        ({"pyproject.toml": POETRY, "poetry.lock": ""}, "poetry", ("pyproject.toml", "poetry.lock"), {"django"}),
        ({"pyproject.toml": POETRY}, "poetry", ("pyproject.toml",), {"django"}),
        ({"pyproject.toml": PEP621, "pdm.lock": ""}, "pdm", ("pyproject.toml", "pdm.lock"),
         {"django", "uvicorn", "uvicorn-standard", "psycopg"}),
        ({"pyproject.toml": "[tool.ruff]\n", "requirements.txt": "django"}, "requirements", ("requirements.txt",), {"django"}),
        ({"Pipfile": '[packages]\ndjango = "*"\n', "Pipfile.lock": '{"default": {"asgiref": {}}}'}, "pipenv", ("Pipfile", "Pipfile.lock"), {"django"}),
        ({"pyproject.toml": '[project]\nname = "x"\ndynamic = ["dependencies"]\n[tool.setuptools.dynamic]\ndependencies = {file = ["needs.txt"]}\n',
          "needs.txt": "django"}, "requirements", ("needs.txt",), {"django"}),
    ],
)  # fmt: skip
def test_a_project_says_what_it_needs_in_any_of_the_usual_ways(tmp_path: Path, files: Files, kind: str, read: tuple[str, ...], direct: set[str]) -> None:
    base = started()
    del base["requirements.txt"]
    found = project(tmp_path, {**base, **files}).dependencies
    assert (found.kind, found.files, found.direct) == (kind, read, direct)


@pytest.mark.parametrize(("data", "encoding"), [(b"\xff\xfed\0", ""), (b"d\0j\0", "utf-16-le"), (b"\0d\0j", "utf-16-be"), (b"django # caf\xe9", "cp1252"),
                                                (b"\xef\xbb\xbfdjango", ""), ("django # café".encode(), "")])  # fmt: skip
def test_an_encoding_that_pip_does_not_find_out_is_named(tmp_path: Path, data: bytes, encoding: str) -> None:
    assert project(tmp_path, {**started(), "requirements.txt": data}).dependencies.encoding == encoding


@pytest.mark.parametrize(
    ("line", "local"),
    [("-e .", True), ("./lib/x", True), (".", True), ("x @ file:./y", True), ("-e ./x", True), ("wheels/x-1-py3-none-any.whl", True),
     ("django", False), ("https://example.org/x-1-py3-none-any.whl", False), ("x @ https://example.org/x.tar.gz", False),
     ("git+https://example.org/x.git", False)],
)  # fmt: skip
def test_a_requirement_that_lies_in_the_source_is_known(tmp_path: Path, line: str, local: bool) -> None:
    assert project(tmp_path, {**started(), "requirements.txt": line}).dependencies.local is local


def test_files_beside_manage_py_count_more_than_those_above(tmp_path: Path) -> None:
    found = project(tmp_path, {**started(prefix="web/"), "web/requirements.txt": "django\n"}).dependencies
    assert (found.place, found.files) == ("web", ("web/requirements.txt",))


def test_a_file_of_requirements_that_a_pyproject_names_and_that_is_not_there_is_told(tmp_path: Path) -> None:
    base = started()
    del base["requirements.txt"]
    with pytest.raises(ProjectError, match=r"pyproject\.toml names reqs\.txt, which is not in "):
        project(tmp_path, {**base, "pyproject.toml": '[tool.setuptools.dynamic]\ndependencies = {file = ["reqs.txt"]}\n'})


def test_a_project_without_a_lock_file_is_told_so(tmp_path: Path) -> None:
    base = started()
    del base["requirements.txt"]
    assert "`pipenv lock` writes one" in project(tmp_path, {**base, "Pipfile": "[packages]\n"}).notes[0]


# --- Python ----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("files", "wish"),
    [
        ({".python-version": "3.12.4\n", "runtime.txt": "python-3.9.1"}, Wish("==3.12.*", ".python-version")),
        ({".python-version": "my-virtualenv\n"}, None),
        ({"runtime.txt": "python-3.9.1"}, Wish("==3.9.*", "runtime.txt")),
        ({"Pipfile": '[requires]\npython_version = "3.11"\n'}, Wish("==3.11.*", "Pipfile")),
        ({"pyproject.toml": '[project]\nrequires-python = ">=3.10, <3.13"\n'}, Wish(">=3.10,<3.13", "pyproject.toml")),
        ({"pyproject.toml": POETRY}, Wish(">=3.11,<4", "pyproject.toml")),
        ({}, None),
    ],
)
def test_the_python_that_a_project_asks_for_is_found(tmp_path: Path, files: Files, wish: Wish | None) -> None:
    assert find_wish(lay(tmp_path, files), "") == wish


@pytest.mark.parametrize(("text", "made"), [("^3.11", ">=3.11,<4"), ("~3.11", ">=3.11,<3.12"), (">=3.10 <3.13", ">=3.10,<3.13"), ("3.12.*", "==3.12.*"),
                                            ("~=3.11", "~=3.11"), ("*", "")])  # fmt: skip
def test_constraints_of_poetry_are_read(text: str, made: str) -> None:
    assert specifiers(text) == made


@pytest.mark.parametrize(
    "files",
    [
        {"requirements.txt": "Django\nPsycopg2_Binary[x] == 2.9.6 ; python_version > '3'  # pinned\npillow>=10\n"},
        {"pyproject.toml": "[project]\ndependencies = ['psycopg2-binary']\n", "uv.lock": "[[package]]\nname = 'psycopg2-binary'\nversion = '2.9.6'\n"},
        {"Pipfile": "[packages]\npsycopg2-binary = '*'\n", "Pipfile.lock": '{"default": {"psycopg2-binary": {"version": "==2.9.6"}, "x": {}}}'},
    ],
    ids=["requirements.txt", "uv.lock", "Pipfile.lock"],
)
def test_exact_versions_are_known_whatever_says_them(tmp_path: Path, files: dict[str, str]) -> None:
    for name, text in {"manage.py": "django", **files}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert find_dependencies(tmp_path, "", []).pins == {"psycopg2-binary": "2.9.6"}


@pytest.mark.parametrize(
    ("direct", "optional", "extras"),
    [
        ("'django'", "dev = ['psycopg2-binary']\nmysql = ['mysqlclient']\npostgres = ['psycopg[binary]~=3.2']", ("postgres",)),
        ("'django', 'psycopg'", "postgres = ['psycopg2-binary']", ()),
        ("'django'", "production = ['psycopg2', 'gunicorn']\npostgres = ['psycopg2-binary']", ("production",)),
        ("'django'", "mysql = ['mysqlclient']", ()),
        ("'django'", "postgres = ['psycopg2-binary']\n[dependency-groups]\nprod = ['psycopg[binary]']", ()),
    ],
)
def test_an_extra_with_the_databases_driver_is_installed_if_nothing_else_has_one(tmp_path: Path, direct: str, optional: str, extras: tuple[str, ...]) -> None:
    files: Files = {"pyproject.toml": f"[project]\ndependencies = [{direct}]\n[project.optional-dependencies]\n{optional}\n", "uv.lock": ""}
    found = find_dependencies(lay(tmp_path, files), "", [])
    assert found.extras == extras
    assert bool({"psycopg", "psycopg2", "psycopg-binary"} & found.direct) == ("mysql" not in optional or "postgres" in optional)


@pytest.mark.parametrize(
    ("bind", "bound"),
    [("'unix:/run/shop.sock'", False), ("'127.0.0.1:8000'", False), ("['[::1]:8000', 'localhost:80']", False), ("['unix:/x', ':8000']", True), ("PORT", True)],
)
def test_an_address_of_gunicorns_for_a_proxy_beside_it_is_not_the_one_that_counts(tmp_path: Path, bind: str, bound: bool) -> None:
    (tmp_path / "gunicorn.conf.py").write_text(f"bind = {bind}\nworkers = 2\n", encoding="utf-8")
    assert gunicorn_settings(tmp_path / "gunicorn.conf.py") == {"workers"} | ({"bind"} if bound else set())


@pytest.mark.parametrize(
    ("changes", "collected"),
    [
        ({}, True),
        ({"shop/static/shop/x.css": ""}, False),
        ({"shop/settings.py": "STATIC_ROOT = 'static'\nSTATICFILES_DIRS = ['assets']\n"}, False),
        ({"shop/settings.py": "STATIC_ROOT = 'elsewhere'\n"}, False),
        ({"static/staticfiles.json": '{"paths": {"admin/x.css": "admin/x.1.css"}}'}, False),
        ({"static/staticfiles.json": "[]"}, False),
        ({"package.json": '{"scripts": {"build": "vite build"}}'}, False),
    ],
)
def test_static_files_that_are_in_the_source_as_they_are_collected_alone_are_known(tmp_path: Path, changes: Files, collected: bool) -> None:
    manifest = '{"paths": {"admin/x.css": "admin/x.1.css", "shop/x.css": "shop/x.1.css"}}'
    found = project(tmp_path, {**started(), "shop/settings.py": "STATIC_ROOT = 'static'\n", "static/staticfiles.json": manifest, **changes})
    assert found.collected is collected
    assert any("collectstatic would lose them" in note for note in found.notes) is collected
