"""What a Django project consists of, read from its files: none of its code is run."""

from __future__ import annotations

import ast
import json
import os
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import assets
from .registry import ImageError

# Directories without the project's own code.
SKIPPED = {"__pycache__", "build", "dist", "env", "node_modules", "site-packages", "venv"}
DEPTH = 3  # directories below the source in which manage.py is looked for
# Files of requirements, the one that is for production first. The last is pip-tools' input.
REQUIREMENTS = [
    *(f"{name}.txt" for name in ("requirements", "requirements-production", "requirements-prod", "requirements_production", "requirements_prod")),
    *(f"requirements/{name}.txt" for name in ("production", "prod", "requirements", "base", "common", "main")),
    "requirements.in",
]
# Dependency groups and extras that a server needs in addition to the main dependencies.
PRODUCTION = ("prod", "production", "deploy")
# Packages that connect to PostgreSQL. Projects for several databases often have them in an extra.
DRIVERS = frozenset({"psycopg", "psycopg2", "psycopg2-binary", "psycopg-binary", "psycopg-c"})
# Dependency groups that a server does not need.
DEVELOPMENT = {"dev", "development", "docs", "lint", "test", "tests", "typing"}
# Settings modules for servers, the preferred one first.
FOR_SERVERS = ("production", "prod")
# If one named production is next to these, it is the one for servers.
TO_DEVELOP = ("dev", "devel", "develop", "development", "local")
BESIDE_PRODUCTION = ("base", "common", *TO_DEVELOP)
# Settings modules that are never for servers, even if they turn DEBUG off.
NO_SERVER = re.compile(r"\A(?:__init__|base|build|ci|common|defaults?|dev\w*|local|settings)\Z|test|example")
NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
EXTRAS = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*\[([^\]]+)\]")
PIN = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*===?\s*([0-9][\w.!+-]*)")
INCLUDE = re.compile(r"\s*(?:-r|-c|--requirement|--constraint)[\s=]*(\S+)")
EDITABLE = re.compile(r"\s*(?:-e|--editable)[\s=]*")
BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


class ProjectError(ImageError):
    """The reason why a source cannot be deployed, as a phrase, and the variable concerned."""

    def __init__(self, variable: str, text: str) -> None:
        super().__init__(f"{variable}: {text}.")
        self.variable, self.text = variable, text


@dataclass(frozen=True)
class Dependencies:
    """How a project declares its dependencies.

    Attributes:
        kind: ``requirements``, ``pyproject``, ``uv``, ``poetry``, ``pdm`` or ``pipenv``.
        place: The directory that paths in them are relative to, itself relative to the source.
        files: What the installation reads, relative to the source; the first is the one that says it.
        locked: Whether a lock file pins the versions.
        local: Whether it installs something that is in the source, too.
        encoding: Of ``files[0]`` where it is one that pip does not find out, as Python calls it.
        groups: The groups to install besides the main one.
        extras: The extras to install.
        direct: The names of the packages that the project names itself, normalised.
        names: Those and the ones that its lock file has.
        git: Whether something comes from a git repository.
        pins: The exact version of each package that has one.
    """

    kind: str
    place: str
    files: tuple[str, ...]
    locked: bool = True
    local: bool = False
    encoding: str = ""
    groups: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    direct: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    git: bool = False
    pins: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Wish:
    """The Python that a project asks for: a version, or specifiers as in PEP 440, and the file that says so."""

    specifiers: str
    file: str


@dataclass(frozen=True)
class Settings:
    """What settings contain literally.

    Attributes:
        texts: Every string.
        chosen: Those that take effect only if an environment variable turns something on.
        names: Every name that is set.
        applications: What ``WSGI_APPLICATION`` and ``ASGI_APPLICATION`` are set to.
        variables: A value for each environment variable that the settings require, to load them with.
    """

    texts: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    applications: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    chosen: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Project:
    """A Django project.

    Attributes:
        directory: Where manage.py is, relative to the source, "" for the source itself.
        paths: Other directories with the project's packages, relative to the source.
        settings: The settings module.
        wsgi: The WSGI application as ``module:name``, "" if no file has one; the same for ``asgi``.
        dependencies: What it needs.
        wish: The Python that it asks for, if it does.
        configured: What its gunicorn.conf.py sets, empty without one; an address that is unreachable from outside does not count.
        loaded: What its settings say.
        assets: What builds its style sheets and scripts, if something does.
        collected: Whether its collected static files are in the source, and some of them nowhere else.
        uncompiled: Whether it has translations that are not compiled.
        notes: What its owner should know.
    """

    directory: str
    settings: str
    dependencies: Dependencies
    paths: tuple[str, ...] = ()
    wsgi: str = ""
    asgi: str = ""
    wish: Wish | None = None
    configured: frozenset[str] = frozenset()
    loaded: Settings = Settings()
    assets: assets.Assets | None = None
    collected: bool = False
    uncompiled: bool = False
    notes: tuple[str, ...] = ()


