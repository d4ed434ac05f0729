"""Three projects as teams have them, deployed by inventory only, all at the same time, with mistakes that are mended by what the message advises.

Nothing in the projects is made for Berth; by hand only what ``make new`` asks for is written into an inventory, and where the blog's database is,
which is somebody else's. Needs the shared cluster.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import jinja2
import pytest
import requests
import yaml
from user_environment import KUBECTL, PROJECT, SMALL, Environment, Ran, begin, copy_project, edit

PATIENCE = 30.0  # seconds until what is bound to come has come
NAMES = ("shop", "blog", "legacy")
BY_HAND = {"legacy": {"EMAIL_HOST": "mail.example.com"}}  # what nobody but the project's owner knows
ADMIN = (KUBECTL, "--kubeconfig", "/etc/kubernetes/admin.conf", "--namespace", "team-server")
CTR = ("/var/lib/berth/bin/ctr", "--address", "/run/berth/containerd/containerd.sock", "--namespace", "k8s.io")
SERVER = "postgresql.team-server.svc.cluster.local"
PASSWORD = secrets.token_hex(16)
ATTACHMENT = b"%PDF-1.4 the minutes of a meeting"


class Team(Environment):
    """A team with a project, and an environment with the inventory that playbooks/new.yml has written."""

    def __init__(self, copy: Path, name: str) -> None:
        super().__init__(copy, f"team-{name}", f"team-{name}")
        self.source = copy.parent / name
        self.main = self.inventory / "group_vars" / "all" / "main.yml"
        self.session = requests.Session()
        shutil.copytree(copy / "tests" / "projects" / name, self.source)
        if (self.source / "pyproject.toml").exists():  # a lock file names an index, so there is none to be copied
            subprocess.run([Path(sys.executable).with_name("uv"), "lock", "--quiet", "--python", sys.executable], cwd=self.source, check=True)
        self.finish(begin(copy, "playbooks/new.yml", "-e", f"source={self.source}", "-e", f"env={self.name}"))
        for variable, value in BY_HAND.get(name, {}).items():
            self.write(variable, value)
        with self.main.open("a", encoding="utf-8") as inventory:
            inventory.write("berth_image_max_age: 0 # images would be due for renewal on the first day of a period\n")
            inventory.write(yaml.safe_dump({"berth_app_resources": {"requests": SMALL}}))

    def write(self, variable: str, value: str) -> None:
        """Write a line of the inventory in the place of the one that it has for a variable."""
        text, found = re.subn(rf"(?m)^( *{variable}: ).*$", lambda line: line[1] + value, self.main.read_text(encoding="utf-8"))
        assert found == 1, variable
        self.main.write_text(text, encoding="utf-8")

    def get(self, path: str = "") -> requests.Response:
        """Return the answer to a visitor, who keeps cookies; what leads to a new pod is a moment behind a release."""
        return self.session.get(f"{self.url}{path.lstrip('/')}", timeout=10)

    def send(self, path: str, **more: object) -> requests.Response:
        """Fill in a page's form, and send it."""
        token = re.search(r'csrfmiddlewaretoken" value="([^"]+)', self.get(path).text)
        assert token
        data = {"csrfmiddlewaretoken": token[1], **more.pop("data", {})}
        return self.session.post(f"{self.url}{path}", data=data, timeout=10, **more)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run a PostgreSQL of somebody else's, which nobody calls without TLS, and return the certificate of its authority."""
    place = tmp_path_factory.mktemp("server")
    key, certificate = (place / f"{SERVER}.{kind}" for kind in ("key", "crt"))
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=authority"]
    names = ["-addext", f"subjectAltName=DNS:{SERVER}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*request, *names], capture_output=True, check=True)
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PROJECT / "molecule" / "external-database" / "templates"), undefined=jinja2.StrictUndefined, autoescape=False
    )
    templates.globals["lookup"] = lambda _, path: Path(path).read_text(encoding="utf-8")
    templates.filters["to_json"] = json.dumps
    of_it = {"server": SERVER, "certificates": str(place), "berth_app_name": "blog", "berth_database_password": PASSWORD}
    manifest = templates.get_template("server.yaml.j2").render(artifacts_facts={"refs": {"postgres": "docker.io/library/postgres:17"}}, **of_it)
    subprocess.run([*ADMIN, "create", "namespace", "team-server"], check=True)
    try:
        subprocess.run([*ADMIN, "apply", "--filename=-"], input=manifest, text=True, check=True)
        subprocess.run([*ADMIN, "wait", "--for=condition=Ready", "pod/postgresql", "--timeout=60s"], check=True)
        yield certificate
    finally:
        subprocess.run([*ADMIN, "delete", "namespace", "team-server"], check=True)


