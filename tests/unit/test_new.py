"""From a project's files to its first inventory: what is known is there, what is a guess says so, and what nobody can know is asked for."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import ansible_fork
import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible_collections.berth.platform.plugins.module_utils.image.project import ProjectError
from ansible_collections.berth.platform.plugins.plugin_utils.project import inventory as inventory_lib
from ansible_collections.berth.platform.plugins.plugin_utils.project.procfile import words
from module_run import plugin
from role_options import options

PROJECT = Path(__file__).resolve().parents[2]
KNOWN = options("preflight")
MANAGE = 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\nfrom django.core.management import execute_from_command_line\n'
NAMELESS = "import dotenv\ndotenv.load_dotenv()\nfrom django.core.management import execute_from_command_line\n"
PLAIN = {"manage.py": MANAGE, "shop/__init__.py": "", "shop/settings.py": "", "requirements.txt": "django\npsycopg[binary]\n"}
BASE = "from pathlib import Path\nimport os\nBASE_DIR = Path(__file__).resolve().parent.parent\nROOT_URLCONF = 'shop.urls'\n"
# What others add while this is written, and has to be used when it is there.
LATER = {
    name: {"description": "C(url)"}
    for name in (
        "berth_app_database_aliases",
        "berth_app_database_env",
        "berth_app_database_extensions",
        "berth_app_probe",
        "berth_app_user",
        "berth_app_volumes",
        "berth_cache",
        "berth_cache_env",
    )
} | {"berth_app_egress": {"description": "C(internet), C(none), or rules."}}
action = plugin("action/inventory_new.py")


def project(place: Path, files: dict[str, str]) -> Path:
    """Write a project."""
    for name, text in {**PLAIN, **files}.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return place


def inventory(place: Path, files: dict[str, str], known: dict[str, Any] = KNOWN) -> tuple[dict[str, Any], str, inventory_lib.Draft]:
    """Return what the inventory of a project says, its text, and what it was made from."""
    made = inventory_lib.draft(project(place, files), "shop-dev", "shop", "/shop", 30090, known)
    text = inventory_lib.text(made, "shop-dev")
    return yaml.safe_load(text), text, made


DATABASE = "'ENGINE': 'django.db.backends.postgresql'"
URL = "postgres://{{ berth_app_name | replace('-', '_') }}:{{ berth_database_password | urlencode }}@database:5432/{{ berth_app_name | replace('-', '_') }}"
DATABASES = {
    "django-environ": ("import environ\nenv = environ.Env()\nDATABASES = {'default': env.db('SHOP_DATABASE_URL')}\n", {"url": "SHOP_DATABASE_URL"}),
    "django-environ without a name": ("import environ\nenv = environ.Env()\nDATABASES = {'default': env.db()}\n", {"url": "DATABASE_URL"}),
    "dj-database-url": ("import dj_database_url\nDATABASES = {'default': dj_database_url.config(conn_max_age=600)}\n", {"url": "DATABASE_URL"}),
    "dj-database-url, parsed": (
        "import dj_database_url\nDATABASES = {'default': dj_database_url.parse(os.environ['DB_URL_DATABASE_URL'])}\n",
        {"url": "DB_URL_DATABASE_URL"},
    ),
    "python-decouple": (
        f"from decouple import config\nDATABASES = {{'default': {{{DATABASE}, 'HOST': config('MY_HOST'), 'NAME': config('MY_DB', default='x'), "
        "'USER': config('MY_USER'), 'PASSWORD': config('MY_PASSWORD'), 'PORT': config('MY_PORT', default=5432, cast=int)}}\n",
        {"host": "MY_HOST", "name": "MY_DB", "user": "MY_USER", "password": "MY_PASSWORD", "port": "MY_PORT"},
    ),
    "python-decouple, a URL": (
        "from decouple import config\nimport dj_database_url\nDATABASES = {'default': config('DATABASE_URL', cast=dj_database_url.parse)}\n",
        {"url": "DATABASE_URL"},
    ),
    "os.environ": (
        f"DATABASES = {{'default': {{{DATABASE}, 'HOST': os.environ['DB_HOST'], 'NAME': os.environ.get('DB_NAME'), 'USER': os.getenv('DB_USER', 'x'), "
        "'PASSWORD': os.environ['DB_PASS']}}\n",
        {"host": "DB_HOST", "name": "DB_NAME", "user": "DB_USER", "password": "DB_PASS"},
    ),
    "names in between": (
        f"HOST = os.environ['PGHOST']\nSECRET = os.environ['PGPASSWORD']\nDATABASES = {{'default': {{{DATABASE}, 'HOST': HOST, 'PASSWORD': SECRET}}}}\n",
        {"host": "PGHOST", "password": "PGPASSWORD"},
    ),
    "keys set one by one": ("DATABASES = {'default': {}}\nDATABASES['default']['HOST'] = os.environ['SQL_HOST']\n", {"host": "SQL_HOST"}),
    "a function of the project's own": (
        "from shop.secrets import get_env\nDATABASES = {'default': dict(ENGINE='x', HOST=get_env('STORE_HOST'), USER=get_env('STORE_USER'))}\n",
        {"host": "STORE_HOST", "user": "STORE_USER"},
    ),
    "a function that makes all of it": (
        "def databases():\n    host = os.environ['STORE_HOST']\n    found = {'HOST': host, 'NAME': 'shop'}\n    found['USER'] = os.getenv('STORE_USER')\n"
        "    return {'default': found}\nDATABASES = databases()\n",
        {"host": "STORE_HOST", "user": "STORE_USER"},
    ),
    "a function of another module that makes all of it": (
        "from .helpers import databases\nDATABASES = databases()\n",
        {"host": "HELPER_DBHOST", "name": "HELPER_DBNAME"},
    ),
    "settings of the same names, and a class of the project's own": (
        "POSTGRES_DB = os.environ.get('POSTGRES_DB')\nPOSTGRES_HOST = os.environ.get('POSTGRES_HOST')\nfrom shop.db import Config\n"
        "DATABASES = {}\nif POSTGRES_HOST:\n    DATABASES['default'] = Config(dbname=POSTGRES_DB, host=POSTGRES_HOST).to_dict()\n",
        {"name": "POSTGRES_DB", "host": "POSTGRES_HOST"},
    ),
    "a module with the project's configuration": (
        "from shop.config import get\nDATABASES = {'default': {'ENGINE': 'django.db.backends.' + get('type'), "
        "'NAME': get('name', os.environ.get('SHOP_DATA', '/data') + '/db.sqlite3'), 'HOST': get('host'), 'PASSWORD': get('password')}}\n",
        {"host": "SHOP_DB_HOST", "name": "SHOP_DB_NAME", "password": "SHOP_DB_PASS"},
    ),
    "a URL, or else its parts": (
        f"import dj_database_url\nif os.getenv('DATABASE_URL'):\n    DATABASES = {{'default': dj_database_url.config()}}\n"
        f"else:\n    config = {{{DATABASE}, 'NAME': os.getenv('DB_NAME')}}\n    if os.getenv('DB_HOST'):\n"
        "        config['HOST'] = os.getenv('DB_HOST')\n    DATABASES = {'default': config}\n",
        {"url": "DATABASE_URL", "name": "DB_NAME", "host": "DB_HOST"},
    ),
}
CONFIGURATION = """import os
KNOWN = {"type": os.getenv("SHOP_DB_TYPE"), "host": os.getenv("SHOP_DB_HOST"), "name": os.environ.get("SHOP_DB_NAME"),
         "password": os.environ["SHOP_DB_PASS"], "mail": os.getenv("SHOP_MAIL_HOST")}
def get(name, default=""):
    return KNOWN[name] or default
"""
HELPERS = """import os
def databases():
    match os.getenv("HELPER_ENGINE"):
        case "sqlite":
            found = {"NAME": "db.sqlite3"}
        case _:
            found = {"HOST": os.getenv("HELPER_DBHOST"), "NAME": os.environ["HELPER_DBNAME"]}
    return {"default": found}
