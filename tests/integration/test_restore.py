"""Backups of any kind, put in the place of a database's content on a PostgreSQL of this test's own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "roles/database/files/restore.sh"
PROGRAMS = [path.parent for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]  # where Debian has them, the clients' beside
# PostgreSQL does not run as root.
USER = "postgres" if os.geteuid() == 0 and "postgres" in {each.pw_name for each in pwd.getpwall()} else None
pytestmark = pytest.mark.skipif(not PROGRAMS or (os.geteuid() == 0 and USER is None), reason="PostgreSQL's server is not installed here")
OLD, NEW = [("old",)], [("new",)]


class Server:
    """A PostgreSQL with the database that the database role makes.

    Args:
        root: A directory of its own.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {
            "PATH": f"{PROGRAMS[-1]}:{os.environ['PATH']}",
            "PGHOST": str(root),
            "DATABASE_USER": "polls",
            "DATABASE_NAME": "polls",
        }

    def run(self, *command: str, text: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command as the server's user."""
        how: dict[str, Any] = {"cwd": self.root, "env": self.environment, "user": USER, "input": text, "check": check}
        return subprocess.run(command, capture_output=True, text=True, timeout=120, **how)

    def sql(self, text: str, database: str = "polls", user: str = "polls") -> list[tuple[str, ...]]:
        """Run statements; return the last one's rows."""
        done = self.run("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-U", user, "-d", database, text=text)
        return [tuple(line.split("|")) for line in done.stdout.splitlines()]

    def restore(self, dump: bytes) -> subprocess.CompletedProcess[bytes]:
        """Run the script as the pod does."""
        command = ["bash", "-c", SCRIPT.read_text(encoding="utf-8")]
        return subprocess.run(command, cwd=self.root, env=self.environment, user=USER, input=dump, capture_output=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a server that runs."""
    root = Path("/tmp") / f"berth-restore-{os.getpid()}"  # a socket's path is short
    root.mkdir(mode=0o700)
    if USER:
        shutil.chown(root, USER)
    made = Server(root)
    try:
        made.run("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale", "C.UTF-8")
        options = f"-k {root} -c listen_addresses= -c fsync=off"
        made.run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")
        try:
            made.sql("CREATE ROLE polls LOGIN; CREATE DATABASE polls OWNER polls; CREATE DATABASE other OWNER polls", "postgres", "postgres")
            yield made
        finally:
            made.run("pg_ctl", "-D", "data", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(root)


@pytest.fixture(scope="module")
def dump(server: Server) -> bytes:
    """Return a backup with a statement that PLACE stands for, which comes before the data."""
    place = "x" * 200
    server.sql(f"CREATE TABLE word (text text); INSERT INTO word VALUES ('new'); COMMENT ON TABLE word IS '{place}'", "other")
    server.run("pg_dump", "-U", "polls", "-Fc", "-f", "dump", "other")
    return (server.root / "dump").read_bytes()


@pytest.fixture(autouse=True)
def old(server: Server) -> None:
    """Make the content that is to be replaced."""
    server.sql("DROP OWNED BY CURRENT_USER CASCADE; CREATE TABLE word (text text); INSERT INTO word VALUES ('old')")


def with_statement(dump: bytes, statement: str) -> bytes:
    """Return the backup with other SQL in the place of a statement of its own."""
    own = b"COMMENT ON TABLE public.word IS '" + b"x" * 200 + b"';"
    assert dump.count(own) == 1 and len(statement) <= len(own)
    return dump.replace(own, statement.ljust(len(own)).encode())


def left(server: Server) -> list[tuple[str, ...]]:
    """Return what is in the cluster besides what belongs there."""
    return server.sql(
        "SELECT datname FROM pg_database WHERE datname NOT IN ('polls', 'other', 'postgres', 'template0', 'template1')"
        " UNION SELECT rolname FROM pg_roles WHERE rolname NOT IN ('polls', 'postgres') AND rolname !~ '^pg_'",
        "postgres",
        "postgres",
    )


def test_a_backup_takes_the_place_of_the_content_and_belongs_to_the_app(server: Server, dump: bytes) -> None:
    server.sql("CREATE TABLE vote (count integer)")
    done = server.restore(dump)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert server.sql("SELECT text FROM word") == NEW
    assert server.sql("SELECT tablename, tableowner FROM pg_tables WHERE schemaname = 'public'") == [("word", "polls")]
    assert left(server) == []


@pytest.mark.parametrize(
    "statement",
    [
        "COMMIT; SELECT 1 / 0;",
        "ROLLBACK; DROP TABLE IF EXISTS public.word CASCADE; SELECT 1 / 0;",
        "\\connect polls postgres",
        "\\! touch shell",
        "\nSELECT 1;\n\\! touch shell\n",
        "COPY public.word FROM PROGRAM 'touch shell';",
        "SET ROLE postgres;",
        "ALTER ROLE polls SUPERUSER;",
        "DROP DATABASE polls;",
    ],
)
def test_a_backup_that_would_do_more_than_fill_its_database_changes_nothing(server: Server, dump: bytes, statement: str) -> None:
    done = server.restore(with_statement(dump, statement))
    assert done.returncode != 0 and done.stderr
    assert server.sql("SELECT text FROM word") == OLD
    assert not (server.root / "shell").exists() and left(server) == []
    assert server.sql("SELECT rolsuper FROM pg_roles WHERE rolname = 'polls'") == [("f",)]


@pytest.mark.parametrize("statement", ["COMMIT;", "ROLLBACK;", "COMMIT; BEGIN;"])
def test_a_commit_of_the_backups_own_ends_nothing_of_ours(server: Server, dump: bytes, statement: str) -> None:
    done = server.restore(with_statement(dump, statement))
    assert (done.returncode, server.sql("SELECT text FROM word")) in ((0, NEW), (1, OLD))
    assert not (server.root / "shell").exists() and left(server) == []


@pytest.mark.parametrize("cut", [0, 300, -40])
def test_what_is_no_whole_backup_changes_nothing(server: Server, dump: bytes, cut: int) -> None:
    assert server.restore(dump[:cut]).returncode != 0
    assert server.sql("SELECT text FROM word") == OLD and left(server) == []


def test_what_a_killed_restore_left_is_no_hindrance(server: Server, dump: bytes) -> None:
    server.sql('CREATE ROLE "berth-restore" LOGIN', "postgres", "postgres")
    server.sql('CREATE DATABASE "berth-restore" OWNER "berth-restore"', "postgres", "postgres")
    assert server.restore(dump).returncode == 0
    assert server.sql("SELECT text FROM word") == NEW and left(server) == []