@pytest.fixture(scope="module")
def teams(tmp_path_factory: pytest.TempPathFactory, authority: Path) -> Iterator[dict[str, Team]]:
    """Return the three teams, and take their environments away at the end."""
    copy = copy_project(tmp_path_factory.mktemp("projects"))
    found = {name: Team(copy, name) for name in NAMES}
    blog = found["blog"]
    blog.write("berth_database_password", PASSWORD)
    with blog.main.open("a", encoding="utf-8") as inventory:
        inventory.write(f"berth_database: external\nberth_database_host: {SERVER}\nberth_database_port: 5433\nberth_database_ca: {authority}\n")
    yield found
    begun = [(team, team.destroy()) for team in found.values() if team.exists]
    for team, destruction in begun:
        team.finish(destruction)


def together(teams: dict[str, Team], refused: bool = False) -> dict[str, Ran]:
    """Let all teams release at the same time."""
    begun = {name: team.start() for name, team in teams.items()}
    try:
        return {name: teams[name].finish(run, refused) for name, run in begun.items()}
    finally:
        for run in begun.values():
            run.wait()


def first_pages(teams: dict[str, Team]) -> None:
    """See the first page of each project, with what its database has."""
    for name, text in (("shop", "2 x Teapot"), ("blog", "Blog</h1>"), ("legacy", "The intranet has moved")):
        end = time.monotonic() + PATIENCE
        while (answer := teams[name].get()).status_code != 200 and time.monotonic() < end:
            time.sleep(0.2)
        assert (answer.status_code, text in answer.text) == (200, True), answer.text


def test_three_projects_get_their_first_page_from_their_inventories_alone(teams: dict[str, Team]) -> None:
    together(teams)
    first_pages(teams)
    for name, path in (("shop", "static/shop.css"), ("blog", "static/posts/blog.css"), ("legacy", "static/admin/css/base.css")):
        assert teams[name].get(path).status_code == 200


def test_a_task_is_done_by_the_worker_and_the_schedule_is_kept(teams: dict[str, Team]) -> None:
    shop = teams["shop"]
    page = shop.send("", data={"product": "Kettle", "quantity": 3}).url.removeprefix(shop.url)
    end = time.monotonic() + PATIENCE
    while not ("Invoice 00002 for 3 x Kettle" in shop.get(page).text and "2 in total" in shop.get().text):
        assert time.monotonic() < end, shop.get(page).text + shop.get().text
        time.sleep(0.5)


def test_an_upload_is_shown_to_visitors_and_known_to_the_database_of_somebody_else(teams: dict[str, Team]) -> None:
    blog = teams["blog"]
    page = blog.send("new/", data={"title": "Minutes"}, files={"attachment": ("minutes.pdf", ATTACHMENT)}).text
    link = re.search(r'href="(/media/[^"]+)"', page)
    assert link, page
    assert blog.get(link[1]).content == ATTACHMENT
    query = ["psql", "--host=/data", "--username=postgres", "--dbname=blog", "--tuples-only", "--no-align", "--command=SELECT title FROM posts_post"]
    assert "Minutes" in subprocess.run([*ADMIN, "exec", "postgresql", "--", *query], capture_output=True, text=True, check=True).stdout
    assert blog.kubectl("get", "statefulset", "-o", "name") == ""


