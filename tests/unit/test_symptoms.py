"""What an app's log, its answers to probes and its sockets say about a release that does not come up."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from ansible_collections.berth.platform.plugins.module_utils.rollout import checks, page_error, symptoms
from ansible_collections.berth.platform.plugins.module_utils.rollout.advice import advice_of
from ansible_collections.berth.platform.plugins.module_utils.rollout.judge import judge
from ansible_collections.berth.platform.plugins.module_utils.rollout.message import PAGE_RAISES, folded, symptom_of
from ansible_collections.berth.platform.plugins.module_utils.rollout.model import ANSWERED, ERRORS, LISTENS, NEVER, Patience, Snapshot
from rollout_objects import (
    BEGAN,
    LATER,
    LONG_AGO,
    SINCE,
    container,
    crashing,
    deployment,
    ended,
    event,
    pod,
    replicaset,
    statefulset,
)
from test_rollout_module import FakeCluster, k8s_rollout, rollout

SETTINGS = [
    "Traceback (most recent call last):",
    '  File "/srv/app/manage.py", line 5, in <module>',
    '  File "/usr/local/lib/python3.13/site-packages/django/conf/__init__.py", line 190, in __init__',
    "    mod = importlib.import_module(self.SETTINGS_MODULE)",
    '  File "/usr/local/lib/python3.13/importlib/__init__.py", line 88, in import_module',
    '  File "<frozen importlib._bootstrap>", line 1387, in _gcd_import',
]
PROJECT = ['  File "/srv/app/shop/settings.py", line 3, in <module>', "    import x"]
MKDIR = ['  File "/srv/app/shop/apps.py", line 9, in ready', '    os.makedirs("/srv/cache")', '  File "<frozen os>", line 227, in makedirs']
ENVIRON = ['  File "/srv/app/shop/settings.py", line 2, in <module>', '    X = os.environ["X"]', '  File "<frozen os>", line 717, in __getitem__']

KOMBU = [
    '  File "/usr/local/lib/python3.13/site-packages/kombu/transport/redis.py", line 387, in <module>',
    "    class PrefixedStrictRedis(GlobalKeyPrefixMixin, redis.Redis):",
    "                                                    ^^^^^^^^^^^",
]

LOG_FILE = [
    '  File "/usr/lib/python3.13/logging/__init__.py", line 1268, in _open',
    "    return open_func(self.baseFilename, self.mode,",
    "                     encoding=self.encoding, errors=self.errors)",
    "FileNotFoundError: [Errno 2] No such file or directory: '/srv/app/log/shop.log'",
    "",
    "ValueError: Unable to configure handler 'file'",
]

MAKES = ['  File "/srv/app/manage.py", line 9, in main', '  File "/srv/app/shop/management/commands/make_css.py", line 9, in handle']

LOGS: list[tuple[list[str], str, str, str]] = [
    ([*SETTINGS, *PROJECT, "ModuleNotFoundError: No module named 'celery'"], "module", "the module celery is not installed", "Add the package celery"),
    ([*PROJECT, "ModuleNotFoundError: No module named 'rest_framework.authtoken'"], "module", "rest_framework.authtoken", "package djangorestframework"),
    ([*PROJECT, "ModuleNotFoundError: No module named 'shop.util'"], "module", "the project has no module shop.util", "or in berth_app_command."),
    ([*SETTINGS, "ModuleNotFoundError: No module named 'config'"], "settings-module", "there is no settings module config", "DJANGO_SETTINGS_MODULE"),
    (["django.core.exceptions.ImproperlyConfigured: Error loading psycopg2 or psycopg module"], "module", "driver psycopg2", "package psycopg2-binary"),
    ([*KOMBU, "AttributeError: 'NoneType' object has no attribute 'Redis'"], "module", "client of Celery's broker, redis, is not", "Add the package redis to"),
    (["ImportError: The kazoo library is not installed"], "module", "the library kazoo is not installed", "Add the package kazoo to the project's"),
    (["ImportError: boto3 is not installed"], "module", "the library boto3 is not installed", "Add the package boto3 to the project's"),
    (["You need to install the redis library in order to use the Redis result store backend."], "module", "the library redis", "Add the package redis to"),
    (["ImportError: libGL.so.1: cannot open shared object file"], "library", "the shared library libGL.so.1", "libgl1, to berth_app_p"),
    (["uwsgi: error while loading shared libraries: libpcre2-8.so.0: cannot open shared object file"], "library", "libpcre2-8.so.0", "probably libpcre2-8-0,"),
    (["OSError: cannot load library 'libgobject-2.0-0': error"], "library", "libgobject-2.0-0", "libglib2.0-0"),
    ([*MKDIR, "OSError: [Errno 30] Read-only file system: '/srv/cache'"], "writable", "cannot write to /srv/cache", "berth_app_writable: {/srv/cache: 64Mi}"),
    (["OSError: [Errno 30] Read-only file system: '/var/lib/shop/x.db'"], "writable", "/var/lib/shop/x.db", "berth_app_writable: {/var/lib/shop: 64Mi}"),
    (["PermissionError: [Errno 13] Permission denied: '/srv/media/a.png'"], "writable", "/srv/media/a.png", "berth_app_writable: {/srv/media: 64Mi}"),
    ([*MAKES, "OSError: [Errno 30] Read-only file system: '/srv/app/shop/css/a.css'"], "writable", "css/a.css", "run python manage.py make_css, and remove"),
    ([*MAKES, "OSError: [Errno 30] Read-only file system: '/srv/app/out/css/a.css'"], "writable", "css/a.css", "berth_app_writable: {/srv/app/out/css: 64Mi}"),
    ([*PROJECT, "OSError: [Errno 30] Read-only file system: '/srv/app/debug.log'"], "writable", "/srv/app/debug.log", "{/srv/app/data: 64Mi}: one at"),
    (["OSError: [Errno 30] Read-only file system: '/srv/app/debug.log'", "ValueError: Unable to configure handler"], "writable", "", "{/srv/app/data: 64Mi}"),
    (["OSError: [Errno 30] Read-only file system: '/usr/src/app/debug.log'"], "writable", "", "such as {/usr/src/app/data: 64Mi}"),
    (["OSError: [Errno 30] Read-only file system: '/code/debug.log'"], "writable", "/code/debug.log", "such as {/code/data: 64Mi}"),
    (["OSError: [Errno 30] Read-only file system: 'celerybeat-schedule'"], "writable", "celerybeat-schedule in its w", "to berth_app_command"),
    (["OSError: [Errno 30] Read-only file system: b'celerybeat-schedule.dat'"], "writable", "dat in its working", "--schedule /tmp/celerybeat-schedule"),
    (["PermissionError: [Errno 13] Permission denied: 'out/report.pdf'"], "writable", "out/report.pdf in its working directory", "below /tmp, or"),
    (LOG_FILE, "directory", "there is no directory /srv/app/log for the log file shop.log", "Let LOGGING write to the console"),
    (["django.db.utils.OperationalError: unable to open database file"], "sqlite", "SQLite", "DATABASE_HOST"),
    ([*ENVIRON, "KeyError: 'STRIPE_API_KEY'"], "setting", "variable STRIPE_API_KEY is not set", "Set STRIPE_API_KEY in berth_app_secrets."),
    ([*ENVIRON, "KeyError: 'TIMEZONE'"], "setting", "variable TIMEZONE is not set", "Set TIMEZONE in berth_app_settings."),
    (["django.core.exceptions.ImproperlyConfigured: Set the EMAIL_HOST environment variable"], "setting", "EMAIL_HOST", "in berth_app_settings"),
    (["decouple.UndefinedValueError: SECRET_KEY not found. Declare it as envvar or define a default value."], "setting", "SECRET_KEY", "in berth_app_secrets"),
    (['environs.exceptions.EnvError: Environment variable "SITE_NAME" not set'], "setting", "variable SITE_NAME is not set", "Set SITE_NAME in berth_app_sett"),
    (["python: can't open file '/code/manage.py': [Errno 2] No such file or directory"], "directory", "no /code/manage.py in the image", "berth_app_directory"),
    (["Unknown command: 'seed'", "Type 'manage.py help' for usage."], "command", "manage.py has no command seed", "INSTALLED_APPS"),
    (["sh: 1: celery: not found"], "command", "the image has no command celery", "Correct berth_app_command"),
    (["[ERROR] Worker (pid:8) was sent SIGKILL! Perhaps out of memory?"], "memory", "killed", "berth_app_resources"),
    (["nginx: [emerg] bind() to 0.0.0.0:8080 failed (98: Address already in use)"], "port", "port 8080 of the pod is taken", "set berth_app_port: 8080"),
    (["[ERROR] Connection in use: ('0.0.0.0', 8080)"], "port", "port 8080 of the pod is taken", "If the app serves pages there, set berth_app_port: 8080"),
    (["ERROR: [Errno 98] error while attempting to bind on address ('0.0.0.0', 8081): address already in use"], "port", "8081", "berth_app_port: 8081"),
    (["berth_app_static: /code/static is not in the image"], "static", "/code/static is not in the image", "run python manage.py collectstatic"),
    (["berth_app_static: /code/static has no files in the image"], "static", "/code/static has no files", "correct the path in berth_app_static"),
    (["berth_app_static: /s cannot be copied: Permission denied: /s/a"], "static", "/s cannot be copied: Permission denied", "Let berth_app_user read"),
    (
        ['  File "/srv/app/goods/migrations/0002_fill.py", line 6, in fill', "django.db.utils.DataError: value too long", "", "  Applying goods.0002_fill..."],
        "migration",
        "the migration goods.0002_fill fails (/srv/app/goods/migrations/0002_fill.py:6): django.db.utils.DataError: value too long",
        "Fix that migration, then run the playbook again. Its changes were rolled back",
    ),
    (["ModuleNotFoundError: No module named 'yaml'", "  Applying goods.0002_fill..."], "module", "yaml", "PyYAML"),
    # The last one counts, and what follows it does not matter.
    (["ModuleNotFoundError: No module named 'celery'", "ModuleNotFoundError: No module named 'yaml'", "[INFO] Shutting down"], "module", "yaml", "PyYAML"),
]


BUILDS: list[tuple[list[str], str, str]] = [
    (
        [*SETTINGS, *PROJECT, "ModuleNotFoundError: No module named 'rest_framework'"],
        "the module rest_framework is not installed (/srv/app/shop/settings.py:3). ",
        "Add the package djangorestframework to the project's requirements (and its lock file); ",
    ),
    (
        [*PROJECT, "ModuleNotFoundError: No module named 'shop.util'", 'Error: building at STEP "RUN python manage.py collectstatic": exit status 1'],
        "the project has no module shop.util (/srv/app/shop/settings.py:3). ",
        "Correct its name where it is imported, or in the Dockerfile.",
    ),
    (
        [*ENVIRON, "KeyError: 'BUCKET'"],
        "the environment variable BUCKET is not set (/srv/app/shop/settings.py:2). A build has none of the environment's variables",
        "a default, or set it",
    ),
    ([*PROJECT, "KeyError: 'BUCKET'"], "KeyError: 'BUCKET' (/srv/app/shop/settings.py:3). Fix it there. ", "a build has none of the environment's variables"),
    (
        [f"#9 1.23 {line}" for line in (*PROJECT, "ImportError: cannot import name 'y' from 'x' (/x.py)", "")],
        "ImportError: cannot import name 'y' from 'x' (/x.py) (/srv/app/shop/settings.py:3). Fix it there.",
        "Fix it there.",
    ),
    (
        [*PROJECT, "ValueError: x"],
        "ValueError: x (/srv/app/shop/settings.py:3). Fix it there. If a variable is missing: a build has none of the environment's variables",
        "",
    ),
    (['  File "/srv/app/manage.py", line 9, in <module>', *LOG_FILE], "there is no directory /srv/app/log for the log file shop.log. ", "Let LOGGING write to"),
    (
        ['  File "/srv/app/shop/settings.py", line 7', "    DEBUG = = 1", "SyntaxError: invalid syntax"],
        "SyntaxError: invalid syntax (/srv/app/shop/",
        "Fix it there",
    ),
    (["123 static files copied", "exit status 1"], "", ""),
]


@pytest.mark.parametrize(("lines", "what", "way"), BUILDS)
def test_a_build_that_cannot_load_the_project_is_told_with_the_place(lines: list[str], what: str, way: str) -> None:
    told = symptoms.of_build(lines)
    assert told.startswith(what) and way in told, told
    assert bool(told) == bool(what)


@pytest.mark.parametrize(
    ("error", "own", "way"),
    [
        ("KeyError: 'BUCKET'", True, "or set it in that line, as in RUN BUCKET=build python manage.py collectstatic --noinput."),
        ("ValueError: x", True, "or set it in that line, as in RUN NAME=build python manage.py collectstatic --noinput."),
        ("KeyError: 'BUCKET'", False, "or set it in that line of a Dockerfile of your own; playbooks/ops/dockerfile.yml writes one."),
    ],
)
def test_a_variable_that_a_build_lacks_is_set_where_the_dockerfile_is_the_projects_own(error: str, own: bool, way: str) -> None:
    assert symptoms.of_build([*ENVIRON, error], own).endswith(way)


@pytest.mark.parametrize(("lines", "cause", "summary", "advice"), LOGS, ids=[case[0][-1][:60] for case in LOGS])
def test_a_log_is_told_in_words_with_the_variable(lines: list[str], cause: str, summary: str, advice: str) -> None:
    symptom = symptoms.of_log(lines, "berth_app_command")
    assert symptom
    assert symptom.cause == cause
    assert summary in symptom.summary
    assert advice in symptom.advice
    assert "{variable}" not in symptom.advice


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["ValueError: bad"],
        ["GET /media/lib.so 404"],
        ["Not Found: /ht/"],
        ["Permission denied: please log in"],
        [*PROJECT, "AttributeError: 'NoneType' object has no attribute 'Redis'"],
    ],
)
def test_a_log_that_says_nothing_certain_is_left_to_the_reader(lines: list[str]) -> None:
    assert symptoms.of_log(lines) is None


def test_a_key_of_the_projects_own_is_no_environment_variable() -> None:
    symptom = symptoms.of_log([*PROJECT, "KeyError: 'TIMEZONE'"])
    assert symptom
    assert symptom.cause == "crash"
    assert "berth_app" not in symptom.advice


TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000 10001        0 1 1 0
   1: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000 10001        0 2 1 0
   2: 0501F40A:A1B2 0A0AF40A:1538 01 00000000:00000000 00:00000000 00000000 10001        0 3 1 0
   0: 00000000000000000000000000000000:1F42 00000000000000000000000000000000:0000 0A 00000000:00000000 00:0 0 10001 0 4
   1: 00000000000000000000000001000000:1F43 00000000000000000000000000000000:0000 0A 00000000:00000000 00:0 0 10001 0 5
"""


