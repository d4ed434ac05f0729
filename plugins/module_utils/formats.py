"""Formats that Kubernetes, PostgreSQL and cron require.

Each check takes a value and returns what is wrong with it as a phrase, or "".
"""

from __future__ import annotations

import ipaddress
import pathlib
import re
import shlex
from collections.abc import Callable
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names
LABEL_LENGTH = 63
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
# The longest name that is made from the app's is that of a CronJob's pod: <app>-<schedule>-<8 digits>-<5 letters>, and
# a CronJob's name has at most 52 characters (https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/).
CRONJOB_LENGTH = 52
APP_LENGTH = 40
# Bytes. MAX_ARG_STRLEN in include/uapi/linux/binfmts.h with 4 KiB pages, for one string of execve(2).
VARIABLE_SIZE = 32 * 4096
# For all of them: a quarter of the stack, whose limit is 8 MiB in containers (fs/exec.c), minus the share of an image and a command.
ENVIRONMENT_SIZE = 2 * 2**20 - 32 * 2**10
POINTER_SIZE = 8
# https://kubernetes.io/docs/concepts/configuration/configmap/, and the same for a Secret: a key's characters, and the bytes of all values.
KEY_LENGTH = 253
DATA_SIZE = 2**20
ELSEWHERE = "keep it in a file in the image, or let the app fetch it"
NEWLINES = "in YAML | keeps one and |- does not, in a shell echo writes one and printf '%s' does not"
# https://docs.docker.com/reference/cli/docker/login/, and https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests
HUB = "docker.io"
HUB_NAMES = (HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "hub.docker.com")
REPOSITORY = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
WITH_ACCOUNT = (HUB, "ghcr.io", "quay.io", "registry.gitlab.com")
# Namespaces of Kubernetes and of the cluster itself.
RESERVED_NAMESPACES = re.compile(r"default|kube-.*|local-path-storage|berth-accounts")
NODE_PORTS = range(30000, 32768)  # --service-node-port-range of kube-apiserver

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
QUANTITY = re.compile(r"(?P<number>\d+(\.\d*)?|\.\d+)(?P<unit>[KMGTPE]i|[numkMGTPE]|[eE][-+]?\d+)?")
UNITS = {unit: Decimal(1024) ** power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)} | {
    unit: Decimal(10) ** power for unit, power in zip("numkMGTPE", (-9, -6, -3, 3, 6, 9, 12, 15, 18), strict=True)
}

# Where a container has its programs, and what Berth and the kernel put there.
SYSTEM = (
    "/bin",
    "/boot",
    "/dev",
    "/etc/berth",
    "/etc/ssl",
    "/lib",
    "/lib64",
    "/opt/venv",
    "/proc",
    "/sbin",
    "/sys",
    "/usr/bin",
    "/usr/lib",
    "/usr/local/bin",
    "/usr/local/lib",
    "/usr/sbin",
    "/var/run",
)
USERS = 2**31 - 1  # the maximum in Kubernetes
SQL_LENGTH = 63  # NAMEDATALEN - 1, https://www.postgresql.org/docs/17/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
# Kinds of names, providers, pattern, and who reserves them. Keywords such as user and order are allowed, because Berth and Django quote all names.
# https://www.postgresql.org/docs/17/sql-createrole.html, and RoleSpec and RoleId in src/backend/parser/gram.y: quoting does not help.
SQL_TAKEN = (
    (("user",), ("cluster", "rds", "external"), r"public|none|pg_.*", "which PostgreSQL reserves"),
    (("user",), ("cluster", "rds", "external"), r"current_(user|role)|session_user", "which stands for any user in PostgreSQL's statements"),
    (("user",), ("cluster", "rds"), r"postgres", "which is PostgreSQL's administrator"),
    (("name",), ("cluster", "rds", "external"), r"template[01]", "which PostgreSQL makes other databases from"),
    (("name",), ("cluster", "rds"), r"postgres", "which exists already and is not the app's"),
    # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Roles.html
    (("user", "name"), ("rds",), r"rds(_.*|[a-z]*admin|topmgr)", "which AWS reserves"),
)

# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscertificatemanager.html
CERTIFICATE = re.compile(r"arn:(?P<partition>aws[a-z-]*):acm:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):certificate/(?P<id>[A-Za-z0-9-]+)")
ZONE_ID = re.compile(r"Z[A-Z0-9]{6,31}")  # ResourceId of Route 53's API, at most 32 characters

# What Kubernetes' parser accepts: https://pkg.go.dev/github.com/robfig/cron/v3#hdr-CRON_Expression_Format
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
CRON_FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, MONTHS),
    ("day of the week", 0, 6, DAYS),
)
CRON_NAMES = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
CRON_PART = re.compile(r"(?P<first>\*|\?|\w+)(-(?P<last>\w+))?(/(?P<step>\d+))?")


def label(value: str, length: int = LABEL_LENGTH) -> str:
    """Check a DNS label of at most ``length`` characters."""
    if not value:
        return "is empty"
    if len(value) > length:
        return f"{value!r} has {len(value)} characters, at most {length} are allowed"
    if not LABEL.fullmatch(value):
        allowed = "lower-case letters, digits and '-' are allowed, and a letter or digit at both ends"
        return f"{value!r} has illegal characters: {allowed}"
    return ""


def namespace(value: str) -> str:
    """Check a namespace that an app may have to itself."""
    if RESERVED_NAMESPACES.fullmatch(value):
        return f"{value!r} belongs to the cluster itself; choose a namespace for the app alone, such as polls-dev"
    return label(value)


def app_name(value: str) -> str:
    """Check an app's name. It is also a Service's name, which begins with a letter (RFC 1035)."""
    return service_name(value) or label(value, APP_LENGTH)


def service_name(value: str) -> str:
    """Check a Service's name (RFC 1035)."""
    if value[:1].isdigit():
        return f"{value!r} starts with a digit, but it has to start with a letter"
    return label(value)