"""


@pytest.mark.parametrize("settings, told", DATABASES.values(), ids=DATABASES)
def test_the_variables_that_the_settings_ask_for_lead_to_the_database(tmp_path: Path, settings: str, told: dict[str, str]) -> None:
    files = {"shop/settings.py": BASE + settings, "shop/helpers.py": HELPERS, "shop/config.py": CONFIGURATION}
    now, _, _ = inventory(tmp_path, files, {**KNOWN, **LATER})
    assert now["berth_app_database_env"] == told
    assert now["berth_app_settings"].get("SHOP_DB_TYPE") == ("postgresql" if "SHOP_DB_HOST" in told.values() else None)
    before, _, _ = inventory(tmp_path, files, {name: KNOWN[name] for name in KNOWN if name not in LATER})
    values = {**before["berth_app_settings"], **before["berth_app_secrets"]}
    assert {role: values[name] for role, name in told.items() if role in ("url", "host", "password", "port")} == {
        role: {"url": URL, "host": "database", "password": "{{ berth_database_password }}", "port": "5432"}[role]
        for role in told
        if role in ("url", "host", "password", "port")
    }
    assert told.get("password") not in before["berth_app_settings"]


@pytest.mark.parametrize(
    "files",
    [
        {
            "shop/settings.py": BASE
            + f"DATABASES = {{'default': {{{DATABASE}, 'HOST': os.environ['DATABASE_HOST'], 'PASSWORD': os.environ['DATABASE_PASSWORD']}}}}\n"
        },
        {"shop/settings.py": "from shop import env\nDATABASES = {'default': {'HOST': env.text('DATABASE_HOST')}}\n"},
    ],
)
def test_what_berth_sets_by_itself_is_not_said_again(tmp_path: Path, files: dict[str, str]) -> None:
    for known in (KNOWN, {**KNOWN, **LATER}):
        said, _, made = inventory(tmp_path, files, known)
        assert "berth_app_database_env" not in said
        assert not [name for name in (*said["berth_app_settings"], *said["berth_app_secrets"]) if name.startswith("DATABASE_")]
        assert made.asked == []


def test_settings_that_choose_among_databases_get_postgresql(tmp_path: Path) -> None:
    text = "DB = os.getenv('DB', 'sqlite')\nif DB == 'postgres':\n    "
    text += "DATABASES = {'default': {'ENGINE': os.getenv('DB_ENGINE', 'sqlite3'), 'HOST': os.getenv('DB_HOST')}}\n"
    said, _, _ = inventory(tmp_path, {"shop/settings.py": BASE + text})
    assert said["berth_app_settings"]["DB"] == "postgres"
    assert said["berth_app_settings"]["DB_ENGINE"] == "django.db.backends.postgresql"


def test_a_database_that_does_not_come_from_the_environment_is_said_with_the_lines_that_mend_it(tmp_path: Path) -> None:
    _, text, made = inventory(tmp_path, {"shop/settings.py": BASE + "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'db'}}\n"})
    (line,) = [line for line in made.needs if "DATABASES" in line]
    assert f"#   {line}" in text
    values = {"DATABASE_HOST": "h", "DATABASE_PORT": "1", "DATABASE_NAME": "n", "DATABASE_USER": "u", "DATABASE_PASSWORD": "p"}
    told = subprocess.run(
        ["python3", "-c", f"{line}\nimport json; print(json.dumps(DATABASES))"], env={**os.environ, **values}, capture_output=True, check=True
    )
    default = json.loads(told.stdout)["default"]
    assert default == {"ENGINE": "django.db.backends.postgresql", "HOST": "h", "PORT": "1", "NAME": "n", "USER": "u", "PASSWORD": "p"}
    without = {name: value for name, value in os.environ.items() if not name.startswith("DATABASE_")}
    subprocess.run(["python3", "-c", line], env=without, check=True)  # a build, which collects static files, has none of them


@pytest.mark.parametrize(
    ("command", "script", "aliases"),
    [
        ("/start.sh", "while ! nc -z db 5432; do sleep 1; done", ["db"]),
        ("/start.sh", "# wait-for-it old:5432\nuntil pg_isready -q --host=postgres; do sleep 1; done", ["postgres"]),
        ("/start.sh", "python - <<E\nimport psycopg2\npsycopg2.connect(\n  user='$DB_USER',\n  host='pg'\n)\nE", ["pg"]),
        ("dockerize -wait tcp://db:5432 gunicorn", "", ["db"]),
        ("/start.sh", "nc -z $DB_HOST 5432; pg_isready -h localhost; nc -z redis 6379; nc -z db.example.com 5432", None),
    ],
)
def test_a_server_that_a_script_waits_for_is_a_name_of_the_database(tmp_path: Path, command: str, script: str, aliases: list[str] | None) -> None:
    files = {"Dockerfile": f"FROM x\nCOPY start.sh /\nCMD {command}\n", "start.sh": f"{script}\nexec gunicorn -b :8000 shop.wsgi\n"}
    said, _, _ = inventory(tmp_path, {**files, "shop/settings.py": BASE + "DATABASES = {'default': {'HOST': os.environ['DB_HOST']}}\n"})
    assert said.get("berth_app_database_aliases") == aliases


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ("import json\nwith open(BASE_DIR / 'conf' / 'secrets.json') as handle:\n    SECRETS = json.load(handle)", "secrets.json"),
        ("import yaml\nX = yaml.safe_load(open('/etc/shop/values.yml'))", "values.yml"),
        ("import json\nX = json.load(open('shop/menu.json'))", ""),
        ("import json\nX = json.load(open('dist/manifest.json'))", ""),
        ("FILE = '/etc/shop/values.yml'", ""),
    ],
)
def test_a_file_of_values_that_only_a_server_has_is_told(tmp_path: Path, settings: str, named: str) -> None:
    _, _, made = inventory(tmp_path, {"shop/settings.py": BASE + settings + "\n", "shop/menu.json": "{}"})
    assert [line.partition("  #")[0] for line in made.needs if "in place of" in line] == ([f"os.environ in place of {named}"] if named else [])


def test_static_files_that_another_site_would_have_are_told(tmp_path: Path) -> None:
    settings = BASE + "STATIC_ROOT = unknown()\nSITE = os.getenv('SITE', 'example.com')\nSTATIC_URL = f'https://static.{SITE}/'\n"
    _, _, made = inventory(tmp_path, {"shop/settings.py": settings, "Dockerfile": "FROM x\nWORKDIR /code\n"})
    served, collected = [line for line in made.needs if "static" in line.lower()]
    assert "WhiteNoise" in served and "STATIC_URL = '/static/' unless https://static.example.com/ gets them" in served
    assert collected.startswith("RUN python manage.py collectstatic")
    script = {"Dockerfile": "FROM x\nCOPY run /\nCMD /run\n", "run": COLLECT}
    _, _, made = inventory(tmp_path, {"shop/settings.py": settings, **script})
    assert [line for line in made.needs if "static" in line.lower()] == [served], "a script collects them"


def test_a_host_that_is_set_to_several_names_is_told(tmp_path: Path) -> None:
    _, _, made = inventory(tmp_path, {"shop/settings.py": BASE + "ALLOWED_HOSTS = [os.environ['DJANGO_ALLOWED_HOSTS']]\n"})
    assert any(line.startswith("ALLOWED_HOSTS = os.environ['DJANGO_ALLOWED_HOSTS'].split(',')") for line in made.needs)


def test_static_files_are_collected_with_a_value_for_the_key_that_the_settings_are_to_ask_for(tmp_path: Path) -> None:
    settings = {"shop/settings.py": BASE + STATICS + "SECRET_KEY = 'abc'\n", "Dockerfile": "FROM x\nWORKDIR /code\n"}
    assert any(line.startswith("RUN DJANGO_SECRET_KEY=build python manage.py collectstatic") for line in inventory(tmp_path, settings)[2].needs)


@pytest.mark.parametrize(
    ("requirements", "needs"),
    [
        ("django==5.2\npsycopg\n", []),
        ("django==5.2\n", ["psycopg[binary] as a requirement, in requirements.txt"]),
        ("django==3.2\n", ["psycopg2-binary as a requirement, in requirements.txt"]),
        ("django==1.11.29\npsycopg2-binary\n", ["requirements.txt pins django 1.11.29, which does not work with Python 3.13"]),
    ],
)
def test_requirements_with_which_no_site_works_are_told(tmp_path: Path, requirements: str, needs: list[str]) -> None:
    _, _, made = inventory(tmp_path, {"requirements.txt": requirements})
    found = [line for line in made.needs if "requirement" in line]
    assert [line[: len(start)] for line, start in zip(found, needs, strict=True)] == needs


SETTINGS = {
    "a switch that is on by default": ("DEBUG = os.environ.get('DEBUG', 'True') == 'True'", {"DEBUG": "False"}),
    "a switch of a function that may take two texts": ("DEBUG = envbool('DEBUG', 'True')", {"DEBUG": "False"}),
    "a switch of such a function in small letters": ("DEBUG = env_flag('DEBUG', default='true')", {"DEBUG": "false"}),
    "a switch of such a function that is off": ("DEBUG = envbool('DEBUG', 'False')", {}),
    "a switch that is off by default": ("DEBUG = os.environ.get('DEBUG', 'False') == 'True'", {}),
    "a switch that is on unless it is a text": ("DEBUG = os.environ.get('DJANGO_DEBUG', '') != 'False'", {"DJANGO_DEBUG": "False"}),
    "a switch that any text turns on": ("DEBUG = bool(os.environ.get('DEBUG', True))", {"DEBUG": ""}),
    "a number": ("DEBUG = int(os.environ.get('DEBUG', default=1))", {"DEBUG": "0"}),
    "django-environ's scheme": ("import environ\nenv = environ.Env(DEBUG=(bool, False))\nDEBUG = env('DEBUG')", {}),
    "django-environ": ("import environ\nenv = environ.Env()\nDEBUG = env.bool('DEBUG', default=True)", {"DEBUG": "0"}),
    "hosts with commas under Berth's name": ("ALLOWED_HOSTS = os.environ['DJANGO_ALLOWED_HOSTS'].split(',')", {}),
    "hosts with spaces": ("ALLOWED_HOSTS = os.environ.get('DJANGO_ALLOWED_HOSTS').split(' ')", {}, {"DJANGO_ALLOWED_HOSTS": " "}),
    "hosts of another name": ("import environ\nenv = environ.Env()\nALLOWED_HOSTS = env.list('HOSTS')", {}, {"HOSTS": ","}),
    "hosts of python-decouple": (
        "from decouple import config, Csv\nALLOWED_HOSTS = config('ALLOWED_HOSTS', cast=Csv())",
        {},
        {"ALLOWED_HOSTS": ","},
    ),
    "hosts of a module that a variable names": ("CONF = os.environ.get('CONF')\nconf = load(CONF)\nALLOWED_HOSTS = getattr(conf, 'HOSTS')", {}),
    "one host": ("ALLOWED_HOSTS = [os.environ['HOST_NAME'], 'x']", {"HOST_NAME": "localhost"}),
    "one host that has a name first": ("name = os.environ.get('HOST_NAME')\nALLOWED_HOSTS = [f'.{name}']", {"HOST_NAME": "localhost"}),
    "one host or all": ("name = os.environ.get('HOST_NAME')\nif name:\n    ALLOWED_HOSTS = [name]\nelse:\n    ALLOWED_HOSTS = ['*']", {}),
    "hosts among others": ("ALLOWED_HOSTS = ['x', *os.environ.get('HOSTS', '').split(',')]", {}, {"HOSTS": ","}),
    "hosts by a function of the settings' own that says nothing of it": (
        "def words(key, default=''):\n    return [each for each in os.getenv(key, default).split(' ')]\nALLOWED_HOSTS = words('SITES')",
        {},
        {"SITES": " "},
    ),
    "hosts by a function that is told what parts them": (
        "def words(key, by=',', default=''):\n    return os.getenv(key, default).split(by)\nALLOWED_HOSTS = words('SITES')",
        {},
        {"SITES": ","},
    ),
    "a switch by such a function": ("def flag(key, default):\n    return bool(int(os.getenv(key, default)))\nDEBUG = flag('VERBOSE', True)", {"VERBOSE": "0"}),
    "a redirect to https unless something else is on": (
        "from decouple import config\nDEBUG = config('DEBUG', default=False, cast=bool)\n"
        "SECURE_SSL_REDIRECT = config('SSL', default=not DEBUG, cast=bool)\nSESSION_COOKIE_SECURE = config('COOKIE', default=SECURE_SSL_REDIRECT, cast=bool)",
        {"SSL": "0", "COOKIE": "0"},
    ),
    "a switch whose default has a name": ("OFF = False\nDEBUG = os.environ.get('DEBUG', OFF)", {}),
    "a host among others": ("ALLOWED_HOSTS = ['shop.example.com', os.environ.get('HOST')]", {"HOST": "localhost"}),
    "a host that other settings have too": (
        "SITE = os.getenv('SITE', 'example.com')\nURL = f'https://{SITE}'\nALLOWED_HOSTS = [f'www.{SITE}', SITE] + OTHERS",
        {"SITE": "localhost"},
    ),
    "a host that is any by default": ("ALLOWED_HOSTS = [os.environ.get('HOST', '*')]", {}),
    "hosts that are parted within a list": ("ALLOWED_HOSTS = ['x', *os.environ['HOSTS'].split(',')]", {}, {"HOSTS": ","}),
    "a redirect to https": ("import environ\nenv = environ.Env()\nSECURE_SSL_REDIRECT = env.bool('SSL', default=True)", {"SSL": "0"}),
}


@pytest.mark.parametrize("case", SETTINGS.values(), ids=SETTINGS)
def test_switches_and_hosts_are_as_an_environment_that_serves_needs_them(tmp_path: Path, case: tuple[Any, ...]) -> None:
    settings, told, *hosts = case
    files = {"shop/settings.py": BASE + settings + "\nDATABASES = {'default': {'HOST': os.environ['DATABASE_HOST']}}\n"}
    said, _, made = inventory(tmp_path, files)
    assert (said["berth_app_settings"], said.get("berth_app_hosts_env")) == (told, hosts[0] if hosts else None)
    assert made.asked == []


SECRETS = {
    "the key of Django": ("SECRET_KEY = os.environ['KEY']", {"KEY"}, set()),
    "the key by a function of the project's own": ("from shop.env import secret\nSECRET_KEY = secret('APP_KEY')", {"APP_KEY"}, set()),
    "a key that only its service knows": ("STRIPE = os.environ['STRIPE_SECRET_KEY']", set(), {"STRIPE_SECRET_KEY"}),
    "a password": ("from decouple import config\nEMAIL_HOST_PASSWORD = config('EMAIL_HOST_PASSWORD')", set(), {"EMAIL_HOST_PASSWORD"}),
    "one that a function of the settings' own insists on": (
        "def must(name):\n    try:\n        return os.environ[name]\n    except KeyError:\n        raise SystemExit(name)\nSTRIPE = must('STRIPE_SECRET_KEY')",
        set(),
        {"STRIPE_SECRET_KEY"},
    ),
    "one that such a function does without": (
        "def may(name):\n    try:\n        return os.environ[name]\n    except KeyError:\n        return ''\nSTRIPE = may('STRIPE_SECRET_KEY')",
        set(),
        set(),
    ),
    "one that has a default": ("STRIPE = os.environ.get('STRIPE_SECRET_KEY')", set(), set()),
    "one that may fail": ("try:\n    STRIPE = os.environ['STRIPE_SECRET_KEY']\nexcept KeyError:\n    STRIPE = ''", set(), set()),
}


@pytest.mark.parametrize("settings, generated, asked", SECRETS.values(), ids=SECRETS)
def test_a_secret_is_made_up_where_any_will_do_and_asked_for_otherwise(tmp_path: Path, settings: str, generated: set[str], asked: set[str]) -> None:
    said, _, made = inventory(tmp_path, {"shop/settings.py": BASE + settings + "\n"})
    assert {name for name, value in said["berth_app_secrets"].items() if "generated_secret" in value} == generated
    assert {name for name, value in said["berth_app_secrets"].items() if "undef(" in value} == asked == set(made.asked)


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        ("if not os.getenv('SITE'):\n    raise ValueError('no SITE')", ["SITE"]),
        ("SITE = os.environ.get('SITE')\nif SITE is None or not os.getenv('PLACE'):\n    raise ValueError", ["PLACE", "SITE"]),
        ("if not DEBUG:\n    if not os.getenv('SITE'):\n        raise ValueError", ["SITE"]),
        ("SITE = os.getenv('SITE')\nif not DEBUG and not SITE:\n    raise ValueError", ["SITE"]),
        ("SITE = os.getenv('SITE')\nif LARGE and not SITE:\n    raise ValueError", []),
        ("if LARGE:\n    if not os.getenv('SITE'):\n        raise ValueError", []),
        ("if not os.getenv('SITE'):\n    SITE = 'x'", []),
        ("if os.getenv('SITE'):\n    raise ValueError", []),
    ],
)
def test_a_variable_without_which_the_settings_raise_is_asked_for_and_given_to_the_build(tmp_path: Path, settings: str, asked: list[str]) -> None:
    _, _, made = inventory(tmp_path, {"shop/settings.py": BASE + STATICS + settings + "\n", "Dockerfile": "FROM x\nWORKDIR /code\n"})
    assert sorted(made.asked) == asked
    (line,) = [line for line in made.needs if "collectstatic" in line]
    assert line.startswith(" ".join(["RUN", *(f"{name}=build" for name in asked), "python"]))


def test_a_setting_that_nobody_can_know_is_asked_for(tmp_path: Path) -> None:
    said, _, made = inventory(tmp_path, {"shop/settings.py": BASE + "MAILER = os.environ['MAIL_HOST']\n"})
    assert made.asked == ["MAIL_HOST"]
    assert "write the value of MAIL_HOST here" in said["berth_app_settings"]["MAIL_HOST"]


@pytest.mark.parametrize(
    ("command", "value"),
    [
        ("exec sh -c 'echo 0 $PPID'", "0"),
        ("A=1 sh -c 'echo $A $PPID'", "1"),
        ("A=1 B=2 sh -c 'echo $B $PPID'", "2"),
        ("A=$X sh -c 'echo $A $PPID'", "7"),
        ("sh -c 'echo 3 $PPID'", "3"),
        ("true && sh -c 'echo 4 $PPID'", "4"),
        ("true; A=5 sh -c 'echo $A $PPID'", "5"),
        ("A=1 true && A=6 sh -c 'echo $A $PPID'", "6"),
        ("sh -c 'true && exec sh -c \"echo 8 \\$PPID\"'", "8"),
        ("/bin/bash -ec 'true\ntrue;\nsh -c \"echo 9 \\$PPID\"\n'", "9"),
        ("sh -c 'echo \"10\" $PPID'", "10"),
        ("for i in 11; do echo $i $PPID; done", "11"),
        ("sh -c 'if true; then echo 12 $PPID; fi'", "12"),
    ],
)
def test_a_processs_command_runs_as_in_a_shell_and_gets_the_signals(command: str, value: str) -> None:
    ended = subprocess.run(words(command), env=os.environ | {"X": "7"}, capture_output=True, text=True, check=False)
    assert (ended.stdout.split(), ended.stderr) == ([value, str(os.getpid())], "")


@pytest.mark.parametrize("command", ["bash -c 'source x && exec celery worker'", "bash -c 'source x && celery worker'", "exec celery worker $OPTIONS"])
def test_a_program_replaces_its_shell_once(command: str) -> None:
    assert words(command)[-1].count("exec celery worker") == 1 and "exec exec" not in words(command)[-1]


@pytest.mark.parametrize("command", ['[bash, -c, "check\\ncelery -A x\\n"]', "bash -c 'check && celery -A x'", "|\n      bash -c 'check && celery -A x'"])
def test_a_shell_of_a_compose_file_is_given_its_lines_as_they_are(tmp_path: Path, command: str) -> None:
    said, _, _ = inventory(tmp_path, {"compose.yml": f"services:\n  worker:\n    build: .\n    command: {command}\n"})
    shell = said["berth_app_processes"]["worker"]["command"]
    assert shell[:2] == ["bash", "-c"] and shell[2].endswith("exec celery -A x") and shell[2].startswith("check")


@pytest.mark.parametrize("command", ["echo 'a; b' && echo \"c; d\"", "true; echo \"a;b\"; echo 'c;d'"])
def test_what_stands_in_quotes_is_left_as_it_is(command: str) -> None:
    ended = subprocess.run(words(command), capture_output=True, text=True, check=False)
    assert ended.stdout == subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False).stdout != ""


@pytest.mark.parametrize("command", ["a | b", "a & b", "a || b"])
def test_a_command_that_is_more_than_a_sequence_is_left_to_the_shell(command: str) -> None:
    assert words(command) == ["sh", "-c", command]


CELERY = {"command": ["celery", "-A", "shop", "worker"]}
BEAT, SCHEDULE = ["celery", "-A", "shop", "beat"], ["--schedule", "/tmp/celerybeat-schedule"]
PROCESSES = {
    "a Procfile": (
        {"Procfile": "web: gunicorn shop.wsgi\nworker: celery -A shop worker\nbeat: celery -A shop beat\nrelease: python manage.py migrate\n"},
        {"worker": CELERY, "beat": {"command": [*BEAT, *SCHEDULE], "singleton": True}},
    ),
    "a scheduler that needs a shell": (
        {"Procfile": "beat: celery -A shop beat -l $LEVEL\n"},
        {"beat": {"command": ["sh", "-c", "exec celery -A shop beat -l $LEVEL --schedule /tmp/celerybeat-schedule"], "singleton": True}},
    ),
    "a scheduler whose output goes elsewhere": (
        {"Procfile": "beat: celery -A shop beat > beat.log\n"},
        {"beat": {"command": ["sh", "-c", "exec celery -A shop beat > beat.log"], "singleton": True}},
    ),
    "a scheduler that keeps its schedule elsewhere": (
        {"Procfile": "beat: celery -A shop beat -s /srv/x\nother: celery -A shop beat --scheduler django\n"},
        {"beat": {"command": [*BEAT, "-s", "/srv/x"], "singleton": True}, "other": {"command": [*BEAT, "--scheduler", "django"], "singleton": True}},
    ),
    "a worker that schedules, too": (
        {"Procfile": "worker: celery -A shop worker -B\n"},
        {"worker": {"command": [*CELERY["command"], "-B", *SCHEDULE], "singleton": True}},
    ),
    "a command that needs a shell": (
        {"Procfile": "Long_Worker: celery -A shop worker -c $WORKERS\n"},
        {"long-worker": {"command": ["sh", "-c", "exec celery -A shop worker -c $WORKERS"]}},
    ),
    "a compose file": (
        {
            "docker-compose.yml": "services:\n  web: {build: ., command: python manage.py runserver}\n  jobs: {build: ., command: [celery, -A, shop, worker]}\n"
            "  migrate: {build: ., command: python manage.py migrate}\n  db: {image: 'postgres:17'}\n"
        },
        {"jobs": CELERY},
    ),
    "one image for several services": (
        {
            "compose.yaml": "services:\n  web: &app {build: ., image: shop}\n"
            "  jobs: {image: shop, command: celery -A shop worker}\n  mail: {image: mail, command: mail worker}\n"
        },
        {"jobs": CELERY},
    ),
    "a compose file that is for production": (
        {
            "docker-compose.yml": "services: {jobs: {build: ., command: sleep}}",
            "docker-compose.prod.yml": "services: {jobs: {build: ., command: celery -A shop worker}}",
        },
        {"jobs": CELERY},
    ),
    "a Procfile with web alone, and a compose file": (
        {
            "Procfile": "web: gunicorn shop.wsgi\nrelease: python manage.py migrate\n",
            "production.yml": "services:\n  django: {build: ., command: gunicorn shop.wsgi}\n  jobs: {build: ., command: celery -A shop worker}\n",
        },
        {"jobs": CELERY},
    ),
    "a Procfile with web alone, and packages": (
        {"Procfile": "web: gunicorn shop.wsgi\n", "shop/celery.py": "app = Celery('shop')\n", "requirements.txt": "celery\n"},
        None,
    ),
    "a worker of channels without their names": (
        {"compose.yml": "services:\n  web: {build: .}\n  worker: {build: ., command: python manage.py runworker}\n"},
        None,
    ),
    "a worker of channels": (
        {"compose.yml": "services:\n  web: {build: .}\n  worker: {build: ., command: python manage.py runworker mails}\n"},
        {"worker": {"command": ["python", "manage.py", "runworker", "mails"]}},
    ),
    "cookiecutter's scripts": (
        {
            "docker-compose.production.yml": "services:\n  django: &django {build: ., command: /start}\n  jobs: {<<: *django, command: /start-celeryworker}\n"
            "  flower: {<<: *django, command: /start-flower}\n"
        },
        {"jobs": {"command": ["/start-celeryworker"]}},
    ),
    "Celery by its packages": (
        {"shop/celery.py": "from celery import Celery\napp = Celery('shop')\n", "requirements.txt": "django\ncelery\npsycopg\n"},
        {"worker": {"command": ["celery", "-A", "shop", "worker", "--loglevel", "info", "--concurrency", "2"]}},
    ),
    "Celery with a schedule that the tasks add": (
        {
            "shop/celery.py": "from celery import Celery\napp = Celery('shop')\n",
            "shop/tasks.py": "@app.on_after_finalize.connect\ndef setup(sender, **_):\n    sender.add_periodic_task(60, mail.s())\n",
            "requirements.txt": "django\ncelery\npsycopg\n",
        },
        {
            "worker": {"command": ["celery", "-A", "shop", "worker", "--loglevel", "info", "--concurrency", "2"]},
            "beat": {"command": [*BEAT, "--loglevel", "info", *SCHEDULE], "singleton": True},
        },
    ),
    "Celery with a schedule in settings that are a package": (
        {
            "shop/celery.py": "from celery import Celery\napp = Celery('shop')\n",
            "requirements.txt": "django\ncelery\npsycopg\n",
            "manage.py": MANAGE.replace("shop.settings", "shop.config"),
            "shop/config/__init__.py": "CELERY_BEAT_SCHEDULE = {}\n",
        },
        {
            "worker": {"command": ["celery", "-A", "shop", "worker", "--loglevel", "info", "--concurrency", "2"]},
            "beat": {"command": [*BEAT, "--loglevel", "info", *SCHEDULE], "singleton": True},
        },
    ),
    "nothing beside web": ({}, None),
}


@pytest.mark.parametrize("files, told", PROCESSES.values(), ids=PROCESSES)
def test_what_runs_beside_web_is_found(tmp_path: Path, files: dict[str, str], told: dict[str, Any] | None) -> None:
    said, _, _ = inventory(tmp_path, files)
    assert said.get("berth_app_processes") == told


@pytest.mark.parametrize(
    ("queues", "command"),
    [("HIGH: X, 'default': X, 'low': X", ["rqworker", "high", "default", "low"]), ("'default': {}", ["rqworker"]), ("", ["rqworker"])],
)
def test_a_worker_works_on_all_queues_of_the_settings(tmp_path: Path, queues: str, command: list[str]) -> None:
    settings = f"from shop.names import HIGH\nRQ_QUEUES = {{{queues}}}\n"
    files = {"shop/settings.py": settings, "shop/names.py": "HIGH = 'high'\n", "requirements.txt": "django\npsycopg\ndjango-rq\n"}
    said, _, made = inventory(tmp_path, files)
    assert said["berth_app_processes"] == {"worker": {"command": ["python", "manage.py", *command]}}
    assert said["berth_cache"] == "cluster" and any("REDIS_URL" in need for need in made.needs)


def test_celerys_app_is_found_in_a_file_of_another_name(tmp_path: Path) -> None:
    files = {"shop/celery_app.py": "from celery import Celery\napp = Celery('shop')\n", "requirements.txt": "django\npsycopg\ncelery\n"}
    said, _, _ = inventory(tmp_path, files)
    assert said["berth_app_processes"]["worker"]["command"][:3] == ["celery", "-A", "shop.celery_app"]


def test_a_tool_of_a_compose_file_is_said_to_be_left_out(tmp_path: Path) -> None:
    services = "services:\n  web: &web {build: ., command: gunicorn shop.wsgi}\n  flower: {<<: *web, command: celery -A shop flower --basic_auth=me:pa55}\n"
    said, text, _ = inventory(tmp_path, {"Dockerfile": "FROM x\n", "docker-compose.yml": services})
    text = " ".join(text.replace("#", "").split())
    assert "berth_app_processes" not in said and "The service flower in docker-compose.yml is left out" in text and "pa55" not in text


@pytest.mark.parametrize(
    ("script", "settings", "told", "said"),
    [
        ("#!/bin/bash\nset -e\n\nexec celery -A shop beat\n", "", {"command": [*BEAT, *SCHEDULE], "singleton": True}, False),
        ("celery -A shop beat -s /data/beat\n", "", {"command": ["bin/tick"], "singleton": True}, False),
        ("exec celery -A shop beat\n", "CELERY_BEAT_SCHEDULER = 'x'\n", {"command": ["bin/tick"], "singleton": True}, False),
        ("cd shop\ncelery -A shop beat\n", "", {"command": ["bin/tick"], "singleton": True}, True),
        ("exec celery -A shop worker\n", "", {"command": ["bin/tick"]}, False),
    ],
)
def test_a_scheduler_in_a_script_is_alone_and_can_write_its_schedule(tmp_path: Path, script: str, settings: str, told: dict[str, Any], said: bool) -> None:
    compose = "services:\n  web: {build: ., command: gunicorn shop.wsgi}\n  tick: {build: ., command: bin/tick}\n"
    files = {"Dockerfile": "FROM x\nWORKDIR /code\nCOPY . .\n", "compose.yml": compose, "bin/tick": script, "shop/settings.py": BASE + settings}
    found, text, _ = inventory(tmp_path, files)
    assert (found["berth_app_processes"], "beat in the script that tick runs" in " ".join(text.replace("#", "").split())) == ({"tick": told}, said)


S6 = {
    "Dockerfile": 'FROM x\nWORKDIR /code\nCOPY . .\nCOPY root /\nENTRYPOINT ["/init"]\n',
    "root/etc/s6-overlay/s6-rc.d/svc-web/run": "#!/bin/sh\nif root; then\n  exec s6-setuidgid app granian shop.wsgi\nfi\n",
    "root/etc/s6-overlay/s6-rc.d/svc-web/type": "longrun\n",
    "root/etc/s6-overlay/s6-rc.d/svc-jobs/run": "exec s6-setuidgid app celery -A shop \\\n worker\nexec celery -A shop worker\n",
    "root/etc/s6-overlay/s6-rc.d/init-migrate/run": "exec python manage.py seed\n",
    "root/etc/s6-overlay/s6-rc.d/init-migrate/type": "oneshot\n",
    "root/etc/s6-overlay/s6-rc.d/svc-proxy/run": "exec nginx -g 'daemon off;'\n",
}
SUPERVISORD = {
    "Dockerfile": 'FROM x\nWORKDIR /code\nCOPY . .\nCOPY deploy/programs.conf /etc/supervisord.conf\nCMD ["/usr/bin/supervisord", "-n"]\n',
    "deploy/programs.conf": "[supervisord]\nnodaemon=true\n[program:web]\ncommand=gunicorn -b :8000 shop.wsgi ; serves\n"
    "[program:jobs]\ncommand=celery -A shop\n  worker\nautorestart=true\n[program:nginx]\ncommand=/usr/sbin/nginx\n",
}


@pytest.mark.parametrize(
    ("files", "command"),
    [
        (S6, ["granian", "--host", "0.0.0.0", "shop.wsgi"]),
        (SUPERVISORD, ["gunicorn", "-b", ":8000", "shop.wsgi"]),
        (SUPERVISORD | {"Dockerfile": SUPERVISORD["Dockerfile"].replace('"-n"', '"-c", "deploy/programs.conf"')}, ["gunicorn", "-b", ":8000", "shop.wsgi"]),
        (SUPERVISORD | {"deploy/programs.conf": SUPERVISORD["deploy/programs.conf"].replace(":8000", "unix:/x")}, None),
    ],
)
def test_the_programs_of_a_supervisor_run_in_pods_of_their_own(tmp_path: Path, files: dict[str, str], command: list[str] | None) -> None:
    said, text, _ = inventory(tmp_path, files)
    assert (said.get("berth_app_command"), said["berth_app_processes"]) == (command, {"jobs": CELERY})
    assert ("Put the server in berth_app_command" in text) is (command is None)


def test_a_supervisor_whose_programs_cannot_be_told_leaves_them_to_the_reader(tmp_path: Path) -> None:
    said, text, _ = inventory(tmp_path, {"Dockerfile": 'FROM x\nCMD ["supervisord", "-c", "/etc/x.conf"]\n'})
    assert "berth_app_command" not in said and "Put the server in berth_app_command" in text


@pytest.mark.parametrize(("web", "said"), [("build: .", "compose.yml also runs search, files, which Berth does not"), ("image: shop", "")])
def test_what_a_compose_file_runs_besides_that_berth_does_not_is_told(tmp_path: Path, web: str, said: str) -> None:
    images = {"db": "docker.io/library/postgres:17", "gis": "postgis/postgis:16-3.4", "cache": "redis", "mail": "axllent/mailpit", "proxy": "nginx:1-alpine"}
    images |= {"search": "docker.elastic.co/elasticsearch/elasticsearch:9.2.5", "files": "minio/minio"}
    services = "".join(f"  {name}: {{image: '{image}'}}\n" for name, image in images.items())
    _, text, _ = inventory(tmp_path, {"Dockerfile": "FROM x\n", "compose.yml": f"services:\n  web: {{{web}, command: gunicorn x}}\n{services}"})
    assert said in text and ("which Berth does not" in text) is bool(said)


# As cookiecutter-django lays a project out: the image has an entrypoint and no command, and a script serves.
COOKIECUTTER = {
    "docker-compose.production.yml": "services:\n"
    "  django: &django {build: {context: ., dockerfile: ./build/production/Dockerfile}, command: /start}\n"
    "  celerybeat: {<<: *django, command: /start-celerybeat}\n",
    "build/production/Dockerfile": "FROM x AS built\nARG APP_HOME=/app\nWORKDIR ${APP_HOME}\nCOPY . ${APP_HOME}\n"
    "FROM y\nARG APP_HOME=/app\nWORKDIR ${APP_HOME}\nCOPY --chown=d:d ./build/production/start /start\nCOPY ./build/entrypoint /entrypoint\n"
    'COPY --from=built ${APP_HOME} ${APP_HOME}\nUSER 1000\nENTRYPOINT ["/entrypoint"]\n',
    "build/production/start": "python manage.py collectstatic --noinput\nexec gunicorn config.wsgi --bind 0.0.0.0:5000 --chdir=/app\n",
    "build/entrypoint": 'exec "$@"\n',
    "shop/settings.py": BASE + "MEDIA_ROOT = str(BASE_DIR / 'media')\nMEDIA_URL = '/media/'\nSTATIC_ROOT = str(BASE_DIR / 'staticfiles')\n"
    "MIDDLEWARE = ['whitenoise.middleware.WhiteNoiseMiddleware']\nSTATIC_URL = '/static/'\n",
    "requirements.txt": "django\npsycopg\nwhitenoise\n",
}


def test_what_a_compose_file_runs_in_an_image_without_a_command_is_taken_with_its_entrypoint_port_and_directories(tmp_path: Path) -> None:
    said, _, made = inventory(tmp_path, COOKIECUTTER, {**KNOWN, **LATER})
    assert said["berth_app_dockerfile"] == "build/production/Dockerfile"
    assert said["berth_app_command"] == ["/entrypoint", "/start"]
    assert said["berth_app_port"] == 5000
    assert said["berth_app_processes"] == {"celerybeat": {"command": ["/entrypoint", "/start-celerybeat"], "singleton": True}}
    assert said["berth_app_volumes"] == {"media": {"path": "/app/media", "size": "1Gi", "url": "/media/"}}
    assert said["berth_app_writable"] == {"/app/staticfiles": "256Mi"}
    assert not any("static" in need or "whitenoise" in need for need in made.needs)


def test_the_line_that_collects_static_files_has_what_the_settings_do_not_load_without(tmp_path: Path) -> None:
    settings = BASE + STATICS + "SECRET_KEY = os.environ['KEY']\nDOMAIN = os.environ['DOMAIN']\n"
    _, _, made = inventory(tmp_path, {"shop/settings.py": settings, "Dockerfile": "FROM x\nWORKDIR /code\n"})
    (line,) = [line for line in made.needs if line.startswith("RUN DOMAIN=build KEY=build python manage.py collectstatic")]
    assert "in Dockerfile after the COPY of the source" in line
    developing = {"manage.py": MANAGE.replace("shop.settings", "shop.local"), "shop/local.py": "", "shop/production.py": settings}
    _, _, made = inventory(tmp_path, developing)
    assert any(line.startswith("RUN DJANGO_SETTINGS_MODULE=shop.production DOMAIN=build KEY=build python") for line in made.needs)


def test_static_files_that_an_entrypoint_collects_need_a_place_as_those_of_a_start_script_do(tmp_path: Path) -> None:
    files = {name: text for name, text in COOKIECUTTER.items() if name != "build/entrypoint"}
    files["build/production/start"] = "exec gunicorn config.wsgi\n"
    files["build/entrypoint"] = 'python manage.py collectstatic --noinput\nexec "$@"\n'
    said, text, _ = inventory(tmp_path, files, {**KNOWN, **LATER})
    assert said["berth_app_writable"] == {"/app/staticfiles": "256Mi"}
    assert "hides those of the image" in text


def test_static_files_of_the_image_are_no_place_to_collect_others_when_a_pod_starts(tmp_path: Path) -> None:
    settings = COOKIECUTTER["shop/settings.py"].replace("'whitenoise.middleware.WhiteNoiseMiddleware'", "")
    said, text, _ = inventory(tmp_path, COOKIECUTTER | {"shop/settings.py": settings, "requirements.txt": "django\npsycopg\n"}, {**KNOWN, **LATER})
    assert (said["berth_app_static"]["path"], said.get("berth_app_writable")) == ("/app/staticfiles", None)
    assert "If a script runs collectstatic when a pod starts, remove that" in " ".join(text.replace("#", "").split())


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("python manage.py migrate\npython manage.py seed-all --x\npython manage.py migrate\npython manage.py runserver", True),
        ("manage.py check", False),
    ],
)
def test_what_a_script_prepares_whenever_a_pod_starts_is_told_with_what_runs_it_once(tmp_path: Path, script: str, said: bool) -> None:
    dockerfile = 'FROM x\nCOPY start.sh /\nENTRYPOINT ["/start.sh"]\nCMD ["gunicorn", "shop.wsgi"]\n'
    _, text, _ = inventory(tmp_path, {"Dockerfile": dockerfile, "start.sh": f'{script}\nexec "$@"\n'})
    assert ("Whenever a pod starts, a script runs manage.py commands (migrate, seed-all)" in text and "berth_app_release_commands" in text) is said


def test_a_script_that_may_serve_with_a_server_to_develop_with_is_told_not_to(tmp_path: Path) -> None:
    start = (
        'if [[ "$SEED" == "yes" ]]\nthen\n  python manage.py seed\nfi\n'
        'if [[ "$LIVE" == "True" ]];\nthen\n  gunicorn shop.wsgi\nelse\n  python manage.py runserver\nfi\n'
    )
    files = {"Dockerfile": "FROM x\nCOPY start.sh /\nENTRYPOINT /start.sh\n", "start.sh": start}
    assert inventory(tmp_path, files)[0]["berth_app_settings"] == {"LIVE": "True", "PORT": "8000"}
    files["start.sh"] = start.replace("gunicorn shop.wsgi", "python manage.py runserver -v 3").replace("LIVE", "LOUD")
    assert "LOUD" not in inventory(tmp_path, files)[0]["berth_app_settings"]


@pytest.mark.parametrize(("exposed", "port"), [(9000, 9000), (80, 8000)])
def test_the_server_in_place_of_a_script_that_migrates_is_written_out(tmp_path: Path, exposed: int, port: int) -> None:
    files = {"Dockerfile": f"FROM x\nEXPOSE {exposed}\nCOPY start.sh /\nENTRYPOINT /start.sh\n", "start.sh": "python manage.py migrate\ngunicorn shop.wsgi\n"}
    files |= {"requirements.txt": "django\npsycopg\ngunicorn\n", "shop/wsgi.py": "application = 1\n"}
    assert f"# berth_app_command: [gunicorn, --bind, '0.0.0.0:{port}', 'shop.wsgi:application']" in inventory(tmp_path, files)[1]


@pytest.mark.parametrize(("port", "told"), [(80, True), (8080, False)])
def test_a_port_that_only_root_may_listen_at_is_told(tmp_path: Path, port: int, told: bool) -> None:
    assert ("Many clusters let only root listen on it" in inventory(tmp_path, {"Dockerfile": f"FROM x\nEXPOSE {port}\n"})[1]) is told


@pytest.mark.parametrize(("exposed", "port", "environment"), [("", 8080, None), ("EXPOSE 9000", 9000, "9000")])
def test_what_a_script_runs_by_another_one_is_told_like_its_own(tmp_path: Path, exposed: str, port: int, environment: str | None) -> None:
    files = {
        "Dockerfile": f'FROM x\n{exposed}\nWORKDIR /code\nCOPY . .\nCMD ["bash", "bin/start.sh"]\n',
        "bin/start.sh": "#!/bin/sh\n# not bin/other.sh\n./bin/prepare.sh && exec ./bin/serve\n",
        "bin/prepare.sh": "python manage.py migrate\n./bin/start.sh --again\n",
        "bin/other.sh": "python manage.py flush\n",
        "bin/serve": "exec gunicorn --bind 0.0.0.0:${PORT:-8080} shop.wsgi\n",
    }
    said, text, _ = inventory(tmp_path, files)
    assert (said["berth_app_port"], said["berth_app_settings"].get("PORT")) == (port, environment)
    assert "Whenever a pod starts, a script runs manage.py commands (migrate)" in text


@pytest.mark.parametrize(
    ("dockerfile", "compose", "command", "port"),
    [
        ("CMD gunicorn -b :9000 shop.wsgi", "gunicorn -b :7000 shop.wsgi", None, 9000),  # the image's own is what it is released with
        ('CMD ["bin/serve", "--fast"]', "", None, 6000),
        ("EXPOSE 8080/tcp\nCMD gunicorn shop.wsgi", "", None, 8080),
        ("ENV PORT=8200\nEXPOSE $PORT\nCMD gunicorn shop.wsgi", "", None, 8200),
        ("", "gunicorn --bind=0.0.0.0:7000 shop.wsgi", ["gunicorn", "--bind=0.0.0.0:7000", "shop.wsgi"], 7000),
        ("", "sh /code/bin/serve", ["sh", "/code/bin/serve"], 6000),
        ('ENTRYPOINT ["/sbin/tini", "--", "/code/bin/serve"]', "", None, 6000),
        ("CMD python -m wait && exec ./bin/serve", "", None, 6000),
        ("", "python manage.py runserver 0.0.0.0:7000", None, None),  # nothing to be released with
        ("", "", None, None),
    ],
)
def test_the_command_and_its_port_are_those_of_the_image_or_of_the_compose_file(
    tmp_path: Path, dockerfile: str, compose: str, command: list[str] | None, port: int | None
) -> None:
    files = {"Dockerfile": f"FROM x\nWORKDIR /code\nCOPY . .\n{dockerfile}\n", "bin/serve": "#!/bin/sh\nexec uvicorn --port 6000 shop.asgi\n"}
    if compose:
        files["compose.yml"] = f"services:\n  web: {{build: ., command: '{compose}'}}\n"
    said, _, _ = inventory(tmp_path, files)
    assert (said.get("berth_app_command"), said.get("berth_app_port")) == (command, port)


@pytest.mark.parametrize(
    ("dockerfile", "procfile", "requirements", "command", "environment"),
    [
        ("", "web: gunicorn shop.wsgi --log-file -", "", ["gunicorn", "shop.wsgi", "--log-file", "-"], "8000"),
        ("", "web: daphne -b 0.0.0.0 -p $PORT shop.asgi:application", "", ["sh", "-c", "exec daphne -b 0.0.0.0 -p $PORT shop.asgi:application"], "8000"),
        ("EXPOSE 9000", "web: A=1 gunicorn -k $KIND shop.wsgi", "", ["sh", "-c", "exec env A=1 gunicorn -k $KIND shop.wsgi"], "9000"),
        ("", "web: gunicorn --bind 0.0.0.0:8000 shop.wsgi", "", ["gunicorn", "--bind", "0.0.0.0:8000", "shop.wsgi"], None),
        ("", "web: python manage.py runserver", "gunicorn", ["gunicorn", "--bind", "0.0.0.0:8000", "shop.wsgi:application"], None),
        ("", "web: make run", "gunicorn", ["gunicorn", "--bind", "0.0.0.0:8000", "shop.wsgi:application"], None),
        ("", "web: make serve", "gunicorn", ["make", "serve"], None),
        ("", "", "uvicorn", ["uvicorn", "--host", "0.0.0.0", "--port", "8000", "shop.asgi:application"], None),
        ('ENTRYPOINT ["/serve"]', "web: gunicorn shop.wsgi", "gunicorn", None, None),
        ("CMD gunicorn shop.wsgi", "web: gunicorn -b :80 shop.wsgi", "", None, "8000"),
        ('CMD gunicorn -b "0.0.0.0:${PORT:-8000}" shop.wsgi', "", "", None, None),
        ("COPY . /\nCMD /own_port.sh", "", "", None, None),
    ],
)
def test_an_image_without_a_command_serves_as_the_procfile_or_the_packages_say_where_others_reach_it(
    tmp_path: Path, dockerfile: str, procfile: str, requirements: str, command: list[str] | None, environment: str | None
) -> None:
    application = "application = 1\n"
    files = {"Dockerfile": f"FROM x\n{dockerfile}\n", "shop/wsgi.py": application, "shop/asgi.py": application}
    files["own_port.sh"] = 'PORT="${MY_PORT:-8000}"\ngunicorn --bind 0.0.0.0:$PORT shop.wsgi\n'
    files |= {"Procfile": f"{procfile}\n", "requirements.txt": f"django\npsycopg\n{requirements}\n"}
    files["Makefile"] = "run: build\n\tpython manage.py runserver\n\nserve:\n\tdaphne -p 8000 shop.asgi\n"
    said, _, _ = inventory(tmp_path, files)
    assert (said.get("berth_app_command"), said["berth_app_settings"].get("PORT")) == (command, environment)


@pytest.mark.parametrize(
    ("web", "bind", "command"),
    [
        ("bin/start-nginx gunicorn -c conf.py shop.wsgi", "unix:/tmp/nginx.socket", ["gunicorn", "-c", "conf.py", "shop.wsgi", "--bind", "0.0.0.0:8000"]),
        ("bin/start-pgbouncer bin/start-nginx -f gunicorn --config=conf.py x", "[::1]:1", ["gunicorn", "--config=conf.py", "x", "--bind", "0.0.0.0:8000"]),
        ("gunicorn -c conf.py shop.wsgi", "0.0.0.0:8000", ["gunicorn", "-c", "conf.py", "shop.wsgi"]),
        ("gunicorn -c conf.py -b :8000 shop.wsgi", "127.0.0.1:80", ["gunicorn", "-c", "conf.py", "-b", ":8000", "shop.wsgi"]),
        ("bin/start-web", "unix:/x", ["bin/start-web"]),
    ],
)
def test_what_a_procfile_serves_behind_a_buildpacks_proxy_is_reached_without_it(tmp_path: Path, web: str, bind: str, command: list[str]) -> None:
    said, _, _ = inventory(tmp_path, {"Dockerfile": "FROM x\n", "Procfile": f"web: {web}\n", "conf.py": f"bind = '{bind}'\n"})
    assert (said["berth_app_command"], said.get("berth_app_port"), "PORT" in said["berth_app_settings"]) == (command, None, False)


@pytest.mark.parametrize(
    ("image", "program", "path"),
    [
        ("RUN uv sync --frozen\n", None, "/code/.venv/bin:/usr/local/sbin:"),
        ('RUN uv sync\nCMD ["uv", "run", "--no-sync", "gunicorn", "shop.wsgi"]\n', ["gunicorn", "shop.wsgi"], "/code/.venv/bin:"),
        ("ENV UV_PROJECT_ENVIRONMENT=/opt/own\nRUN uv sync\nCMD uv run --extra live gunicorn -b :80\n", ["gunicorn", "-b", ":80"], "/opt/own/bin:"),
        ("ENV UV_PROJECT_ENVIRONMENT=/usr/local\nRUN uv sync\nCMD gunicorn\n", None, None),
        ("ENV A=b PATH=/code/.venv/bin:$PATH\nRUN uv sync\nCMD uv run gunicorn\n", ["gunicorn"], None),
        ("RUN uv pip sync --system requirements.txt\nCMD uv run gunicorn\n", None, None),
    ],
)
def test_what_uv_installs_is_on_the_path_of_the_pods(tmp_path: Path, image: str, program: list[str] | None, path: str | None) -> None:
    said, _, _ = inventory(tmp_path, {"Dockerfile": f"FROM python:3.13\nWORKDIR /code\n{image}"})
    found = said["berth_app_settings"].get("PATH")
    assert (said.get("berth_app_command"), found is not None) == (program, path is not None)
    assert (found or "").startswith(path or "")


@pytest.mark.parametrize(("path", "lacks"), [('"/root/.local/bin:$PATH"', True), ("$VIRTUAL_ENV/bin:$PATH", False), ('"/code/.venv/bin:$PATH"', False)])
def test_a_path_of_an_image_that_lacks_what_uv_installs_is_told(tmp_path: Path, path: str, lacks: bool) -> None:
    _, _, made = inventory(tmp_path, {"Dockerfile": f"FROM python:3.13\nENV PATH={path}\nWORKDIR /code\nRUN uv sync\n"})
    assert any(line.startswith('ENV PATH="/code/.venv/bin:$PATH"') for line in made.needs) is lacks


def test_processes_of_a_compose_file_run_without_uv_too(tmp_path: Path) -> None:
    compose = "services:\n  web: {build: .}\n  worker: {build: ., command: uv run celery -A shop worker}\n"
    said, _, _ = inventory(tmp_path, {"Dockerfile": "FROM python:3.13\nWORKDIR /code\nRUN uv sync\n", "compose.yml": compose})
    assert said["berth_app_processes"] == {"worker": CELERY}


def test_a_port_that_a_file_of_gunicorns_settings_has_is_left_to_it(tmp_path: Path) -> None:
    said, _, _ = inventory(tmp_path, {"Dockerfile": "FROM x\nCMD gunicorn shop.wsgi\n", "gunicorn.conf.py": "bind = ':8000'\n"})
    assert "PORT" not in said["berth_app_settings"]


PIP = "FROM python:3.13\nRUN pip install django\n"
COLLECTED = f"{PIP}RUN python manage.py collectstatic --noinput\n"
WSGI = f"{PIP}CMD gunicorn shop.wsgi\n"


@pytest.mark.parametrize(
    ("files", "named", "chosen"),
    [
        ({"ops/local.Dockerfile": PIP, "ops/production.Dockerfile": PIP}, "ops/local.Dockerfile", "ops/production.Dockerfile"),
        ({"images/dev/Dockerfile": PIP, "images/prod/web/Dockerfile": PIP, "images/prod/db/Dockerfile": "FROM postgres\n"}, "", "images/prod/web/Dockerfile"),
        ({"Dockerfile.dev": PIP, "Dockerfile-prod": PIP, "Dockerfile-prod.dockerignore": "python"}, "Dockerfile.dev", "Dockerfile-prod"),
        ({"ops/web/Dockerfile": PIP, "ops/production.Dockerfile": PIP}, "ops/web/Dockerfile", "ops/web/Dockerfile"),
        ({"Dockerfile.dev": PIP}, "Dockerfile.dev", "Dockerfile.dev"),
        ({"Dockerfile": PIP, "Dockerfile.prod": PIP}, "", None),
        (
            {"docker/alpine.Dockerfile": WSGI, "docker/main.Dockerfile": WSGI, "docker/a.Dockerfile": PIP, "docker/dev.Dockerfile": WSGI},
            "",
            "docker/main.Dockerfile",
        ),
        ({"ops/Dockerfile": WSGI, "Dockerfile.local": WSGI}, "Dockerfile.local", "ops/Dockerfile"),
        ({"ops/Dockerfile": PIP}, "", None),
        ({"Dockerfile": PIP, "Dockerfile.platform": COLLECTED}, "Dockerfile", "Dockerfile.platform"),
        ({"Dockerfile": COLLECTED, "Dockerfile.platform": COLLECTED}, "", None),
        ({"Dockerfile": f"{PIP}CMD gunicorn\n", "Dockerfile.platform": COLLECTED}, "", None),
        ({"Dockerfile": PIP, "Dockerfile.dev": COLLECTED, "Dockerfile.one": COLLECTED, "Dockerfile.two": COLLECTED}, "", None),
    ],
)
def test_a_dockerfile_for_production_is_taken_before_one_to_develop_with(tmp_path: Path, files: dict[str, str], named: str, chosen: str | None) -> None:
    compose = {"compose.yml": f"services:\n  web: {{build: {{context: ., dockerfile: {named}}}}}\n"} if named else {}
    assert inventory(tmp_path, {**files, **compose})[0].get("berth_app_dockerfile") == chosen


def test_other_dockerfiles_that_serve_are_named_beside_the_one_that_is_taken(tmp_path: Path) -> None:
    _, text, _ = inventory(tmp_path, {"docker/alpine.Dockerfile": WSGI, "docker/main.Dockerfile": WSGI, "docker/tools.Dockerfile": PIP})
    assert "no Dockerfile in its top directory; there is also docker/alpine.Dockerfile." in text


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        ("RUN python -m venv venv && venv/bin/pip install django", "/code/venv"),
        ("ARG VENV=/opt/env\nRUN python3 -m venv --copies $VENV", "/opt/env"),
        ("RUN uv venv /opt/venv", "/opt/venv"),
        ("COPY --from=made /code/.venv /code/.venv", "/code/.venv"),
        ('COPY --from=made /x/.venv ./.venv\nENV PATH="/code/.venv/bin:$PATH"', None),
        ("ENV VIRTUAL_ENV=/opt/env\nRUN python -m venv $VIRTUAL_ENV\nENV PATH $VIRTUAL_ENV/bin:$PATH", None),
        ("ENV A=/opt PATH=/opt/env/bin:$PATH\nRUN virtualenv -q $A/env", None),
        ("RUN pip install django", None),
    ],
)
def test_a_virtual_environment_that_is_not_on_the_path_of_the_image_is_put_there(tmp_path: Path, lines: str, place: str | None) -> None:
    said, _, _ = inventory(tmp_path, {"Dockerfile": f"FROM x AS made\nRUN python -m venv /other\nFROM x\nWORKDIR /code\n{lines}\n"})
    path = said["berth_app_settings"].get("PATH")
    assert path == (place and f"{place}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("RUN apk add nodejs npm && npm ci", True),
        ("", True),
        ("RUN cd front && yarn install && yarn build", False),
        ("RUN npm ci \\\n && npm run build:css", False),
        ("FROM node:22 AS assets\nFROM x", False),
    ],
)
def test_assets_that_no_dockerfile_builds_are_told(tmp_path: Path, lines: str, told: bool) -> None:
    files = {"Dockerfile": f"FROM x\n{lines}\n", "front/package.json": '{"scripts": {"build": "vite build"}}'}
    _, _, made = inventory(tmp_path, files)
    assert any(need.startswith("RUN cd front && npm install && npm run build, in Dockerfile") for need in made.needs) is told


def test_the_settings_that_a_dockerfile_names_last_are_those_of_the_image(tmp_path: Path) -> None:
    files = {"Dockerfile": "FROM x AS y\nENV DJANGO_SETTINGS_MODULE=shop.build\nFROM y\nENV DJANGO_SETTINGS_MODULE shop.live"}
    files["shop/live.py"] = "import os\nX = os.environ['ONLY_LIVE']\n"
    assert inventory(tmp_path, files)[2].asked == ["ONLY_LIVE"]


@pytest.mark.parametrize(
    "copies",
    [
        "COPY bin/serve /",
        "ARG A=./bin\nCOPY $A/serve /serve",
        "COPY bin/serve /serve",
        'COPY ["bin/serve", "/serve"]',
        "COPY --chmod=755 ./bin/serve manage.py /",
        "COPY bin/ /",
        "ADD bin /",
    ],
)
def test_a_script_is_found_wherever_the_image_has_it(tmp_path: Path, copies: str) -> None:
    files = {"Dockerfile": f'FROM x\n{copies}\nCMD ["/serve"]\n', "bin/serve": "exec gunicorn -b :6000\n"}
    assert inventory(tmp_path, files)[0]["berth_app_port"] == 6000


@pytest.mark.parametrize("copies", ['COPY ["a" "b"]', "COPY", "COPY a", "COPY --from=x /a /serve", "COPY $A /serve", "COPY * /", 'CMD ["a" "b"]', "CMD"])
def test_what_cannot_be_read_of_a_dockerfile_is_left_out(tmp_path: Path, copies: str) -> None:
    assert "berth_app_port" not in inventory(tmp_path, {"Dockerfile": f"FROM x\n{copies}\n"})[0]


@pytest.mark.parametrize(
    ("procfile", "script", "told"),
    [
        ("web: bash start.sh", "python manage.py migrate\npython manage.py load_rates\ngunicorn shop.wsgi\n", "load_rates"),
        ("web: python manage.py seed && gunicorn shop.wsgi", "", "seed"),
        ("web: bash start.sh", "python manage.py migrate\npython manage.py collectstatic\ngunicorn shop.wsgi\n", None),
        ("web: python manage.py runserver", "", None),
    ],
)
def test_what_a_procfile_prepares_before_it_serves_is_told_where_berths_dockerfile_serves(tmp_path: Path, procfile: str, script: str, told: str | None) -> None:
    _, text, _ = inventory(tmp_path, {"Procfile": f"{procfile}\n", "start.sh": script})
    assert (f"web in Procfile runs manage.py commands ({told})" in text) is bool(told)


def test_the_release_commands_are_those_of_the_procfile(tmp_path: Path) -> None:
    said, _, _ = inventory(tmp_path, {"Procfile": "release: python manage.py migrate --noinput && python manage.py seed\n"})
    assert said["berth_app_release_commands"] == ["migrate --noinput", "seed"]


@pytest.mark.parametrize(
    ("procfile", "condition", "commands"),
    [
        ("web: x\n", "", ["migrate --noinput", "createcachetable"]),
        ("release: manage.py migrate && manage.py seed\n", "", ["migrate", "seed", "createcachetable"]),
        ("release: manage.py createcachetable && manage.py migrate\n", "", ["createcachetable", "migrate"]),
        ("web: x\n", "if os.environ.get('CACHED'):\n  ", None),
    ],
)
def test_a_cache_in_the_database_gets_its_table(tmp_path: Path, procfile: str, condition: str, commands: list[str] | None) -> None:
    caches = f"{condition}CACHES = {{'default': {{'BACKEND': 'django.core.cache.backends.db.DatabaseCache', 'LOCATION': 'cached'}}}}\n"
    said, _, _ = inventory(tmp_path, {"Procfile": procfile, "shop/settings.py": BASE + caches})
    assert said.get("berth_app_release_commands") == commands


@pytest.mark.parametrize(("procfile", "default", "told"), [("worker", "True", "False"), ("worker", "False", None), ("other", "True", None)])
def test_tasks_are_left_to_the_worker_where_there_is_one(tmp_path: Path, procfile: str, default: str, told: str | None) -> None:
    settings = BASE + f"CELERY_TASK_ALWAYS_EAGER = os.getenv('EAGER', '{default}') == 'True'\n"
    files = {"shop/settings.py": settings, "Procfile": f"worker: {'celery -A shop worker' if procfile == 'worker' else 'python mail.py'}\n"}
    assert inventory(tmp_path, files)[0]["berth_app_settings"].get("EAGER") == told


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("INSTALLED_APPS = ['django.contrib.staticfiles']", []),
        ("INSTALLED_APPS = ['django.contrib.sessions']", None),
        ("MORE = ['django.contrib.sessions']\nINSTALLED_APPS = [*MORE, 'shop']", None),
        ("from elsewhere import *", None),
    ],
)
def test_sessions_are_removed_at_night_where_there_are_any(tmp_path: Path, settings: str, told: list[str] | None) -> None:
    assert inventory(tmp_path, {"shop/settings.py": BASE + settings + "\n"})[0].get("berth_app_schedules") == told


ADMIN = "from django.contrib import admin\nfrom django.urls import path, include, re_path\n"
PROBES = {
    "a health page": (ADMIN + "urlpatterns = [path('', v), path('healthz', v)]", ("/healthz", "/healthz")),
    "two": (ADMIN + "urlpatterns = [path('api/livez/', v), path('api/readyz/', v)]", ("/api/livez/", "/api/readyz/")),
    "one of another application": (ADMIN + "urlpatterns = [path('core/', include('shop.core_urls'))]", ("/core/ping/", "/core/ping/")),
    "django-health-check": (ADMIN + "urlpatterns = [path('state/', include('health_check.urls'))]", ("/state/", "/state/")),
    "one by a regular expression": (ADMIN + "urlpatterns = [re_path(r'^up/$', v)]", ("/up/", "/up/")),
    "one that only sounds like it": (
        ADMIN + "urlpatterns = [path('health-insurance/', v), path('manage/', admin.site.urls)]",
        ("/manage/login/", "/manage/login/"),
    ),
    "behind a prefix that is empty": (
        ADMIN + "p = ''\nif x:\n    p = 'shop/'\nurlpatterns = [path(f'{p}admin/', admin.site.urls), path(p + 'x/', v)]",
        ("/admin/login/", "/admin/login/"),
    ),
    "a health page behind a prefix": (
        ADMIN + "p = 'shop/'\nurlpatterns = [path(f'{p}healthz', v), path(f'{unknown}ping', v)]",
        ("/shop/healthz", "/shop/healthz"),
    ),
    "a page of a list that is included in place": (
        ADMIN + "urlpatterns = [path('api/', include([re_path('^ping/', include([re_path('^$', v), path('x/', v)]))])), path('admin/', admin.site.urls)]",
        ("/api/ping/", "/api/ping/"),
    ),
    "a page of a list that is included by name": (
        ADMIN + "api = [path('ping/', v)]\nurlpatterns = [path('api/', include((api, 'api'))), path('admin/', admin.site.urls)]",
        ("/api/ping/", "/api/ping/"),
    ),
    "an API's status, which may want a login": (
        ADMIN + "urlpatterns = [path('api/status/', v), path('admin/', admin.site.urls)]",
        ("/admin/login/", "/admin/login/"),
    ),
    "an API's status, where there is a page to log in": (
        ADMIN + "urlpatterns = [path('api/status/', v), path('login/', v.LoginView.as_view()), path('api/login/', v)]",
        ("/login/", "/login/"),
    ),
    "the login of Django's own pages": (
        ADMIN + "urlpatterns = [path('', v), path('accounts/', include('django.contrib.auth.urls'))]",
        ("/accounts/login/", "/accounts/login/"),
    ),
    "an API's status, where nothing else is known": (ADMIN + "urlpatterns = [path('api/status/', v)]", ("/api/status/", "/api/status/")),
    "a page of a list that is added": (ADMIN + "more = [path('status/', v)]\nurlpatterns = [path('', v)] + more", ("/status/", "/status/")),
    "a websocket that sounds like one": (
        ADMIN + "urlpatterns = [path('admin/', admin.site.urls)]\nwebsocket_urlpatterns = [path('ws/status/', v)]",
        ("/admin/login/", "/admin/login/"),
    ),
    "the admin's login": (ADMIN + "urlpatterns = [path('', v), path('admin/', admin.site.urls)]", ("/admin/login/", "/admin/login/")),
    "the login of visitors": (
        ADMIN + "urlpatterns = [path('', v), path(settings.ADMIN, admin.site.urls), re_path(r'^accounts/', include('allauth.urls'))]",
        ("/accounts/login/", "/accounts/login/"),
    ),
    "a view to log in": (
        ADMIN + "urlpatterns = [path('api/in/', x.LoginView.as_view()), path('sign-in/', auth.LoginView.as_view(template_name='x'))]",
        ("/sign-in/", "/sign-in/"),
    ),
    "nothing": (ADMIN + "urlpatterns = [path('<slug:name>/', v)]", ("/", "/")),
    "Berth's own paths": (ADMIN + "urlpatterns = [path('livez', v), path('readyz', v)]", (None, None)),
}


@pytest.mark.parametrize("urls, told", PROBES.values(), ids=PROBES)
def test_a_pods_health_is_asked_for_where_that_is_answered_without_a_login(tmp_path: Path, urls: str, told: tuple[str | None, str | None]) -> None:
    said, _, _ = inventory(tmp_path, {"shop/settings.py": BASE, "shop/urls.py": urls, "shop/core_urls.py": "urlpatterns = [path('ping/', v)]"})
    assert (said.get("berth_app_liveness_path"), said.get("berth_app_readiness_path")) == told


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("MEDIA_ROOT = os.environ['MEDIA']", True),
        ("MEDIA_ROOT = place() / 'media'", True),
        ("MEDIA_ROOT = getattr(unknown, 'MEDIA', unknown())", True),
        ("MEDIA_ROOT = BASE_DIR / 'media'", False),
        ("MEDIA_ROOT = ''", False),
        ("MEDIA_ROOT = place()\nDEFAULT_FILE_STORAGE = 'storages.backends.s3.S3Storage'", False),
    ],
)
def test_a_place_of_uploads_that_cannot_be_worked_out_is_left_to_the_reader(tmp_path: Path, settings: str, said: bool) -> None:
    text = inventory(tmp_path, {"shop/settings.py": BASE + settings + "\n", "Dockerfile": "FROM x\nWORKDIR /code\n"})[1]
    assert ("Berth cannot tell where MEDIA_ROOT is in the image" in text) is said


@pytest.mark.parametrize(
    ("base", "start", "told"),
    [("ubuntu", "python3 manage.py check", True), ("ubuntu", "python manage.py check", False), ("python:3", "python3 manage.py check", False)],
)
def test_an_image_whose_python_has_another_name_is_told(tmp_path: Path, base: str, start: str, told: bool) -> None:
    files = {"Dockerfile": f"FROM {base}\nCOPY start.sh /\nCMD /start.sh\n", "start.sh": start}
    assert any("ln -s python3" in need for need in inventory(tmp_path, files)[2].needs) is told


URLS = {
    "'media/'": "/media/",
    "'/a/b/'": "/a/b/",
    "''": None,
    "'https://cdn.example.com/media/'": None,
    "'//cdn.example.com/'": None,
    "unknown()": None,
    "f'/{NAME}/'": "/media/",
    "os.environ.get('URL', '/m/')": "/m/",
    "'/m/'\nUSE_S3 = os.environ.get('USE_S3', '')\nif USE_S3:\n    MEDIA_URL = f'https://{BUCKET}/'": "/m/",
    "'/m/'\nif DEBUG:\n    MEDIA_URL = '/debug/'": "/m/",
    "f'/{unknown()}/'": None,
}


@pytest.mark.parametrize(("written", "url"), URLS.items())
def test_visitors_are_shown_uploads_where_the_settings_say_that_they_are(tmp_path: Path, written: str, url: str | None) -> None:
    files = {"shop/settings.py": BASE + f"MEDIA_ROOT = BASE_DIR / 'media'\nNAME = 'media'\nMEDIA_URL = {written}\n"}
    assert inventory(tmp_path, files)[0]["berth_app_volumes"]["media"].get("url") == url


STATICS = "STATIC_ROOT = BASE_DIR / 'static'\nSTATIC_URL = 'static/'\n"
WHITENOISE = "MIDDLEWARE = ['whitenoise.middleware.WhiteNoiseMiddleware']\n"
UPLOADS = "STORAGES = {'default': {'BACKEND': 'storages.backends.s3.S3Storage', 'OPTIONS': {'x': unknown()}}}\n"
COLLECT = "python manage.py collectstatic --noinput\nexec gunicorn -b :8000 shop.wsgi\n"
COLLECTING = {"Dockerfile": "FROM x\nWORKDIR /code\nRUN python manage.py collectstatic --noinput\n"}


ON_DEMAND = "USE_S3 = bool(os.environ.get('USE_S3', False))\nif USE_S3:\n    STATICFILES_STORAGE = 'storages.backends.s3.S3Storage'\n"


@pytest.mark.parametrize(
    ("settings", "others", "told", "needs"),
    [
        (STATICS, {"Dockerfile": "FROM x\nWORKDIR /code\n# collectstatic: later\n"}, {"path": "/code/static", "url": "/static/"}, "collectstatic"),
        (STATICS + ON_DEMAND, COLLECTING, {"path": "/code/static", "url": "/static/"}, ""),
        (STATICS + ON_DEMAND.replace("False", "True"), COLLECTING, None, ""),
        (STATICS, COLLECTING, {"path": "/code/static", "url": "/static/"}, ""),
        (STATICS, {"Dockerfile": "FROM x\nWORKDIR /code\n"}, {"path": "/code/static", "url": "/static/"}, "collectstatic"),
        (STATICS, {}, None, ""),
        (STATICS + WHITENOISE, COLLECTING, None, ""),
        (STATICS + WHITENOISE, {"Dockerfile": "FROM x\nWORKDIR /code\n"}, None, "RUN python manage.py collectstatic --noinput, in Dockerfile"),
        (STATICS + WHITENOISE + "WHITENOISE_USE_FINDERS = True\n", {"Dockerfile": "FROM x\nWORKDIR /code\n"}, None, ""),
        (STATICS + WHITENOISE, {"Dockerfile": "FROM x\nCOPY run /\nENTRYPOINT ['/run']\n".replace("'", '"'), "run": COLLECT}, None, ""),
        (STATICS + WHITENOISE, {}, None, ""),
        (STATICS + WHITENOISE + UPLOADS, {"Dockerfile": "FROM x\nWORKDIR /code\n"}, None, "RUN python manage.py collectstatic --noinput, in Dockerfile"),
        (STATICS + UPLOADS.replace("default", "staticfiles"), {"Dockerfile": "FROM x\nWORKDIR /code\n"}, None, ""),
        (STATICS + "MIDDLEWARE = ['servestatic.middleware.ServeStaticMiddleware']\n", COLLECTING, None, ""),
        (STATICS, COLLECTING | {"requirements.txt": "django\npsycopg[binary]\ndj-static\n"}, None, ""),
        ("STATIC_ROOT = BASE_DIR / 'static'\nSTATIC_URL = 'https://cdn.example.com/'\n", COLLECTING, None, "WhiteNoise"),
        ("STATIC_URL = 'static/'\n", COLLECTING, None, "STATIC_ROOT = "),
    ],
)
def test_static_files_that_nothing_serves_are_shown_from_the_image(
    tmp_path: Path, settings: str, others: dict[str, str], told: dict[str, str] | None, needs: str
) -> None:
    said, _, made = inventory(tmp_path, {"shop/settings.py": BASE + settings, **others})
    assert said.get("berth_app_static") == told
    found = [line for line in made.needs if "static" in line.lower() or "WhiteNoise" in line]
    assert [needs in line for line in found] == ([True] if needs else [])


@pytest.mark.parametrize(
    ("check", "path"),
    [
        ("HEALTHCHECK CMD curl --fail http://localhost:8000/state/ || exit 1", "/state/"),
        ('HEALTHCHECK --interval=30s CMD [ "curl", "-fs", "http://127.0.0.1:8000/ht?format=json" ]', "/ht"),
        ("HEALTHCHECK --interval=30s \\\n  CMD ./check.py", "/admin/login/"),
        ("HEALTHCHECK NONE", "/admin/login/"),
    ],
)
def test_the_page_that_a_dockerfile_asks_for_is_the_health_page(tmp_path: Path, check: str, path: str) -> None:
    urls = ADMIN + "urlpatterns = [path('admin/', admin.site.urls)]"
    said, _, _ = inventory(tmp_path, {"shop/settings.py": BASE, "shop/urls.py": urls, "Dockerfile": f"FROM python:3.13\n{check}\n"})
    assert (said["berth_app_liveness_path"], said["berth_app_readiness_path"]) == (path, path)


@pytest.mark.parametrize("name", ["'%s.urls' % NAME", "'{}.{}'.format(NAME, 'urls')", "f'{NAME}.urls'"])
def test_a_health_page_is_found_where_the_settings_put_the_name_of_the_urls_together(tmp_path: Path, name: str) -> None:
    files = {"shop/settings.py": BASE + f"NAME = 'shop'\nROOT_URLCONF = {name}\n", "shop/urls.py": "urlpatterns = [path('healthz/', x)]\n"}
    assert inventory(tmp_path, files)[0]["berth_app_liveness_path"] == "/healthz/"


@pytest.mark.parametrize(("paths", "said"), [(("healthz",), True), (("livez", "readyz/"), False), (("robots.txt",), False)])
def test_one_page_for_both_probes_is_said_to_restart_pods_where_it_asks_the_database(tmp_path: Path, paths: tuple[str, ...], said: bool) -> None:
    urls = f"urlpatterns = [{', '.join(f'path({path!r}, view)' for path in paths)}]\n"
    _, text, _ = inventory(tmp_path, {"shop/settings.py": BASE, "shop/urls.py": urls})
    assert ("set another page for liveness" in text) is said


def test_a_health_page_of_a_middleware_is_found(tmp_path: Path) -> None:
    files = {"shop/settings.py": BASE + "MIDDLEWARE = ['shop.middleware.Health', 'django.x.Y']\n", "shop/middleware.py": "PATH = '/-/health'\n"}
    said, _, _ = inventory(tmp_path, files)
    assert said["berth_app_readiness_path"] == "/-/health"


@pytest.mark.parametrize(
    "hosts, host",
    [("['shop.example.com', '127.0.0.1']", "127.0.0.1"), ("['.example.com']", "example.com"), ("['*']", None), ("['localhost']", None)],
)
def test_hosts_that_refuse_localhost_are_asked_by_one_of_them(tmp_path: Path, hosts: str, host: str | None) -> None:
    files = {"shop/settings.py": BASE + f"ALLOWED_HOSTS = {hosts}\n"}
    said, text, made = inventory(tmp_path, files, {**KNOWN, **LATER})
    assert said.get("berth_app_probe", {}).get("host") == host
    assert ("The settings accept only" in text and "berth_app_hosts_env" in text) is ("*" not in hosts)
    assert not [line for line in made.needs if "ALLOWED_HOSTS" in line]
    _, _, made = inventory(tmp_path, files, {name: KNOWN[name] for name in KNOWN if name not in LATER})
    assert bool([line for line in made.needs if "ALLOWED_HOSTS" in line]) == bool(host)


MEDIA = {
    "pathlib": "MEDIA_ROOT = BASE_DIR / 'media'",
    "os.path": "MEDIA_ROOT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'media')",
    "a text": "MEDIA_ROOT = str(BASE_DIR) + '/media'",
    "by default": "MEDIA_ROOT = os.environ.get('MEDIA', BASE_DIR / 'media')",
    "environ.Path": "import environ\nROOT = environ.Path(__file__) - 2\nMEDIA_ROOT = ROOT('media')",
    "a module beside the settings": "from shop.places import FILES\nMEDIA_ROOT = FILES",
    "a function of the project's own": "def path(*parts):\n    return os.path.join(BASE_DIR, *parts)\nMEDIA_ROOT = path('media')",
    "a function without a name": "here = lambda base, *x: os.path.join(base, *x)\nMEDIA_ROOT = here(BASE_DIR, 'media')",
    "a format": "MEDIA_ROOT = '%s/media' % BASE_DIR",
    "joinpath": "MEDIA_ROOT = Path(__file__).parents[1].joinpath('media')",
}


@pytest.mark.parametrize("settings", MEDIA.values(), ids=MEDIA)
@pytest.mark.parametrize(
    "dockerfile, home", [({}, "/srv/app"), ({"Dockerfile": "FROM x AS y\nWORKDIR /y\nFROM x\nWORKDIR /code/\nUSER 1000:1000\nEXPOSE 9000\n"}, "/code")]
)
def test_uploads_get_a_volume_where_the_settings_have_them(tmp_path: Path, settings: str, dockerfile: dict[str, str], home: str) -> None:
    files = {"shop/places.py": "from pathlib import Path\nHERE = Path(__file__).parents[1]\nFILES = HERE / 'media'\n"}
    files |= {"shop/settings.py": BASE + settings + "\nMEDIA_URL = '/media/'\nSTATIC_ROOT = BASE_DIR / 'static'\nSTATIC_URL = 'static/'\n", **dockerfile}
    said, text, _ = inventory(tmp_path, files, {**KNOWN, **LATER})
    assert said["berth_app_volumes"] == {"media": {"path": f"{home}/media", "size": "1Gi", "url": "/media/"}}
    assert ("berth_app_static" in said) == bool(dockerfile), "a Dockerfile of Berth's making serves static files"
    assert (said.get("berth_app_port"), said.get("berth_app_user")) == (9000 if dockerfile else None, None)
    assert "# Guessed" in text


S3 = "storages.backends.s3.S3Storage"


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        (f"DEFAULT_FILE_STORAGE = '{S3}'", False),
        (f"STORAGES = {{'default': {{'BACKEND': '{S3}'}}, 'staticfiles': {{'BACKEND': 'x'}}}}", False),
        ("STORAGES = {'default': {'BACKEND': 'shop.storages.Uploads'}}", False),
        ("STORAGES = {'default': {'BACKEND': 'shop.storages.Local'}}", True),
        (f"STORAGES = {{'default': {{'BACKEND': 'x'}}, 'staticfiles': {{'BACKEND': '{S3}'}}}}", True),
        (f"if os.environ.get('BUCKET'):\n    DEFAULT_FILE_STORAGE = '{S3}'", True),
    ],
)
def test_uploads_that_go_to_a_storage_elsewhere_get_no_volume(tmp_path: Path, settings: str, kept: bool) -> None:
    classes = "from storages.backends.s3boto3 import S3Boto3Storage\nclass Uploads(S3Boto3Storage): ...\nclass Local(object): ...\n"
    files = {"shop/settings.py": BASE + f"MEDIA_ROOT = BASE_DIR / 'media'\n{settings}\n", "shop/storages.py": classes}
    assert ("berth_app_volumes" in inventory(tmp_path, files)[0]) is kept


@pytest.mark.parametrize(
    ("copies", "above", "media"),
    [
        ("WORKDIR /app\nCOPY backend .", "", "/app/media"),
        ("WORKDIR /app\nCOPY requirements.txt .\nCOPY . .\nWORKDIR /app/backend", "", "/app/backend/media"),
        ("COPY backend /srv/shop/code\nWORKDIR /srv/shop/code", "..", "/srv/shop/media"),
        ("WORKDIR /app\nCOPY requirements.txt .", "", "/app/backend/media"),  # what else the image has is not known
    ],
)
def test_uploads_are_where_the_image_has_what_the_settings_go_by(tmp_path: Path, copies: str, above: str, media: str) -> None:
    files = {f"backend/{name}": text for name, text in PLAIN.items()}
    files["backend/shop/settings.py"] = BASE + f"MEDIA_ROOT = os.path.join(BASE_DIR, '{above}', 'media')\n"
    place = tmp_path / "source"
    for name, text in {**files, "Dockerfile": f"FROM x\n{copies}\n"}.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    made = inventory_lib.draft(place, "shop-dev", "shop", "/shop", 30090, KNOWN)
    assert yaml.safe_load(inventory_lib.text(made, "shop-dev"))["berth_app_volumes"]["media"]["path"] == media


@pytest.mark.parametrize(
    ("compose", "kept"),
    [("", ["/shop/data", "/shop/reports"]), ("services: {web: {build: ., command: gunicorn x, volumes: ['index:/shop/index']}}", ["/shop/index"])],
)
def test_what_an_image_keeps_is_kept_where_no_compose_file_says_more(tmp_path: Path, compose: str, kept: list[str]) -> None:
    dockerfile = 'FROM x\nENV HOME=/shop\nVOLUME ["/shop/data", \\\n  "/tmp"]\nVOLUME ${HOME}/reports\n'
    said, text, _ = inventory(tmp_path, {"Dockerfile": dockerfile, **({"compose.yml": compose} if compose else {})})
    assert [volume["path"] for volume in said["berth_app_volumes"].values()] == kept
    assert f"Guessed: {'compose.yml' if compose else 'Dockerfile'} keeps {', '.join(kept)}." in text


@pytest.mark.parametrize("copies", ["COPY requirements.txt web/ ./", "COPY requirements.txt .\nCOPY web .", "COPY web /code\nCOPY web/shop /code/shop"])
def test_files_are_where_the_dockerfile_puts_their_directory(tmp_path: Path, copies: str) -> None:
    settings = BASE + "MEDIA_ROOT = BASE_DIR / 'media'\nMEDIA_URL = '/media/'\n"
    files = {"web/manage.py": MANAGE, "web/shop/settings.py": settings, "web/shop/__init__.py": ""}
    for name in ("manage.py", "shop/settings.py"):
        files[name] = "#"  # the project is below
    said, _, _ = inventory(tmp_path, {**files, "Dockerfile": f"FROM x\nWORKDIR /code\n{copies}\n"}, {**KNOWN, **LATER})
    assert said["berth_app_volumes"]["media"]["path"] == "/code/media"


KEPT = """services:
  db: {image: postgres, volumes: ["data:/code/db"]}
  dumps: {build: dumps, volumes: ["dumps:/dumps"]}
  search: {build: {context: ., dockerfile: search/Dockerfile}, volumes: ["index:/index"]}
  web:
    build: .
    image: shop
    command: gunicorn shop.wsgi
    volumes:
      - static:/code/static
      - media:/code/media:rw
      - reports_volume:/code/reports
      - .:/code
      - sources:/code
      - /etc/localtime:/etc/localtime
      - cache:/code/.cache
      - modules:/code/node_modules
      - type: volume
        source: letters
        target: /var/lib/shop/letters
      - type: bind
        source: letters
        target: /code/bound
  worker: {image: shop, command: celery -A shop worker, volumes: ["reports_volume:/code/reports", "more:/code/worker/reports"]}
  beat: {build: ., image: beat, command: celery -A shop beat, volumes: ["beat:/code/beat"]}