def test_what_listens_is_read_from_the_kernels_table() -> None:
    assert symptoms.listening(TABLE) == [("0.0.0.0", 8001), ("0.0.0.0", 8002), ("127.0.0.1", 8000), ("127.0.0.1", 8003)]


@pytest.mark.parametrize(
    ("line", "socket"),
    [
        ("[2026-03-01 12:00:00 +0000] [1] [INFO] Listening at: http://0.0.0.0:8001 (1)", ("0.0.0.0", 8001)),
        ("[2026-03-01 12:00:00 +0000] [1] [INFO] Listening at: http://127.0.0.1:8000 (1)", ("127.0.0.1", 8000)),
        ("INFO:     Uvicorn running on http://0.0.0.0:8080 (Press CTRL+C to quit)", ("0.0.0.0", 8080)),
        ("[INFO] Running on http://[::]:8080 (CTRL + C to quit)", ("0.0.0.0", 8080)),
        ("uWSGI http bound on :8001 fd 4", ("0.0.0.0", 8001)),
        ("2026-03-01 12:00:00 INFO     Listening on TCP address 0.0.0.0:9000", ("0.0.0.0", 9000)),
        ("Starting development server at http://127.0.0.1:8000/", ("127.0.0.1", 8000)),
    ],
)
def test_every_server_says_where_it_listens(line: str, socket: tuple[str, int]) -> None:
    assert symptoms.listening_by_log(["Booting", line]) == [socket]


