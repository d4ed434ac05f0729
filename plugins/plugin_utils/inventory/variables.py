"""Check an inventory's ``berth_*`` variables.

Nothing here looks at the machine, and no message contains the value of a secret.
"""

from __future__ import annotations

import datetime
import difflib
import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.common.validation import check_type_bool

from ...module_utils import formats, providers
from ...module_utils.encryption import recipient_problem
from ...module_utils.image import checkout
from ...module_utils.kube.egress import egress_problem
from ...module_utils.rollout.checks import IDS as CHECKS
from . import cache as cache_lib
from . import database_names as database_names_lib

PREFIX = "berth_"
KINDS = {
    "str": "a string",
    "path": "a path",
    "int": "a whole number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a mapping",
}
# Mappings whose keys the user chooses, and whose values are strings.
TEXTS = frozenset(
    {"berth_app_settings", "berth_app_secrets", "berth_aws_tags", "berth_eks_addons", "berth_artifacts_mirrors", "berth_scan_ignore", "minikube_proxies"}
)
# Names that Berth gives to the parts of an environment; migrate is what people call the release commands.
COMPONENTS = frozenset({"web", "release", "migrate", "schedule", "process", "command", "database", "database-login", "cache", "probe", "entry", "namespace"})
# The variables that roles/config sets for the app, apart from the database's.
SET_BY_BERTH = frozenset(f"DJANGO_{name}" for name in ("ADMIN_NETWORKS", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "PROXIES", "SECURE"))
# https://yaml.org/spec/1.1/: 0123 is octal, 0x1F hexadecimal, 12:30 sexagesimal.
DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9_]*)(\.[0-9_]*)?([eE][-+]?[0-9]+)?")
ABBREVIATIONS = {"db": "database", "username": "user", "pass": "password", "passwd": "password", "ns": "namespace"}
# A volume's name, with a short prefix, names the volume in the pod, and is part of the claim's name.
VOLUME_LENGTH = 40
WORDS = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "a mapping",
    datetime.date: "a date",
    bytes: "binary data",
}

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Scalar:
    """How the inventory writes a value that YAML read as something other than a string.

    Attributes:
        text: The characters in the file; None if they are not known.
        template: Whether the value is the result of a template.
        unsafe: Whether the value is tagged C(!unsafe). Ansible then reads even quoted text as numbers and the like.
        instead: The file to move the value to if this one is in INI format, which cannot quote it.
    """

    text: str | None = None
    template: bool = False
    unsafe: bool = False
    instead: str = ""


Written = Callable[[Path, Any, bool], Scalar]
"""Returns how the inventory writes a value. Takes its path, the value that YAML read, and whether the value is the key at the end of the path."""


def unknown_scalar(path: Path, value: Any, is_key: bool) -> Scalar:
    """Return a scalar of which nothing is known."""
    return Scalar()


# The type of each value in dictionaries whose keys the user chooses: Ansible's argument specifications cannot express it.
VALUES: dict[str, dict[str, Any]] = {
    "berth_app_processes": {
        "type": "dict",
        "options": {
            "command": {"type": "list", "elements": "str", "required": True},
            "replicas": {"type": "int"},
            "singleton": {"type": "bool"},
            "grace_seconds": {"type": "int"},
            "resources": {"type": "dict", "options": {"requests": {"type": "dict"}, "limits": {"type": "dict"}}},
        },
    },
    "berth_app_volumes": {
        "type": "dict",
        "options": {
            "path": {"type": "str", "required": True},
            "size": {"type": "str", "required": True},
            "storage_class": {"type": "str"},
            "shared": {"type": "bool"},
            "url": {"type": "str"},
        },
    },
}


@dataclass(frozen=True)
class Problem:
    """One problem: ``path`` is a variable's name with the keys and indexes within it, ``text`` a phrase.

    If a whole file is wrong, ``path`` is the file, and ``set`` is empty.
    """

    path: Path
    text: str
    set: bool = True

    @property
    def variable(self) -> str:
        """The name of the variable."""
        return str(self.path[0])

    @property
    def name(self) -> str:
        """The variable with the key within it, in the usual notation."""
        steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path[1:])
        return "".join([self.variable, *steps])


def nearest(name: str, known: list[str] | tuple[str, ...]) -> str:
    """Return ", did you mean ...?" with the known name that is most similar to ``name``; "" if none is similar."""
    # k3s and eks have two letters of three in common.
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return f", did you mean {found[0]}?" if found else ""


def meant(name: str, known: list[str], prefix: str = PREFIX) -> str:
    """Return ", did you mean ...?" with the known variable that ``name`` was clearly meant to be; "" if there is none, or more than one.

    Each word must be one of the known variable's words, or a form of it: a variable whose letters are similar may
    mean something else, and wrong advice is worse than none. Words may be missing, but not the first one, which says what the variable is about;
    only "app" may be left out.
    """
    found = sorted((distance, one) for one in known if (distance := _distance(_words(name, prefix), _words(one, prefix))) is not None)
    sure = found and (len(found) == 1 or found[1][0] - found[0][0] > 0.02) and _about(_words(name, prefix), _words(found[0][1], prefix))
    return f", did you mean {found[0][1]}?" if sure else ""