def read_project(source: Path, directory: str = "", settings: str = "", needs: Dependencies | None = None) -> Project:
    """Return what the project in ``source`` consists of.

    Args:
        source: The directory.
        directory: Where in it manage.py is, "" to find out.
        settings: The settings module, "" to find out.
        needs: What it needs, None to find out.

    Raises:
        ProjectError: It is not a Django project, or does not declare its dependencies.
    """
    place = find_directory(source, directory)
    root = source / place
    notes: list[str] = []
    module = settings or find_settings(root, notes)
    paths = [path for path in (root, root / "src") if module_file(path, module)] or [root]
    loaded = read_settings(paths[0], module)
    dependencies = needs or find_dependencies(source, place, notes)
    built = assets.find(source, place, find_files(source, "package.json"), loaded.texts, notes)
    collected = built is None and is_collected(root, loaded)
    if collected:
        notes.append("The static files are served as they are in the source, because some are only in STATIC_ROOT, and collectstatic would lose them.")
    return Project(
        directory=place,
        settings=module,
        dependencies=dependencies,
        paths=() if paths[0] == root else (relative(paths[0], source),),
        wsgi=find_application(paths[0], module, loaded, "wsgi"),
        asgi=find_application(paths[0], module, loaded, "asgi"),
        wish=find_wish(source, place),
        configured=gunicorn_settings(root / "gunicorn.conf.py"),
        loaded=loaded,
        assets=built,
        collected=collected,
        uncompiled=lacks_compiled_translations(root),
        notes=tuple(notes),
    )


# --- manage.py and the settings ------------------------------------------------
def find_directory(source: Path, wanted: str) -> str:
    """Return the directory with manage.py, relative to ``source``.

    Raises:
        ProjectError: There is none, or more than one.
    """
    if wanted:
        place = os.path.normpath(wanted)
        if place.startswith(("/", "..")):
            raise ProjectError("berth_app_directory", f"{wanted} is not in {source}; name a directory in it, relative to it")
        if not (source / wanted).is_dir():
            raise ProjectError("berth_app_directory", f"{source / wanted} is not a directory")
        if not is_manage(source / wanted / "manage.py"):
            raise ProjectError("berth_app_directory", f"{source / wanted} has no Django manage.py; name the directory that has it")
        return "" if place == "." else place
    candidates = directories(source)
    if not candidates:
        raise ProjectError("berth_app_source", f"{source} is not a Django project: {no_manage(source)}")
    if len(candidates) > 1:
        names = ", ".join(sorted(candidates))
        raise ProjectError("berth_app_directory", f"is not set, but more than one directory in {source} has a manage.py: {names}; set it to one of them")
    return candidates[0]


def directories(source: Path) -> list[str]:
    """Return the directories with manage.py that are highest in ``source``, relative to it."""
    levels: dict[int, list[str]] = {}
    for found in find_files(source, "manage.py"):
        if is_manage(source / found):
            levels.setdefault(found.count("/"), []).append(os.path.dirname(found))
    return levels[min(levels)] if levels else []


def no_manage(source: Path) -> str:
    """Return why a source without manage.py cannot be deployed, and what to do."""
    for name in ("wsgi.py", "asgi.py"):
        for found in find_files(source, name):
            if "django" in text_of(source / found):
                return f"it has {found}, but no manage.py, which releases need; add the one that django-admin startproject generates"
    return "it has no manage.py, not even three levels below, and no Dockerfile; name the project's directory, or write a Dockerfile"


def find_files(source: Path, name: str) -> Iterator[str]:
    """Yield the files with a name in ``source`` and the directories below, relative to it, top level first."""
    return find_matching(source, re.compile(re.escape(name)))


def find_matching(source: Path, name: re.Pattern[str], depth: int = DEPTH) -> Iterator[str]:
    """Yield the files whose whole name matches a pattern, in the order of :func:`find_files`, down to that many directories below."""
    level = [""]
    for _ in range(depth + 1):
        below = []
        for directory in level:
            try:
                entries = sorted(os.scandir(source / directory), key=lambda entry: entry.name)
            except OSError:
                continue
            for entry in entries:
                path = f"{directory}/{entry.name}".lstrip("/")
                if name.fullmatch(entry.name) and entry.is_file():
                    yield path
                elif entry.is_dir(follow_symlinks=False) and is_code(entry):
                    below.append(path)
        level = below


def lacks_compiled_translations(root: Path) -> bool:
    """Whether a project has translations that are not compiled, as where .gitignore has *.mo.

    docs.djangoproject.com/en/stable/topics/i18n/translation, "Localization: how to create language files"
    """
    sources = find_matching(root, re.compile(r"django(?:js)?\.po"), DEPTH + 3)  # below locale/de/LC_MESSAGES
    return any(path.parent.name == "LC_MESSAGES" and not path.with_suffix(".mo").exists() for path in (root / source for source in sources))


def is_code(directory: os.DirEntry[str]) -> bool:
    """Whether a directory may contain the project's code."""
    return not directory.name.startswith(".") and directory.name not in SKIPPED and not os.path.exists(f"{directory.path}/pyvenv.cfg")