@pytest.mark.parametrize(
    ("sockets", "words"),
    [
        ([], ""),
        ([("0.0.0.0", 8000)], ""),
        ([("0.0.0.0", 8000), ("0.0.0.0", 9100)], ""),
        ([("0.0.0.0", 8001)], "Set berth_app_port: 8001, or let the app listen on 8000."),
        ([("0.0.0.0", 8001), ("0.0.0.0", 9100)], "whichever of 8001 and 9100 serves pages"),
        ([("127.0.0.1", 8000)], "Let the server listen on 0.0.0.0:8000: in berth_app_command, or in the Dockerfile's CMD."),
        ([("127.0.0.1", 8001)], "Let the server listen on 0.0.0.0:8001: in berth_app_command, or in the Dockerfile's CMD, and set berth_app_port: 8001."),
        ([("0.0.0.0", 9100), ("127.0.0.1", 8000)], "Let the server listen on 0.0.0.0:8000"),
    ],
)
def test_a_wrong_port_is_told_with_the_right_one(sockets: list[tuple[str, int]], words: str) -> None:
    symptom = symptoms.wrong_port(8000, sockets, "berth_app_command")
    assert words in symptom.advice if symptom else words == ""
    assert bool(symptom) == bool(words)


WEB = {"app.kubernetes.io/component": "web"}
PROBES = {"name": "web", "image": "x", "ports": [{"name": "http", "containerPort": 8000}]} | {
    kind: {"httpGet": {"path": "/ht/", "port": "http", "httpHeaders": [{"name": "Host", "value": "localhost"}]}} for kind in ("startupProbe", "readinessProbe")
}
REFUSED = 'Startup probe failed: Get "http://10.244.0.9:8000/ht/": dial tcp 10.244.0.9:8000: connect: connection refused'


