"""What a page raises is found in the pod, for Django's own LOGGING writes it nowhere, and told with its place and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.kube.client import Forbidden, KubeError, NotFound
from ansible_collections.berth.platform.plugins.module_utils.rollout import page_error
from rollout_objects import Json, condition, deployment, pod, replicaset
from test_rollout_module import FakeCluster

PROJECT = """
import os
import sys

from django.conf import settings

if not settings.configured:
    settings.configure(
        SECRET_KEY="key", ALLOWED_HOSTS=["shop.example.com"], ROOT_URLCONF="manage", MIDDLEWARE=["django.middleware.security.SecurityMiddleware"],
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"], SECURE_SSL_REDIRECT=os.environ.get("SECURE") == "1",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    )

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import path


def users(request):
    from django.contrib.auth.models import User

    return HttpResponse(User.objects.count())


def wide(request):
    raise ValueError("first line\\nsecond: line")


urlpatterns = [
    path("ok/", lambda request: HttpResponse(f"{request.get_host()} {request.GET['q']}")),
    path("users/", users),
    path("", lambda request: HttpResponseRedirect("/users/")),
    path("round/", lambda request: HttpResponseRedirect("/round/")),
    path("setting/", lambda request: HttpResponse(os.environ["GREETING"])),
    path("wide/", wide),
]

if __name__ == "__main__":
    sys.modules["manage"] = sys.modules["__main__"]
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
"""


class Cluster(FakeCluster):
    """One whose pods run commands on this machine, in a directory with a project."""

    def __init__(self, directory: Path, **more: Any) -> None:
        workload = deployment()
        newest = replicaset(workload)
        ready = pod(newest, conditions=[condition("Ready")])
        ready["metadata"]["namespace"] = "shop"
        ready["spec"] |= {"containers": [{"name": "files"}, {"name": "web", "env": [{"name": "API_TOKEN", "value": "t0ken-of-the-shop"}]}]}
        super().__init__(**({"Deployment": [workload], "ReplicaSet": [newest], "Pod": [ready]} | more))
        self.directory, self.secure = directory, "0"
        self.ran: list[tuple[str, str, str]] = []

    def output(self, namespace: str, pod: str, container: str, command: list[str], timeout: float = 5.0) -> str:
        """Run a command as the project's pod would."""
        self.ran.append((namespace, pod, container))
        command = [sys.executable if command[0] == "python" else command[0], *command[1:]]
        return subprocess.run(command, cwd=self.directory, stdout=subprocess.PIPE, text=True, check=False, env={**os.environ, "SECURE": self.secure}).stdout


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    """Return a cluster with a ready pod of a project."""
    (tmp_path / "manage.py").write_text(PROJECT, encoding="utf-8")
    return Cluster(tmp_path)


OWN_SHELL = """
from django.core.management.commands import shell


class Command(shell.Command):
    def handle(self, **options):
        raise SystemExit("Call this command with an --event!")
"""


def test_a_shell_of_the_projects_own_is_not_asked(cluster: Cluster) -> None:
    commands = cluster.directory / "shop" / "management" / "commands"
    commands.mkdir(parents=True)
    (commands / "shell.py").write_text(OWN_SHELL, encoding="utf-8")
    (cluster.directory / "manage.py").write_text(PROJECT.replace("INSTALLED_APPS=[", 'INSTALLED_APPS=["shop", '), encoding="utf-8")
    own = [sys.executable, "manage.py", "shell", "-c", "print(1)"]
    assert "--event" in subprocess.run(own, cwd=cluster.directory, capture_output=True, text=True, check=False).stderr
    assert raised(cluster, "/wide/")[-2:] == ["ValueError: first line", "second: line"]


def raised(cluster: Cluster, path: str) -> list[str]:
    """Return the traceback of a page of the site."""
    return page_error.of_url(cluster, "shop", "polls", f"http://shop.example.com{path}")  # type: ignore[arg-type]


@pytest.mark.parametrize("secure", ["0", "1"])
def test_what_a_page_raises_is_told_whether_or_not_the_site_wants_https(cluster: Cluster, secure: str) -> None:
    cluster.secure = secure
    told = page_error.told(raised(cluster, "/users/"))
    assert told.startswith("it raises django.db.utils.OperationalError: no such table: auth_user")
    assert cluster.ran == [("shop", "polls-2-abcde", "web")]  # and not the web server for files beside it


def test_a_redirect_is_followed_to_what_a_visitor_sees(cluster: Cluster) -> None:
    assert page_error.told(raised(cluster, "/")).startswith("it raises django.db.utils.OperationalError: no such table: auth_user")
    assert raised(cluster, "/round/") == []


def test_a_page_that_works_raises_nothing(cluster: Cluster) -> None:
    assert raised(cluster, "/ok/?q=1") == []
    assert page_error.told([]) == ""


def test_what_a_variable_of_the_inventory_mends_is_told_with_it(cluster: Cluster) -> None:
    told = page_error.told(raised(cluster, "/setting/"))
    assert told.startswith("it raises KeyError: 'GREETING'")
    assert told.endswith(": the environment variable GREETING is not set. Set GREETING in berth_app_settings")


def test_of_a_text_with_several_lines_the_first_is_told(cluster: Cluster) -> None:
    assert page_error.told(raised(cluster, "/wide/")).startswith("it raises ValueError: first line")


def test_no_secret_of_the_pod_is_told(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "output", lambda *_: f'{page_error.MARK}"Traceback\\nValueError: no customer t0ken-of-the-shop"')
    assert raised(cluster, "/") == ["Traceback", "ValueError: no customer ***"]


@pytest.mark.parametrize("said", ["", "manage.py: wrong settings\n", f"{page_error.MARK}{{", "Unknown command: 'shell'"])
def test_where_the_pod_cannot_say_it_nothing_is_told(cluster: Cluster, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "output", lambda *_: said)
    assert raised(cluster, "/users/") == []


@pytest.mark.parametrize("error", [Forbidden("no"), NotFound("gone"), KubeError("down")])
@pytest.mark.parametrize("kind", ["Deployment", "Pod"])
def test_where_it_may_not_be_asked_nothing_is_told(tmp_path: Path, kind: str, error: KubeError) -> None:
    assert raised(Cluster(tmp_path, **{kind: error}), "/users/") == []


def test_without_a_ready_pod_nothing_is_asked(tmp_path: Path) -> None:
    workload: Json = deployment()
    assert raised(Cluster(tmp_path, Pod=[pod(replicaset(workload))]), "/users/") == []
