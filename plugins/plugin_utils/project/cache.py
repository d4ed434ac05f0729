"""The part of a first inventory about the cache and the broker."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from ...module_utils.image.project import Project
from ..inventory.cache import client_missing
from .database import imported_variables
from .draft import Draft, generated, placeholder
from .settings import Asked, Reading

CACHE_URLS = {"REDIS_URL", "CACHE_URL"}  # set by berth_cache
PART = re.compile(r"_(?:HOST|PORT|DB(?:_INDEX)?|PASSWORD|USER(?:NAME)?)\Z")  # parts of a cache's address
# The name of a variable for an address, whatever it begins with.
ADDRESS = re.compile(
    r"(?:\w+_)?(?:(?:REDIS|VALKEY)(?:_(?:URL|URI|DSN|LOCATION))?|CACHE_(?:URL|URI|LOCATION)|BROKER(?:_URL)?|CELERY_(?:RESULT_)?BACKEND)",
)
NEED_CACHE = {"channels-redis", "django-cacheops", "django-redis", "django-rq"}  # packages that are useless without Redis
PARTS = {"_HOST": "cache", "_PORT": "6379", "_USER": "default", "_USERNAME": "default"}  # their values for the cache beside the app


def cache(made: Draft, root: Path, reading: Reading, asked: list[Asked], every: list[Asked], project: Project) -> set[str]:
    """Set up the cache and the broker, and return the variables that this covers; ``every`` has each setting that reads a variable."""
    places = ("CACHES", "CHANNEL_LAYERS", "Q_CLUSTER", "RQ_QUEUES", "HUEY")
    client = {"redis", "valkey", "django-redis", "channels-redis", "django-rq", "celery", "huey"} & project.dependencies.names
    wanted = [
        one
        for one in asked
        if one.kind in ("cache", "cache_url", "dj_cache_url")
        or re.search(r"REDIS|VALKEY|BROKER_URL|CELERY_RESULT_BACKEND|CACHE_URL", one.name)
        or (re.search(r"BROKER_URL|RESULT_BACKEND", one.setting) and re.search(r"BROKER|CELERY|QUEUE", one.name))
        or one.setting in places
    ]
    wanted = [one for one in wanted if one.kind not in ("bool", "int", "float") and not beside_the_address(one)]
    part = "The cache"
    wanted = wanted or [Asked(name) for name in imported_variables(root, project.settings) if ADDRESS.fullmatch(name)]
    if not wanted:
        needed_cache(made, reading, project, bool(client))
        return set()
    urls = [one.name for one in wanted if not PART.search(one.name)]
    whole = {one.setting for one in every if one.name in urls} - {"", *places}
    parts = {one.name for one in every if one.setting in whole} - set(urls)  # parts that form the address if its variable is not set
    wanted = [one for one in wanted if one.name not in parts or one.required]
    why = f"The settings read {', '.join(one.name for one in wanted)}."
    if any(str(one.default).startswith(("amqp", "pyamqp")) for one in wanted):
        why += " The default is RabbitMQ, which Berth does not run. Celery works with this cache too."
    if client and made.set(part, "berth_cache", "cluster", why):
        if client_missing(project.dependencies.names | project.dependencies.direct):
            file = f", in {project.dependencies.files[0]}" if project.dependencies.files else ""
            made.needs.append(f"redis as a requirement{file}  # no installed package can connect to the cache")
        if urls and not set(urls) <= CACHE_URLS:
            made.set(part, "berth_cache_env", urls, "The variables from which the settings read its URL.")
        handled = address_parts(made, [one for one in asked if one.name not in urls and (one in wanted or one.required)])
        handled |= cache_kind(made, asked, urls, project)
        for one in wanted:
            if (one.name not in urls and one.name not in handled) or (one.name not in CACHE_URLS and "berth_cache_env" not in made.known):
                made.say(part, f"{one.name} gets no value. Make the settings read os.environ['REDIS_URL'] instead.")
    elif client and "berth_cache" not in made.known:
        for one in [each for each in wanted if each.required]:
            made.secrets[one.name] = placeholder(made, one.name, "such as redis://host:6379/0, because Berth runs no cache")
        if others := [one.name for one in wanted if not one.required]:
            made.say(part, f"Berth runs no cache. The settings read the address of one from {', '.join(others)}.")
    return {one.name for one in wanted if not one.required or client}


def needed_cache(made: Draft, reading: Reading, project: Project, client: bool) -> None:
    """Propose a cache if the settings read its address from no variable but contain one literally, or a package needs one."""
    fixed = hard_coded_caches(reading, project) if client else []
    packages = sorted(NEED_CACHE & project.dependencies.direct)
    why = f"The settings name {', '.join(fixed)}." if fixed else f"Guessed, because the project uses {', '.join(packages)}." if packages else ""
    if why and made.set("The cache", "berth_cache", "cluster", why):
        place = f"in place of '{fixed[0]}'" if fixed else "where the settings set the address of Redis"
        made.needs.append(f"os.environ.get('REDIS_URL', '') {place}  # the cache has a different address and a password")


def address_parts(made: Draft, asked: list[Asked]) -> set[str]:
    """Set the variables for parts of the address of the cache beside the app, and return them."""
    done = set()
    for one in asked:
        found = PART.search(one.name) if not re.search(r"MEMCACHE|RABBIT|AMQP", one.name) else None
        if not found or not re.search(r"REDIS|VALKEY|CACHE|BROKER", one.name):
            continue
        done.add(one.name)
        if found[0] == "_PASSWORD":
            made.secrets[one.name] = (generated("CACHE_PASSWORD"), "")
        elif value := PARTS.get(found[0]) or ("0" if one.required else ""):
            made.settings[one.name] = (value, "")
    return done


def cache_kind(made: Draft, asked: list[Asked], urls: list[str], project: Project) -> set[str]:
    """Set the variables that choose the backend in CACHES if their default is not a shared one, and return them."""
    if not any(one.setting == "CACHES" and one.name in urls for one in asked):
        return set()
    apart = "django-redis" in project.dependencies.names
    kinds = {"BACKEND": "django_redis.cache.RedisCache" if apart else "django.core.cache.backends.redis.RedisCache"}
    kinds |= {"CLIENT_CLASS": "django_redis.client.DefaultClient"} if apart else {}
    local = [one for one in asked if one.default in (None, "") or re.search(r"\.(?:Dummy|FileBased|LocMem)\w*\Z", str(one.default))]
    chosen = {one.name: kinds[one.key] for one in local if one.setting == "CACHES" and one.key in kinds and one.kind in ("", "str")}
    made.settings |= {name: (kind, "") for name, kind in chosen.items()}
    return set(chosen)


def hard_coded_caches(reading: Reading, project: Project) -> list[str]:
    """Return the cache addresses that the settings contain literally, as a URL or as host and port of a channel layer."""
    found = {text for text in project.loaded.texts - project.loaded.chosen if re.match(r"(?:rediss?|valkey)://[^\s/]+", text)}
    for node in ast.walk(reading.expressions["CHANNEL_LAYERS"][0]) if "CHANNEL_LAYERS" in reading.expressions else ():
        match node:
            case ast.Tuple(elts=[ast.Constant(value=str(host)), ast.Constant(value=int(port))]):
                found.add(f"{host}:{port}")
    return sorted(found)


def beside_the_address(one: Asked) -> bool:
    """Whether a cache variable is something other than its address, judging by its name or default.

    Celery calls the address for its results a backend, and also accepts ``django-db``.

    >>> beside_the_address(Asked("REDIS_PREFIX")), beside_the_address(Asked("LAYER", default="channels_redis.core.Layer")), beside_the_address(Asked("REDIS"))
    (True, True, False)
    """
    said = one.default if isinstance(one.default, str) else ""
    if re.match(r"(?:rediss?|valkeys?|amqp|pyamqp)://", said):
        return False
    if one.name.endswith("RESULT_BACKEND"):
        return bool(said) and "://" not in said
    other = re.search(r"_(?:BACKEND|ENGINE|CLASS|KEY_?PREFIX|PREFIX|TIMEOUT|TTL|VERSION|ALIAS|SSL\w*|CERT\w*|OPTIONS)\Z", one.name)
    kind = one.setting == "CACHES" and one.key in ("BACKEND", "CLIENT_CLASS", "KEY_PREFIX", "TIMEOUT", "VERSION")
    return kind or bool(other) or bool(re.fullmatch(r"\w+(\.\w+)+\.[A-Z]\w*", said))