def unready(message: str, sockets: Any = (), labels: dict[str, str] = WEB, created: str = BEGAN, seen: str = LATER) -> Snapshot:
    """Return a release whose pod runs and is not ready, with its probe's message."""
    workload = deployment(created=created)
    workload["metadata"]["labels"] = labels
    workload["spec"]["template"]["spec"]["containers"] = [PROBES]
    newest = replicaset(workload)
    waits = pod(newest, container(state={"running": {"startedAt": LATER}}), phase="Running", created=created)
    events = [event(waits, "Unhealthy", message, container_name="web", at=seen)]
    return Snapshot(workload, [waits], [newest], events=events, sockets=sockets)


def failed_with(status: int) -> str:
    return f"Startup probe failed: HTTP probe failed with statuscode: {status}"


@pytest.mark.parametrize(
    ("message", "sockets", "cause", "grace", "words"),
    [
        (failed_with(404), (), "answer", ANSWERED, "Set berth_app_readiness_path to a path that answers 200, without a login."),
        (failed_with(400), (), "answer", ANSWERED, "Host header is localhost, which ALLOWED_HOSTS may lack"),
        (failed_with(401), (), "answer", ANSWERED, "without a login"),
        (failed_with(500), (), "answer", ERRORS, "Fix what the app's log shows."),
        (failed_with(503), (), "readiness", NEVER, "what it is waiting for"),
        (failed_with(429), (), "readiness", NEVER, "what it is waiting for"),
        (REFUSED, (), "readiness", NEVER, "what it is waiting for"),
        (REFUSED, [("0.0.0.0", 8000)], "readiness", NEVER, "what it is waiting for"),
        (REFUSED, [("0.0.0.0", 8001)], "port", LISTENS, "Set berth_app_port: 8001"),
        (REFUSED, [("127.0.0.1", 8000)], "loopback", LISTENS, "0.0.0.0:8000"),
        ("Startup probe failed: context deadline exceeded", (), "readiness", NEVER, "what it is waiting for"),
    ],
)
def test_what_the_app_answers_its_probe_decides_whether_the_release_can_succeed(message: str, sockets: Any, cause: str, grace: float, words: str) -> None:
    snapshot = unready(message, sockets)
    finding = judge(snapshot, SINCE).findings[0]
    assert (finding.cause, finding.grace) == (cause, grace)
    assert words in advice_of(finding, snapshot.workload)


