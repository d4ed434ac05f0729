"""The paths that a Django project answers, read from its URL configuration, and which of them a probe can request."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...module_utils.image.project import constant, dotted, module_file, parsed

# Names of health pages: those of Kubernetes' own programs, django-health-check, django-watchman, Dockerflow, Rails, Spring.
HEALTH = re.compile(
    r"_?_?(?:livez|readyz|healthz?|healthz?[-_]?checks?|health[-_]?status|ht|ping|pong|status|up|alive|live|liveness|ready|readiness|heartbeat|lbheartbeat"
    r"|watchman/ping|health/(?:live|ready|alive)|actuator/health)_?_?"
)
# The one that depends least on the database comes first, because its outage must not restart pods.
LIVE = ("livez", "live", "liveness", "alive", "ping", "up", "lbheartbeat")
READY = ("readyz", "ready", "readiness")
LOGINS = ("allauth.urls", "allauth.account.urls", "django.contrib.auth.urls")  # URL configurations with a login page at login/
FUNCTIONS = ("path", "re_path", "url")
DEEPEST = 4  # levels of nested URL configurations


@dataclass(frozen=True)
class Names:
    """The names that a URL configuration uses.

    Attributes:
        imported: The names that it imports, each with its name in its own module.
        texts: The names that it sets to a text.
        lists: Its named lists of paths except urlpatterns, which have an effect only where they are used.
    """

    imported: dict[str, str]
    texts: dict[str, str]
    lists: dict[str, ast.expr]


def names_of(tree: ast.Module) -> Names:
    """Return the names that a URL configuration uses."""
    imported = {alias.asname or alias.name: alias.name for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names}
    values = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    texts = {name: constant(value) for name, value in values.items() if is_text(value)}
    return Names(imported, texts, {name: value for name, value in values.items() if isinstance(value, ast.List) and name != "urlpatterns"})


def routes(root: Path, urlconf: str, prefix: str = "/", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield the paths without parameters that a URL configuration serves, each with the name of its view or of what it includes."""
    file = module_file(root, urlconf)
    tree = (parsed(file) if file else None) or ast.Module([], [])
    yield from listed(root, tree, prefix, depth, names_of(tree))


def listed(root: Path, tree: ast.AST, prefix: str, depth: int, names: Names) -> Iterator[tuple[str, str]]:
    """Yield the paths that a part of a URL configuration serves below a prefix."""
    waiting = [tree]
    passed = {id(value) for value in names.lists.values()}
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names.lists and depth < DEEPEST:
            yield from listed(root, ast.Tuple(names.lists[node.id].elts), prefix, depth + 1, names)  # type: ignore[attr-defined]
        if id(node) in passed:
            continue
        if not (isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in FUNCTIONS and len(node.args) > 1):
            waiting[:0] = ast.iter_child_nodes(node)
            continue
        written = route(node.args[0], names.texts)
        said = re.sub(r"\A\^|\\Z\Z|\$\Z", "", written).replace("\\.", ".") if written is not None else "<unknown>"
        if re.search(r"[<>()\[\]*+?|\\]", said):
            continue
        path, view = prefix + said, node.args[1]
        if isinstance(view, ast.Call) and dotted(view.func).rpartition(".")[2] == "include":
            module = included(view)
            if not module or module in names.lists:
                yield from listed(root, ast.Tuple(list(view.args)), path, depth, names)  # type: ignore[arg-type]
            elif module_file(root, module) and depth < DEEPEST:
                yield from routes(root, module, path, depth + 1)
            else:
                yield path, names.imported.get(module, module)
        else:
            yield path, dotted(view) or dotted(getattr(view, "func", view))


def route(node: ast.AST, texts: dict[str, str]) -> str | None:
    """Return the value of a route expression, None if it cannot be determined.

    Args:
        node: The expression.
        texts: The texts that names of the module have by default, such as an empty prefix.
    """
    if isinstance(node, ast.JoinedStr):
        parts = [route(part.value if isinstance(part, ast.FormattedValue) else part, texts) for part in node.values]
        return None if None in parts else "".join(part for part in parts if part)
    if isinstance(node, ast.Name):
        return texts.get(node.id)
    return constant(node) if is_text(node) else None


def is_text(node: ast.AST) -> bool:
    """Whether an expression is a string."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def included(call: ast.Call) -> str:
    """Return the module that ``include("shop.urls")`` or ``include(("shop.urls", "shop"))`` names, or the name passed to it."""
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Tuple) and first.elts:
        first = first.elts[0]
    return (constant(first) or dotted(first)) if first else ""


def middleware_paths(root: Path, middleware: list[str]) -> Iterator[str]:
    """Yield the paths of health pages that the project's own middleware serves."""
    for name in middleware:
        file = module_file(root, name.rpartition(".")[0])
        for node in ast.walk((parsed(file) if file else None) or ast.Module([], [])):
            if is_text(node) and is_health(constant(node)):
                yield constant(node)


def is_health(path: str) -> bool:
    """Whether a path looks like a health page.

    >>> is_health("/api/healthz/"), is_health("/status/"), is_health("/health-insurance/")
    (True, True, False)
    """
    parts = path.strip("/").split("/")
    return path.startswith("/") and bool(HEALTH.fullmatch(parts[-1]) or HEALTH.fullmatch("/".join(parts[-2:])))


def probe(found: list[tuple[str, str]], middleware: list[str]) -> tuple[str, str, str]:
    """Return the paths for liveness and readiness, and the reason for this choice.

    Args:
        found: What :func:`routes` yields.
        middleware: What :func:`middleware_paths` yields.
    """
    healthy = [path for path in middleware] + [path for path, view in found if is_health(path) or view.startswith("health_check")]
    admin = next((path for path, view in found if view.endswith("site.urls")), None)
    login = f"{admin.rstrip('/')}/login/" if admin else login_page(found)
    # A page of an API called "status" often needs a login, or reports something else.
    if login:
        healthy = [path for path in healthy if not ("status" in name(path) and "/api/" in path)]
    if healthy:
        live = next((path for path in healthy if name(path) in LIVE), None)
        ready = next((path for path in healthy if name(path) in READY), None)
        plain = next((path for path in healthy if name(path) not in (*LIVE, *READY)), None)
        return live or plain or ready or "", ready or plain or live or "", "this is a health page, judging by its name"
    paths = [path for path, _ in found]
    if "/robots.txt" in paths:
        return "/robots.txt", "/robots.txt", "no health page was found, and this page needs no login"
    if login:
        return login, login, "no health page was found, and this page needs no login"
    return "/", "/", "no health page was found; choose a page that needs no login"


def login_page(found: list[tuple[str, str]]) -> str:
    """Return the path of the login page, "" if none is known.

    >>> login_page([("/accounts/", "allauth.urls")]), login_page([("/api/login/", "obtain"), ("/in/", "auth.LoginView.as_view")])
    ('/accounts/login/', '/in/')
    """
    for path, view in found:
        if view in LOGINS:
            return f"{path.rstrip('/')}/login/"
        if view.endswith("LoginView.as_view") and "/api/" not in path:
            return path
    return ""


def name(path: str) -> str:
    """Return the last part of a path."""
    return path.strip("/").rpartition("/")[2].strip("_")