"""


def test_what_a_compose_file_keeps_of_the_app_is_kept(tmp_path: Path) -> None:
    files = {
        "compose.yml": KEPT,
        "Dockerfile": "FROM x\nWORKDIR /code\n",
        "shop/settings.py": BASE + STATICS + "MEDIA_ROOT = BASE_DIR / 'media'\nMEDIA_URL = '/media/'\n",
    }
    said, text, _ = inventory(tmp_path, files)
    assert said["berth_app_volumes"] == {
        "media": {"path": "/code/media", "size": "1Gi", "url": "/media/"},
        "reports": {"path": "/code/reports", "size": "1Gi"},
        "letters": {"path": "/var/lib/shop/letters", "size": "1Gi"},
        "code-worker-reports": {"path": "/code/worker/reports", "size": "1Gi"},
        "beat": {"path": "/code/beat", "size": "1Gi"},
    }
    assert "compose.yml keeps /code/reports" in text


PUBLISHED = """services:
  site:
    image: ghcr.io/acme/My_Shop:${VERSION:-latest}
    volumes: ["${DATA:-./data}:/code/data", "./shop/extra.py:/code/shop/extra.py", "./limits.ini:/code/limits.ini", "${ELSEWHERE}:/code/x", "./shop:/code/y"]
  db: {image: postgres, volumes: ["./database:/var/lib/postgresql/data"]}
