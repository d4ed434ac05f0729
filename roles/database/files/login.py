"""Set the password of the app's role on an external server, then check that the app can log in with it.

The role and its database are there. The role sets its own password, logged in with the one that it had before.
Runs in the app's image, which surely can be pulled and speaks PostgreSQL: with psycopg 3 or psycopg2, whichever it has.
"""

from __future__ import annotations

import os
import sys
from typing import Any

try:
    import psycopg as driver
    from psycopg import sql
except ImportError:
    import psycopg2 as driver
    from psycopg2 import sql
    from psycopg2.extensions import encrypt_password

NAME, USER, PASSWORD = (os.environ[f"DATABASE_{name}"] for name in ("NAME", "USER", "PASSWORD"))
WAY = {"host": os.environ["DATABASE_HOST"], "port": os.environ["DATABASE_PORT"], "connect_timeout": 10}
TLS = {"sslmode": os.environ["DATABASE_SSLMODE"], "sslrootcert": os.environ["DATABASE_SSLROOTCERT"]}


def connect(user: str, password: str, database: str) -> Any:
    """Open a connection without transactions."""
    found = driver.connect(user=user, password=password, dbname=database, **WAY, **TLS)
    found.autocommit = True
    return found


def verifier(connection: Any) -> str:
    """Return the hash that the server stores for the app's password, so that no statement log contains the password itself."""
    if hasattr(connection, "pgconn"):
        return connection.pgconn.encrypt_password(PASSWORD.encode(), USER.encode(), b"scram-sha-256").decode()
    return encrypt_password(PASSWORD, USER, connection, "scram-sha-256")


def renew() -> None:
    """If the current password is refused, log in as the app's own role with the previous one and set the current one."""
    try:
        connect(USER, PASSWORD, NAME).close()
    except driver.OperationalError:
        before = os.environ.get("DATABASE_PASSWORD_BEFORE", PASSWORD)
        if before == PASSWORD:
            raise
        try:
            app = connect(USER, before, NAME)
        except driver.OperationalError as error:
            raise driver.OperationalError(f"{error} (with both berth_database_password and the previous password)") from error
        # Every role may change its own password (www.postgresql.org/docs/17/sql-alterrole.html).
        app.cursor().execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(USER), sql.Literal(verifier(app))))
        app.close()


def extend(connection: Any) -> None:
    """Create missing extensions in the database."""
    if names := os.environ.get("DATABASE_EXTENSIONS"):
        cursor = connection.cursor()
        cursor.execute("SELECT set_config('berth.extensions', %s, false)", (names,))
        cursor.execute(os.environ["DATABASE_EXTENSIONS_SQL"])


def main() -> int:
    """Return 0 if the app can log in."""
    try:
        renew()
        app = connect(USER, PASSWORD, NAME)
        app.cursor().execute("SELECT 1")
        extend(app)
        app.close()
    except driver.Error as error:
        print(f"{USER} at {WAY['host']}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    print(f"{USER} logs in to the database {NAME} with {TLS['sslmode']}.")
    return 0


sys.exit(main())