def _words(name: str, prefix: str) -> list[str]:
    """Return the words of a name after its prefix, which may be misspelt."""
    words = name.removeprefix(prefix).split("_") if name.startswith(prefix) else name.split("_")[1:]
    return [ABBREVIATIONS.get(word, word) for word in words if word]


def _distance(words: list[str], known: list[str]) -> float | None:
    """Return how far words are from those of a known variable, 0 if they are the same; None if one of them is a different word."""
    one, other = "".join(words), "".join(known)
    joined = difflib.SequenceMatcher(None, one, other).ratio()  # words that were joined or split
    if words and joined >= 0.9:
        return 1 - joined
    left, distance = list(known), 0.0
    for word in words:
        best = max(left, key=lambda candidate: _alike(word, candidate), default="")
        if _alike(word, best) < 0.75:
            return None
        left.remove(best)
        distance += 1 - _alike(word, best)
    return distance + sum(0.9 if word == "app" else 1 for word in left) if words else None


def _about(words: list[str], known: list[str]) -> bool:
    """Whether words include the first word of a known variable: "image" does not mean "keep images"."""
    first = next((word for word in known if word != "app"), "")
    return any(word.startswith(first) or _alike(word, first) >= 0.75 for word in words)


def _alike(word: str, other: str) -> float:
    """Return from 0 to 1 how likely two words are forms of the same word: with a typo, or another ending."""
    stem = next((n for n, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), min(len(word), len(other)))
    if word != other and stem >= 5 and stem / max(len(word), len(other)) > 0.6:
        return 0.9
    return difflib.SequenceMatcher(None, word, other).ratio()


def unknown(names: list[str], known: list[str], prefix: str = PREFIX) -> list[Problem]:
    """Return a problem for each of ``names`` that resembles the ``known`` names, which all have the ``prefix``, but is not among them."""
    return [
        Problem((name,), f"unknown variable{meant(name, known, prefix)}")
        for name in sorted(names)
        if name not in known and (name.startswith(prefix) or _misspelt(name, known, prefix))
    ]


def _misspelt(name: str, known: list[str], prefix: str) -> bool:
    """Whether a name without the prefix was meant to have it, like ``bert_namespace``."""
    first, _, rest = name.partition("_")
    return prefix + rest in known and difflib.SequenceMatcher(None, first, prefix).ratio() >= 0.6


def missing(values: dict[str, Any], options: dict[str, Any]) -> list[Problem]:
    """Return a problem for each required option that has no value."""
    return [Problem((name,), "is not set, and has no default") for name, option in options.items() if option.get("required") and name not in values]


def types(values: dict[str, Any], options: dict[str, Any], written: Written = unknown_scalar) -> list[Problem]:
    """Return a problem for each value that does not have the type of its option (as in an argument specification)."""
    return [
        problem
        for name, value in values.items()
        if name in options
        for problem in _types((name,), value, options[name], options[name].get("no_log", False), written)
    ]


def _types(path: Path, value: Any, option: dict[str, Any], secret: bool, written: Written) -> Iterator[Problem]:
    kind = option.get("type", "str")
    if kind == "raw":
        yield from number(path, value, written)
    elif not _is(kind, value):
        choices = option.get("choices")
        what = f"one of: {_choices(choices)}" if choices else KINDS[kind]
        text = kind in ("str", "path")
        scalar = written(path, value, False)
        advice = _advice(value, scalar, secret) if text and not choices else ""
        yield Problem(path, f"must be {what}, but is {_shown(value, scalar, secret, text)}{advice}")
    elif "choices" in option and value not in option["choices"]:
        yield Problem(path, f"{value!r} is not one of: {_choices(option['choices'])}{nearest(str(value), option['choices'])}")
    elif kind == "int":
        yield from number(path, value, written)
    elif kind == "list":
        element = {"type": option.get("elements", "raw"), "options": option.get("options")}
        for place, item in enumerate(value):
            yield from _types((*path, place), item, element, secret, written)
    elif kind == "dict":
        yield from _dict(path, value, option, secret, written)


