"""What a log says of the services that an app uses: why it cannot connect to one, and what the database refuses."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .symptom import Explain, Symptom, fixed, place

NETWORK = "network"
"""The cause of symptoms that depend on the network in which a program runs."""
_ITSELF = ("localhost", "127.0.0.1", "::1", "0.0.0.0")
_OWN = ("database", "cache")
"""Berth's own services: their pods say what is wrong with them."""
_VARIABLES = {
    "5432": "berth_app_database_env names the variables that the settings read the database from",
    "6379": "with berth_cache: cluster there is one, and berth_cache_env names the variable that the settings read its address from",
}


def _connection(match: re.Match[str], lines: Sequence[str], _command: str) -> Symptom | None:
    found = match.groupdict()
    host, port = found.get("host") or "", found.get("port") or ""
    where = f"{host}:{port}" if port else host
    if host in _ITSELF:
        way = _VARIABLES.get(port, "let the settings read the service's address from a variable in berth_app_settings")
        return Symptom(NETWORK, f"the app connects to {where}, where nothing listens", f"In a pod, {host} is the pod itself: {way}.")
    if host in _OWN:
        return None
    if port == "5432" or "connection to server at" in match[0]:
        way = "Correct berth_database_host and berth_database_port, or let its firewall or security group accept connections from the cluster"
        return Symptom(NETWORK, f"the app cannot connect to the database at {where}", f"{way}.")
    way = "The app's pods reach only its database, its cache and what berth_app_egress allows: set it to internet, or to the egress rules of a NetworkPolicy"
    summary = f"the app cannot connect to {where}" if where else f"the app cannot connect to a service{place(lines)}"
    return Symptom(NETWORK, summary, f"{way}. If it allows that service already, correct the address, or see whether the service runs.")


def _name(match: re.Match[str], lines: Sequence[str], _command: str) -> Symptom:
    host = match.groupdict().get("host") or ""
    if host in _OWN:
        return Symptom(NETWORK, f"the cluster's DNS does not know {host}", "See whether it runs: playbooks/ops/status.yml reports what the cluster lacks.")
    summary = f"there is no host {host}" if host else f"a host name does not exist{place(lines)}"
    way = "Correct the name in the settings. The names of a compose file's services do not exist here: Berth's are database and cache"
    return Symptom(NETWORK, summary, f"{way}. A service in another namespace is called SERVICE.NAMESPACE.svc.")


def _full_disk(match: re.Match[str], _lines: Sequence[str], _command: str) -> Symptom:
    path = match.groupdict().get("path") or ""
    if path.startswith("/"):
        way = "If it is on a volume of berth_app_volumes, raise the volume's size there. Otherwise free some space on the node's disk."
        return Symptom("disk", f"there is no space left for {path}", way)
    return Symptom("disk", "there is no space left on the disk", "Free some space on the node's disk, or raise the size of the volume that is full.")


def _timeout(match: re.Match[str], lines: Sequence[str], _command: str) -> Symptom | None:
    """Explain why gunicorn killed a worker. It says that memory may be the reason even after a timeout."""
    if not any(f"WORKER TIMEOUT (pid:{match['pid']})" in line for line in lines):
        return None
    way = "Make what it was doing faster, move it into a process of berth_app_processes, or raise gunicorn's --timeout"
    return Symptom("timeout", "a worker was killed because a request took longer than gunicorn's timeout", f"{way}.")


_REFUSED = r"(?:[Cc]onnection refused|[Cc]onnection timed out|timeout expired|[Nn]o route to host|[Nn]etwork is unreachable|ConnectTimeoutError)"
_UNKNOWN = r"(?:Name or service not known|Temporary failure in name resolution|No address associated with hostname|Name does not resolve)"

