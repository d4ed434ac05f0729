"""A real Chromium before a real site.

BERTH_TEST_URL names the site, BERTH_TEST_KUBECONFIG and BERTH_TEST_NAMESPACE where its pods run.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_objects import Superuser
from kubernetes import client, config
from kubernetes.stream import stream
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREENS = {"phone": (390, 844), "desktop": (1280, 800)}
"""CSS pixels, width and height."""


def setting(name: str) -> str:
    """Return a variable of the environment, without which these tests would test nothing."""
    value = os.environ.get(name, "")
    if not value:
        pytest.fail(f"{name} is not set: these tests need a site. See molecule/default/verify.yml.", pytrace=False)
    return value


@pytest.fixture(scope="session")
def site() -> str:
    """Return the site's address, with a slash at its end."""
    return setting("BERTH_TEST_URL").rstrip("/") + "/"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start the system's Chromium."""
    if not CHROMIUM.exists():
        pytest.fail(f"There is no {CHROMIUM}: install the package chromium.", pytrace=False)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(params=SCREENS)
def screen(request: pytest.FixtureRequest) -> tuple[int, int]:
    """Return the size of a phone's, then of a desk's screen."""
    return SCREENS[request.param]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a page of a screen; each complaint in its console fails the test at the end."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def failed(request: Request) -> None:
        # A browser that leaves a page aborts what it still loads for it.
        if request.failure != "net::ERR_ABORTED":
            complaints.append(f"{request.url}: {request.failure}")

    def open_(size: tuple[int, int] = SCREENS["desktop"]) -> Page:
        context = browser.new_context(viewport={"width": size[0], "height": size[1]})
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", failed)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not complaints


def manage(core: client.CoreV1Api, command: str, line: str = "") -> str:
    """Run a shell command in one of the app's pods, with a line on its standard input, and return what it says."""
    namespace = setting("BERTH_TEST_NAMESPACE")
    query = {"label_selector": "app.kubernetes.io/component=web", "field_selector": "status.phase=Running"}
    pods = core.list_namespaced_pod(namespace, **query).items
    options: dict[str, Any] = {"stdin": True, "stdout": True, "stderr": True, "tty": False, "_preload_content": False}
    call = core.connect_get_namespaced_pod_exec
    shell = stream(call, pods[0].metadata.name, namespace, command=["sh", "-c", command], **options)
    shell.write_stdin(f"{line}\n")
    shell.run_forever(timeout=30)
    return shell.read_all()


@pytest.fixture(scope="session")
def superuser() -> Iterator[Superuser]:
    """Make a superuser with the app's own command, and remove it; the password goes to the pod on standard input."""
    core = client.CoreV1Api(config.new_client_from_config(setting("BERTH_TEST_KUBECONFIG")))
    user = Superuser(f"verify-{secrets.token_hex(4)}", secrets.token_urlsafe(18))
    said = manage(
        core,
        f"read -r DJANGO_SUPERUSER_PASSWORD; export DJANGO_SUPERUSER_PASSWORD; DJANGO_SUPERUSER_USERNAME={user.name} exec python manage.py ensure_admin",
        user.password,
    )
    assert f"Created the superuser {user.name}." in said, said
    yield user
    remove = f"User.objects.filter(username='{user.name}').delete()"
    manage(core, f'python manage.py shell --verbosity 0 -c "from django.contrib.auth.models import User; {remove}"')