def _dict(path: Path, value: dict[Any, Any], option: dict[str, Any], secret: bool, written: Written) -> Iterator[Problem]:
    options = option.get("options") or {}
    alike = VALUES.get(str(path[0])) if len(path) == 1 else None
    for key, inner in value.items():
        if not isinstance(key, str):
            scalar = written((*path, key), key, True)
            name = str(key) if scalar.text is None else scalar.text
            yield Problem((*path, name), f"the name must be a string, but is {_shown(key, scalar, False, True)}{_advice(key, scalar, False)}")
        elif alike:
            yield from _types((*path, key), inner, alike, secret, written)
        elif options and key not in options:
            yield Problem((*path, key), f"unknown key{nearest(key, list(options))}")
        elif options or path[0] in TEXTS:
            yield from _types((*path, key), inner, options.get(key, {"type": "str"}), secret, written)
        else:
            yield from number((*path, key), inner, written)
    for problem in missing(value, options) if value else []:
        yield Problem((*path, problem.variable), "is missing")


def number(path: Path, value: Any, written: Written) -> list[Problem]:
    """Check that YAML reads a number as people do."""
    wanted = isinstance(value, (int, float)) and not isinstance(value, bool)
    text = written(path, value, False).text if wanted else None
    if text is None or DECIMAL.fullmatch(text):
        return []
    return [Problem(path, f"is {text}, which YAML reads as {value}; write it in decimal, without leading zeros")]


def _choices(choices: list[Any]) -> str:
    return ", ".join(str(choice) or '""' for choice in choices)


def _is(kind: str, value: Any) -> bool:
    """Whether ``value`` can be used as ``kind``. Numbers and booleans may be strings, because ``-e`` passes only strings."""
    if kind in ("str", "path"):
        return isinstance(value, str)
    if kind in ("list", "dict"):
        return isinstance(value, list if kind == "list" else dict)
    if kind == "int" and isinstance(value, (bool, float)):
        return False
    try:
        (int if kind == "int" else check_type_bool)(value)
    except (TypeError, ValueError):
        return False
    return True


def _shown(value: Any, scalar: Scalar, secret: bool, text: bool) -> str:
    """Return the value's type in words, with the text in the file if that is short and not secret.

    If a string is expected (``text``), a value that YAML converted is never shown instead of the characters in the file.
    """
    kind = next((words for known, words in WORDS.items() if isinstance(value, known)), "empty")
    shown = scalar.text
    if isinstance(value, str):
        shown = repr(value)
    elif shown is None and isinstance(value, (bool, int, float)) and not text:
        shown = str(value).lower()
    return f"{kind} ({shown[:60]})" if shown and not secret else kind


def _advice(value: Any, scalar: Scalar, secret: bool) -> str:
    """Return how to write a value so that it is a string, without the value if it is secret."""
    if isinstance(value, (list, dict, bytes)) or (value is None and (secret or scalar.text is None)):
        return ""
    if scalar.template:
        return "; end its template with | string"
    if scalar.text == "":
        return '; write "" for an empty one'
    where = f" into {scalar.instead}" if scalar.instead else " without !unsafe," if scalar.unsafe else ""
    return f"; write it{where} in quotes" + ("" if secret or scalar.text is None else f': "{scalar.text}"')


# --- Values of the right type ----------------------------------------------------------------------------------------

# One check for each variable. If the variable is a list, each element is checked.
FORMATS: dict[str, Callable[[Any], str]] = {
    "berth_namespace": formats.namespace,
    "berth_app_name": formats.app_name,
    "berth_app_source": checkout.source_problem,
    "berth_app_ref": lambda value: checkout.version_problem(value) if value else "",
    "berth_app_port": lambda value: formats.port(int(value)),
    "berth_app_node_port": lambda value: formats.node_port(int(value)),
    "berth_app_timeout": lambda value: seconds(value),
    "berth_database_timeout": lambda value: seconds(value),
    "berth_app_user": formats.user,
    "berth_app_replicas": lambda value: "" if int(value) >= 1 else f"{value} is too few: at least 1 is needed",
    "berth_budget_monthly": lambda value: "" if int(value) >= 1 else f"{value} is too low: leave it out to have no budget",
    "berth_app_path": formats.http_path,
    "berth_app_liveness_path": formats.http_path,
    "berth_app_readiness_path": formats.http_path,
    "berth_app_hosts": formats.host_name,
    "berth_app_release_commands": formats.command,
    "berth_app_checks_ignore": lambda value: "" if value in CHECKS else f"{value!r} is not a finding{nearest(value, CHECKS)}",
    "berth_database_password": lambda value: formats.environment_value("DATABASE_PASSWORD", value) or formats.no_margin(value) if value.strip() else "is empty",
    "berth_registry_username": formats.user_name,
    "berth_registry_password": formats.no_margin,
    "berth_database_storage": formats.positive_quantity,
    "berth_registry_port": lambda value: formats.port(int(value)),
    "berth_registry_host": formats.registry,
    "berth_image_max_age": lambda value: "" if int(value) >= 0 else f"{value} is not a number of days; use 0 for never",
    "berth_keep_images": lambda value: "" if int(value) >= 1 else f"{value} is too few: at least 1 is needed",
    "berth_node_port_addresses": formats.network,
    "berth_pod_network": formats.range_of(8, 24),
    "berth_service_network": formats.range_of(12, 28),
    "berth_node_address": formats.node_address,
    "berth_resolv_conf": lambda value: "" if not value or value.startswith("/") else f"{value!r} is not an absolute path; start it with /",
    "berth_entry_host": lambda value: formats.public_host(value) if value else "",
    "berth_entry_zone": lambda value: formats.hosted_zone(value) if value else "",
    "berth_entry_certificate": lambda value: formats.certificate(value) if value else "",
    "berth_entry_networks": formats.ipv4_network,
    "berth_admin_networks": formats.ipv4_network,
    "berth_app_admin_path": formats.admin_path,
    "berth_database_networks": formats.network,
    "berth_dns_networks": formats.network,
    "berth_database_host": formats.host_name,
    "berth_database_port": lambda value: formats.port(int(value)),
    "berth_backup_recipient": recipient_problem,
    "berth_kubeconfig": formats.file_path,
}


