"""Who gets RDS' master password, and what is done with it: the Job as the role renders it, and its script against a real PostgreSQL."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ansible_fork
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles" / "database"
PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  vars_files: [{role}/defaults/main.yml, {role}/vars/main.yml]
  vars:
    berth_kubeconfig: {place}/kubeconfig
    berth_namespace: polls
    berth_app_name: polls
    berth_database_password: of-the-app
    image_facts: {{ref: "registry/polls@sha256:app"}}
    artifacts_facts: {{pullable: {{postgres: "docker.io/library/postgres:17@sha256:db"}}}}
    __database_endpoint: db.example.org
  tasks:
    - ansible.builtin.copy:
        content: "{{{{ query('ansible.builtin.template', '{role}/templates/login-job.yaml.j2', '{role}/templates/login-secret.yaml.j2') | to_json }}}}"
        dest: {place}/rendered.json
        mode: "0600"
      vars: # as rds.yml gives it
        __database_login_master: "{{{{ {{'username': 'berth', 'password': 'of-the-master'}} if database_provider == 'rds' else {{}} }}}}"
"""
SERVER = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))[-1:]


@pytest.mark.parametrize(
    ("provider", "image", "program", "given"),
    [
        ("rds", "docker.io/library/postgres:17@sha256:db", "sh", {"DATABASE_PASSWORD", "MASTER_USER", "MASTER_PASSWORD"}),
        ("external", "registry/polls@sha256:app", "python", {"DATABASE_PASSWORD"}),
    ],
)
def test_the_app_and_its_packages_never_get_the_masters_password(tmp_path: Path, provider: str, image: str, program: str, given: set[str]) -> None:
    (tmp_path / "files").symlink_to(ROLE / "files")
    (tmp_path / "play.yml").write_text(PLAYBOOK.format(role=ROLE, place=tmp_path), encoding="utf-8")
    command = ["ansible-playbook", str(tmp_path / "play.yml")]
    command += ["-e", json.dumps({"berth_database": provider, "berth_database_host": "db.example.org"})]
    environment = os.environ | {"ANSIBLE_FILTER_PLUGINS": str(ROOT / "plugins" / "filter")}
    done = ansible_fork.run(command, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    job, secret = (yaml.safe_load(text) for text in json.loads((tmp_path / "rendered.json").read_text(encoding="utf-8")))
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["command"][0]) == (image, program)
    assert set(secret["data"]) == given
    assert container["envFrom"] == [{"secretRef": {"name": secret["metadata"]["name"]}}]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Run PostgreSQL with a master as RDS has one, no superuser; yield how to reach it."""
    place = tmp_path_factory.mktemp("postgresql")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    other: dict[str, Any] = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        other = {"user": "nobody"}
        for directory in (place, *place.parents):
            if directory.owner() == "root" and str(directory).startswith("/tmp/"):
                directory.chmod(0o755)
        shutil.chown(place, "nobody")
    tools = SERVER[0].parent

    def run(*command: str, **options: Any) -> None:
        subprocess.run(command, check=True, capture_output=True, cwd=place, timeout=60, **options)

    run(str(tools / "initdb"), "--pgdata", "data", "--username", "postgres", "--auth-local", "trust", "--auth-host", "scram-sha-256", **other)
    # A server whose own default is the older hash, and which logs every statement.
    settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={place} -c password_encryption=md5 -c log_statement=all"
    run(str(tools / "pg_ctl"), "start", "--pgdata", "data", "--wait", "--log", str(place / "log"), "--options", settings, **other)
    try:
        sql = "SET password_encryption = 'scram-sha-256'; CREATE ROLE berth LOGIN CREATEROLE CREATEDB PASSWORD 'm4ster'"
        run("psql", "--host", str(place), "--port", str(port), "--username", "postgres", "--quiet", "--command", sql)
        yield {"place": str(place), "port": str(port)}
    finally:
        run(str(tools / "pg_ctl"), "stop", "--pgdata", "data", "--mode", "immediate", **other)


def provide(
    server: dict[str, str], password: str, user: str = "polls", name: str = "polls", master: str = "m4ster", extensions: str = "", **more: str
) -> subprocess.CompletedProcess[str]:
    """Run the Job's script, without a terminal as a container has none."""
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_HOST": "127.0.0.1",
        "DATABASE_PORT": server["port"],
        "DATABASE_NAME": name,
        "DATABASE_USER": user,
        "DATABASE_SSLMODE": "disable",
        "DATABASE_SSLROOTCERT": "/nowhere",
        "DATABASE_PASSWORD": password,
        "MASTER_USER": "berth",
        "MASTER_PASSWORD": master,
        "DATABASE_EXTENSIONS": extensions,
        "DATABASE_EXTENSIONS_SQL": (ROLE / "files" / "extensions.sql").read_text(encoding="utf-8"),
        **more,
    }
    script = (ROLE / "files" / "master.sh").read_text(encoding="utf-8")
    return subprocess.run(
        ["sh", "-c", script], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, start_new_session=True, timeout=60
    )


def ask(server: dict[str, str], sql: str) -> str:
    """Ask the server as its superuser."""
    return ask_in(server, "postgres", sql)


