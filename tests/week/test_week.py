"""A week with Berth: a copy of the project lives on as its user's does, each day with what the user edits and the README's command.

The days build on each other. A release is many edits at once, each with an outcome of its own, over HTTP or in the cluster. It shows first, by
``--check --diff``, what it will change and nothing else, and run again it changes nothing. Needs the shared cluster (molecule/week).
"""

from __future__ import annotations

import http.cookiejar
import json
import re
import secrets
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from user_environment import SMALL, Environment, Ran, copy_project, edit

PATIENCE = 30.0  # seconds until what is bound to come has come

BUILD = {"image : Build | Build, and push or keep it"}
CONFIGURE = {"config : Apply the ConfigMap and the Secret"}
PRUNE = "app : Remove objects that are no longer declared, and the configuration of old releases"
GROW = {"database : Cluster | Expand the volume"}
VOLUME = {"app : Volumes | Apply the claims"}
GROW_VOLUME = {"app : Volumes | Expand them"}
PASSWORD = {"database : Cluster | Change the password", "database : Login | Store the password for new pods"}
RELEASE = {"app : Job | Apply the release's Job", "app : Apply the objects", "app : Apply the schedules", PRUNE}


class Polls(Environment):
    """An environment of the user's with the example, made from the inventory that comes with it."""

    def __init__(self, project: Path, name: str, **variables: Any) -> None:
        super().__init__(project, name, f"polls-{name}")
        shutil.copytree(project / "inventories" / "dev", self.inventory)
        hosts = self.inventory / "hosts.yml"
        hosts.write_text(hosts.read_text(encoding="utf-8").replace("dev:", f"{name}:"), encoding="utf-8")
        main = self.inventory / "group_vars" / "all" / "main.yml"
        text = main.read_text(encoding="utf-8").replace("polls-dev", f"polls-{name}").replace("berth_app_node_port: 30080\n", "")
        main.write_text(text, encoding="utf-8")
        self.variables: dict[str, Any] = {}
        # Images would be due for renewal on the first day of a period.
        self.set(**{"berth_image_max_age": 0, "berth_app_resources": {"requests": SMALL}} | variables)

    def set(self, **variables: Any) -> None:
        """Write variables into the inventory; None takes one out."""
        self.variables = {name: value for name, value in (self.variables | variables).items() if value is not None}
        place = self.inventory / "host_vars" / f"{self.name}.yml"
        place.parent.mkdir(exist_ok=True)
        place.write_text(yaml.safe_dump(self.variables, allow_unicode=True), encoding="utf-8")

    def shown(self, expected: set[str]) -> Ran:
        """Show what a release would change, which is what is expected and nothing else."""
        shown = self.run("--check", "--diff")
        assert set(shown.changed) == expected, shown.text
        return shown

    def unchanged(self) -> None:
        """Run again: nothing changes."""
        again = self.run()
        assert again.changed == {}, again.text

    def release(self, expected: set[str]) -> Ran:
        """Show what a release would change, make it, and run again; return what was shown."""
        shown = self.shown(expected)
        self.run()
        self.unchanged()
        return shown

    def versions(self, **awaited: str | None) -> dict[str, str | None]:
        """Return what the site says of itself, once it says what is awaited: the rules that lead to a new pod are a moment behind it."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                found = json.loads(self.page("versions/"))
            except (OSError, http.client.HTTPException):  # a release without that page, or no pod that is ready
                found = {}
            if awaited.items() <= found.items() or time.monotonic() > end:
                assert awaited.items() <= found.items(), found
                return found
            time.sleep(0.2)

    def objects(self) -> dict[str, Any]:
        """Return the environment's Deployments, CronJobs and volume claims, each as ``Kind/name``."""
        found = json.loads(self.kubectl("get", "deployment,cronjob,persistentvolumeclaim", "-o", "json"))["items"]
        return {f"{each['kind']}/{each['metadata']['name']}": each for each in found}

    def vote(self) -> int:
        """Vote as a browser does, and return how many votes the first question has then."""
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        number = re.search(r'href="/polls/(\d+)/"', self.page("polls/"))
        assert number
        form = opener.open(f"{self.url}polls/{number[1]}/", timeout=10).read().decode()
        token, choice = (re.search(pattern, form) for pattern in (r'csrfmiddlewaretoken" value="([^"]+)', r'id="choice1" value="(\d+)'))
        assert token and choice
        data = urllib.parse.urlencode({"csrfmiddlewaretoken": token[1], "choice": choice[1]}).encode()
        results = opener.open(f"{self.url}polls/{number[1]}/vote/", data=data, timeout=10).read().decode()
        votes = re.search(r"(\d+) votes? so far", results)
        assert votes
        return int(votes[1])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the user's copy of the project."""
    return copy_project(tmp_path_factory.mktemp("week"))