PACK = """
from orders.models import Parcel
from orders.tasks import pack
for parcel in Parcel.objects.bulk_create(Parcel() for _ in range({number})):
    pack.delay(parcel.pk)
"""
DONE = """
from orders.models import Count, Parcel
print(Parcel.objects.filter(packed=True).count(), *Count.objects.order_by("asked").values_list("asked", flat=True))
"""


def python(team: Team, code: str) -> str:
    """Return what Python code prints in the pod that serves pages."""
    return team.kubectl("exec", f"deployment/{team.source.name}", "--", "python", "manage.py", "shell", "--no-imports", "-c", code)


def kill(team: Team, process: str) -> None:
    """Kill all that runs in a process's pods, which gives none of it a chance to end its work."""
    form = "custom-columns=NAME:.metadata.name,CONTAINER:.status.containerStatuses[0].containerID"
    listed = team.kubectl("get", "pod", "--no-headers", "--field-selector=status.phase=Running", "-o", form)
    containers = re.findall(rf"(?m)^{team.source.name}-{process}-\S+ +containerd://(\w+)", listed)
    assert containers, listed
    for container in containers:
        subprocess.run([*CTR, "tasks", "kill", "--all", "--signal", "SIGKILL", container], check=True)


def test_a_mistake_is_told_with_its_variable_or_line_and_the_advice_mends_it(teams: dict[str, Team]) -> None:
    blog, shop, legacy = teams["blog"], teams["shop"], teams["legacy"]
    blog.write("berth_app_port", "8000")
    shop.write("berth_app_readiness_path", "/healthz/")
    production = legacy.source / "website" / "intranet" / "settings" / "production.py"
    edit(production, "DEBUG = False\n", "DEBUG = False\nfrom intranet.settings.mail import *\n")
    python(shop, PACK.format(number=400))
    told = {name: ran.words for name, ran in together(teams, refused=True).items()}
    first_pages(teams)  # the releases of before serve on

    assert "nothing listens on port 8000" in told["blog"]
    for name in ("blog", "shop"):
        (advice,) = {sentence[1] for sentence in re.finditer(r"Set (berth_app_[a-z_]+: [^.{]+?)[.,] ?(?:which|or)", told[name])}
        for line in advice.split(" and "):
            teams[name].write(*line.split(": "))
    assert "intranet.settings.mail" in told["legacy"]
    place = re.search(r"(website/intranet/settings/production\.py|intranet/settings/production\.py):(\d+)", told["legacy"])
    assert place, told["legacy"]
    lines = production.read_text(encoding="utf-8").splitlines(keepends=True)
    del lines[int(place[2]) - 1]
    production.write_text("".join(lines), encoding="utf-8")

    python(shop, PACK.format(number=300))
    together(teams)
    first_pages(teams)


def test_no_task_is_lost_in_three_releases_and_a_crash_and_none_is_scheduled_twice(teams: dict[str, Team]) -> None:
    shop = teams["shop"]
    edit(shop.source / "orders" / "templates" / "orders" / "list.html", "<h1>Orders</h1>", "<h1>Our orders</h1>")
    release = shop.start()
    python(shop, PACK.format(number=300))  # with those of the two releases of before, 1,000
    kill(shop, "worker")
    shop.finish(release)
    end = time.monotonic() + 4 * PATIENCE
    while (found := python(shop, DONE).split())[0] != "1000":
        assert time.monotonic() < end, found
        time.sleep(1)
    assert "Our orders" in shop.get().text
    asked = [float(each) for each in found[1:]]
    assert len(asked) > 10 and min(later - earlier for earlier, later in pairwise(asked)) > 4  # seconds; it is asked for every 5