def ask_in(server: dict[str, str], database: str, sql: str) -> str:
    """Ask it in one of its databases."""
    command = ["psql", "--host", server["place"], "--port", server["port"], "--username", "postgres", "--dbname", database]
    command += ["--no-align", "--tuples-only", "--command", sql]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


needs_postgresql = pytest.mark.skipif(not SERVER or not shutil.which("psql"), reason="PostgreSQL's server is not installed; the scenario rehearsal has one")


@needs_postgresql
@pytest.mark.parametrize(("user", "name"), [("polls", "polls"), ("a_role", "data"), ('we"ird', "na me")])
def test_the_master_makes_role_and_database_and_sets_each_new_password(server: dict[str, str], user: str, name: str) -> None:
    for password in ('pa ss"w$o\\rd', "s3cond", "s3cond"):
        done = provide(server, password, user, name)
        assert (done.returncode, done.stdout) == (0, f"{user} logs in to the database {name} with disable.\n"), done.stderr
    quoted = user.replace("'", "''")
    assert ask(server, f"SELECT left(rolpassword, 13) FROM pg_authid WHERE rolname = '{quoted}'") == "SCRAM-SHA-256"
    assert ask(server, f"SELECT pg_get_userbyid(datdba) = '{quoted}', datacl::text LIKE '%{{=%' FROM pg_database WHERE datname = '{name}'") == "t|f"
    assert ask(server, "SELECT count(*) FROM pg_auth_members WHERE member = 'berth'::regrole AND NOT admin_option") == "0"
    assert "s3cond" not in Path(server["place"], "log").read_text(encoding="utf-8"), "no log shows a password"


@needs_postgresql
@pytest.mark.parametrize("missing", ["DROP DATABASE r_data", "DROP DATABASE r_data; DROP ROLE r_user"])
def test_what_was_restored_has_to_have_the_apps_database_and_role(server: dict[str, str], missing: str) -> None:
    assert provide(server, "pa55", "r_user", "r_data").returncode == 0
    whole = provide(server, "0ther", "r_user", "r_data", DATABASE_MUST_EXIST="true")
    assert whole.returncode == 0, whole.stderr
    for statement in missing.split("; "):
        ask(server, statement)
    empty = provide(server, "pa55", "r_user", "r_data", DATABASE_MUST_EXIST="true")
    assert empty.returncode != 0
    assert "The restored instance does not have the database and the role of the app." in empty.stderr
    assert ask(server, "SELECT count(*) FROM pg_database WHERE datname = 'r_data'") == "0"


@needs_postgresql
def test_a_master_who_is_not_let_in_is_told_by_name_and_without_a_password(server: dict[str, str]) -> None:
    done = provide(server, "of-the-app", master="wr0ng")
    assert done.returncode != 0
    assert 'password authentication failed for user "berth"' in done.stderr
    assert "wr0ng" not in done.stderr + done.stdout and "of-the-app" not in done.stderr + done.stdout


@needs_postgresql
def test_the_master_makes_the_extensions_for_the_app_once_and_names_those_that_there_are(server: dict[str, str]) -> None:
    members = "SELECT count(*) FROM pg_auth_members WHERE member = 'berth'::regrole AND NOT admin_option"
    for first in (True, False):
        done = provide(server, "pa55", "e_user", "e data", extensions="pg_trgm,uuid-ossp")
        assert done.returncode == 0, done.stderr
        assert ("made pg_trgm" in done.stderr) is first
    assert ask_in(server, "e data", "SELECT string_agg(pg_get_userbyid(extowner), ',') FROM pg_extension WHERE extname <> 'plpgsql'") == "e_user,e_user"
    unknown = provide(server, "pa55", "e_user", "e data", extensions="pg_trgm,postgis,no-such")
    assert unknown.returncode != 0
    assert "PostgreSQL does not have postgis, no-such. It has: " in unknown.stderr
    forbidden = provide(server, "pa55", "e_user", "e data", extensions="pageinspect")
    assert "An administrator of the server must run this in the database e data: CREATE EXTENSION pageinspect;" in forbidden.stderr
    assert ask(server, members) == "0"


# --- The data of another Berth's server ----------------------------------------------------------------
@pytest.mark.parametrize(("data", "starts"), [("17", True), ("16", False)])
def test_data_of_another_major_version_is_refused_and_stays_as_it_is(tmp_path: Path, data: str, starts: bool) -> None:
    place = tmp_path / "data"
    place.mkdir()
    (place / "PG_VERSION").write_text(f"{data}\n", encoding="utf-8")
    (place / "postmaster.pid").touch()
    for name, does in {"postgres": "echo 'postgres (PostgreSQL) 17.12 (Debian 17.12-0+deb13u1)'", "pg_ctl": f"touch {tmp_path}/started; exit 3"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    script = (ROLE / "files" / "prepare.sh").read_text(encoding="utf-8").replace("cat /tmp/postgresql.log", ":")
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PGDATA": str(place)}
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, (tmp_path / "started").exists(), (place / "postmaster.pid").exists()) == (1, starts, not starts)
    assert ("has data of PostgreSQL 16, which this version of Berth cannot read with PostgreSQL 17" in done.stdout) is not starts
