"""What Django settings read from the environment, and where they put files, from their source code. None of it is run."""

from __future__ import annotations

import ast
import copy
import functools
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...module_utils.image.project import absolute, constant, demanded, dotted, module_file, optional, parsed, settings_trees

VARIABLE = re.compile(r"[A-Z][A-Z0-9_]+")
POSTGRESQL = re.compile(r"(?i)postgres(?:ql)?|pgsql|psql")
# Functions of the standard library, which return None if a variable is not set.
GETTERS = ("os.environ.get", "environ.get", "os.getenv", "getenv")
# Classes whose instances read variables: django-environ, environs, python-decouple.
READERS = re.compile(r"(?:(?:environ|environs)\.)?(?:File(?:Aware)?)?Env|(?:decouple\.)?(?:Auto)?Config")
# Their methods; other names are functions of a project's own module with the same name.
METHODS_ASKING = {
    "bool", "bytes", "cache", "cache_url", "channels", "csv", "date", "datetime", "db", "db_url", "decimal", "dict", "dj_cache_url", "dj_db_url",
    "dj_email_url", "email", "email_url", "enum", "float", "int", "json", "list", "log_level", "path", "search_url", "set", "str", "timedelta", "tuple",
    "unicode", "url", "uuid",
}  # fmt: skip
# Names of a project's own functions that read a variable.
OWN = re.compile(r"(?i)env|config|secret")
# Functions and methods that return a path.
PATHS = {
    "Path", "pathlib.Path", "PurePath", "environ.Path", "str", "os.fspath",
    *(f"{module}{name}" for module in ("", "os.path.", "path.") for name in ("abspath", "join", "normpath", "realpath")),
}  # fmt: skip
METHODS = ("absolute", "as_posix", "expanduser", "joinpath", "path", "resolve")
# How to turn a switch off, by its default: a project's own function may accept no other spelling.
OFF = {"True": "False", "False": "False", "true": "false", "false": "false", "yes": "no", "no": "no", "on": "off", "off": "off"}
# The example of a module: local_settings_example.py, local_settings.py.dist, example_local_settings.py
WORD = "(?:example|sample|template|dist|default)"
EXAMPLE = re.compile(rf"(\w+?)[_.-]{WORD}\.py|(\w+)\.py[_.-]{WORD}|{WORD}[_.-](\w+)\.py")
DEEPEST = 30  # nesting of a path's parts; more is a cycle
# The variables that django-environ and dj-database-url read by default.
UNNAMED = {
    "db": "DATABASE_URL", "db_url": "DATABASE_URL", "dj_db_url": "DATABASE_URL", "cache": "CACHE_URL", "cache_url": "CACHE_URL",
    "dj_cache_url": "CACHE_URL", "email_url": "EMAIL_URL",
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """An environment variable that settings read.

    Attributes:
        name: Its name.
        setting: The setting that it is for, "" if unknown.
        key: The key within that, such as ``HOST``, "" for none.
        required: Whether the settings require it to load.
        default: Its default, None for none; the source of the expression if its value is unknown.
        kind: What it is converted to, such as ``bool``, ``int``, ``db``, ``list`` or ``json``; "" for a string.
        separator: The separator of a list, "" for a single value that is put into a list.
        off: For a switch, a value that certainly turns it off.
    """

    name: str
    setting: str = ""
    key: str = ""
    required: bool = False
    default: Any = None
    kind: str = ""
    separator: str = ","
    off: str = "0"

    @property
    def on(self) -> bool:
        """Whether a switch is on by default, or required."""
        said = "" if self.default is None else str(self.default)
        return self.required or (said != self.off if self.off not in ("0", "") else said.lower() not in ("", "0", "false", "no", "none", "off"))


class Reading:
    """The settings of a project.

    Args:
        root: The directory that modules are relative to.
        module: The settings module.

    Attributes:
        asked: The variables that they read, each once for each setting that it is for.
        expressions: The expression that each name is set to, with its file.
        choosing: The variables that choose PostgreSQL among databases, with the value that does.
    """

    def __init__(self, root: Path, module: str) -> None:
        self.root = root
        self.asked: list[Asked] = []
        self.expressions: dict[str, tuple[ast.expr, Path]] = {}
        self.choosing: dict[str, str] = {}
        self._readers = {"env", "config"}
        self._defaults: dict[str, Any] = {}
        self._functions: dict[str, tuple[ast.FunctionDef, bool]] = {}
        self._beside: dict[str, tuple[ast.expr, Path]] = {}
        self._entered: list[str] = []
        trees = list(settings_trees(root, module))
        for file, tree in trees:
            self._prepare(file, tree)
            self._define(file, tree)
        for _, tree in trees:
            spared = set(optional(tree))
            for node in tree.body:
                self._visit(node, "", "", spared)
            self._choose(tree)
        needed = {name for _, tree in trees for name in demanded(tree)}
        self.asked = [replace(one, required=one.required or one.name in needed) for one in self.asked]

    # --- Variables ---------------------------------------------------------------------------------------------------
    def _prepare(self, file: Path, tree: ast.Module) -> None:
        """Record what names are set to, and which of them read variables."""
        for name, found in self._assigned(file, tree).items():
            self.expressions.setdefault(name, found)  # the file that takes precedence comes first

    def _assigned(self, file: Path, tree: ast.Module) -> dict[str, tuple[ast.expr, Path]]:
        """Return what a module sets names to, and record which of them read variables."""
        own: dict[str, tuple[ast.expr, Path]] = {}
        chosen = set(optional(tree))
        for node in ast.walk(tree):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) and node.value else []
            for target in targets:
                if not isinstance(target, ast.Name):
                    continue
                if node not in chosen or target.id not in own:  # unconditional assignments come first, because they are less deeply nested
                    own[target.id] = (node.value, file)  # type: ignore[attr-defined]
                call = node.value  # type: ignore[attr-defined]
                if isinstance(call, ast.Call) and READERS.fullmatch(dotted(call.func)):
                    self._readers.add(target.id)
                    # env = environ.Env(DEBUG=(bool, False)) sets defaults for variables that are read later.
                    for word in call.keywords:
                        if word.arg and isinstance(word.value, ast.Tuple) and len(word.value.elts) == 2:
                            self._defaults[word.arg] = self._worked_out(word.value.elts[1])
        return own

    def _define(self, file: Path, tree: ast.Module) -> None:
        """Record the project's own functions that a settings file can call, whether they are from another module, and what that module sets."""
        for function in tree.body:
            if isinstance(function, ast.FunctionDef):
                self._functions.setdefault(function.name, (function, False))
        name = ".".join(file.relative_to(self.root).with_suffix("").parts).removesuffix(".__init__") if file.is_relative_to(self.root) else ""
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (module := absolute(name, file.name == "__init__.py", node)):
                there = module_file(self.root, module)
                other = parsed(there) if there else None
                defined = {each.name: each for each in (other.body if other else ()) if isinstance(each, ast.FunctionDef)}
                known = self._assigned(there, other) if there and other else {}
                self._beside = {**known, **self._beside}
                for alias in node.names:
                    if alias.name in known:
                        self.expressions.setdefault(alias.asname or alias.name, known[alias.name])
                    if alias.name in defined:
                        self._functions.setdefault(alias.asname or alias.name, (defined[alias.name], True))

    def _visit(self, node: ast.AST, setting: str, key: str, spared: set[ast.AST]) -> None:
        """Visit an expression or a statement, with the setting and the key that it is for."""
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and node.value:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            own, key = assigned_to(target)
            self._visit(node.value, own, key, spared)
            if self._entered:  # assignments in a function are for the setting that calls it
                self._visit(node.value, setting, key, spared)
        elif isinstance(node, ast.Dict):
            for name, value in zip(node.keys, node.values, strict=True):
                inner = constant(name) if name else ""
                self._visit(value, setting, inner if inner.isupper() else key, spared)
        elif found := self.variable(node):
            self._add(replace(found, setting=setting, key=key, required=found.required and node not in spared))
            if isinstance(node, ast.Call):
                for word in [*node.args[1:], *(each.value for each in node.keywords)]:
                    self._visit(word, setting, key, spared)
        elif isinstance(node, ast.Name):
            # DB_HOST = os.environ["DB_HOST"], and "HOST": DB_HOST later
            for each in [one for one in self.asked if one.setting == node.id and setting and setting != node.id]:
                self._add(replace(each, setting=setting, key=key or each.key))
        else:
            before = len(self.asked)
            self._enter(node, setting, spared)
            for child in ast.iter_child_nodes(node):
                inner = child.arg if isinstance(child, ast.keyword) and child.arg and child.arg.isupper() else key
                self._visit(child, setting, inner, spared)
            self.asked[before:] = [shaped(node, each) for each in self.asked[before:]]

    def _enter(self, node: ast.AST, setting: str, spared: set[ast.AST]) -> None:
        """Visit the project's own function that an expression calls for a setting."""
        name = dotted(node.func) if isinstance(node, ast.Call) else ""
        if setting and name in self._functions and name not in self._entered:
            function, elsewhere = self._functions[name]
            self._entered.append(name)
            for part in function.body:
                self._visit(part, setting, "", spared | set(ast.walk(function)) if elsewhere else spared)
            self._entered.pop()

    def _add(self, found: Asked) -> None:
        if found.off == "0" and isinstance(found.default, str):
            found = replace(found, off=OFF.get(found.default, found.off))
        same = [one for one in self.asked if (one.name, one.setting, one.key) == (found.name, found.setting, found.key)]
        if not same:
            self.asked.append(found)

    def _choose(self, tree: ast.Module) -> None:
        """Record the variable and value in ``if os.getenv("DB") == "postgres"`` that choose PostgreSQL."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq):
                left = node.left
                if isinstance(left, ast.Name) and left.id in self.expressions:
                    left = self.expressions[left.id][0]
                found, text = self.variable(left), constant(node.comparators[0])
                if found and POSTGRESQL.fullmatch(text):
                    self.choosing[found.name] = text

    def variable(self, node: ast.AST) -> Asked | None:
        """Return the environment variable that an expression reads, None for another expression."""
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            name = constant(node.slice)
            asks = dotted(node.value) in ("os.environ", "environ", *self._readers) and VARIABLE.fullmatch(name)
            return self._with_default(Asked(name, required=True)) if asks else None
        if not isinstance(node, ast.Call):
            return None
        called = dotted(node.func)
        before, _, last = called.rpartition(".")
        words = {word.arg: word.value for word in node.keywords if word.arg}
        name = constant(node.args[0]) if node.args else constant(words["var"]) if "var" in words else ""
        given = node.args[1] if len(node.args) > 1 else words.get("default")
        default = self._worked_out(given) if given else None
        if called in ("dj_database_url.config", "database_url.config") or (last == "config" and before.endswith("database_url")):
            return Asked(constant(words["env"]) if "env" in words else "DATABASE_URL", default=default, kind="db")
        if called in GETTERS:
            return Asked(name, default=default) if VARIABLE.fullmatch(name) else None
        if called in self._readers or (before in self._readers and last in METHODS_ASKING):
            kind = "" if called in self._readers else last
            kind = dotted(words["cast"]) or cast_kind(words["cast"]) if "cast" in words else kind
            name = name or ("" if node.args else UNNAMED.get(kind, ""))
            return self._with_default(Asked(name, required=given is None, default=default, kind=kind)) if VARIABLE.fullmatch(name) else None
        if called in self._functions and VARIABLE.fullmatch(name) and (own := asking(self._functions[called][0])):
            return replace(own, name=name, default=default)
        if OWN.search(called) and VARIABLE.fullmatch(name) and not called.startswith(("os.path", "logging")):
            made = re.search(r"(?i)bool|int|float|list|path", last)
            return Asked(name, default=default, kind=made[0].lower() if made else "")
        return None

    def _worked_out(self, given: ast.expr) -> Any:
        """Return the value of a default, or the source of an expression with an unknown value, such as ``not DEBUG``."""
        node = self.expressions[given.id][0] if isinstance(given, ast.Name) and given.id in self.expressions else given
        found = literal(node)
        return ast.unparse(node) if found is None and not isinstance(node, ast.Constant) else found

    def _with_default(self, found: Asked) -> Asked:
        return replace(found, required=False, default=self._defaults[found.name]) if found.name in self._defaults else found

    # --- Values ------------------------------------------------------------------------------------------------------
    def value(self, name: str) -> Any:
        """Return the value of a setting that is a literal, otherwise None."""
        return literal(self.expressions[name][0]) if name in self.expressions else None

    def text(self, name: str) -> str:
        """Return the string value of a setting, "" if it cannot be determined."""
        return (self._path(*self.expressions[name], 0) if name in self.expressions else None) or ""

    def keys(self, name: str) -> list[str]:
        """Return the keys of a setting that is a mapping, as far as they can be determined."""
        node, file = self.expressions.get(name, (None, Path()))
        found = [self._path(key, file, 0) for key in node.keys if key] if isinstance(node, ast.Dict) else []
        return [key for key in found if key]

    def path(self, name: str) -> Path | None:
        """Return the path in a setting, None if it cannot be determined."""
        found = self.text(name)
        return Path(os.path.normpath(found)) if found.startswith("/") else None

    def _returned(self, call: ast.Call) -> ast.expr | None:
        """Return the expression that a call of the project's own one-line function returns, None for another call.

        ``path("media")`` is ``join(ROOT, "media")`` with ``def path(*parts): return join(ROOT, *parts)``.
        """
        name = dotted(call.func)
        function = self._functions[name][0] if name in self._functions else self.expressions.get(name, (None,))[0]
        match function:
            case ast.FunctionDef(args=parameters, body=[ast.Return(value=ast.expr() as value)]) | ast.Lambda(args=parameters, body=value):
                found: ast.expr = Given(parameters, call.args).visit(copy.deepcopy(value))
                return found
        return None

    def _path(self, node: ast.AST, file: Path, depth: int) -> str | None:
        """Return the path or string that an expression evaluates to, None if it cannot be determined."""
        if depth > DEEPEST:
            return None

        def of(part: ast.AST) -> str | None:
            return self._path(part, file, depth + 1)

        match node:
            case ast.Constant(value=str()):
                return str(node.value)
            case ast.JoinedStr():
                return joined([of(part.value if isinstance(part, ast.FormattedValue) else part) for part in node.values], str.__add__)
            case ast.Name(id="__file__"):
                return str(file)
            case ast.Name():
                found = self.expressions.get(node.id) or self._beside.get(node.id)
                return self._path(*found, depth + 1) if found else None
            case ast.Attribute(attr="parent"):
                return above(of(node.value), 1)
            case ast.Attribute(attr="root"):  # of environ.Path
                return of(node.value)
            case ast.Subscript(value=ast.Attribute(value=path, attr="parents"), slice=ast.Constant(value=int(number))):
                return above(of(path), number + 1)
            case ast.BinOp(op=ast.Div() | ast.Add()):
                return joined([of(node.left), of(node.right)], os.path.join if isinstance(node.op, ast.Div) else str.__add__)
            case ast.BinOp(op=ast.Mod()):  # "%s.urls" % PACKAGE
                return joined([of(node.left), of(node.right)], lambda text, word: text.replace("%s", word))
            case ast.BinOp(op=ast.Sub(), right=ast.Constant(value=int(number))):  # environ.Path(__file__) - 3
                return above(of(node.left), number)
            case ast.Call() if self.variable(node):
                words = {word.arg: word.value for word in node.keywords}
                given = node.args[1] if len(node.args) > 1 else words.get("default")
                return of(given) if given else None
            case ast.Call(func=ast.Attribute(attr="format", value=pattern), keywords=[]):
                return joined([of(part) for part in [pattern, *node.args]], lambda text, word: text.replace("{}", word, 1))
            case ast.Call() if own := self._returned(node):
                return of(own)
            case ast.Call():
                called = dotted(node.func)
                if called.endswith("dirname"):
                    return above(of(node.args[0]), 1) if node.args else None
                before: list[ast.AST] = []
                if called not in PATHS:
                    before = [node.func.value if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS else node.func]
                return joined([of(part) for part in [*before, *node.args]], os.path.join)
        return None


def asking(function: ast.FunctionDef) -> Asked | None:
    """Return how a function reads the environment variable that its first parameter names, None if it reads none."""
    parameters = [each.arg for each in function.args.args]
    nodes = list(ast.walk(function))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    gets = [each.args[0] for each in calls if each.args and dotted(each.func) in GETTERS]
    takes = [each.slice for each in nodes if isinstance(each, ast.Subscript) and dotted(each.value) in ("os.environ", "environ")]
    if not parameters or parameters[0] not in map(dotted, [*gets, *takes]):
        return None
    handlers = [node for node in nodes if isinstance(node, ast.ExceptHandler)]
    fails = not gets and len(parameters) == 1 and all(any(isinstance(part, ast.Raise) for part in ast.walk(each)) for each in handlers)
    found = Asked("", required=fails)
    for node in reversed(calls):  # inner calls first
        by = node.args[0] if node.args else None
        if not (isinstance(by, ast.Name) and isinstance(node.func, ast.Attribute) and node.func.attr == "split"):
            found = shaped(node, found)
    return found


def left_out(root: Path, module: str) -> list[tuple[Path, Path]]:
    """Return the modules with local values that settings import but the source does not have, each with its example in the source.

    A module that is imported in a ``try`` may be missing, and is not included.
    """
    found = []
    trees = list(settings_trees(root, module))
    words = {word for _, tree in trees for node in set(ast.walk(tree)) - set(optional(tree)) for word in named(node)}
    for directory in dict.fromkeys(file.parent for file, _ in trees):
        for file in sorted(directory.iterdir()):
            match = EXAMPLE.fullmatch(file.name)
            name = (match[1] or match[2] or match[3]) if match else ""
            if name and name in words and not ((directory / f"{name}.py").exists() or (directory / name).exists()):
                found.append((directory / f"{name}.py", file))
    return found


def named(node: ast.AST) -> list[str]:
    """Return the module names that a syntax node may refer to."""
    match node:
        case ast.ImportFrom():
            return [*(node.module or "").split("."), *(alias.name for alias in node.names)]
        case ast.Import():
            return [part for alias in node.names for part in alias.name.split(".")]
        case ast.Name():
            return [node.id]
        case ast.Constant(value=str(text)) if "." in text:
            return text.removesuffix(".py").split(".")[-1:]
    return []


class Given(ast.NodeTransformer):
    """Replaces a function's parameters with its arguments."""

    def __init__(self, parameters: ast.arguments, given: list[ast.expr]) -> None:
        self._one = dict(zip((each.arg for each in parameters.args), given, strict=False))
        self._several = {parameters.vararg.arg: given[len(parameters.args) :]} if parameters.vararg else {}

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Return the argument for a name."""
        return self._one.get(node.id, node)

    def visit_Starred(self, node: ast.Starred) -> ast.expr | list[ast.expr]:
        """Return the remaining arguments."""
        return self._several.get(dotted(node.value), node)


def above(path: str | None, number: int) -> str | None:
    """Return the directory a number of levels above a path."""
    return None if path is None else functools.reduce(lambda found, _: os.path.dirname(found), range(number), path)


def joined(parts: list[str | None], join: Callable[[str, str], str]) -> str | None:
    """Return the joined parts, None if one of them is unknown."""
    known = [part for part in parts if part is not None]
    return functools.reduce(join, known) if known and len(known) == len(parts) else None


def assigned_to(target: ast.AST) -> tuple[str, str]:
    """Return the setting and the key that an assignment sets: ``DATABASES["default"]["HOST"]`` is DATABASES and HOST."""
    key = ""
    while isinstance(target, ast.Subscript | ast.Attribute):
        if isinstance(target, ast.Subscript) and not key and constant(target.slice).isupper():
            key = constant(target.slice)
        target = target.value
    return (target.id if isinstance(target, ast.Name) else ""), key


def shaped(node: ast.AST, asked: Asked) -> Asked:
    """Return a variable with what the expression around it shows: the separator of a list, and what turns a switch off."""
    if isinstance(node, ast.Call):
        called = dotted(node.func)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "split":
            return replace(asked, separator=(constant(node.args[0]) if node.args else " "), kind=asked.kind or "list")
        if called in ("bool", "int", "strtobool", "distutils.util.strtobool", "str2bool", "json.loads"):
            # bool("0") is true.
            plain = called == "bool" and asked.kind == ""
            return replace(asked, kind=asked.kind or {"json.loads": "json", "int": "int"}.get(called, "bool"), off="" if plain else asked.off)
    if isinstance(node, ast.Starred) and not asked.kind:
        return replace(asked, kind="list")
    if isinstance(node, ast.List | ast.Tuple) and not asked.kind:
        return replace(asked, separator="")
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        other = constant(node.comparators[0])
        if isinstance(node.ops[0], ast.NotEq) and other:
            return replace(asked, kind=asked.kind or "bool", off=other)
        return replace(asked, kind=asked.kind or "bool")
    return asked


def cast_kind(node: ast.expr) -> str:
    """Return the kind that ``cast=Csv()`` converts a variable to."""
    return "list" if isinstance(node, ast.Call) and dotted(node.func).endswith("Csv") else ""


def literal(node: ast.AST) -> Any:
    """Return the value of a literal, None for another expression."""
    try:
        return ast.literal_eval(node)  # type: ignore[arg-type]
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def key_in_source(reading: Reading) -> bool:
    """Whether SECRET_KEY is a literal in the settings: it must come from DJANGO_SECRET_KEY, in the build too."""
    return isinstance(reading.value("SECRET_KEY"), str) and bool(reading.value("SECRET_KEY"))