@pytest.fixture(scope="module")
def environments(project: Path) -> Iterator[tuple[Polls, Polls]]:
    """Return the environment of the week and the one of its end, and take both away at the end."""
    both = Polls(project, "week", berth_app_replicas=1), Polls(project, "weekend", berth_app_replicas=1)
    yield both
    begun = [(environment, environment.destroy()) for environment in both if environment.exists]
    for environment, destruction in begun:
        environment.finish(destruction)


@pytest.fixture
def week(environments: tuple[Polls, Polls]) -> Polls:
    """Return the environment of the week."""
    return environments[0]


# In every run another text: whoever built this one before would have nothing left to build.
MONDAY = f"Monday {secrets.token_hex(8)}"


def require(app: Path, *packages: str) -> dict[str, str]:
    """Lock the app's own requirements with these packages besides, as its own requirements.txt says; return the version of each that is locked."""
    requirements = app / "requirements.in"
    kept = [line for line in requirements.read_text(encoding="utf-8").splitlines() if not line.startswith("humanize")]
    requirements.write_text("\n".join([*kept, *packages, ""]), encoding="utf-8")
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "pip", "compile", "--quiet", "--generate-hashes", "--python-version", "3.12", "requirements.in", "-o", "requirements.txt"]
    subprocess.run(command, cwd=app, check=True)
    return dict(re.findall(r"^([\w-]+)==(\S+)", (app / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE))


VIEW = '''
def versions(request):
    """Say what runs."""
    import importlib.metadata as metadata
    import os

    from django.http import JsonResponse

    from polls.models import Question

    humanize = {each.metadata["Name"]: each.version for each in metadata.distributions()}.get("humanize")
    more = list(Question.objects.values_list("more", flat=True).distinct())
    named = {"motto": "MOTTO", "secret": "WORD", "base": "BASE"}
    found = {name: os.environ.get(variable) for name, variable in named.items()}
    return JsonResponse({"humanize": humanize, "more": more, "executable": os.access("manage.py", os.X_OK), **found})


'''
MIGRATION = '''"""More."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds a column."""

    dependencies = [("polls", "0001_initial")]
    operations = [migrations.AddField("question", "more", models.IntegerField(default=42))]
'''
MISSING = '''

def missing(request, exception):
    """Say that there is no such page."""
    return render(request, "missing.html", status=404)
'''
SECRET_KEY = {"DJANGO_SECRET_KEY": "{{ lookup('generated_secret', berth_secrets_directory ~ '/django_secret_key') }}"}
USUAL = {"name": "clearsessions", "schedule": "17 4 * * *", "command": "clearsessions"}


def test_monday_the_first_release_answers(week: Polls) -> None:
    week.run()
    assert week.vote() == 1


def test_tuesday_all_that_a_project_has_is_edited_and_grows(week: Polls) -> None:
    app = week.project / "app"
    edit(app / "templates" / "base.html", "<body>", f"<body><!-- {MONDAY} -->")
    edit(app / "polls" / "static" / "polls" / "style.css", "", f"/* {MONDAY} */\n")
    edit(app / "mysite" / "urls.py", "urlpatterns = [", f'{VIEW}handler404 = "polls.views.missing"\nurlpatterns = [\n    path("versions/", versions),')
    (app / "templates" / "404.html").rename(app / "templates" / "missing.html")
    edit(app / "polls" / "views.py", "\n\n@require_POST", f"{MISSING}\n\n@require_POST")
    edit(app / "polls" / "models.py", "    pub_date = ", "    more = models.IntegerField(default=42)\n    pub_date = ")
    (app / "polls" / "migrations" / "0002_more.py").write_text(MIGRATION, encoding="utf-8")
    (app / "manage.py").chmod(0o644)
    locked = require(app, "humanize<4.12")
    week.set(
        berth_app_settings={"MOTTO": "Polls 🚀"},
        berth_app_secrets={**SECRET_KEY, "WORD": "xyzzy-plugh"},
        berth_app_replicas=2,
        berth_app_resources={"requests": SMALL, "limits": {"memory": "300Mi"}},
        berth_database_storage="2Gi",
        berth_app_schedules=[USUAL, {"name": "nightly", "schedule": "0 3 * * *", "command": "check"}],
        berth_app_volumes={"media": {"path": "/srv/media", "size": "64Mi"}},
    )
    shown = week.release(BUILD | CONFIGURE | GROW | VOLUME | RELEASE)
    assert "xyzzy" not in shown.text
    seen = {"replicas: 1", "replicas: 2", "memory: 300Mi", "PersistentVolumeClaim data-database-0: 2Gi", "name: polls-nightly", "MOTTO: Polls 🚀"}
    assert seen <= shown.lines, shown.lines
    week.versions(humanize=locked["humanize"], motto="Polls 🚀", secret="xyzzy-plugh", more=[42], executable=False, base=None)
    page = week.page("polls/")
    assert f"<!-- {MONDAY} -->" in page
    style = re.search(r'href="/(static/polls/style[^"]*)"', page)
    assert style and f"/* {MONDAY} */" in week.page(style[1])
    with pytest.raises(urllib.error.HTTPError) as missing:
        week.page("nothing/")
    assert missing.value.code == 404 and f"<!-- {MONDAY} -->" in missing.value.read().decode()
    found = week.objects()
    assert found["Deployment/polls"]["status"]["readyReplicas"] == 2
    assert found["Deployment/polls"]["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"] == "300Mi"
    assert found["PersistentVolumeClaim/data-database-0"]["status"]["capacity"]["storage"] == "2Gi"
    assert "CronJob/polls-nightly" in found
    assert week.vote() == 2


def test_wednesday_a_bad_release_harms_nobody_and_its_mend_needs_no_help_while_a_second_environment_begins(environments: tuple[Polls, Polls]) -> None:
    week, weekend = environments
    before = week.versions()
    locked = require(week.project / "app", "humanize>=4.12")
    week.set(
        berth_app_settings={"MOTTO": "Broken", "DJANGO_LOG_LEVEL": "LOUD"},
        berth_app_secrets={**SECRET_KEY, "WORD": "frotz"},
        berth_app_replicas=1,
        berth_app_schedules=None,
    )
    beginning = weekend.start()
    assert "DJANGO_LOG_LEVEL" in week.run(refused=True).words
    # The pods of before are whole: others take their place.
    week.kubectl("delete", "pod", "--selector=app.kubernetes.io/component=web", "--grace-period=1")
    week.kubectl("rollout", "status", "deployment/polls", "--timeout=180s")
    week.versions(**before)
    assert "CronJob/polls-nightly" in week.objects()
    week.set(berth_app_settings={"MOTTO": "Mended"}, berth_app_volumes={"media": {"path": "/srv/media", "size": "128Mi"}})
    shown = week.release(CONFIGURE | GROW_VOLUME | VOLUME | RELEASE)
    assert {line for line in shown.lines if line.startswith("MOTTO")} == {"MOTTO: Mended"}
    assert "frotz" not in shown.text
    week.versions(humanize=locked["humanize"], motto="Mended", secret="frotz")
    found = week.objects()
    assert found["Deployment/polls"]["spec"]["replicas"] == 1 and "CronJob/polls-nightly" not in found
    assert found["PersistentVolumeClaim/polls-media"]["status"]["capacity"]["storage"] == "128Mi"
    weekend.finish(beginning)
    weekend.versions(humanize=locked["humanize"], motto=None, secret=None)
    assert (week.vote(), weekend.vote()) == (3, 1)


def test_thursday_the_release_before_comes_back_with_its_settings_and_the_next_one_again_with_an_empty_cache(environments: tuple[Polls, Polls]) -> None:
    week, weekend = environments
    after, kept = week.versions(), weekend.versions()
    shutil.rmtree(week.project.parent / "cache" / "berth" / "buildah")
    week.run(playbook="playbooks/ops/rollback.yml")
    assert week.versions(motto="Polls 🚀", secret="xyzzy-plugh")["humanize"] != after["humanize"]
    week.shown(RELEASE - {PRUNE})  # both are kept, and the commands of the one that comes again are run again
    week.run()  # Wednesday showed that this release changes nothing when it is run again
    week.versions(**after)
    assert weekend.versions() == kept
    assert (week.vote(), weekend.vote()) == (4, 2)


def test_friday_what_was_added_goes_and_the_base_and_the_password_change_while_the_second_environment_goes(environments: tuple[Polls, Polls]) -> None:
    week, weekend = environments
    require(week.project / "app")
    (week.project / "app" / "manage.py").chmod(0o755)
    edit(week.project / "Dockerfile", "FROM ${PYTHON_IMAGE}\n", "FROM ${PYTHON_IMAGE} AS base\nENV BASE=another\nFROM base\n")
    place = week.project / ".cache" / "week" / "secrets" / "database_password"
    before = place.read_text(encoding="utf-8").strip()
    place.write_text("another-password-for-friday\n", encoding="utf-8")
    week.set(berth_app_settings={"MOTTO": "Friday"})
    going = weekend.destroy()
    shown = week.shown(BUILD | CONFIGURE | PASSWORD | RELEASE)
    assert before not in shown.text and "another-password" not in shown.text
    week.run()
    weekend.finish(going)
    week.versions(humanize=None, motto="Friday", secret="frotz", executable=True, base="another")
    assert week.vote() == 5
    week.unchanged()