@pytest.mark.parametrize(("name", "words"), [("web", "Raise the memory limit in berth_app_resources"), ("files", "raise berth_app_replicas")])
def test_a_container_whose_memory_no_variable_sets_is_not_advised_to_have_more(name: str, words: str) -> None:
    workload = deployment()
    workload["metadata"]["labels"] = WEB
    newest = replicaset(workload)
    snapshot = Snapshot(workload, [pod(newest, crashing(ended(137, "OOMKilled")) | {"name": name})], [newest])
    assert words in advice_of(judge(snapshot, SINCE).findings[0], workload)


@pytest.mark.parametrize(("sockets", "cause"), [([("0.0.0.0", 8080)], "readiness"), ([("0.0.0.0", 8080), ("0.0.0.0", 8001)], "port")])
def test_where_another_container_listens_is_not_taken_for_the_app(sockets: list[tuple[str, int]], cause: str) -> None:
    """The containers of a pod have one network: web sees the sockets of the web server for files as well."""
    snapshot = unready(REFUSED, sockets)
    files = {"name": "files", "image": "x", "ports": [{"name": "http", "containerPort": 8080}]}
    web = PROBES | {"ports": [{"name": "app", "containerPort": 8000}]}
    web |= {kind: {"httpGet": PROBES[kind]["httpGet"] | {"port": "app"}} for kind in ("startupProbe", "readinessProbe")}
    snapshot.workload["spec"]["template"]["spec"]["containers"] = [web, files]
    finding = judge(snapshot, SINCE).findings[0]
    assert finding.cause == cause
    assert "8080" not in advice_of(finding, snapshot.workload)