def is_manage(file: Path) -> bool:
    """Whether a file is a manage.py of Django; other frameworks have one too."""
    return file.is_file() and "django" in text_of(file).lower()


def find_settings(root: Path, notes: list[str]) -> str:
    """Return the settings module: the default of wsgi.py or asgi.py, which are for servers, otherwise that of manage.py.

    Raises:
        ProjectError: None of them names one.
    """
    manage = default_settings(root / "manage.py")
    servers = [default_settings(root / found) for name in ("wsgi.py", "asgi.py") for found in find_files(root, name)]
    candidates = [name for name in [*servers, manage] if name and any(module_file(path, name) for path in (root, root / "src"))]
    if not candidates:
        found = settings_modules(root)
        if len(found) != 1:
            named = f", such as {manage}" if manage else f", such as {found[0]}" if found else ""
            raise ProjectError(
                "berth_app_settings", f"manage.py in {root} names no settings module that exists; set DJANGO_SETTINGS_MODULE in it to the module{named}"
            )
        candidates = found
    chosen = candidates[0]
    package, _, last = chosen.rpartition(".")
    package = package if last in BESIDE_PRODUCTION else chosen if develops(root, chosen) else ""
    if package:
        chosen = next((f"{package}.{name}" for name in FOR_SERVERS if module_file(root, f"{package}.{name}")), served_by(root, package) or chosen)
    if manage and chosen != manage:
        way = "to use another, set DJANGO_SETTINGS_MODULE in berth_app_settings"
        notes.append(f"The settings module is {chosen}, while manage.py uses {manage} by default; {way}.")
    return chosen


def develops(root: Path, package: str) -> bool:
    """Whether a settings package imports everything from a development module although it has a self-contained one for servers."""
    file = module_file(root, package)
    if file is None or file.name != "__init__.py":
        return False
    taken = {absolute(package, True, node) for node in ast.walk(parsed(file) or ast.Module([], [])) if isinstance(node, ast.ImportFrom)}
    whole = any("INSTALLED_APPS" in read_settings(root, f"{package}.{name}").names for name in FOR_SERVERS)
    return whole and any(f"{package}.{name}" in taken for name in TO_DEVELOP)


def served_by(root: Path, package: str) -> str:
    """Return the only module of a settings package for servers, which turns DEBUG off and sets ALLOWED_HOSTS; "" for none or several."""
    names = [path.stem for path in sorted(root.joinpath(*package.split(".")).glob("*.py")) if not NO_SERVER.search(path.stem)]
    found = [name for name in names if is_for_servers(parsed(root.joinpath(*package.split("."), f"{name}.py")))]
    return f"{package}.{found[0]}" if len(found) == 1 else ""


def is_for_servers(tree: ast.Module | None) -> bool:
    """Whether a settings module itself turns DEBUG off and sets ALLOWED_HOSTS."""
    statements = [node for node in (tree.body if tree else ()) if isinstance(node, ast.Assign)]
    off = any(is_named(node, "DEBUG") and isinstance(node.value, ast.Constant) and node.value.value is False for node in statements)
    return off and any(is_named(node, "ALLOWED_HOSTS") for node in statements)


def settings_modules(root: Path) -> list[str]:
    """Return the settings modules that are called so: of a package with one for each environment, the one for servers, else the one that all share."""
    found = {path.removesuffix(".py").replace("/", ".") for path in find_files(root, "settings.py")}
    for path in find_files(root, "__init__.py"):
        package = os.path.dirname(path).replace("/", ".")
        if package.rpartition(".")[2] == "settings":
            others = (f"{package}.{name}" for name in (*FOR_SERVERS, "base", "common"))
            itself = package if text_of(root / path).strip() else ""
            found.add(next((name for name in others if module_file(root, name)), itself))
    found.discard("")
    return sorted(found)


def default_settings(file: Path) -> str:
    """Return the settings module that a file sets by default, "" for none."""
    found = re.search(r"""["']DJANGO_SETTINGS_MODULE["']\s*(?:,|\]\s*=)\s*["']([\w.]+)["']""", text_of(file))
    return found[1] if found else ""


def module_file(root: Path, module: str) -> Path | None:
    """Return the file of a module below ``root``, None where there is none."""
    path = root.joinpath(*module.split("."))
    return next((file for file in (path.with_name(f"{path.name}.py"), path / "__init__.py") if module and file.is_file()), None)


def find_application(root: Path, settings: str, loaded: Settings, name: str) -> str:
    """Return the application as ``module:attribute`` that the settings name, or that is beside them; ``name`` is wsgi or asgi."""
    said, _, attribute = loaded.applications.get(f"{name.upper()}_APPLICATION", "").rpartition(".")
    if said and module_file(root, said):
        return f"{said}:{attribute}"
    parts = settings.split(".")[:-1]
    for end in range(len(parts), -1, -1):
        module = ".".join([*parts[:end], name])
        file = module_file(root, module)
        if file and "application" in assigned(file):
            return f"{module}:application"
    return ""