"""


def test_a_compose_file_that_runs_the_published_image_says_what_is_kept_and_runs_beside_web(tmp_path: Path) -> None:
    jobs = "  jobs: {image: 'ghcr.io/acme/My_Shop:${VERSION:-latest}', command: celery -A shop worker}\n"
    for compose, processes in ((PUBLISHED, None), (PUBLISHED.replace("  db:", f"{jobs}  db:").replace("  site:", "  web:"), {"jobs": CELERY})):
        said, _, _ = inventory(tmp_path / "my-shop", {"compose.yml": compose, "Dockerfile": "FROM x\nWORKDIR /code\n", "shop/extra.py": ""})
        assert (said["berth_app_volumes"], said.get("berth_app_processes")) == ({"data": {"path": "/code/data", "size": "1Gi"}}, processes)
    assert "berth_app_volumes" not in inventory(tmp_path / "other", {"compose.yml": PUBLISHED, "Dockerfile": "FROM x\nWORKDIR /code\n"})[0]


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("FROM python\nUSER app\n", None),
        ("FROM x\n", None),
        ("FROM python\n", 1000),
        ("FROM ghcr.io/astral-sh/uv:python3.13-trixie-slim\n", 1000),
        ("FROM x\nUSER root\n", 1000),
        ("FROM python\nRUN groupadd -g 7 x && useradd -m --uid 1234 -g x app\n", 1234),
        ("FROM python\nRUN adduser -D -u 101 app\n", 101),
        ("FROM python\nRUN useradd app && usermod -u 5 app\n", 1000),
    ],
)
def test_an_image_that_runs_as_root_gets_a_user_in_the_inventory(tmp_path: Path, text: str, user: int | None) -> None:
    assert inventory(tmp_path, {"Dockerfile": text}, {**KNOWN, **LATER})[0].get("berth_app_user") == user


@pytest.mark.parametrize(
    ("settings", "example", "told"),
    [
        ("from shop.local_settings import *", "local_settings.py.example", True),
        ("from . import local_settings", "local_settings_example.py", True),
        ("import importlib\nlocal_settings = importlib.import_module('shop.local_settings')", "example.local_settings.py", True),
        ("try:\n    from .local_settings import *\nexcept ImportError:\n    pass", "local_settings.py.dist", False),
        ("A = 'local_settings'", "local_settings.py.dist", False),
        ("from shop.local_settings import *", "urls_example.py", False),
    ],
)
def test_a_module_that_the_source_lacks_is_told_with_its_example(tmp_path: Path, settings: str, example: str, told: bool) -> None:
    files = {"shop/settings.py": settings + "\n", f"shop/{example}": "SECRET_KEY = ''\nALLOWED_HOSTS = []\n"}
    said, _, made = inventory(tmp_path, files)
    assert any(need.startswith(f"shop/local_settings.py, like {example} next to it") for need in made.needs) is told
    assert ("DJANGO_SECRET_KEY" in said["berth_app_secrets"]) is told
    assert any("ALLOWED_HOSTS = " in need for need in made.needs) is told
    (tmp_path / "shop" / "local_settings.py").write_text("", encoding="utf-8")
    made = inventory_lib.draft(tmp_path, "shop-dev", "shop", "/shop", 30090, KNOWN)
    assert [need for need in made.needs if "next to it" in need] == []


@pytest.mark.parametrize(
    ("base", "start", "uwsgi", "user", "told"),
    [
        ("python", "chown www-data: /data", "", 33, "This is www-data"),
        ("python:3-alpine", "exec uwsgi uwsgi.ini", "uid = www-data", 82, "This is www-data"),
        ("python", "exec gosu app gunicorn shop.wsgi", "", 1000, "Remove gosu"),
        ("python", "exec gunicorn shop.wsgi", "", 1000, "Every user must be able to read its files.\n"),
    ],
)
def test_an_image_that_begins_as_root_runs_as_the_user_that_its_server_is_to_be(
    tmp_path: Path, base: str, start: str, uwsgi: str, user: int, told: str
) -> None:
    dockerfile = f'FROM {base}\nWORKDIR /code\nCOPY . .\nENTRYPOINT ["./start.sh"]\n'
    said, text, _ = inventory(tmp_path, {"Dockerfile": dockerfile, "start.sh": f"{start}\n", "uwsgi.ini": f"[uwsgi]\n{uwsgi}\n"})
    assert (said["berth_app_user"], told in text) == (user, True)


def test_what_a_module_beside_the_settings_gives_a_default_is_not_asked_for(tmp_path: Path) -> None:
    beside = "import environ\nenv = environ.Env(BUCKET=(str, 'x'))\nDEBUG = True\n"
    _, _, made = inventory(tmp_path, {"shop/env.py": beside, "shop/settings.py": "from shop.env import env\nA = env('BUCKET')\nB = env('OTHER')\n"})
    assert made.asked == ["OTHER"]
    assert not [need for need in made.needs if "DEBUG" in need], "what is not imported is no setting"


def test_static_files_that_the_project_serves_itself_are_left_to_it(tmp_path: Path) -> None:
    dockerfile = {"Dockerfile": "FROM x\nWORKDIR /code/\n"}
    settings = BASE + "STATIC_ROOT = BASE_DIR / 'static'\nSTATIC_URL = 'static/'\nMIDDLEWARE = ['whitenoise.middleware.WhiteNoiseMiddleware']\n"
    _, _, made = inventory(tmp_path, {"shop/settings.py": settings, **dockerfile}, {**KNOWN, **LATER})
    assert not [line for line in made.needs if "STATIC" in line or "WhiteNoise" in line]


@pytest.mark.parametrize(
    ("file", "text", "itself"),
    [
        ("uwsgi.ini", "[uwsgi]\nstatic-map = /static=/code/static\n", True),
        ("start.sh", "exec uwsgi --static-map /static=s\n", True),
        ("uwsgi.ini", "[uwsgi]\nmodule = shop\n", False),
    ],
)
def test_static_files_that_uwsgi_shows_are_left_to_it(tmp_path: Path, file: str, text: str, itself: bool) -> None:
    dockerfile = 'FROM x\nWORKDIR /code/\nCOPY . .\nRUN python manage.py collectstatic\nCMD ["./start.sh"]\n'
    files = {"Dockerfile": dockerfile, "shop/settings.py": BASE + STATICS, "start.sh": "exec uwsgi uwsgi.ini\n", file: text}
    assert ("berth_app_static" not in inventory(tmp_path, files)[0]) is itself


@pytest.mark.parametrize(
    ("start", "said"), [("supervisord -c shop.conf\nexec gunicorn shop.wsgi\n", True), ("# not supervisord\nexec gunicorn shop.wsgi\n", False)]
)
def test_programs_that_would_share_webs_pod_are_said_to_need_one_of_their_own(tmp_path: Path, start: str, said: bool) -> None:
    _, text, _ = inventory(tmp_path, {"Dockerfile": 'FROM x\nCOPY start.sh /\nCMD ["/start.sh"]\n', "start.sh": start})
    assert ("# supervisord runs several programs in the web pod." in text) is said


def test_a_cache_is_proposed_where_the_settings_ask_for_one_and_this_berth_has_it(tmp_path: Path) -> None:
    files = {"shop/settings.py": BASE + "CELERY_BROKER_URL = os.environ['REDIS_URL']\n", "requirements.txt": "django\ncelery[redis]\npsycopg\n"}
    said, _, made = inventory(tmp_path, files, {**KNOWN, **LATER})
    assert (said["berth_cache"], made.asked) == ("cluster", [])
    said, _, made = inventory(tmp_path, files, {name: KNOWN[name] for name in KNOWN if name not in LATER})
    assert "berth_cache" not in said
    assert made.asked == ["REDIS_URL"]


@pytest.mark.parametrize(("requirement", "lacks"), [("celery", True), ("celery[redis]", False), ("celery\nredis", False), ("celery\ndjango-redis", False)])
def test_a_cache_that_nothing_speaks_to_is_told_with_what_to_add(tmp_path: Path, requirement: str, lacks: bool) -> None:
    files = {"shop/settings.py": BASE + "CELERY_BROKER_URL = os.environ['REDIS_URL']\n", "requirements.txt": f"django\n{requirement}\npsycopg\n"}
    _, _, made = inventory(tmp_path, files, {**KNOWN, **LATER})
    assert any(line.startswith("redis as a requirement") for line in made.needs) is lacks


@pytest.mark.parametrize(
    ("run", "lacks"),
    [
        ("RUN pip install -r requirements/live.txt", False),
        ("WORKDIR /srv/app\nRUN pip install --no-cache-dir -U pip && pip3 install --requirement=/srv/app/requirements/live.txt", False),
        ("ARG KIND=live\nRUN python -m pip wheel -w /w -r ./requirements/${KIND}.txt", False),
        ("RUN uv pip install --system -r requirements/live.txt -r requirements.txt", False),
        ("RUN pip install -r requirements.txt", True),
        ("RUN pip install -r /opt/nowhere.txt\nRUN sed -r s/a/b/ requirements/live.txt", True),
    ],
)
def test_what_an_image_lacks_is_told_by_the_requirements_that_its_dockerfile_installs(tmp_path: Path, run: str, lacks: bool) -> None:
    files = {"shop/settings.py": BASE + "CELERY_BROKER_URL = os.environ['REDIS_URL']\n", "requirements.txt": "django\ncelery\npsycopg\n"}
    files |= {"requirements/live.txt": "-r ../requirements.txt\nredis\n", "Dockerfile": f"FROM x\n{run}\n"}
    _, _, made = inventory(tmp_path, files, {**KNOWN, **LATER})
    assert any(line.startswith("redis as a requirement") for line in made.needs) is lacks


def test_what_a_stage_before_makes_of_requirements_is_what_the_image_has(tmp_path: Path) -> None:
    stages = "FROM x AS made\nRUN pip wheel -r live.txt\nFROM x\nCOPY --from=made /w /w\n"
    _, _, made = inventory(tmp_path, {"Dockerfile": stages, "live.txt": "django\n", "requirements.txt": "django\npsycopg\nstripe\n"})
    assert "berth_app_egress" not in inventory_lib.text(made, "shop-dev")


def test_a_broker_that_takes_the_place_of_another_program_is_told(tmp_path: Path) -> None:
    files = {"shop/settings.py": BASE + "A = os.environ.get('CELERY_BROKER_URL', 'amqp://guest@localhost//')\n", "requirements.txt": "django\ncelery[redis]\n"}
    said, text, _ = inventory(tmp_path, files, {**KNOWN, **LATER})
    assert said["berth_cache"] == "cluster"
    assert "The default is RabbitMQ, which Berth does not run. Celery works with this cache too." in text
    files["shop/settings.py"] = BASE + "A = os.environ.get('CELERY_BROKER_URL', 'redis://localhost')\n"
    assert "RabbitMQ" not in inventory(tmp_path, files, {**KNOWN, **LATER})[1]


@pytest.mark.parametrize(
    ("settings", "package", "named"),
    [
        ("CELERY_BROKER_URL = 'redis://localhost:6379/0'", "celery[redis]", "redis://localhost:6379/0"),
        ("SECRETS = {}\nCACHES = {'default': {'LOCATION': SECRETS.get('x', 'redis://redis:6379')}}", "redis", "redis://redis:6379"),
        ("CHANNEL_LAYERS = {'default': {'CONFIG': {'hosts': [('127.0.0.1', 6379)]}}}", "channels-redis", "127.0.0.1:6379"),
        ("CELERY_BROKER_URL = os.environ.get('REDIS_URL', 'redis://localhost:6379/0')", "redis", ""),
        ("CELERY_BROKER_URL = 'redis://localhost:6379/0'", "requests", ""),
    ],
)
def test_a_cache_that_the_settings_name_themselves_is_told_with_the_line_that_mends_it(tmp_path: Path, settings: str, package: str, named: str) -> None:
    files = {"shop/settings.py": BASE + settings + "\n", "requirements.txt": f"django\npsycopg\n{package}\n"}
    said, _, made = inventory(tmp_path, files, {**KNOWN, **LATER})
    told = [line.partition("  #")[0] for line in made.needs if "REDIS_URL" in line]
    assert told == ([f"os.environ.get('REDIS_URL', '') in place of '{named}'"] if named else [])
    assert ("berth_cache" in said) is (package != "requests")


def test_a_cache_is_told_by_the_variables_that_the_settings_ask_for(tmp_path: Path) -> None:
    settings = (
        BASE
        + "CELERY_BROKER_URL = os.environ['BROKER_URL']\nCACHES = {'default': {'LOCATION': os.environ['REDIS_URL']}}\nHOST = os.environ.get('REDIS_HOST')\n"
    )
    files = {"shop/settings.py": settings, "requirements.txt": "django\ncelery[redis]\npsycopg\n"}
    said, _, made = inventory(tmp_path, files, {**KNOWN, **LATER})
    assert (said["berth_cache_env"], made.asked) == (["BROKER_URL", "REDIS_URL"], [])
    assert made.settings["REDIS_HOST"] == ("cache", "")


def test_an_address_that_is_put_together_of_parts_is_complete_with_its_url(tmp_path: Path) -> None:
    settings = BASE + "HOST = os.getenv('REDIS_HOST', 'localhost')\nURL = os.getenv('REDIS_URL', f'redis://{HOST}/0')\n"
    said, text, _ = inventory(tmp_path, {"shop/settings.py": settings, "requirements.txt": "django\nredis\npsycopg\n"}, {**KNOWN, **LATER})
    assert (said["berth_cache"], "berth_cache_env" in said, "gets no value" in text) == ("cluster", False, False)


def test_parts_of_a_setting_that_has_a_url_elsewhere_still_need_a_value(tmp_path: Path) -> None:
    caches = "CACHES = {'a': {'LOCATION': os.environ['REDIS_URL']}, 'b': {'LOCATION': 'redis://' + os.getenv('CACHE_HOST', 'localhost')}}\n"
    files = {"shop/settings.py": BASE + caches, "requirements.txt": "django\nredis\npsycopg\n"}
    assert inventory(tmp_path, files, {**KNOWN, **LATER})[0]["berth_app_settings"]["CACHE_HOST"] == "cache"


def test_the_parts_of_a_caches_address_are_those_of_the_cache_beside_the_app(tmp_path: Path) -> None:
    settings = (
        "HOST, PORT = os.environ['REDIS_HOST'], int(os.environ['REDIS_PORT'])\nUSER, WORD = os.getenv('REDIS_USERNAME'), os.getenv('REDIS_PASSWORD')\n"
        "CACHES = {'default': {'LOCATION': f'redis://{USER}:{WORD}@{HOST}:{PORT}/' + os.getenv('REDIS_DB', '1'), 'X': os.getenv('MEMCACHED_HOST')}}\n"
    )
    files = {"shop/settings.py": BASE + settings, "requirements.txt": "django\nredis\npsycopg\n"}
    said, text, made = inventory(tmp_path, files)
    assert said["berth_app_settings"] == {"REDIS_HOST": "cache", "REDIS_PORT": "6379", "REDIS_USERNAME": "default"}
    default = yaml.safe_load((PROJECT / "roles" / "cache" / "defaults" / "main.yml").read_text(encoding="utf-8"))["cache_password"]
    assert said["berth_app_secrets"]["REDIS_PASSWORD"].endswith("'/cache_password') }}") and "'/cache_password'" in default
    assert made.asked == []
    assert "MEMCACHED_HOST gets no value" in text and "REDIS_HOST gets no value" not in text


@pytest.mark.parametrize(
    ("requirements", "backend"), [("redis", "django.core.cache.backends.redis.RedisCache"), ("django-redis", "django_redis.cache.RedisCache")]
)
def test_a_cache_whose_kind_a_variable_chooses_is_told_its_kind(tmp_path: Path, requirements: str, backend: str) -> None:
    settings = (
        "LOUD = os.environ.get('LOUD', 'NO') == 'YES'\nif os.environ.get('KIND'):\n"
        "    CACHES = {'default': {'BACKEND': 'x.Dummy' if LOUD else os.environ.get('KIND'), 'LOCATION': os.environ.get('PLACE', ''),\n"
        "        'OPTIONS': {'CLIENT_CLASS': os.environ.get('CLIENT', '')}}}\n"
    )
    files = {"shop/settings.py": BASE + settings, "requirements.txt": f"django\n{requirements}\npsycopg\n"}
    said, _, _ = inventory(tmp_path, files)
    own = {"CLIENT": "django_redis.client.DefaultClient"} if requirements == "django-redis" else {}
    assert (said["berth_cache_env"], said["berth_app_settings"]) == (["PLACE"], {"KIND": backend, **own})


@pytest.mark.parametrize(("name", "default", "told"), [("CELERY_BROKER", "", True), ("CELERY_BACKEND", "redis://x/2", True), ("RABBITMQ_USER", "", False)])
def test_a_broker_is_told_by_the_setting_that_it_is_for(tmp_path: Path, name: str, default: str, told: bool) -> None:
    setting = "CELERY_RESULT_BACKEND" if "BACKEND" in name else "CELERY_BROKER_URL"
    files = {"shop/settings.py": BASE + f"{setting} = os.getenv('{name}', '{default}')\n", "requirements.txt": "django\ncelery[redis]\npsycopg\n"}
    assert inventory(tmp_path, files)[0].get("berth_cache_env") == ([name] if told else None)


@pytest.mark.parametrize(("taken", "found"), [("shop.settings", True), ("shop.other", False)])
def test_what_a_worker_sets_besides_the_settings_of_web_is_asked_for_too(tmp_path: Path, taken: str, found: bool) -> None:
    files = {
        "shop/settings.py": BASE,
        "shop/other.py": BASE,
        "work/celery.py": "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'work.settings')\n",
        "work/settings.py": f"import os\nfrom {taken} import *\nTOKEN = os.environ['WORK_TOKEN']\n",
    }
    assert ("WORK_TOKEN" in inventory(tmp_path, files)[2].asked) is found


def test_a_project_whose_dockerfile_installs_groups_of_dependencies_is_read_like_any_other(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": "[dependency-groups]\nmain = ['celery[redis]', 'requests']\ndev = ['openai', {include-group = 'main'}]\n",
        "shop/settings.py": BASE + STATICS + "CELERY_BROKER_URL = os.environ['REDIS_URL']\nINSTALLED_APPS = ['django.contrib.sessions']\n",
        **COLLECTING,
    }
    (project(tmp_path, files) / "requirements.txt").unlink()
    made = inventory_lib.draft(tmp_path, "shop-dev", "shop", "/shop", 30090, {**KNOWN, **LATER})
    said = yaml.safe_load(text := inventory_lib.text(made, "shop-dev"))
    assert (said["berth_cache"], said["berth_app_egress"], "berth_app_schedules" in said) == ("cluster", "internet", False)
    assert "requests" in text and "openai" not in text


@pytest.mark.parametrize("other", ["REDIS_PREFIX", "REDIS_KEY_PREFIX", "CACHE_TIMEOUT", "REDIS_SSL_CERT_REQS", "CHANNELS_BACKEND"])
def test_what_belongs_to_a_cache_and_is_no_address_gets_none(tmp_path: Path, other: str) -> None:
    asked = f"os.getenv('{other}', 'channels_redis.core.RedisChannelLayer')"
    settings = BASE + f"CACHES = {{'default': {{'LOCATION': os.environ['REDIS_URL'], 'KEY_PREFIX': {asked}}}}}\n"
    said, _, _ = inventory(tmp_path, {"shop/settings.py": settings, "requirements.txt": "django\nredis\npsycopg\n"}, {**KNOWN, **LATER})
    assert (said["berth_cache"], said.get("berth_cache_env")) == ("cluster", None)


@pytest.mark.parametrize(("default", "told"), [("", True), (", 'redis://localhost/1'", True), (", 'django-db'", False), (", BROKER", False)])
def test_celerys_results_are_kept_in_the_cache_unless_the_settings_have_another_place_for_them(tmp_path: Path, default: str, told: bool) -> None:
    settings = BASE + f"BROKER = os.environ['BROKER_URL']\nCELERY_RESULT_BACKEND = os.getenv('CELERY_RESULT_BACKEND'{default})\n"
    said, _, made = inventory(tmp_path, {"shop/settings.py": settings, "requirements.txt": "django\ncelery[redis]\npsycopg\n"}, {**KNOWN, **LATER})
    assert (said["berth_cache_env"], made.asked) == (["BROKER_URL", *(["CELERY_RESULT_BACKEND"] if told else [])], [])


def test_the_addresses_of_a_cache_that_a_module_of_the_projects_configuration_reads_are_found(tmp_path: Path) -> None:
    names = ["SHOP_REDIS", "SHOP_REDIS_SESSIONS", "SHOP_CELERY_BROKER", "SHOP_CELERY_BACKEND", "SHOP_CACHE_TIMEOUT", "SHOP_MAIL_BACKEND"]
    configuration = "import os\nKNOWN = [" + ", ".join(f"{{'default': 'redis://127.0.0.1', 'env': os.getenv('{name}')}}" for name in names) + "]\n"
    settings = BASE + "from shop.config import KNOWN\nCACHES = {'default': {'LOCATION': KNOWN[0]['env']}}\n"
    files = {"shop/settings.py": settings, "shop/config.py": configuration, "requirements.txt": "django\ncelery[redis]\npsycopg\n"}
    said, _, made = inventory(tmp_path, files, {**KNOWN, **LATER})
    assert (said["berth_cache"], said["berth_cache_env"], made.asked) == ("cluster", ["SHOP_REDIS", "SHOP_CELERY_BROKER", "SHOP_CELERY_BACKEND"], [])


def test_the_internet_is_proposed_where_a_requirement_calls_it(tmp_path: Path) -> None:
    files = {"requirements.txt": "django\nsentry-sdk[django]\n"}
    assert inventory(tmp_path, files, {**KNOWN, **LATER})[0]["berth_app_egress"] == "internet"
    assert "sentry-sdk" in inventory(tmp_path, files, {**KNOWN, "berth_app_egress": {"description": "Rules."}})[1]


def test_extensions_are_those_of_the_settings_and_the_migrations(tmp_path: Path) -> None:
    files = {"shop/settings.py": "INSTALLED_APPS = ['django.contrib.gis']", "shop/migrations/0001_initial.py": "operations = [TrigramExtension()]"}
    assert inventory(tmp_path, files, {**KNOWN, **LATER})[0]["berth_app_database_extensions"] == ["postgis", "pg_trgm"]


def test_nothing_is_said_by_a_variable_that_this_berth_does_not_have(tmp_path: Path) -> None:
    files = {
        "shop/settings.py": BASE
        + "MEDIA_ROOT = BASE_DIR / 'media'\nDATABASES = {'default': {'HOST': os.environ['DB_HOST']}}\nCACHE = os.environ['REDIS_URL']\n",
        "requirements.txt": "django\nredis\nstripe\n",
        "Procfile": "worker: celery -A shop worker\n",
    }
    few = {"berth_app_name": {}, "berth_app_source": {}}
    said, _, _ = inventory(tmp_path, files, few)
    always = {
        "berth_provider",
        "berth_kubeconfig",
        "berth_namespace",
        "berth_app_settings",
        "berth_app_secrets",
        "berth_secrets_directory",
        "berth_database_password",
    }
    assert set(said) - always == set(few)


LAYOUTS = {
    "settings for each environment": (
        {
            "shop/settings.py": None,
            "shop/settings/__init__.py": "",
            "shop/settings/base.py": BASE + "A = os.environ['A_TOKEN']\n",
            "shop/settings/dev.py": "from .base import *\n",
            "shop/settings/production.py": "from .base import *\nimport os\nB = os.environ['B_TOKEN']\n",
            "manage.py": MANAGE.replace("shop.settings", "shop.settings.dev"),
        },
        "shop.settings.production",
    ),
    "django-split-settings": (
        {
            "shop/settings.py": None,
            "shop/settings/__init__.py": "from split_settings.tools import include, optional\ninclude('parts/*.py', optional('local.py'))\n",
            "shop/settings/parts/one.py": "import os\nA = os.environ['A_TOKEN']\n",
            "shop/settings/parts/two.py": "import os\nB = os.environ['B_TOKEN']\n",
        },
        None,
    ),
    "cookiecutter-django": (
        {
            "shop/settings.py": None,
            "manage.py": MANAGE.replace("shop.settings", "config.settings.local"),
            "config/__init__.py": "",
            "config/settings/__init__.py": "",
            "config/settings/base.py": "import environ\nenv = environ.Env()\nA = env('A_TOKEN')\n",
            "config/settings/local.py": "from .base import *\n",
            "config/settings/production.py": "from .base import *\nfrom .base import env\nB = env('B_TOKEN')\n",
            "config/wsgi.py": "import os, django\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'config.settings.production')\napplication = 1\n",
            "requirements.txt": None,
            "requirements/production.txt": "django\npsycopg\n",
        },
        "config.settings.production",
    ),
    "settings that no file names, those for servers among them": (
        {
            "shop/settings.py": None,
            "shop/settings/__init__.py": "",
            "shop/settings/base.py": BASE + "A = os.environ['A_TOKEN']\n",
            "shop/settings/prod.py": "from .base import *\nB = os.environ['B_TOKEN']\n",
            "manage.py": NAMELESS,
        },
        "shop.settings.prod",
    ),
    "settings that no file names, one for all": (
        {
            "shop/settings.py": None,
            "shop/settings/__init__.py": "",
            "shop/settings/base.py": BASE + "A = os.environ['A_TOKEN']; B = os.environ['B_TOKEN']\n",
            "shop/settings/development.py": "from .base import *\n",
            "manage.py": NAMELESS,
        },
        "shop.settings.base",
    ),
    "a package that takes what is there to develop with first": (
        {
            "shop/settings.py": None,
            "shop/settings/__init__.py": "try:\n    from .dev import *\nexcept ImportError:\n    from .prod import *\n",
            "shop/settings/base.py": BASE + "INSTALLED_APPS = []\nA = os.environ['A_TOKEN']\n",
            "shop/settings/dev.py": "from .base import *\nDEBUG = True\n",
            "shop/settings/prod.py": "from .base import *\nB = os.environ['B_TOKEN']\n",
        },
        "shop.settings.prod",
    ),
    "a package that takes several modules one after another": (
        {
            "shop/settings.py": None,
            "shop/settings/__init__.py": "from .base import *\nfrom .production import *\nfrom .local import *\n",
            "shop/settings/base.py": BASE + "INSTALLED_APPS = []\nA = os.environ['A_TOKEN']\n",
            "shop/settings/production.py": "import os\nB = os.environ['B_TOKEN']\n",
        },
        None,
    ),
    "a directory below": (
        {name: None for name in PLAIN}
        | {f"backend/{name}": text for name, text in PLAIN.items()}
        | {"backend/shop/settings.py": BASE + "A = os.environ['A_TOKEN']; B = os.environ['B_TOKEN']\n", "README": ""},
        None,
    ),
}


@pytest.mark.parametrize("files, module", LAYOUTS.values(), ids=LAYOUTS)
def test_settings_are_read_wherever_they_are(tmp_path: Path, files: dict[str, str | None], module: str | None) -> None:
    gone = {name for name, text in files.items() if text is None}
    project(tmp_path, {name: text for name, text in files.items() if text is not None})
    for name in gone:
        (tmp_path / name).unlink()
    made = inventory_lib.draft(tmp_path, "shop-dev", "shop", "/shop", 30090, KNOWN)
    assert set(made.asked) == {"A_TOKEN", "B_TOKEN"}
    assert made.settings.get("DJANGO_SETTINGS_MODULE", (None,))[0] == module


@pytest.mark.parametrize(
    ("others", "module", "said"),
    [
        ({"platform": "DEBUG = TEMPLATE_DEBUG = False\nALLOWED_HOSTS = ['x']\n", "build": "DEBUG = False\n"}, "shop.settings.platform", ""),
        ({"platform": "DEBUG = True\nALLOWED_HOSTS = ['x']\n"}, None, "shop.settings also has base, platform:"),
        ({"one": "DEBUG = False\nALLOWED_HOSTS = []\n", "two": "DEBUG = False\nALLOWED_HOSTS = []\n"}, None, "shop.settings also has base, one, two:"),
        ({"testing": "DEBUG = False\nALLOWED_HOSTS = ['x']\n"}, None, "shop.settings also has base, testing:"),
    ],
)
def test_settings_for_servers_are_known_by_what_they_turn_off(tmp_path: Path, others: dict[str, str], module: str | None, said: str) -> None:
    files = {f"shop/settings/{name}.py": f"from .base import *\n{text}" for name, text in {**others, "local": ""}.items()}
    files |= {"shop/settings/__init__.py": "", "shop/settings/base.py": BASE, "manage.py": MANAGE.replace("shop.settings", "shop.settings.local")}
    project(tmp_path, files)
    (tmp_path / "shop" / "settings.py").unlink()
    made = inventory_lib.draft(tmp_path, "shop-dev", "shop", "/shop", 30090, KNOWN)
    assert made.settings.get("DJANGO_SETTINGS_MODULE", (None,))[0] == module
    assert ("are for development" in inventory_lib.text(made, "x")) is bool(said) and said in inventory_lib.text(made, "x")


PARTS = {"host": "HOST", "port": "PORT", "name": "DB", "user": "USER", "password": "PASSWORD"}
TESTS = PROJECT / "tests" / "projects"
CHOICES: dict[str, dict[str, Any]] = {
    "shop": {
        "berth_app_processes": {
            "worker": {"command": ["celery", "-A", "config", "worker", "--loglevel", "info"]},
            "beat": {"command": ["celery", "-A", "config", "beat", "--loglevel", "info", *SCHEDULE], "singleton": True},
        },
        "berth_app_readiness_path": "/health/",
        "berth_app_database_env": {part: f"POSTGRES_{name}" for part, name in PARTS.items()},
        "berth_cache": "cluster",
        "berth_cache_env": ["CACHE_URL", "CELERY_BROKER_URL"],
        "berth_app_hosts_env": {"ALLOWED_HOSTS": ","},
        "berth_app_settings": {},
    },
    "blog": {
        "berth_app_port": 9000,
        "berth_app_schedules": [],
        "berth_app_readiness_path": "/ping",
        "berth_app_volumes": {"media": {"path": "/app/media", "size": "1Gi", "url": "/media/"}},
        "berth_app_static": {"path": "/app/staticfiles", "url": "/static/"},
        "berth_app_database_env": {"url": "DATABASE_URL"},
        "berth_app_hosts_env": {"ALLOWED_HOSTS": ","},
        "berth_app_settings": {},
    },
    "legacy": {
        "berth_app_readiness_path": "/admin/login/",
        "berth_app_database_env": {part: f"DB_{name}" for part, name in PARTS.items()} | {"name": "DB_NAME"},
        "berth_app_hosts_env": {"ALLOWED_HOSTS": " "},
        "berth_app_settings": {
            "DJANGO_SETTINGS_MODULE": "intranet.settings.production",
            "EMAIL_HOST": "{{ undef(hint='write the value of EMAIL_HOST here, because the settings require it') }}",
            "SECURE_SSL_REDIRECT": "off",
        },
    },
}


@pytest.mark.parametrize("name", CHOICES)
def test_a_projects_inventory_makes_its_essential_choices_and_no_other(name: str) -> None:
    made = inventory_lib.draft(TESTS / name, name, name, "/source", 30090, KNOWN)
    said = yaml.safe_load(inventory_lib.text(made, name))
    usual = {"berth_provider", "berth_kubeconfig", "berth_namespace", "berth_app_name", "berth_app_source", "berth_app_node_port", "berth_app_secrets"}
    usual |= {"berth_secrets_directory", "berth_database_password", "berth_app_liveness_path"}
    assert {variable: value for variable, value in said.items() if variable not in usual} == CHOICES[name]
    assert (set(said["berth_app_secrets"]), made.needs) == ({"SECRET_KEY"}, [])
    assert made.asked == (["EMAIL_HOST"] if name == "legacy" else [])


def test_of_two_projects_one_is_taken_and_the_other_named(tmp_path: Path) -> None:
    for name in ("admin", "site"):
        project(tmp_path / name, {})
    made = inventory_lib.draft(tmp_path, "shop-dev", "shop", "/shop", 30090, KNOWN)
    text = inventory_lib.text(made, "shop-dev")
    assert yaml.safe_load(text)["berth_app_directory"] == "admin"
    assert "manage.py is also in site." in text


def test_a_directory_without_a_project_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM x\n", encoding="utf-8")
    with pytest.raises(ProjectError, match="is not a Django project"):
        inventory_lib.draft(tmp_path, "shop-dev", "shop", "/shop", 30090, KNOWN)


@pytest.mark.parametrize(
    "name, app",
    [
        ("shop", "shop"),
        ("My_Shop.io", "my-shop-io"),
        ("2nd", "nd"),
        ("42", "app-shop-dev"),
        ("postgres", "app-shop-dev"),
        ("bakery/src", "bakery"),
        ("a-very-long-name-of-a-project-that-goes-on", "a-very-long-name-of-a-project"),
    ],
)
def test_the_apps_name_is_the_directorys_where_that_is_a_name(name: str, app: str) -> None:
    assert action.app_name(Path("/srv") / name, "shop-dev") == app


@pytest.mark.parametrize(
    "name, why",
    [
        ("default", r"belongs to the cluster[^.]*\.$"),
        ("Shop", "illegal characters.* Choose another one, such as env=shop"),
        ("shop.example.com", "such as env=shop-example-com"),
        ("kube-x", "belongs to the cluster"),
        ("", "is empty"),
    ],
)
def test_a_name_that_no_environment_can_have_is_refused(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(AnsibleActionFail, match=why):
        action.refuse(tmp_path, name, tmp_path / "inventories" / "x")


def test_an_inventory_that_is_there_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(AnsibleActionFail, match="already exists and was left alone"):
        action.refuse(tmp_path, "shop-dev", tmp_path)


def test_the_next_port_is_one_that_nobody_has() -> None:
    assert action.free_port(iter([30080, 30082, 443])) == 30081
    assert action.free_port(iter(range(30000, 32768))) == 0


def run(tmp_path: Path, playbook: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = ["ansible-playbook", playbook, *arguments]
    return ansible_fork.run(command, cwd=PROJECT, env=environment, stderr=subprocess.STDOUT, timeout=60)


def test_an_inventory_passes_preflight_and_names_what_is_left(tmp_path: Path) -> None:
    settings = "DATABASES = {'default': {'HOST': os.environ['DB_HOST']}}\nSECRET_KEY = os.environ['KEY']\nSTRIPE = os.environ['STRIPE_API_KEY']\n"
    source = project(tmp_path / "shop", {"shop/settings.py": BASE + settings})
    given = ("-e", f"source={source}", "-e", "env=shop-dev", "-e", f"inventories={tmp_path}/inventories")
    done = run(tmp_path, "playbooks/new.yml", *given)
    made = tmp_path / "inventories" / "shop-dev"
    assert done.returncode == 0, done.stdout
    assert f"ansible-playbook site.yml -i {made}" in done.stdout
    checked = run(tmp_path, "playbooks/preflight.yml", "-i", str(made))
    assert "1 problem, and nothing was changed" in checked.stdout
    assert "berth_app_secrets.STRIPE_API_KEY: cannot be evaluated: write the value of STRIPE_API_KEY here" in checked.stdout
    main = made / "group_vars" / "all" / "main.yml"
    main.write_text("".join(line for line in main.read_text().splitlines(keepends=True) if "STRIPE" not in line))
    checked = run(tmp_path, "playbooks/preflight.yml", "-i", str(made))
    assert checked.returncode == 0, checked.stdout


def test_what_is_said_of_several_variables_is_said_once(tmp_path: Path) -> None:
    settings = "".join(f"{name} = os.environ.get('{name}', 'True') == 'True'\n" for name in ("SECURE_SSL_REDIRECT", "CSRF_COOKIE_SECURE"))
    _, text, _ = inventory(tmp_path, {"shop/settings.py": BASE + settings + "MAIL = os.environ['MAIL']\n"})
    assert text.count("Nothing terminates TLS in front of the site here") == 1
    assert text.index("  # Nothing terminates TLS") < text.index("  CSRF_COOKIE_SECURE: ") < text.index("  SECURE_SSL_REDIRECT: ") < text.index("  MAIL: ")


@pytest.mark.parametrize(("hosts", "told"), [("[*env.words('DJANGO_ALLOWED_HOSTS', 'a'), 'x']", False), ("[os.environ['DJANGO_ALLOWED_HOSTS'], 'x']", True)])
def test_the_name_of_several_hosts_that_is_taken_for_one_is_told(tmp_path: Path, hosts: str, told: bool) -> None:
    _, _, made = inventory(tmp_path, {"shop/settings.py": BASE + f"import environ\nenv = environ.Env()\nALLOWED_HOSTS = {hosts}\n"})
    assert any("it contains several names" in line for line in made.needs) is told


def test_berths_own_example_lacks_nothing() -> None:
    app = Path(__file__).parents[2] / "app"
    assert inventory_lib.draft(app, "polls-dev", "polls", "/polls", 30090, KNOWN).needs == []