PATTERNS: tuple[tuple[re.Pattern[str], Explain], ...] = tuple(
    (re.compile(pattern), explain)
    for pattern, explain in (
        # psycopg2, psycopg, redis-py, urllib3: the name
        (r'could not translate host name "(?P<host>[^"]+)"', _name),
        (r"[Ff]ailed to resolve (?:host )?'(?P<host>[^']+)'", _name),
        (rf"Error -\d+ connecting to (?P<host>\S+):\d+\. {_UNKNOWN}", _name),
        (rf"\[Errno -\d+\] {_UNKNOWN}", _name),
        # The same, asyncio and Python: the connection
        (rf'connection to server at "(?P<host>[^"]+)"(?: \([^)]*\))?, port (?P<port>\d+) failed: {_REFUSED}', _connection),
        (rf"Error 11[013] connecting to (?P<host>\S+):(?P<port>\d+)\. {_REFUSED}", _connection),
        (rf"HTTPS?Connection(?:Pool)?\(host='(?P<host>[^']+)', port=(?P<port>\d+)\).*{_REFUSED}", _connection),
        (r"Connect call failed \('(?P<host>[^']+)', (?P<port>\d+)", _connection),
        (rf"Cannot connect to \w+://(?:[^@\s]*@)?(?P<host>[^:/\s]+):(?P<port>\d+)/.*{_REFUSED}", _connection),  # Celery
        (rf"\[Errno 1(?:01|10|11|13)\] {_REFUSED}", _connection),
        (r"^(?:httpx|httpcore)\.ConnectTimeout\b|^redis\.exceptions\.TimeoutError: Timeout connecting", _connection),
        # Disks
        (r"could not (?:write|extend|create|open|resize|fsync)\b.*No space left on device", fixed(
            "disk", "there is no space left for the database", (
                "Free some space on the disk that its volume is on. If its storage class limits volumes to their size, raise berth_database_storage."))),
        (r"\[Errno 28\] No space left on device(?:: b?'(?P<path>[^']+)')?", _full_disk),
        # The database
        (r"sorry, too many clients already|remaining connection slots are reserved|too many connections for role", fixed(
            "connections", "the database has no free connection", (
                "Run fewer pods, workers or threads (berth_app_replicas, berth_app_processes), or lower CONN_MAX_AGE in the settings."))),
        (r"Conflicting migrations detected; multiple leaf nodes in the migration graph: \((?P<names>.+)\)", fixed(
            "migration", "migrations of two branches follow the same one: {names}", (
                "Run python manage.py makemigrations --merge in the project, and commit the migration that it writes."))),
        (r"NodeNotFoundError: Migration (?P<name>\S+) dependencies reference nonexistent parent node \('(?P<app>\w+)', '(?P<parent>\w+)'\)", fixed(
            "migration", "the migration {name} needs {app}.{parent}, which is not in the image", (
                "Commit that migration, and see that neither .gitignore nor .dockerignore excludes it."))),
        (r'ProgrammingError: relation "(?P<name>[^"]+)" does not exist', fixed(
            "table", "the database has no table {name}", (
                "If no migration creates it, run python manage.py makemigrations in the project and commit what it writes. "
                "If the project reads it while it is imported, as in urls.py, move that into a function: a migration imports the project too."))),
        (r'permission denied to create extension "(?P<name>[^"]+)"', fixed(
            "extension", "only an administrator of the database may create the extension {name}", (
                "Create it once. In the cluster: kubectl exec database-0 -- psql -U postgres -d DATABASE -c 'CREATE EXTENSION \"{name}\"'"))),
        (r'extension "(?P<name>[^"]+)" is not available', fixed(
            "extension", "the database has no extension {name}", "Use a database that has it: berth_database: external, or rds if RDS offers it.")),
        (r"Could not find the (?P<name>GDAL|GEOS) library", fixed("library", "the image lacks the library {name}", (
            "Add the Debian package gdal-bin, which also brings GEOS, to berth_app_packages if Berth generates the Dockerfile, "
            "otherwise to your Dockerfile's apt-get install."))),
        (r"Worker \(pid:(?P<pid>\d+)\) was sent SIGKILL! Perhaps out of memory", _timeout),
    )
)  # fmt: skip