def test_an_answer_of_another_component_ends_nothing() -> None:
    """No variable of the inventory describes its probe, and it may answer 500 while it starts."""
    finding = judge(unready(failed_with(500), labels={}), SINCE).findings[0]
    assert (finding.cause, finding.grace) == ("readiness", NEVER)


def test_an_answer_from_before_the_wait_ends_nothing() -> None:
    finding = judge(unready(failed_with(404), created=LONG_AGO, seen=BEGAN), SINCE).findings[0]
    assert finding.grace == NEVER


def test_an_answer_that_changes_is_waited_for_anew() -> None:
    """It moves: the app may be on its way."""
    patience = Patience()
    answers = {0.0: 404, 4.0: 400, 8.0: 400, 9.5: 400}
    found = [patience.certain(judge(unready(failed_with(status)), SINCE).findings, now) for now, status in answers.items()]
    assert [bool(each) for each in found] == [False, False, False, True]


class Pods(FakeCluster):
    """A cluster whose pods can be asked what listens in them."""

    table: str | Exception = TABLE
    looks = 0

    def output(self, _namespace: str, _pod: str, _container: str, _command: list[str]) -> str:
        """Return the kernel's table."""
        self.looks += 1
        if isinstance(self.table, Exception):
            raise self.table
        return self.table


@pytest.fixture
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second passes with each look at the clock."""
    clock = itertools.count(0, 0.5)
    monkeypatch.setattr(k8s_rollout.time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(k8s_rollout.time, "monotonic", lambda: float(next(clock)))


@pytest.mark.usefixtures("_clock")
@pytest.mark.parametrize(
    ("table", "log"),
    [
        (TABLE.replace("1F40", "1F44"), "Booting\n"),
        ("", "Listening at: http://0.0.0.0:8001 (1)\n"),
        (k8s_rollout.Forbidden("no exec"), "Listening at: http://0.0.0.0:8001 (1)\n"),
    ],
)
def test_a_release_on_the_wrong_port_ends_with_the_right_one(table: str | Exception, log: str) -> None:
    """Also where nothing can be run in the pod: then the server's log says where it listens."""
    snapshot = unready(REFUSED)
    held = {"Deployment": [snapshot.workload], "ReplicaSet": list(snapshot.replicasets), "Pod": list(snapshot.pods), "Event": list(snapshot.events)}
    cluster = Pods({("polls-2-abcde", "web", False): log}, **held)
    cluster.table = table
    with pytest.raises(k8s_rollout.Failed, match=r"runs but is not ready: nothing listens on port 8000: the app listens on 8001") as failed:
        k8s_rollout.wait([rollout(cluster)], timeout=300)
    assert failed.value.failure["cause"] == "port"
    assert "What to do: Set berth_app_port" in str(failed.value)
    assert cluster.looks < 20


@pytest.mark.usefixtures("_clock")
def test_a_crash_is_told_by_its_log_with_the_variable() -> None:
    workload = deployment()
    newest = replicaset(workload)
    log = "\n".join([*PROJECT, "ModuleNotFoundError: No module named 'celery'", ""])
    cluster = FakeCluster({("polls-2-abcde", "web", True): log}, Deployment=[workload], ReplicaSet=[newest], Pod=[pod(newest, crashing(ended(1)))])
    with pytest.raises(k8s_rollout.Failed) as failed:
        k8s_rollout.wait([rollout(cluster)], timeout=60)
    lines = str(failed.value).splitlines()
    assert lines[0] == "The container web crashes: it ended with exit code 1, 2 times: the module celery is not installed."
    assert lines[-1].startswith("What to do: Add the package celery to the project's requirements (and its lock file)")
    assert failed.value.failure["cause"] == "module"