def values(given: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with values whose types are right."""
    checks = {name: check for name, check in FORMATS.items() if name in given}
    found = [problem for name, check in checks.items() for problem in _format(name, given[name], check)]
    found += command(("berth_app_command",), given.get("berth_app_command", []))
    found += processes(given.get("berth_app_processes", {}), given.get("berth_app_name", ""), given.get("berth_app_schedules", []))
    if text := egress_problem(given.get("berth_app_egress", "none")):
        found.append(Problem(("berth_app_egress",), text))
    found += resources(("berth_app_resources",), given.get("berth_app_resources", {}))
    found += probe(given)
    found += writable(given.get("berth_app_writable", {}))
    found += volumes(given.get("berth_app_volumes", {}), given.get("berth_app_writable", {}), given.get("berth_provider", ""))
    found += files(given)
    found += autoscaling(given.get("berth_app_autoscaling", {}))
    found += schedules(given.get("berth_app_schedules", []), given.get("berth_app_name", ""))
    found += quota(given.get("berth_quota", {}))
    found += entry(given)
    found += admin(given)
    found += cache(given) + database_env(given) + database_aliases(given) + database_extensions(given.get("berth_app_database_extensions", []))
    found += hosts_env(given)
    if wrong := formats.environment_value("DJANGO_ALLOWED_HOSTS", ",".join(given.get("berth_app_hosts", []))):
        found.append(Problem(("berth_app_hosts",), f"in DJANGO_ALLOWED_HOSTS it {wrong}"))
    if given.get("berth_app_ref") and not checkout.is_repository(given.get("berth_app_source", "")):
        text = "needs a Git repository as source, but berth_app_source is a directory; remove it, or set berth_app_source to the repository's URL"
        found.append(Problem(("berth_app_ref",), text))
    found += scan_ignore(given.get("berth_scan_ignore", {}))
    if given.get("berth_registry") == "external" and not given.get("berth_registry_host"):
        found.append(Problem(("berth_registry_host",), "is not set, but berth_registry: external needs it"))
    if given.get("berth_registry_username") and not given.get("berth_registry_password"):
        found.append(Problem(("berth_registry_password",), "is not set, but berth_registry_username needs it"))
    for name in ("berth_existing_kubeconfig", "berth_existing_context"):
        if given.get("berth_provider") == "existing" and not given.get(name):
            found.append(Problem((name,), "is not set, but berth_provider: existing needs it"))
    for name in ("berth_database_host", "berth_database_ca"):
        if given.get("berth_database") == "external" and not given.get(name):
            found.append(Problem((name,), "is not set, but berth_database: external needs it"))
    if given.get("berth_database") == "rds" and not providers.of(given.get("berth_provider")).aws:
        found.append(Problem(("berth_database",), "rds needs berth_provider: eks; choose cluster, or external for an existing server"))
    return found


def scan_ignore(given: dict[str, str]) -> list[Problem]:
    """Check that each ignored vulnerability has a reason."""
    text = "has no reason; write why it does not affect the app"
    return [Problem(("berth_scan_ignore", name), text) for name, reason in given.items() if not reason.strip()]


def _format(name: str, value: Any, check: Callable[[Any], str]) -> list[Problem]:
    if not isinstance(value, list):
        text = check(value)
        return [Problem((name,), text)] if text else []
    texts = [(number, check(item)) for number, item in enumerate(value)]
    return [Problem((name, number), text) for number, text in texts if text]


def environment(settings: Any, secrets: Any) -> list[Problem]:
    """Check the app's environment variables whose values are strings. No message contains a value."""
    found = []
    for name, pairs, secret in (("berth_app_settings", settings, False), ("berth_app_secrets", secrets, True)):
        for key, value in pairs.items() if isinstance(pairs, dict) else ():
            if not isinstance(key, str):
                continue
            texts = [formats.environment_name(key)]
            if isinstance(value, str):
                texts += [formats.environment_value(key, value), formats.secret(value) if secret else ""]
            found += [Problem((name, key), text) for text in texts if text]
    both = [key for key in settings if key in secrets] if isinstance(settings, dict) and isinstance(secrets, dict) else []
    text = "is also in berth_app_secrets; keep one of the two"
    return found + [Problem(("berth_app_settings", key), text) for key in both] + ([] if found else _too_much(settings, secrets))


def database_env(given: dict[str, Any]) -> list[Problem]:
    """Check the variables from which the app reads its database settings: each name is valid and used once."""
    variable = "berth_app_database_env"
    named = given.get(variable, {})
    found = [Problem((variable, part), wrong) for part, name in named.items() if (wrong := formats.environment_name(name))]
    merged = database_names_lib.merged(named)
    for number, (part, name) in enumerate(named.items()):
        before = [other for other in merged if merged[other] == name and other not in list(named)[number:]]
        found += [Problem((variable, part), f"{name} is also the variable of {other}; give one of the two another name here") for other in before]
        if name in SET_BY_BERTH:
            found.append(Problem((variable, part), f"Berth sets {name} to something else; choose another name"))
        for mine in ("berth_app_settings", "berth_app_secrets"):
            if name in given.get(mine, {}):
                found.append(Problem((variable, part), f"{name} is also in {mine}; keep one of the two"))
    return found


def hosts_env(given: dict[str, Any]) -> list[Problem]:
    """Check the variables from which the app reads its host names: nothing else sets them, and each has a separator."""
    variable, found = "berth_app_hosts_env", []
    database = database_names_lib.merged(given.get("berth_app_database_env", {})).values()
    taken = {*SET_BY_BERTH, *database, *_cache_names(given)} - {"DJANGO_ALLOWED_HOSTS"}
    for name, separator in given.get(variable, {}).items():
        wrong = formats.environment_name(name) or (f"Berth sets {name} to something else; choose another name" if name in taken else "")
        if not wrong and (not isinstance(separator, str) or len(separator) != 1):
            wrong = f'{name} has no separator, such as ","'
        both = [mine for mine in ("berth_app_settings", "berth_app_secrets") if name in given.get(mine, {})]
        if wrong := wrong or (f"{name} is also in {both[0]}; keep one of the two" if both else ""):
            found.append(Problem((variable, name), wrong))
    return found


def _cache_names(given: dict[str, Any]) -> Sequence[str]:
    """Return the variables that hold the cache's URL, if there is a cache."""
    return given.get("berth_cache_env", cache_lib.DEFAULT_NAMES) if given.get("berth_cache", "none") != "none" else []


def cache(given: dict[str, Any]) -> list[Problem]:
    """Check the cache's settings, and the variables that hold its URL."""
    found, url = [], given.get("berth_cache_url", "")
    if given.get("berth_cache") == "external" and not url:
        found.append(Problem(("berth_cache_url",), "is not set, but berth_cache: external needs it"))
    elif given.get("berth_cache", "none") != "external" and url:
        found.append(Problem(("berth_cache_url",), f"needs berth_cache: external, but that is {given.get('berth_cache', 'none')}"))
    elif url and (wrong := cache_lib.url_problem(url)):
        found.append(Problem(("berth_cache_url",), wrong))
    variable = "berth_cache_env"
    database = database_names_lib.merged(given.get("berth_app_database_env", {})).values()
    for number, name in enumerate(given.get(variable, [])):
        wrong = formats.environment_name(name) or (f"{name} is listed twice" if name in given[variable][:number] else "")
        wrong = wrong or (f"Berth sets {name} to something else; choose another name" if name in {*SET_BY_BERTH, *database} else "")
        if wrong:
            found.append(Problem((variable, number), wrong))
    for mine in ("berth_app_settings", "berth_app_secrets"):
        text = "is also set by berth_cache; remove it here or from berth_cache_env"
        found += [Problem((mine, name), text) for name in _cache_names(given) if name in given.get(mine, {})]
    size = given.get("berth_cache_memory", "128Mi")
    if wrong := formats.positive_quantity(size) or cache_lib.memory_problem(size):
        found.append(Problem(("berth_cache_memory",), wrong))
    return found


def database_aliases(given: dict[str, Any]) -> list[Problem]:
    """Check the additional names of the Service ``database``: nothing else in the namespace may have them."""
    variable = "berth_app_database_aliases"
    names = given.get(variable, [])
    taken = {"database": "the name that it has anyway", "cache": "the name of the cache"}
    taken |= {given.get("berth_app_name", ""): "the app's own name (berth_app_name)"}
    found = []
    for number, name in enumerate(names):
        wrong = formats.service_name(name) or (f"{name!r} is {taken[name]}; remove it" if name in taken else "")
        wrong = wrong or (f"{name!r} is listed twice" if name in names[:number] else "")
        if wrong:
            found.append(Problem((variable, number), wrong))
    return found


def database_extensions(names: list[str]) -> list[Problem]:
    """Check the form of the names of PostgreSQL extensions. Only the server knows which exist."""
    variable = "berth_app_database_extensions"
    texts = [(number, formats.extension(name) or (f"{name!r} is listed twice" if name in names[:number] else "")) for number, name in enumerate(names)]
    return [Problem((variable, number), text) for number, text in texts if text]


def _too_much(settings: Any, secrets: Any) -> list[Problem]:
    """Check the total size of the app's environment variables, each of which is valid."""
    found, size = [], 0
    for name, pairs, kind in (("berth_app_settings", settings, "ConfigMap"), ("berth_app_secrets", secrets, "Secret")):
        texts = {key: value for key, value in pairs.items() if isinstance(key, str) and isinstance(value, str)} if isinstance(pairs, dict) else {}
        data = sum(len(value.encode(errors="surrogatepass")) for value in texts.values())
        size += sum(formats.environment_size(key, value) + formats.POINTER_SIZE for key, value in texts.items())
        if data > formats.DATA_SIZE:
            longest = max(texts, key=lambda key: len(texts[key]))
            text = f"has {data:,} bytes, and a {kind} holds at most {formats.DATA_SIZE:,}; the longest is {longest}: {formats.ELSEWHERE}"
            found.append(Problem((name,), text))
    if size > formats.ENVIRONMENT_SIZE and not found:
        text = f"has {size:,} bytes with berth_app_secrets, and the kernel allows at most {formats.ENVIRONMENT_SIZE:,} for a process; {formats.ELSEWHERE}"
        found.append(Problem(("berth_app_settings",), text))
    return found


def command(path: Path, words: list[str]) -> list[Problem]:
    """Check a container's command, which runs without a shell."""
    texts = [formats.argument(word) if number else formats.program(word) for number, word in enumerate(words)]
    return [Problem((*path, number), text) for number, text in enumerate(texts) if text]


def processes(given: dict[str, dict[str, Any]], app: str, schedules: list[dict[str, Any]]) -> list[Problem]:
    """Check the processes that run in addition to web."""
    found = []
    for name, process in given.items():
        path = ("berth_app_processes", name)
        if wrong := _process_name(name, app, {entry["name"] for entry in schedules}):
            found.append(Problem(path, wrong))
        if not process:
            found.append(Problem((*path, "command"), "is missing"))
            continue
        if not process["command"]:
            found.append(Problem((*path, "command"), "is empty; set it to the command to run"))
        found += command((*path, "command"), process["command"])
        if int(process.get("replicas", 1)) < 1:
            found.append(Problem((*path, "replicas"), f"{process['replicas']} is too few: at least 1 is needed; remove the process to have none"))
        if check_type_bool(process.get("singleton", False)) and "replicas" in process:
            found.append(Problem((*path, "replicas"), "does not go with singleton: true, which means one replica; remove one of the two"))
        if wrong := seconds(process.get("grace_seconds", 1)):
            found.append(Problem((*path, "grace_seconds"), wrong))
        found += resources((*path, "resources"), process.get("resources", {}))
    return found


def _process_name(name: str, app: str, schedules: set[str]) -> str:
    """Check a process's name, which is part of its pods' names, and selects its logs."""
    if name in COMPONENTS:
        return f"{name!r} is Berth's name for another part of the app; choose another name"
    if name in schedules:
        return f"{name!r} is also a schedule in berth_app_schedules; rename one of the two"
    return formats.label(name, formats.CRONJOB_LENGTH - len(app) - 1)


def resources(path: Path, given: dict[str, Any]) -> list[Problem]:
    """Check the ``requests`` and ``limits`` of containers in the variable at ``path``."""
    found = []
    for kind in ("requests", "limits"):
        for key, value in (given.get(kind) or {}).items():
            wrong = formats.positive_quantity(value)
            if wrong:
                found.append(Problem((*path, kind, key), wrong))
    if found:
        return found
    limits = given.get("limits") or {}
    for key, value in (given.get("requests") or {}).items():
        if key not in limits:
            continue
        low, high = formats.quantity(value), formats.quantity(limits[key])
        if low is not None and high is not None and low > high:
            text = f"{value} is above the limit of {limits[key]}; raise the limit, or remove it to have it follow the request"
            found.append(Problem((*path, "requests", key), text))
    return found


def probe(given: dict[str, Any]) -> list[Problem]:
    """Check the settings of the app's probes."""
    asked, path = given.get("berth_app_probe") or {}, ("berth_app_probe",)
    kind, found = asked.get("type") or "http", []
    for key, wrong in (("path", formats.http_path), ("host", formats.host_name), ("startup_seconds", seconds)):
        if asked.get(key) is not None and (text := wrong(asked[key])):
            found.append(Problem((*path, key), text))
    if kind == "command" and not asked.get("command"):
        found.append(Problem((*path, "command"), "is not set, but type: command needs it"))
    found += command((*path, "command"), asked.get("command") or [])
    needed = {"path": "http", "host": "http", "command": "command"}
    found += [Problem((*path, key), f"does not go with type: {kind}; remove one of the two") for key, of in needed.items() if asked.get(key) and kind != of]
    return found


def writable(given: dict[str, Any]) -> list[Problem]:
    """Check the app's writable directories and their sizes."""
    found = []
    for path, size in given.items():
        if wrong := formats.directory(str(path)) or formats.positive_quantity(size):
            found.append(Problem(("berth_app_writable", path), wrong))
    return found


def volumes(given: dict[str, dict[str, Any]], writable_too: dict[str, Any], provider: str) -> list[Problem]:
    """Check the directories whose files are kept: none overlaps another, and none belongs to the system."""
    found = []
    taken = {"/tmp": "berth_app_writable", **dict.fromkeys(map(str, writable_too), "berth_app_writable")}
    for name, volume in given.items():
        path = ("berth_app_volumes", name)
        if wrong := formats.label(name, VOLUME_LENGTH):
            found.append(Problem(path, wrong))
        found += [Problem((*path, key), "is missing") for key in ("path", "size") if not volume]
        if not volume:
            continue
        if wrong := formats.directory(volume["path"]) or formats.apart_from_the_system(volume["path"]) or _nested(volume["path"], taken):
            found.append(Problem((*path, "path"), wrong))
        if wrong := formats.positive_quantity(volume["size"]):
            found.append(Problem((*path, "size"), wrong))
        if providers.of(provider).aws and not volume.get("storage_class"):
            text = "is missing: pods run on several nodes of EKS, and an EBS volume attaches to one; name a StorageClass for EFS (provisioner efs.csi.aws.com)"
            found.append(Problem((*path, "storage_class"), text))
        taken.setdefault(volume["path"], f"berth_app_volumes.{name}")
    return found


def files(given: dict[str, Any]) -> list[Problem]:
    """Check the files that are served to visitors: each URL is used once, and static files come from the image."""
    kept, static = given.get("berth_app_volumes", {}), given.get("berth_app_static", {})
    urls: list[tuple[Path, str]] = [(("berth_app_volumes", name, "url"), volume["url"]) for name, volume in kept.items() if volume.get("url") is not None]
    if lacking := [key for key in ("path", "url") if static and not static.get(key)]:
        return [Problem(("berth_app_static", key), "is missing") for key in lacking]
    if static:
        urls.append((("berth_app_static", "url"), static["url"]))
    found: list[Problem] = []
    taken: dict[str, str] = {}
    for path, url in urls:
        wrong = formats.files_url(url) or (f"{url} is also {taken[url]}; change one of the two" if url in taken else "")
        found += [Problem(path, wrong)] if wrong else []
        taken.setdefault(url, ".".join(map(str, path)))
    if static and (wrong := formats.directory(static["path"]) or _hidden(static["path"], kept, given.get("berth_app_writable", {}))):
        found.append(Problem(("berth_app_static", "path"), wrong))
    return found


def _hidden(path: str, kept: dict[str, Any], writable_too: dict[str, Any]) -> str:
    """Return the problem with a directory of the image if a mount in the app's containers hides it."""
    mounted = {volume["path"]: f"berth_app_volumes.{name}" for name, volume in kept.items() if volume}
    for other, variable in (mounted | dict.fromkeys(writable_too, "berth_app_writable")).items():
        if f"{path}/".startswith(f"{other}/"):
            return f"{path} is in {other} ({variable}), which hides the files in the image; have collectstatic put them elsewhere"
    return ""


def _nested(path: str, taken: dict[str, str]) -> str:
    """Return the problem with a path that overlaps the ``taken`` ones, a mapping of paths to variables."""
    if path in taken:
        return f"{path} is also in {taken[path]}; choose another path"
    for other, variable in taken.items():
        if path.startswith(f"{other}/"):
            return f"{path} is inside {other} ({variable}); choose a path outside it"
        if other.startswith(f"{path}/"):
            return f"{path} contains {other} ({variable}); choose a path that does not"
    return ""


def autoscaling(given: dict[str, Any]) -> list[Problem]:
    """Check the autoscaler's settings: ``min`` and ``max`` pods, and ``cpu`` (per cent of the request)."""
    if not given:
        return []
    lacking = [key for key in ("min", "max", "cpu") if key not in given]
    if lacking:
        return [Problem(("berth_app_autoscaling", key), "is missing") for key in lacking]
    bounds = {key: int(value) for key, value in given.items()}
    found = [Problem(("berth_app_autoscaling", key), f"{value} is too few: at least 1 is needed") for key, value in bounds.items() if value < 1]
    if bounds["min"] > bounds["max"]:
        text = f"{bounds['min']} is above max, which is {bounds['max']}"
        found.append(Problem(("berth_app_autoscaling", "min"), text))
    return found


def schedules(given: list[dict[str, Any]], app: str) -> list[Problem]:
    """Check the app's CronJobs."""
    found = []
    names = [entry["name"] for entry in given]
    for number, entry in enumerate(given):
        path = ("berth_app_schedules", number)
        checks = {
            "name": formats.label(entry["name"], formats.CRONJOB_LENGTH - len(app) - 1),
            "schedule": formats.schedule(entry["schedule"]),
            "command": formats.command(entry["command"]),
            "timeout": seconds(entry.get("timeout", 1)),
        }
        found += [Problem((*path, key), text) for key, text in checks.items() if text]
        if entry["name"] in names[:number]:
            found.append(Problem((*path, "name"), f"{entry['name']!r} is listed twice"))
    return found


def seconds(value: int | str) -> str:
    """Check a timeout."""
    return "" if int(value) >= 1 else f"{value} is too few seconds: at least 1 is needed"


def quota(given: dict[str, Any]) -> list[Problem]:
    """Check the namespace's hard limits, which may be 0."""
    return [
        Problem(("berth_quota", key), f"{value!r} is not a quantity; write it like 20, 500m or 4Gi")
        for key, value in given.items()
        if formats.quantity(value) is None
    ]


def database_names(given: dict[str, Any], master: str) -> list[Problem]:
    """Check the names of the database and its user, which default to the app's name; ``master`` is RDS's administrator."""
    found = []
    for kind in ("user", "name"):
        variable = f"berth_database_{kind}"
        own = given.get(variable)
        value = str(given.get("berth_app_name", "")).replace("-", "_") if own is None else own
        if own is not None and (wrong := formats.sql_name(own)):
            found.append(Problem((variable,), wrong))
        elif why := formats.sql_taken(value, kind, given.get("berth_database", "cluster"), master):
            what = f"is {value!r}, {why}" if own is not None else f"is not set, so it is {value!r} like berth_app_name, {why}"
            found.append(Problem((variable,), f"{what}; set it to another name, such as {f'app_{value}'[: formats.SQL_LENGTH]}"))
    return found


def admin(given: dict[str, Any]) -> list[Problem]:
    """Check that something restricts access to the admin, and that the networks allowed there are allowed in."""
    networks = given.get("berth_admin_networks") or []
    if networks and given.get("berth_entry", "none") == "none":
        text = "needs berth_entry: loadbalancer, because a node port cannot filter by path and address; remove it, or set that"
        return [Problem(("berth_admin_networks",), text)]
    open_to = given.get("berth_entry_networks", ["0.0.0.0/0"])
    if any(map(formats.ipv4_network, [*networks, *open_to])):
        return []  # reported elsewhere
    allowed = [ipaddress.ip_network(each, strict=False) for each in open_to]
    return [
        Problem(("berth_admin_networks", number), f"{each} is not allowed by berth_entry_networks; add it there, or remove it here")
        for number, each in enumerate(networks)
        if not any(ipaddress.ip_network(each, strict=False).overlaps(known) for known in allowed)
    ]


def entry(given: dict[str, Any]) -> list[Problem]:
    """Check that the parts of the public entry go together. Each one by itself is checked elsewhere."""
    if given.get("berth_entry", "none") == "none":
        return []
    host, zone, certificate = (given.get(f"berth_entry_{part}", "") for part in ("host", "zone", "certificate"))
    found = []
    if not host:
        found.append(Problem(("berth_entry_host",), "is not set, but berth_entry: loadbalancer needs it"))
    if not certificate and not zone:
        text = "is not set, and neither is berth_entry_zone, which Berth needs to validate a new certificate; set one of the two"
        found.append(Problem(("berth_entry_certificate",), text))
    name = "" if formats.hosted_zone(zone) or formats.ZONE_ID.fullmatch(zone) else zone.removesuffix(".")
    if not formats.public_host(host) and name and host != name and not host.endswith(f".{name}"):
        found.append(Problem(("berth_entry_host",), f"{host!r} is not in the zone {name} (berth_entry_zone)"))
    parts = formats.CERTIFICATE.fullmatch(certificate)
    for part, variable in (("region", "berth_aws_region"), ("account", "berth_aws_account")):
        wanted = given.get(variable, "")
        if parts and wanted and parts[part] != wanted:
            text = f"is a certificate of {part} {parts[part]}, but the load balancer is in {wanted} ({variable}) and cannot use it"
            found.append(Problem(("berth_entry_certificate",), text))
    if given.get("berth_entry_networks") == []:
        found.append(Problem(("berth_entry_networks",), "is empty, so it would admit nobody; name networks, or set berth_entry: none"))
    if given.get("berth_eks_compute") == "nodes":
        text = "loadbalancer needs berth_eks_compute: auto; a cluster with a node group has no controller that creates load balancers for Ingresses"
        found.append(Problem(("berth_entry",), text))
    return found