def extension(value: str) -> str:
    """Check the name of a PostgreSQL extension: https://www.postgresql.org/docs/17/extend-extensions.html."""
    if re.fullmatch(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?", value) and "--" not in value:
        return ""
    return f"{value!r} is not the name of an extension; write it as in pg_available_extensions, such as pg_trgm or uuid-ossp"


def environment_name(value: str) -> str:
    """Check an environment variable's name (POSIX 1003.1, 8.1; applications may use lower case)."""
    if len(value) > KEY_LENGTH:
        return f"has a name of {len(value)} characters, at most {KEY_LENGTH} are allowed"
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        return ""
    return "is not a name of an environment variable: letters, digits and '_' are allowed, and no digit first"


def environment_value(name: str, value: str) -> str:
    """Check that the kernel accepts an environment variable; the returned text does not contain the value."""
    size = environment_size(name, value)
    if "\0" in value:
        return "has a NUL character, which would end the environment variable"
    return f"has {size:,} bytes with its name, but the kernel accepts at most {VARIABLE_SIZE:,}; {ELSEWHERE}" if size > VARIABLE_SIZE else ""


def environment_size(name: str, value: str) -> int:
    """Return the bytes that a variable takes in an environment, including the ``=`` and the NUL at its end (execve(2))."""
    return len(f"{name}={value}\0".encode(errors="surrogatepass"))


def no_margin(value: str) -> str:
    """Check that a text that must not be shown has no accidental characters at either end."""
    ends = {"ends": value[-1:], "begins": value[:1]}
    for where, character in ends.items():
        if character.isspace():
            what = {"\n": "a newline", " ": "a space", "\t": "a tab", "\r": "a carriage return"}.get(character, "white space")
            way = f" ({NEWLINES})" if where == "ends" and character in "\r\n" else ""
            return f"{where} with {what}, which would be part of it; remove it{way}"
    return ""


def secret(value: str) -> str:
    """Check a secret of the app: one with several lines, such as a key, may end like a file."""
    if not value.strip():
        return "is empty; a secret needs a value"
    return "" if "\n" in value.strip() else no_margin(value)


def user_name(value: str) -> str:
    """Check a user name for a registry (RFC 7617)."""
    return "has a ':', after which a registry expects the password" if ":" in value else no_margin(value)


def port(value: int) -> str:
    """Check a TCP port."""
    return "" if 1 <= value <= 65535 else f"{value} is not a port: it has to be from 1 to 65535"


def node_port(value: int) -> str:
    """Check a NodePort; 0 leaves the choice to Kubernetes."""
    if value == 0 or value in NODE_PORTS:
        return ""
    span = f"from {NODE_PORTS[0]} to {NODE_PORTS[-1]}"
    return f"{value} is not a node port: it has to be {span}, or 0 to let Kubernetes choose"


def quantity(value: Any) -> Decimal | None:
    """Return the number that a quantity stands for; None if it is not a quantity, or is negative."""
    found = QUANTITY.fullmatch(str(value)) if not isinstance(value, bool) else None
    if not found:
        return None
    unit = found["unit"] or ""
    return Decimal(found["number"]) * (UNITS[unit] if unit in UNITS else Decimal(f"1{unit}"))


def positive_quantity(value: str | float) -> str:
    """Check a quantity that is greater than zero."""
    number = quantity(value)
    if number is None:
        return f"{value!r} is not a quantity; write it like 500m (CPU), 256Mi or 1Gi"
    return "" if number > 0 else f"{value!r} has to be more than 0"


def schedule(value: str) -> str:
    """Check a CronJob's schedule."""
    if value in CRON_NAMES or re.fullmatch(r"@every (\d+(\.\d+)?(h|m|s))+", value):
        return ""
    fields = value.split()
    if len(fields) != len(CRON_FIELDS):
        five = "cron has five (minute, hour, day, month, weekday), like '0 3 * * *'"
        return f"{value!r} is not a schedule: it has {len(fields)} fields, {five}"
    for text, (name, low, high, names) in zip(fields, CRON_FIELDS, strict=True):
        for part in text.split(","):
            if not _cron_part(part.lower(), low, high, names):
                return f"{value!r} is not a schedule: {part!r} is no {name} (from {low} to {high})"
    return ""


def _cron_part(part: str, low: int, high: int, names: tuple[str, ...]) -> bool:
    """Whether ``part`` is one of the comma-separated parts of a field whose numbers go from ``low`` to ``high``."""
    found = CRON_PART.fullmatch(part)
    if not found or found["step"] == "0":
        return False
    if found["first"] in ("*", "?"):
        return found["last"] is None
    ends = [_cron_number(word, low, names) for word in (found["first"], found["last"]) if word is not None]
    return all(low <= end <= high for end in ends) and ends == sorted(ends)


def _cron_number(word: str, low: int, names: tuple[str, ...]) -> int:
    """Return the number that ``word`` stands for, -1 if it stands for none."""
    if word in names:
        return names.index(word) + low
    return int(word) if word.isdecimal() else -1


def command(value: str) -> str:
    """Check the arguments of a command, which are split like a shell's."""
    try:
        words = shlex.split(value)
    except ValueError:
        return f"{value!r} has a quote that is not closed"
    if any(len(word.encode()) >= VARIABLE_SIZE for word in words):
        return f"has an argument of more than {VARIABLE_SIZE - 1:,} bytes, which is the kernel's limit"
    return "" if words else "is empty; write the arguments of manage.py, like migrate --noinput"


def program(value: str) -> str:
    """Check the first word of a command that no shell splits."""
    if not value:
        return "is empty; write the program's name"
    if value != "".join(value.split()):
        return f"{value!r} has a space in it, but no shell splits it; write each word separately, like [gunicorn, --workers, '2']"
    return argument(value)


def argument(value: str) -> str:
    """Check a word of a command."""
    if "\0" in value:
        return "has a NUL character, which would end the word"
    return f"has {len(value.encode()):,} bytes, but the kernel accepts less than {VARIABLE_SIZE:,}" if len(value.encode()) >= VARIABLE_SIZE else ""


def host_name(value: str) -> str:
    """Check a host name as Django compares it: no scheme, port or path; a leading dot means subdomains too.

    https://docs.djangoproject.com/en/6.1/ref/settings/#allowed-hosts
    """
    labels = value.removeprefix(".").rstrip(".").lower().split(".")
    if len(value) <= 253 and all(len(part) <= LABEL_LENGTH and LABEL.fullmatch(part) for part in labels):
        return ""
    try:
        ipaddress.ip_address(value.strip("[]"))
    except ValueError:
        return f"{value!r} is not a host name; write it without scheme, port and path, like www.example.org"
    return ""


def registry(value: str) -> str:
    """Check a registry as in image names: ``host[:port][/path]``, Docker Hub as ``docker.io/account``.

    https://pkg.go.dev/github.com/distribution/reference#pkg-overview: a name without dot and port that is not localhost is an account of Docker Hub.
    """
    if "@" in value:
        return "contains a login or a digest; write it like registry.example.org:5000, and set the login in berth_registry_username and berth_registry_password"
    better = re.sub(r"^[a-z]+://", "", value.strip().lower()).rstrip("/")
    better = re.sub(r"/v[12]$", "", better)
    host, slash, path = better.partition("/")
    name, colon, number = host.rpartition(":") if re.search(r":[^\]]*$", host) else (host, "", "")
    if name in HUB_NAMES:
        host, name, path = HUB, HUB, re.sub(r"^v[12]/", "", path)
    better = f"{host}{slash}{path}"
    if (colon and (not number.isdecimal() or port(int(number)))) or host_name(name) or (slash and not REPOSITORY.fullmatch(path)):
        return f"{value!r} is not a registry; write it like registry.example.org:5000 or ghcr.io/acme"
    if not (colon or "." in name or name in ("localhost", HUB) or name.startswith("[")):
        return (
            f"{value!r} names an account of Docker Hub, because its host has neither dot nor port; write {HUB}/{name} for that, or the full host of a registry"
        )
    if host in WITH_ACCOUNT and not path:
        return f"{value!r} lacks the account that images belong to; write it like {host}/acme"
    if host == HUB and "/" in path:
        return f"{value!r} has a path, but Docker Hub has none below an account; write {HUB}/{path.partition('/')[0]}"
    return "" if value == better else f"{value!r} is not how images are named; write {better}"


def network(value: str) -> str:
    """Check a network in CIDR notation."""
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return f"{value!r} is not a network; write it like 192.168.1.0/24"
    return "" if "/" in value else f"{value!r} has no prefix length; write {value}/32 for one address"


def public_host(value: str) -> str:
    """Check the name by which visitors know a site. It gets a certificate, so it must not be an address, a pattern or a top-level domain.

    https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html
    """
    labels = value.split(".")
    if len(labels) > 1 and len(value) <= 253 and all(len(part) <= LABEL_LENGTH and LABEL.fullmatch(part) for part in labels) and not labels[-1].isdecimal():
        return ""
    return f"{value!r} is not the host name of a site; write it in lower case, without scheme, port and path, like polls.example.com"


def hosted_zone(value: str) -> str:
    """Check a Route 53 hosted zone: its name or its id."""
    if ZONE_ID.fullmatch(value) or not public_host(value.removesuffix(".")):
        return ""
    return f"{value!r} is neither the name of a hosted zone nor its id; write it like example.com or Z0123456789ABCDEFGHIJ"


def certificate(value: str) -> str:
    """Check the ARN of an ACM certificate."""
    if CERTIFICATE.fullmatch(value):
        return ""
    return f"{value!r} is not the ARN of a certificate of ACM; write it like arn:aws:acm:eu-central-1:123456789012:certificate/0f5a..."


def range_of(least: int, most: int) -> Callable[[str], str]:
    """Return the check of a cluster's address range, whose prefix is ``least`` to ``most`` bits long (kubeadm config validate)."""

    def check(value: str) -> str:
        try:
            network = ipaddress.IPv4Network(value)
        except ValueError as error:
            return f"{error}; write it like 172.28.0.0/16"
        if not least <= network.prefixlen <= most:
            return f"a /{network.prefixlen} is too {'large' if network.prefixlen < least else 'small'}; use one from /{least} to /{most}"
        return _ordinary(network.network_address) or _ordinary(network.broadcast_address)

    return check


def node_address(value: str) -> str:
    """Check the address of a cluster's node."""
    try:
        return _ordinary(ipaddress.IPv4Address(value))
    except ValueError:
        return f"{value!r} is not an IPv4 address; write it like 172.30.0.1"


def _ordinary(address: ipaddress.IPv4Address) -> str:
    """Check an address that a machine's interface may have."""
    special = address.is_loopback or address.is_multicast or address.is_link_local or address.is_reserved or address in ipaddress.IPv4Network("0.0.0.0/8")
    return f"{address} cannot be an interface's address; use a private one" if special else ""


def ipv4_network(value: str) -> str:
    """Check an IPv4 network in CIDR notation."""
    wrong = network(value)
    if wrong or ipaddress.ip_network(value, strict=False).version == 4:
        return wrong
    return f"{value!r} is an IPv6 network, but the load balancer has IPv4 addresses only; remove it"


def sql_name(value: str) -> str:
    """Check a name that PostgreSQL accepts without quotes.

    https://www.postgresql.org/docs/17/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
    """
    if re.fullmatch(r"[a-z_][a-z0-9_]*", value) and len(value) <= SQL_LENGTH:
        return ""
    return f"{value!r} is not a name for PostgreSQL: lower-case letters, digits and '_' are allowed, no digit first, at most {SQL_LENGTH} characters"


def sql_taken(value: str, kind: str, provider: str, master: str) -> str:
    """Return why a server does not allow the app to use a name, as the end of a sentence; "" if it does.

    Args:
        value: A name that PostgreSQL accepts without quotes.
        kind: ``user`` or ``name`` (of a database).
        provider: ``cluster``, ``rds`` or ``external``, where the user and the database already exist, whatever their names.
        master: The RDS administrator.
    """
    for kinds, providers, pattern, why in SQL_TAKEN:
        if kind in kinds and provider in providers and re.fullmatch(pattern, value):
            return why
    return "which is RDS's administrator here" if (kind, provider, value) == ("user", "rds", master) else ""


def file_path(value: str) -> str:
    """Check the path of a file that will be written."""
    if not value.strip():
        return "is empty"
    return "" if pathlib.PurePath(value).name not in ("", "..") else f"{value!r} is a directory; name a file"


def http_path(value: str) -> str:
    """Check a path on the site."""
    return "" if re.fullmatch(r"/[^\s?#]*", value) else f"{value!r} is not a path; it begins with '/', like /readyz"


def admin_path(value: str) -> str:
    """Check the path of an admin, as a load balancer compares it: no wildcards, and not the whole site.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html#path-conditions
    """
    if re.fullmatch(r"(/[A-Za-z0-9_.$~@:+-]+)+/?", value) and len(value) <= 100:
        return ""
    return f"{value!r} is not the path of an admin; write it like /admin/, with letters, digits and - _ . $ ~ @ : + between the slashes"


def files_url(value: str) -> str:
    """Check the beginning of the URLs of files: only characters without a meaning to a web server, and no part begins with a dot."""
    if re.fullmatch(r"/([A-Za-z0-9_~-][A-Za-z0-9._~-]*/)+", value):
        return ""
    return f"{value!r} cannot start the addresses of files; write it from one / to another, like /media/, with letters, digits and - _ . ~ between"


def directory(value: str) -> str:
    """Check the path of a directory in a container, in its normal form: absolute, without redundant parts."""
    if value.startswith("/") and value != "/" and str(PurePosixPath(value)) == value and ".." not in PurePosixPath(value).parts and ":" not in value:
        return ""
    return f"{value!r} is not the path of a directory; write it from the root, without '..' and without '/' at its end, like /code/cache"


def apart_from_the_system(value: str) -> str:
    """Check that a directory neither hides a directory with a container's programs nor is inside one."""
    for place in SYSTEM:
        if value == place or place.startswith(f"{value}/") or value.startswith(f"{place}/"):
            return f"{value!r} overlaps with the container's {place}; choose a directory of its own, like /data/media"
    return ""


def user(value: int | str) -> str:
    """Check the number of the user that a container runs as.

    The namespace's Pod Security level refuses root: https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
    """
    if int(value) == 0:
        return "0 is root, which the namespace does not allow; use the number of another user, such as 1000, that can read the code in the image"
    return "" if 1 <= int(value) <= USERS else f"{value} is not a user number; it has to be from 1 to {USERS}"