# --- What the settings say -----------------------------------------------------
def read_settings(root: Path, module: str) -> Settings:
    """Return what a settings module, and those that it takes everything from, say."""
    texts: set[str] = set()
    always: set[str] = set()
    names: set[str] = set()
    applications: dict[str, str] = {}
    variables: dict[str, str] = {}
    trees = [tree for _, tree in settings_trees(root, module)]
    variables |= {name: stand_in(name, "") for tree in trees for name in demanded(tree)}
    scheme = {name: value for tree in trees for name, value in env_scheme(tree).items()}
    for tree in trees:
        spared = set(optional(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
                always |= set() if node in spared else {node.value}
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                for target in node.targets:
                    if isinstance(target, ast.Name) and target.id.endswith("GI_APPLICATION"):
                        applications.setdefault(target.id, node.value.value)
            if secret := secret_variable(node):
                variables.setdefault(*secret)
            elif node not in spared and (asked := asked_variable(node)) and (value := scheme.get(asked[0], asked[1])):
                variables.setdefault(asked[0], value)
    return Settings(frozenset(texts), frozenset(names), applications, dict(sorted(variables.items())), frozenset(texts - always))


def is_collected(root: Path, loaded: Settings) -> bool:
    """Whether STATIC_ROOT is in the source with files of an app that has no directory to collect them from: the list of files would lose them.

    https://docs.djangoproject.com/en/stable/ref/contrib/staticfiles/#manifeststaticfilesstorage
    """
    if "STATICFILES_DIRS" in loaded.names:
        return False
    for file in find_files(root, "staticfiles.json"):
        try:
            paths = json.loads(text_of(root / file))["paths"]
        except (ValueError, KeyError, TypeError):
            continue
        apps = [root / path.partition("/")[0] for path in paths] if os.path.basename(os.path.dirname(file)) in loaded.texts else []
        if any((app / "__init__.py").is_file() and not (app / "static").is_dir() for app in set(apps)):
            return True
    return False


def settings_trees(root: Path, module: str) -> Iterator[tuple[Path, ast.Module]]:
    """Yield the files that a settings module is made of, the one that wins first: itself, and those that it takes everything from or includes."""
    waiting, seen = [(module, module_file(root, module))], set()
    while waiting:
        name, file = waiting.pop(0)
        if file is None or file in seen or (tree := parsed(file)) is None:
            continue
        seen.add(file)
        yield file, tree
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
                taken = absolute(name, file.name == "__init__.py", node)
                waiting.append((taken, module_file(root, taken)))
            elif isinstance(node, ast.Call) and dotted(node.func).endswith("include"):  # as django-split-settings has it
                patterns = [each for part in node.args for each in ([constant(part)] if constant(part) else map(constant, getattr(part, "args", [])))]
                found = [one for pattern in patterns if pattern and not pattern.startswith("/") for one in sorted(file.parent.glob(pattern))]
                waiting += [(".".join(one.relative_to(root).with_suffix("").parts), one) for one in found if one.suffix == ".py" and one.is_relative_to(root)]


def absolute(module: str, package: bool, node: ast.ImportFrom) -> str:
    """Return the full name of the module that ``from .x import`` in ``module`` means; ``package`` is whether that is one."""
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    parts = parts[: len(parts) - node.level + package]
    return ".".join([*parts, *([node.module] if node.module else [])])


def optional(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield what is evaluated only where an environment variable is set, or may fail: a value for the build would turn it on."""
    chosen = defaults(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Try):
            guarded: list[ast.AST] = [*node.body]
        elif isinstance(node, ast.If | ast.IfExp) and (any(is_environment(part) for part in ast.walk(node.test)) or off_by_default(node.test, chosen)):
            guarded = [node.test, *(node.body if isinstance(node.body, list) else [node.body])]
        else:
            continue
        for part in guarded:
            yield from ast.walk(part)


def defaults(tree: ast.AST) -> dict[str, object]:
    """Return the names that are set from environment variables, with what each is where its variable is not set, None where that cannot be seen."""
    found: dict[str, object] = {}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)):
            continue
        for call in ast.walk(node.value):
            if isinstance(call, ast.Call) and any(is_environment(part) for part in ast.walk(call.func)):
                given = [*call.args[1:2], *(word.value for word in call.keywords if word.arg == "default")]
                found[node.targets[0].id] = given[0].value if given and isinstance(given[0], ast.Constant) else None
    return found


def off_by_default(test: ast.AST, chosen: dict[str, object]) -> bool:
    """Whether a condition asks for a choice that another value of an environment variable makes.

    Args:
        test: Such as ``STORAGE == Storage.S3`` after ``STORAGE = env("STORAGE", default="local")``.
        chosen: What defaults() says of the module.
    """
    match test:
        case ast.BoolOp(op=ast.And()):
            return any(off_by_default(value, chosen) for value in test.values)
        case ast.BoolOp(op=ast.Or()):
            return all(off_by_default(value, chosen) for value in test.values)
        case ast.Name(id="DEBUG"):
            return True  # nothing that is released has it on
        case ast.Name(id=name):
            return name in chosen and not chosen[name]
        case ast.UnaryOp(op=ast.Not(), operand=ast.Name(id=name)):
            return name != "DEBUG" and bool(chosen.get(name))
        case ast.Compare(left=ast.Name(id=name), ops=[ast.In()], comparators=[ast.Tuple(elts=members) | ast.List(elts=members) | ast.Set(elts=members)]):
            texts: list[object] = [constant(member) for member in members]
            return isinstance(chosen.get(name), str) and all(texts) and chosen[name] not in texts
        case ast.Compare(left=ast.Name(id=name), ops=[ast.Eq()], comparators=[other]):
            default = chosen.get(name)
            member = other.attr if isinstance(other, ast.Attribute) else constant(other)
            return isinstance(default, str) and bool(member) and member.lower() != default.lower()
    return False


def is_environment(node: ast.AST) -> bool:
    """Whether an expression is the environment, or a function that asks for a variable."""
    return dotted(node) in ("os.environ", "environ", "os.getenv", "getenv", "env", "config")


def asked_variable(node: ast.AST) -> tuple[str, str] | None:
    """Return the environment variable without which an expression fails, and a value that does; None for another expression.

    Known are ``os.environ["X"]``, and what django-environ, environs and python-decouple offer.
    """
    if isinstance(node, ast.Subscript) and dotted(node.value) in ("os.environ", "environ", "env") and isinstance(node.ctx, ast.Load):
        name, kind = constant(node.slice), ""
    elif isinstance(node, ast.Call) and len(node.args) == 1 and not {word.arg for word in node.keywords} & {"default", None}:
        called = dotted(node.func)
        if called not in ("env", "config", "decouple.config") and not called.startswith("env."):
            return None
        name, kind = constant(node.args[0]), called.removeprefix("env.")
        kind = next((dotted(word.value) for word in node.keywords if word.arg == "cast"), kind)
    else:
        return None
    return (name, stand_in(name, kind)) if name and re.fullmatch(r"[A-Za-z_]\w*", name) else None


def demanded(tree: ast.Module) -> Iterator[str]:
    """Yield the environment variables without which a module raises an error of its own, as in ``if not os.getenv("X"): raise ValueError``."""
    named: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and (is_environment(node.value.func) or is_getter(node.value.func)):
            named |= {target.id: constant(node.value.args[0]) for target in node.targets if isinstance(target, ast.Name) and node.value.args}
    statements = list(tree.body)
    for node in statements:
        if not isinstance(node, ast.If):
            continue
        if is_without_debug(node.test):
            statements += node.body
        if any(isinstance(each, ast.Raise) for each in node.body):
            for part in missed(node.test):
                asks = isinstance(part, ast.Call) and part.args and (is_environment(part.func) or is_getter(part.func))
                name = constant(part.args[0]) if asks else named.get(dotted(part), "")  # type: ignore[attr-defined]
                if re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
                    yield name


def missed(test: ast.AST) -> Iterator[ast.AST]:
    """Yield what a condition, by itself, finds missing: ``not X`` and ``X is None``."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=part) | ast.Compare(left=part, ops=[ast.Is()], comparators=[ast.Constant(value=None)]):
            yield part
        case ast.BoolOp(op=ast.Or(), values=values):
            for value in values:
                yield from missed(value)
        case ast.BoolOp(op=ast.And(), values=[first, second]) if is_without_debug(first) or is_without_debug(second):
            yield from missed(second if is_without_debug(first) else first)


def is_without_debug(test: ast.AST) -> bool:
    """Whether a condition is that nothing is debugged, as where the app is released."""
    return isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) and dotted(test.operand) == "DEBUG"


def is_getter(node: ast.AST) -> bool:
    """Whether an expression is the function that gives nothing for a variable that is not set."""
    return dotted(node) in ("os.environ.get", "environ.get")


def env_scheme(tree: ast.AST) -> dict[str, str]:
    """Return a value for each variable that django-environ is told the kind of, as in ``Env(DEBUG=(bool, False), PORT=int)``; "" with a default."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and re.search(r"(?:\A|\.)(?:FileAware)?Env\Z", dotted(node.func))]
    return {
        word.arg: "" if isinstance(word.value, ast.Tuple) and len(word.value.elts) == 2 else stand_in(word.arg, dotted(word.value))
        for call in calls
        for word in call.keywords
        if word.arg
    }


def secret_variable(node: ast.AST) -> tuple[str, str] | None:
    """Return the variable that SECRET_KEY is taken from, by whatever function, and a value; None for another expression."""
    if isinstance(node, ast.Assign) and any(isinstance(target, ast.Name) and target.id == "SECRET_KEY" for target in node.targets):
        for call in ast.walk(node.value):
            if isinstance(call, ast.Call) and call.args and re.fullmatch(r"[A-Z][A-Z0-9_]*", constant(call.args[0])):
                return constant(call.args[0]), "build"
    return None


def stand_in(name: str, kind: str) -> str:
    """Return a value for an environment variable of which nothing but the name and the kind are known."""
    if kind in ("bool", "int", "float"):
        return "0"
    if re.search(r"(?:DB|DATABASE|SQL)_(?:ENGINE|BACKEND)\Z", name):
        return "django.db.backends.sqlite3"
    for word, value in (("DATABASE_URL", "sqlite:///:memory:"), ("CACHE_URL", "locmemcache://"), ("EMAIL_URL", "consolemail://"), ("PORT", "1")):
        if name.endswith(word) or kind.replace("dj_", "") == {"DATABASE_URL": "db", "CACHE_URL": "cache", "EMAIL_URL": "email"}.get(word):
            return value
    if kind in ("db_url", "db", "dj_db_url"):
        return "sqlite:///:memory:"
    if kind in ("json", "dict"):
        return "{}" if kind == "json" else "a=b"
    return "redis://localhost:6379/0" if "REDIS" in name or name.endswith("BROKER_URL") else "http://localhost" if name.endswith("_URL") else "build"


def dotted(node: ast.AST) -> str:
    """Return an expression of names and attributes as it is written, "" for another."""
    if isinstance(node, ast.Attribute):
        return f"{before}.{node.attr}" if (before := dotted(node.value)) else ""
    return node.id if isinstance(node, ast.Name) else ""


def constant(node: ast.AST) -> str:
    """Return the text that an expression is, "" for another."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def assigned(file: Path) -> frozenset[str]:
    """Return the names that a Python file sets or imports, none where it is not there."""
    names: set[str] = set()
    for node in ast.walk(parsed(file) or ast.Module([], [])):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names |= {alias.asname or alias.name for alias in node.names}
    return frozenset(names)


def gunicorn_settings(file: Path) -> frozenset[str]:
    """Return the settings that a file of gunicorn's has, without an address for a proxy on the same machine."""
    return assigned(file) - ({"bind"} if is_bound_to_itself(file) else set())


def is_bound_to_itself(file: Path) -> bool:
    """Whether gunicorn listens by a file of its settings where nobody reaches it from elsewhere: at a Unix socket, or for this machine alone."""
    values = [node.value for node in ast.walk(parsed(file) or ast.Module([], [])) if isinstance(node, ast.Assign) and is_named(node, "bind")]
    found = [constant(each) for value in values for each in (value.elts if isinstance(value, ast.List | ast.Tuple) else [value])]
    return bool(found) and all(re.match(r"unix:|(?:127\.|localhost\b|\[::1\])", address) for address in found)


def is_named(node: ast.Assign, name: str) -> bool:
    """Whether an assignment is to a name."""
    return any(isinstance(target, ast.Name) and target.id == name for target in node.targets)


def parsed(file: Path) -> ast.Module | None:
    """Return a Python file's tree, None where it is not there or is no Python of ours."""
    try:
        return ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None


# --- What it needs -------------------------------------------------------------
def find_dependencies(source: Path, directory: str, notes: list[str]) -> Dependencies:
    """Return how the project says what it needs: beside manage.py, or in a directory above.

    A lock file counts more than requirements.txt, which may be exported from it, and that more than a pyproject.toml, which may be there for
    tools alone.

    Raises:
        ProjectError: It does not say it, or a file cannot be read.
    """
    places = [directory]
    while places[-1]:
        places.append(os.path.dirname(places[-1]))
    for place in places:
        if found := dependencies_at(source, place):
            if not found.locked:
                notes.append(f"{found.files[0]} has no lock file, so each build installs the newest versions that it allows; `{found.kind} lock` writes one.")
            return found
    known = "requirements.txt, pyproject.toml with dependencies, uv.lock, poetry.lock, pdm.lock or Pipfile"
    raise ProjectError("berth_app_source", f"{source} does not say which packages it needs: it has no {known}; add one of them")


def dependencies_at(source: Path, place: str) -> Dependencies | None:
    """Return how the files in a directory of the source say what is needed, None where they do not."""
    root = source / place
    project = toml(root / "pyproject.toml")
    for kind in ("uv", "poetry", "pdm"):
        if found := pyproject_dependencies(kind, place, root, project, f"{kind}.lock"):
            return found
    named = [name for name in REQUIREMENTS if (root / name).is_file()]
    return requirements_dependencies(source, place, named[:1]) or pipenv_dependencies(place, root) or unlocked_dependencies(source, place, root, project)


def pyproject_dependencies(kind: str, place: str, root: Path, project: dict[str, Any], lock: str) -> Dependencies | None:
    """Return the dependencies of a pyproject.toml with a lock file, None where there is none; an empty ``lock`` is none to look for."""
    if lock and not (root / lock).is_file():
        return None
    tools, main = project.get("tool", {}), project.get("project", {})
    poetry = tools.get("poetry", {})
    groups = {**project.get("dependency-groups", {}), **poetry.get("group", {})}
    chosen = tuple(name for name in PRODUCTION if name in groups)
    extras = tuple(name for name in PRODUCTION if name in {**main.get("optional-dependencies", {}), **poetry.get("extras", {})})
    direct = {*requirement_names(main.get("dependencies", [])), *map(normal, poetry.get("dependencies", {}))}
    optional = {name: requirement_names(needs) for name, needs in main.get("optional-dependencies", {}).items()}
    for name in extras:
        direct |= optional.get(name, set())
    for name in chosen:
        group = groups[name]
        direct |= requirement_names(group) if isinstance(group, list) else set(map(normal, group.get("dependencies", {})))
    for name, needs in optional.items():
        if DRIVERS & needs and not DRIVERS & direct and normal(name) not in DEVELOPMENT:
            extras, direct = (*extras, name), direct | needs
    packages = toml(root / lock).get("package", []) if lock else []
    sources = json.dumps([main.get("dependencies", []), poetry.get("dependencies", {}), tools.get("uv", {}).get("sources", {})])
    files = ("pyproject.toml", *([lock] if lock else []))
    return Dependencies(
        kind,
        place,
        tuple(os.path.join(place, name) for name in files),
        locked=bool(lock) or kind == "pyproject",
        local=bool(re.search(r'"(?:path|workspace|file)": |file:', sources)),
        groups=chosen,
        extras=extras,
        direct=frozenset(direct - {"python"}),
        names=frozenset({*direct, *(normal(one.get("name", "")) for one in packages)} - {"python"}),
        git='"git": ' in sources or "git+" in sources or any("git" in str(one.get("source", "")) for one in packages),
        pins={normal(one["name"]): str(one["version"]) for one in packages if {"name", "version"} <= one.keys()},
    )


def unlocked_dependencies(source: Path, place: str, root: Path, project: dict[str, Any]) -> Dependencies | None:
    """Return the dependencies of a pyproject.toml without a lock file, None where it names none."""
    main, tools = project.get("project", {}), project.get("tool", {})
    if main.get("dependencies"):
        return pyproject_dependencies("pyproject", place, root, project, "")
    if tools.get("poetry", {}).get("dependencies"):
        return pyproject_dependencies("poetry", place, root, project, "")
    dynamic = tools.get("setuptools", {}).get("dynamic", {}).get("dependencies", {}).get("file", [])
    return requirements_dependencies(source, place, [dynamic] if isinstance(dynamic, str) else dynamic[:1])


def grouped_dependencies(source: Path, place: str) -> Dependencies:
    """Return what a pyproject.toml names in its groups, which a Dockerfile can install without more.

    packaging.python.org/en/latest/specifications/dependency-groups
    """
    groups = toml(source / place / "pyproject.toml").get("dependency-groups", {})
    direct = frozenset(package for name, group in groups.items() if normal(name) not in DEVELOPMENT for package in requirement_names(group))
    return Dependencies("pyproject", place, (), direct=direct, names=direct)


def pipenv_dependencies(place: str, root: Path) -> Dependencies | None:
    """Return the dependencies of a Pipfile, None where there is none."""
    if not (root / "Pipfile").is_file():
        return None
    lock = root / "Pipfile.lock"
    packages = toml(root / "Pipfile").get("packages", {})
    try:
        locked = json.loads(text_of(lock)).get("default", {}) if lock.is_file() else {}
    except ValueError as error:
        raise ProjectError("berth_app_source", f"{lock} is damaged: it is not JSON; `pipenv lock` writes it again") from error
    words = json.dumps([packages, locked])
    return Dependencies(
        "pipenv",
        place,
        tuple(os.path.join(place, name) for name in ("Pipfile", *(["Pipfile.lock"] if lock.is_file() else []))),
        locked=lock.is_file(),
        local='"path": ' in words,
        direct=frozenset(map(normal, packages)),
        names=frozenset(map(normal, [*packages, *locked])),
        git='"git": ' in words,
        pins={normal(name): one["version"].removeprefix("==") for name, one in locked.items() if isinstance(one, dict) and "version" in one},
    )


def requirements_dependencies(source: Path, place: str, names: Sequence[str]) -> Dependencies | None:
    """Return the dependencies of some files of requirements, None where there is none."""
    if not names:
        return None
    files: list[str] = []
    lines: list[str] = []
    waiting = [os.path.join(place, name) for name in names]
    while waiting:
        file = os.path.normpath(waiting.pop(0))
        if file in files:
            continue
        if file.startswith("..") or not (source / file).is_file():
            who = f"{source / files[-1]} includes" if files else f"{source / place / 'pyproject.toml'} names"
            raise ProjectError("berth_app_source", f"{who} {file}, which is not in {source}")
        files.append(file)
        text, _ = decoded((source / file).read_bytes())
        for line in re.sub(r"\\\r?\n", " ", text).splitlines():
            line = re.sub(r"(?:^|\s)#.*", "", line)
            if include := INCLUDE.match(line):
                waiting.append(os.path.join(os.path.dirname(file), include[1]))
            else:
                lines.append(line)
    found = frozenset(requirement_names(lines))
    return Dependencies(
        "requirements",
        place,
        tuple(files),
        local=any(map(is_local, lines)),
        encoding=decoded((source / files[0]).read_bytes())[1],
        direct=found,
        names=found,
        git=any("git+" in line for line in lines),
        pins={normal(pin[1]): pin[2] for line in lines if (pin := PIN.match(line))},
    )


def is_local(line: str) -> bool:
    """Whether a requirement is a file or directory of the source."""
    what = EDITABLE.sub("", line, count=1).strip()
    if "://" in what or what.startswith("-"):
        return False
    return what.startswith(".") or "file:" in what or re.search(r"\.(?:whl|tar\.gz|zip)\Z", what.split(" ")[0]) is not None or EDITABLE.match(line) is not None


def requirement_names(lines: list[Any]) -> set[str]:
    """Return the normalised names of the packages that some requirements name; of ``psycopg[c]`` also ``psycopg-c``."""
    found = set()
    for line in lines:  # of a dependency group some are tables
        text = line if isinstance(line, str) else ""
        name = re.search(r"#egg=([\w.-]+)", text) if "://" in text.split("@")[0] else NAME.match(text)
        found |= {normal(name[1])} if name else set()
        extras = EXTRAS.match(text)
        found |= {normal(f"{extras[1]}-{extra.strip()}") for extra in extras[2].split(",")} if extras else set()
    return found


def normal(name: str) -> str:
    """Return a package's name as indexes compare it. packaging.python.org/en/latest/specifications/name-normalization

    >>> normal("Django_Environ")
    'django-environ'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def decoded(data: bytes) -> tuple[str, str]:
    """Return a text, and its encoding where pip does not find that out by itself.

    pip knows a byte-order mark and UTF-8 (pip/_internal/req/req_file.py). Windows' programs write UTF-16, some without the mark, and their
    code page.
    """
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding, "replace"), ""
    if b"\0" in data[:200]:
        encoding = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
        return data.decode(encoding, "replace"), encoding
    try:
        return data.decode("utf-8"), ""
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace"), "cp1252"


# --- The Python that it asks for -------------------------------------------------
def find_wish(source: Path, directory: str) -> Wish | None:
    """Return the Python that the project asks for: exactly (.python-version, runtime.txt, Pipfile), or within bounds (pyproject.toml)."""
    places = list(dict.fromkeys([directory, os.path.dirname(directory), ""]))
    for place in places:
        for name, pattern in ((".python-version", r"(?:cpython-|python-)?(\d+\.\d+)"), ("runtime.txt", r"python-(\d+\.\d+)")):
            if found := re.match(rf"\s*{pattern}", text_of(source / place / name)):
                return Wish(f"=={found[1]}.*", os.path.join(place, name))
        requires = toml(source / place / "Pipfile").get("requires", {}) if (source / place / "Pipfile").is_file() else {}
        if found := re.match(r"\d+\.\d+", str(requires.get("python_full_version", requires.get("python_version", "")))):
            return Wish(f"=={found[0]}.*", os.path.join(place, "Pipfile"))
        project = toml(source / place / "pyproject.toml")
        poetry = project.get("tool", {}).get("poetry", {}).get("dependencies", {}).get("python")
        if said := project.get("project", {}).get("requires-python") or (poetry if isinstance(poetry, str) else ""):
            return Wish(specifiers(said), os.path.join(place, "pyproject.toml"))
    return None


def specifiers(text: str) -> str:
    """Return Poetry's version constraints as specifiers of PEP 440. python-poetry.org/docs/dependency-specification

    >>> specifiers("^3.11")
    '>=3.11,<4'
    >>> specifiers("~3.11")
    '>=3.11,<3.12'
    """
    made = []
    for part in filter(None, re.split(r"\s*,\s*|\s+(?=[<>=!~^])", text.strip())):
        numbers = re.findall(r"\d+", part)
        if part.startswith("^") and numbers:
            made.append(f">={part[1:].strip()},<{int(numbers[0]) + 1}")
        elif part.startswith("~") and not part.startswith("~=") and numbers:
            upper = f"{numbers[0]}.{int(numbers[1]) + 1}" if len(numbers) > 1 else str(int(numbers[0]) + 1)
            made.append(f">={part[1:].strip()},<{upper}")
        elif part != "*":
            made.append(f"=={part}" if part[0].isdigit() else part)
    return ",".join(made)


# --- Files ---------------------------------------------------------------------
def text_of(file: Path) -> str:
    """Return a file's text, "" where it is not there."""
    try:
        return decoded(file.read_bytes())[0]
    except OSError:
        return ""


def toml(file: Path) -> dict[str, Any]:
    """Return what a TOML file says, nothing where it is not there.

    Raises:
        ProjectError: It is damaged.
    """
    try:
        return tomllib.loads(text_of(file))
    except tomllib.TOMLDecodeError as error:
        raise ProjectError("berth_app_source", f"{file} cannot be read as TOML: {error}; correct it") from error


def relative(path: Path, source: Path) -> str:
    """Return a path relative to the source."""
    return os.path.relpath(path, source)