UNLOADED = ["Traceback (most recent call last):", "OSError: [Errno 30] Read-only file system: '/srv/spool/a'", *["no python application found"] * 50]
RAISED = ["Traceback (most recent call last):", '  File "/code/shop/views.py", line 7, in health', "    1 / 0", "ZeroDivisionError: division by zero"]


@pytest.mark.usefixtures("_clock")
@pytest.mark.parametrize(
    ("log", "raised", "says", "way"),
    [
        ("GET /ht/ 500\n", RAISED, RAISED[-1], "Fix the error that the page raises."),
        ("GET /ht/ 500\n", ["Traceback", "ModuleNotFoundError: No module named 'celery'"], "ModuleNotFoundError", "Add the package celery"),
        ("\n".join([*RAISED, ""]), ["ValueError: this is not asked for"], RAISED[-1], "Fix what the app's log shows."),
        ("GET /ht/ 500\n", [], "GET /ht/ 500", "Fix what the app's log shows."),
        # uWSGI goes on without the application that it could not load.
        ("\n".join(UNLOADED), ["ValueError: this is not asked for"], "OSError: ", "Let the app write below /tmp"),
    ],
)
def test_a_health_page_with_an_error_is_told_with_what_it_raises_though_the_log_is_silent(log: str, raised: list[str], says: str, way: str) -> None:
    snapshot = unready(failed_with(500))
    objects = {"Deployment": [snapshot.workload], "ReplicaSet": list(snapshot.replicasets), "Pod": list(snapshot.pods), "Event": list(snapshot.events)}
    snapshot.pods[0]["metadata"]["namespace"] = "polls-dev"
    cluster = FakeCluster({("polls-2-abcde", "web", False): log}, **objects)
    cluster.output = lambda *_: page_error.MARK + json.dumps("\n".join(raised))  # type: ignore[attr-defined]
    with pytest.raises(k8s_rollout.Failed) as failed:
        k8s_rollout.wait([rollout(cluster)], timeout=60)
    lines = str(failed.value).splitlines()
    assert says in str(failed.value)
    assert "not asked for" not in str(failed.value)
    assert lines[-1].startswith(f"What to do: {way}")
    assert (PAGE_RAISES in lines) == (bool(raised) and log != "\n".join([*RAISED, ""]))


def test_the_log_explains_an_error_of_the_app_and_not_an_answer_that_is_plain() -> None:
    log = ["ModuleNotFoundError: No module named 'celery'"]
    for status, explained in ((404, False), (400, False), (500, True)):
        finding = judge(unready(failed_with(status)), SINCE).findings[0]
        assert bool(symptom_of(finding, log, {})) == explained


def test_a_log_that_repeats_itself_is_told_once() -> None:
    lines = ["Not Found: /readyz"] * 20 + ["", "", "GET /", "Not Found: /readyz"]
    assert folded(lines) == ["Not Found: /readyz (20 times)", "", "GET /", "Not Found: /readyz"]


def test_a_workload_that_is_no_deployment_is_judged_as_ever() -> None:
    workload = statefulset()
    waits = pod(workload, container(state={"running": {"startedAt": LATER}}), phase="Running", labels={"controller-revision-hash": "postgresql-7c9f"})
    snapshot = Snapshot(workload, [waits], events=[event(waits, "Unhealthy", REFUSED, container_name="web")], sockets=[("0.0.0.0", 1)])
    assert judge(snapshot, SINCE).findings[0].cause == "readiness"


@pytest.mark.parametrize(
    ("error", "way"),
    [
        ("NameError: name 'GoodList' is not defined", "Fix it there."),
        ("ImportError: cannot import name 'y' from 'x' (/x.py)", "Fix it there."),
        ("ValueError: no level LOUD", "Fix it there, or set what is missing in berth_app_settings or berth_app_secrets."),
    ],
)
def test_an_error_of_the_code_is_not_said_to_be_one_of_the_settings(error: str, way: str) -> None:
    facts = {"name": "shop.urls", "missing": "", "trace": ["Traceback (most recent call last):", error], "place": "shop/urls.py:6"}
    assert checks.tell({"id": "urls", "severity": "refuse", "facts": facts}, {}).way == way


def test_what_is_said_before_the_pods_are_replaced_does_not_say_that_the_project_is_released() -> None:
    report = {"findings": [{"id": "migrations", "severity": "warn", "facts": {"apps": ["goods"]}}]}
    assert checks.warning(report).splitlines()[0] == "The project can be released, but:"
