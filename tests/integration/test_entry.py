"""The public entry: what is applied, what Django is told, what a controller's words mean, and what a visitor would see."""

from __future__ import annotations

import datetime
import json
import os
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import ansible_fork
import pytest
from ansible_collections.berth.platform.plugins.module_utils.kube import access, apply, client, entry
from ansible_collections.berth.platform.plugins.module_utils.kube.client import Forbidden, NotFound, Unreachable
from ansible_collections.berth.platform.plugins.module_utils.kube.entry import Reply
from ansible_collections.berth.platform.plugins.modules import k8s_ingress, site_answer
from ansible_collections.berth.platform.plugins.plugin_utils.inventory import variables
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fake_api import running
from module_run import run

Json = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
HOST = "polls.example.com"
INVENTORY = {"berth_entry": "loadbalancer", "berth_entry_host": HOST, "berth_entry_zone": "example.com"}


# --- What is applied -------------------------------------------------------
@pytest.fixture(scope="module")
def render(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Json]:
    """Return a function that renders the role's objects and the app's settings from an inventory's variables."""

    def rendered(**inventory: Any) -> Json:
        target = tmp_path_factory.mktemp("rendered") / "rendered.json"
        extra = {**inventory, "rendered": str(target), "ansible_python_interpreter": sys.executable}
        command = ["ansible-playbook", "tests/entry/render.yml", "-i", "localhost,", "-c", "local", "-e", json.dumps(extra)]
        environment = os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        done = ansible_fork.run(command, cwd=ROOT, env=environment, timeout=60)
        assert done.returncode == 0, done.stdout
        return json.loads(target.read_text(encoding="utf-8"))

    return rendered


@pytest.fixture(scope="module")
def public(render: Callable[..., Json]) -> Json:
    """Return what is rendered with an entry."""
    return render(**INVENTORY, berth_entry_networks=["203.0.113.0/24", "198.51.100.7/32"], berth_app_readiness_path="/ready")


def test_the_load_balancer_takes_https_redirects_http_and_asks_pods_for_their_readiness(public: Json) -> None:
    annotations = public["objects"][2]["metadata"]["annotations"]
    prefix = "alb.ingress.kubernetes.io/"
    assert json.loads(annotations[f"{prefix}listen-ports"]) == [{"HTTP": 80}, {"HTTPS": 443}]
    assert (annotations[f"{prefix}ssl-redirect"], annotations[f"{prefix}healthcheck-path"]) == ("443", "/ready")
    assert annotations[f"{prefix}inbound-cidrs"] == "203.0.113.0/24,198.51.100.7/32"
    assert all(isinstance(value, str) for value in annotations.values())


def test_the_three_objects_lead_to_each_other_and_to_the_apps_service(public: Json) -> None:
    parameters, kind, ingress = public["objects"]
    assert parameters["spec"] == {
        "scheme": "internet-facing",
        "ipAddressType": "ipv4",
        "certificateARNs": ["arn:aws:acm:eu-central-1:123456789012:certificate/0f5a"],
    }
    assert kind["spec"]["controller"] == "eks.amazonaws.com/alb"
    assert kind["spec"]["parameters"] == {"apiGroup": "eks.amazonaws.com", "kind": "IngressClassParams", "name": parameters["metadata"]["name"]}
    assert ingress["spec"]["ingressClassName"] == kind["metadata"]["name"]
    rule = ingress["spec"]["rules"][0]
    assert (rule["host"], rule["http"]["paths"][0]["backend"]) == (HOST, {"service": {"name": "polls", "port": {"name": "http"}}})


def test_every_object_is_of_a_kind_that_can_be_applied_and_is_known_as_berths(public: Json) -> None:
    for each in public["objects"]:
        prefix, _, group = client.KINDS[each["kind"]]
        assert prefix.endswith(each["apiVersion"]) and group in each["apiVersion"]
        labels = each["metadata"]["labels"]
        assert (labels[apply.MANAGED_BY], labels[apply.INSTANCE]) == ("berth", "polls")
        assert "namespace" not in each["metadata"]


def test_the_public_url_is_the_first_that_open_and_status_ask(public: Json) -> None:
    service = {"metadata": {"name": "polls"}, "spec": {"ports": [{"port": 80, "nodePort": 30080}]}}
    nodes = [{"status": {"addresses": [{"type": "InternalIP", "address": "10.60.3.17"}]}}]
    assert access.candidates(service, [public["objects"][2]], nodes)[0] == f"https://{HOST}/"


def test_django_is_told_the_host_name_the_origin_and_that_tls_ends_before_it(public: Json) -> None:
    settings = public["settings"]
    assert settings["DJANGO_ALLOWED_HOSTS"].split(",") == ["localhost", "127.0.0.1", "[::1]", HOST]
    assert (settings["DJANGO_CSRF_TRUSTED_ORIGINS"], settings["DJANGO_SECURE"]) == (f"https://{HOST}", "1")


def test_a_project_is_told_the_names_of_the_site_in_a_variable_of_its_own(render: Callable[..., Json]) -> None:
    settings = render(**INVENTORY, berth_app_hosts=["www.example.org"], berth_app_hosts_env={"SITE_HOSTS": " "})["settings"]
    assert settings["SITE_HOSTS"].split() == settings["DJANGO_ALLOWED_HOSTS"].split(",") == ["localhost", "127.0.0.1", "[::1]", "www.example.org", HOST]


def test_django_believes_the_load_balancer_about_a_visitors_address_and_nobody_else(public: Json) -> None:
    assert public["settings"]["DJANGO_PROXIES"] == "1"


def test_without_an_entry_django_is_told_nothing_of_it_whatever_else_is_set(render: Callable[..., Json]) -> None:
    settings = render(**INVENTORY | {"berth_entry": "none"})["settings"]
    assert not {"DJANGO_PROXIES", "DJANGO_SECURE", "DJANGO_CSRF_TRUSTED_ORIGINS"} & set(settings)
    assert HOST not in settings["DJANGO_ALLOWED_HOSTS"]


def test_the_inventorys_own_settings_win(render: Callable[..., Json]) -> None:
    own = {"DJANGO_ALLOWED_HOSTS": ".example.com", "DJANGO_SECURE": "0"}
    settings = render(**INVENTORY, berth_app_hosts=[HOST], berth_app_settings=own)["settings"]
    assert own.items() <= settings.items() and settings["DJANGO_CSRF_TRUSTED_ORIGINS"] == f"https://{HOST}"


# --- The admin --------------------------------------------------------------
ALB = "alb.ingress.kubernetes.io"
ADMINS = ["203.0.113.0/24", "198.51.100.7/32", "192.0.2.9/24"]


def rules(ingress: Json) -> list[tuple[str, str, list[str], int]]:
    """Return an Ingress's rules in the order in which a load balancer looks at them: path, what is done, the networks, and how many values there are."""
    annotations, found = ingress["metadata"]["annotations"], []
    for path in sorted(ingress["spec"]["rules"][0]["http"]["paths"], key=lambda each: -len(each["path"])):  # stable, as the controller sorts
        service = path["backend"]["service"]
        action = {"type": "forward", "forwardConfig": {"targetGroups": [{"serviceName": service["name"], "servicePort": service["port"]["name"]}]}}
        if service["port"]["name"] == "use-annotation":
            action = json.loads(annotations[f"{ALB}/actions.{service['name']}"])
        conditions = json.loads(annotations.get(f"{ALB}/conditions.{service['name']}", "[]"))
        networks = conditions[0]["sourceIpConfig"]["values"] if conditions else []
        assert path["pathType"] == "Prefix"
        patterns = 1 if path["path"] == "/" else 2
        found.append((path["path"], action["type"], networks, 1 + patterns + len(networks)))
        if action["type"] == "forward":
            assert action["forwardConfig"]["targetGroups"] == [{"serviceName": "polls", "servicePort": "http"}]
        else:
            assert action["fixedResponseConfig"]["statusCode"] == "403"
    return found


def test_the_admin_is_for_its_networks_and_the_site_for_all(render: Callable[..., Json]) -> None:
    rendered = render(**INVENTORY, berth_admin_networks=ADMINS, berth_app_admin_path="/back/office/")
    assert rules(rendered["objects"][2]) == [
        ("/back/office", "forward", ["203.0.113.0/24", "198.51.100.7/32"], 5),
        ("/back/office", "forward", ["192.0.2.0/24"], 4),
        ("/back/office", "fixed-response", [], 3),
        ("/", "forward", [], 2),
    ]
    assert rendered["settings"]["DJANGO_ADMIN_NETWORKS"] == ",".join(ADMINS)


def test_without_networks_the_admin_has_no_rules(public: Json) -> None:
    assert rules(public["objects"][2]) == [("/", "forward", [], 2)]
    assert not [name for name in public["objects"][2]["metadata"]["annotations"] if "admin" in name]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"berth_entry": "none"}, "needs berth_entry: loadbalancer"),
        ({"berth_entry_networks": ["198.51.100.0/24"]}, "203.0.113.0/24 is not allowed by berth_entry_networks"),
        ({"berth_admin_networks": ["203.0.113.7"]}, "write 203.0.113.7/32"),
        ({"berth_admin_networks": ["2001:db8::/32"]}, "has IPv4 addresses only"),
        ({"berth_admin_networks": ["office"]}, "is not a network"),
    ],
)
def test_networks_that_would_keep_nobody_or_everybody_from_the_admin_are_refused(given: Json, text: str) -> None:
    [problem] = variables.values(INVENTORY | {"berth_admin_networks": ["203.0.113.0/24"]} | given)
    assert problem.variable.startswith("berth_admin_networks") and text in problem.text


@pytest.mark.parametrize(
    ("path", "fits"),
    [(each, True) for each in ("/admin/", "/admin", "/back-office/v1.2/~me")]
    + [(each, False) for each in ("admin", "/", "", "/adm*", "/a dmin", "/a//b", "/%61dmin/", "/adm\nin", "/" + "a" * 100)],
)
def test_the_path_of_an_admin_is_one_that_a_load_balancer_compares(path: str, fits: bool) -> None:
    assert (not variables.values({"berth_app_admin_path": path})) is fits


# --- Bad input, beside the inventories -------------------------------------
@pytest.mark.parametrize("host", ["polls", "*.example.com", "Polls.example.com", "192.0.2.1", "polls_1.example.com", "polls.example.com.", "a" * 64 + ".com"])
def test_a_host_name_for_which_no_certificate_is_issued_is_refused(host: str) -> None:
    assert [problem.variable for problem in variables.values(INVENTORY | {"berth_entry_host": host}) if "is not the host name" in problem.text]


@pytest.mark.parametrize(
    ("zone", "fits"),
    [("example.com", True), ("example.com.", True), (HOST, True), ("Z0123456789ABC", True), ("ample.com", False), ("polls.example.org", False)],
)
def test_a_host_lies_in_its_zone_and_an_id_is_asked_of_aws(zone: str, fits: bool) -> None:
    assert (not variables.values(INVENTORY | {"berth_entry_zone": zone})) is fits


def test_parts_of_an_entry_that_is_not_wanted_are_no_problem() -> None:
    assert variables.values({"berth_entry": "none", "berth_entry_host": HOST, "berth_entry_zone": "example.org", "berth_entry_networks": []}) == []


# --- The controller's words ------------------------------------------------
def event(message: str, kind: str = "Warning", last: str = "2026-01-01T00:00:00Z", reason: str = "FailedBuildModel") -> Json:
    """Return an event."""
    return {"type": kind, "reason": reason, "message": message, "lastTimestamp": last}


def test_the_newest_word_counts() -> None:
    events = [event("no subnets", last="2026-01-01T00:00:09Z"), event("ok", "Normal", "2026-01-01T00:00:10Z", "SuccessfullyReconciled")]
    assert entry.warning(events) == ""
    assert entry.warning(events[:1]) == "FailedBuildModel: no subnets"
    assert entry.warning([]) == ""


def test_an_event_that_only_has_the_newer_time_is_read_too() -> None:
    newer = {"type": "Warning", "reason": "x", "message": "y", "eventTime": "2026-01-01T00:00:11.000000Z", "lastTimestamp": None}
    assert entry.warning([event("ok", "Normal"), newer]) == "x: y"


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("couldn't auto-discover subnets: unable to resolve at least one subnet (0 match VPC and tags)", "kubernetes.io/role/elb"),
        ("AccessDenied: User: arn:aws:sts::1:assumed-role/x is not authorized to perform: elasticloadbalancing:AddTags", "AmazonEKSLoadBalancingPolicy"),
        ("CertificateNotFound: Certificate 'arn' not found", "berth_entry_certificate"),
        ("TooManyLoadBalancers: quota exceeded", "Service Quotas"),
        ("something new", "events"),
    ],
)
def test_what_a_controller_says_leads_to_what_to_do(message: str, words: str) -> None:
    assert words in entry.advice(message)


# --- The Ingress -----------------------------------------------------------
LABELS = {"app.kubernetes.io/managed-by": "berth", "app.kubernetes.io/instance": "polls"}


class FakeCluster:
    """An API server with objects of the name polls, by kind, and events; ``steps`` change it at each look at the Ingress."""

    objects: ClassVar[dict[str, Json]]
    events: ClassVar[list[Json] | None]
    steps: ClassVar[list[Callable[[], None]]]
    deleted: ClassVar[list[str]]
    served = True
    reachable = True

    def __init__(self, *_: Any) -> None:
        pass

    def get(self, kind: str, _namespace: str, name: str) -> Json:
        """Return an object."""
        if not self.reachable:
            raise Unreachable("The API server does not answer.")
        if kind == "Ingress" and self.steps:
            self.steps.pop(0)()
        if kind not in self.objects:
            raise NotFound(name)
        return self.objects[kind]

    def items(self, _kind: str, _namespace: str, **_query: Any) -> list[Json]:
        """Return the events."""
        if self.events is None:
            raise Forbidden("no")
        return self.events

    def ask(self, _path: str) -> tuple[int, Json]:
        """Say whether the API is served."""
        return (200 if self.served else 404), {}

    def delete(self, kind: str, _namespace: str, _name: str, uid: str, _propagation: str) -> None:
        """Delete an object; one with a finalizer stays."""
        assert self.objects[kind]["metadata"]["uid"] == uid
        self.deleted.append(kind)
        if not self.objects[kind]["metadata"].get("finalizers"):
            del self.objects[kind]


def ingress(address: str = "", labels: Json | None = None, **metadata: Any) -> Json:
    """Return an Ingress."""
    status = {"loadBalancer": {"ingress": [{"hostname": address}]}} if address else {"loadBalancer": {}}
    told = {"name": "polls", "uid": "u1", "labels": LABELS if labels is None else labels, **metadata}
    return {"metadata": told, "spec": {"rules": [{"host": HOST}]}, "status": status}


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Json]]:
    """Return a function that runs the module against the cluster."""
    for name, value in {"objects": {}, "events": [], "steps": [], "deleted": [], "served": True, "reachable": True}.items():
        monkeypatch.setattr(FakeCluster, name, value, raising=False)
    monkeypatch.setattr(k8s_ingress, "Cluster", FakeCluster)
    monkeypatch.setattr(k8s_ingress, "PAUSE", 0.01)
    (tmp_path / "k").touch()

    def call(check: bool = False, **options: Any) -> Json:
        return run(k8s_ingress, capsys, check, **{"kubeconfig": str(tmp_path / "k"), "namespace": "n", "name": "polls", "wait_timeout": 5} | options)

    yield call


def test_an_address_that_comes_late_is_waited_for(ask: Callable[..., Json]) -> None:
    FakeCluster.objects["Ingress"] = ingress(annotations={"berth/zone": "example.com"})
    FakeCluster.steps += [lambda: None, lambda: FakeCluster.objects.update(Ingress=ingress("lb.example", annotations={"berth/zone": "example.com"}))]
    answer = ask()
    assert (answer["address"], answer["host"], answer["ours"], answer["annotations"]) == ("lb.example", HOST, True, {"berth/zone": "example.com"})


def test_a_warning_that_passes_by_itself_is_no_failure(ask: Callable[..., Json]) -> None:
    FakeCluster.objects["Ingress"] = ingress()
    FakeCluster.events = [event("service not found")]
    FakeCluster.steps += [lambda: None] * 3 + [lambda: FakeCluster.objects.update(Ingress=ingress("lb.example"))]
    assert ask(patience=60)["address"] == "lb.example"


def test_a_warning_that_stands_is_the_message_with_what_to_do(ask: Callable[..., Json]) -> None:
    FakeCluster.objects["Ingress"] = ingress()
    FakeCluster.events = [event("couldn't auto-discover subnets")]
    said = ask(patience=0)["msg"]
    assert said.startswith("The load balancer of Ingress polls cannot be created. FailedBuildModel: couldn't auto-discover subnets. Two public subnets")


def test_a_controller_that_says_nothing_is_said_to(ask: Callable[..., Json]) -> None:
    FakeCluster.objects["Ingress"] = ingress()
    FakeCluster.events = None  # and who may not read events is told the same
    assert "Ingress polls has no address after 0 s. Its controller reports nothing" in ask(wait_timeout=0)["msg"]


def test_what_is_not_there_is_not_waited_for(ask: Callable[..., Json]) -> None:
    assert ask()["msg"].startswith("There is no Ingress polls in the namespace n.")
    assert ask(wait=False)["exists"] is False


def test_a_cluster_without_the_api_is_told_before_anything_is_applied(ask: Callable[..., Json]) -> None:
    FakeCluster.served = False
    assert "does not serve eks.amazonaws.com/v1" in ask(wait=False, api="eks.amazonaws.com/v1")["msg"]


def test_a_check_of_what_is_not_there_yet_passes(ask: Callable[..., Json], tmp_path: Path) -> None:
    assert ask(check=True)["exists"] is False
    FakeCluster.reachable = False
    assert ask(check=True)["exists"] is False
    assert ask(check=True, kubeconfig=str(tmp_path / "none"))["exists"] is False
    assert "does not answer" in ask()["msg"]


def everything(**metadata: Any) -> None:
    """Put the three objects into the cluster."""
    FakeCluster.objects.update({kind: ingress("lb.example", **metadata) for kind in ("Ingress", "IngressClass", "IngressClassParams")})


def test_the_class_goes_after_the_controller_has_let_the_ingress_go(ask: Callable[..., Json]) -> None:
    everything()
    FakeCluster.objects["Ingress"]["metadata"]["finalizers"] = ["ingress.eks.amazonaws.com/resources"]
    seen: list[list[str]] = []

    def let_go() -> None:
        seen.append(list(FakeCluster.objects))
        FakeCluster.objects.pop("Ingress")

    FakeCluster.steps += [lambda: None, lambda: None, let_go]
    answer = ask(state="absent")
    assert answer["changed"] and FakeCluster.deleted == ["Ingress", "IngressClass", "IngressClassParams"] and FakeCluster.objects == {}
    assert seen == [["Ingress", "IngressClass", "IngressClassParams"]]
    assert ask(state="absent")["changed"] is False


def test_a_check_of_the_removal_names_what_would_go_and_removes_nothing(ask: Callable[..., Json]) -> None:
    everything()
    answer = ask(check=True, state="absent")
    assert answer["changed"] and answer["diff"]["before"] == "Ingress polls\nIngressClass polls\nIngressClassParams polls\n"
    assert FakeCluster.deleted == []


def test_an_ingress_that_its_controller_does_not_let_go_is_told_with_its_words(ask: Callable[..., Json]) -> None:
    everything()
    FakeCluster.objects["Ingress"]["metadata"]["finalizers"] = ["ingress.eks.amazonaws.com/resources"]
    FakeCluster.events = [event("AccessDenied: elasticloadbalancing:DeleteLoadBalancer", reason="FailedDeployModel")]
    said = ask(state="absent", wait_timeout=0)["msg"]
    assert "Ingress polls is still there after 0 s; it waits for ingress.eks.amazonaws.com/resources. FailedDeployModel: AccessDenied" in said
    assert FakeCluster.deleted == ["Ingress"]


def test_what_berth_did_not_make_stays(ask: Callable[..., Json]) -> None:
    everything(labels={"app.kubernetes.io/managed-by": "berth", "app.kubernetes.io/instance": "shop"})
    assert ask(state="absent")["changed"] is False and FakeCluster.deleted == []
    assert ask(wait=False)["ours"] is False


# --- The site --------------------------------------------------------------
def certificate(directory: Path, name: str) -> tuple[Path, Path]:
    """Make a certificate that signs itself for a host name; return it and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
        .sign(key, hashes.SHA256())
    )
    files = directory / f"{name}.pem", directory / f"{name}.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return files


class Page(BaseHTTPRequestHandler):
    """Answers with its server's statuses, and says what it was asked for."""

    def do_GET(self) -> None:
        """Answer."""
        self.server.asked.append((self.headers["Host"], self.path))
        status, location = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """Run a site with TLS for the host name, which this process trusts; no name resolves."""
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    public, private = certificate(tmp_path, HOST)
    monkeypatch.setenv("SSL_CERT_FILE", str(public))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.answers, server.asked = [(200, "")], []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None
    with running(server):
        yield server


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the names that resolve, each with its address; a test adds some."""
    known: dict[str, str] = {}
    original = socket.getaddrinfo

    def resolve(host: str, *rest: Any, **more: Any) -> Any:
        if host == "127.0.0.1":
            return original(host, *rest, **more)
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return original(known[host], *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return known


def visit(site: ThreadingHTTPServer, host: str = HOST, address: str = "127.0.0.1", **more: Any) -> Reply:
    """Return what a visit replies."""
    return entry.visit(host, address, port=site.server_port, timeout=2, **more)


def test_a_page_with_the_right_certificate_is_good(site: ThreadingHTTPServer) -> None:
    assert visit(site) == Reply(True, "page", "200")
    assert site.asked == [(f"{HOST}:{site.server_port}", "/")]


def test_a_certificate_of_another_name_is_no_page_and_says_so(site: ThreadingHTTPServer) -> None:
    reply = visit(site, "www.example.com")
    assert (reply.good, reply.kind) == (False, "certificate")
    assert "www.example.com" in reply.text and "berth_entry_certificate" in reply.text


def test_a_certificate_that_nobody_trusts_is_no_page(site: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate(tmp_path, "other.example")[0]))
    assert visit(site).kind == "certificate"


def test_a_redirect_within_the_site_is_followed(site: ThreadingHTTPServer) -> None:
    site.answers = [(302, "/polls/?page=1"), (200, "")]
    assert visit(site).good
    assert [path for _, path in site.asked] == ["/", "/polls/?page=1"]


def test_a_redirect_to_http_is_the_fault_of_an_app_that_does_not_know_of_tls(site: ThreadingHTTPServer) -> None:
    site.answers = [(301, f"http://{HOST}/polls/")]
    reply = visit(site)
    assert (reply.good, reply.kind) == (False, "redirect") and "X-Forwarded-Proto" in reply.text


def test_a_redirect_without_end_ends(site: ThreadingHTTPServer) -> None:
    site.answers = [(302, "/")]
    assert visit(site).kind == "redirect" and len(site.asked) == entry.REDIRECTS


def test_a_redirect_to_another_site_is_an_answer(site: ThreadingHTTPServer) -> None:
    site.answers = [(302, "https://login.example.org/")]
    assert visit(site).good


@pytest.mark.parametrize(("status", "words"), [(400, "DJANGO_ALLOWED_HOSTS"), (503, "berth_app_readiness_path"), (504, "network policies"), (418, "418")])
def test_an_error_says_whose_it_is(site: ThreadingHTTPServer, status: int, words: str) -> None:
    site.answers = [(status, "")]
    reply = visit(site)
    assert (reply.good, reply.kind) == (False, "status") and words in reply.text


def test_silence_is_told_by_its_cause(names: dict[str, str]) -> None:
    assert entry.visit(HOST, timeout=1).kind == "dns"
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        assert entry.visit(HOST, "127.0.0.1", port=port, timeout=1).text.startswith("no connection: ")
        silent.listen()
        assert "berth_entry_networks" in entry.visit(HOST, "127.0.0.1", port=port, timeout=0.2).text


@pytest.fixture
def look(site: ThreadingHTTPServer, names: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Json]:
    """Return a function that runs the module site_answer."""
    monkeypatch.setattr(site_answer, "PAUSE", 0.02)
    names["lb.example"] = "127.0.0.1"
    options = {"host": HOST, "address": "lb.example", "port": site.server_port, "timeout": 1, "ask_timeout": 2}
    return lambda **more: run(site_answer, capsys, **options | more)


def test_a_site_that_serves_late_under_a_name_that_spreads_late_is_waited_for(
    look: Callable[..., Json], site: ThreadingHTTPServer, names: dict[str, str]
) -> None:
    site.answers = [(503, ""), (503, ""), (200, "")]
    timer = threading.Timer(0.3, names.update, [{HOST: "127.0.0.1"}])
    timer.start()
    answer = look(timeout=20)
    timer.join()
    assert (answer["url"], answer["named"], answer["answer"]) == (f"https://{HOST}/", True, "200")


def test_a_name_that_does_not_resolve_is_told_apart_from_a_load_balancer_that_does_not_answer(look: Callable[..., Json], site: ThreadingHTTPServer) -> None:
    assert f"{HOST} does not resolve here (Name or service not known), while its load balancer answers well" in look()["msg"]
    site.answers = [(503, "")]
    said = look()["msg"]
    assert said.startswith(f"https://{HOST}/ gives no page after 1 s: 503, the load balancer has no healthy pod")
    assert f"(By its name: {HOST} does not resolve here" in said


def test_a_record_that_somebody_else_makes_is_not_waited_for(look: Callable[..., Json]) -> None:
    answer = look(name_required=False, timeout=60)
    assert (answer["named"], answer["answer"]) == (False, "200")


def test_a_name_that_leads_elsewhere_is_told(look: Callable[..., Json], names: dict[str, str]) -> None:
    names[HOST] = "127.0.0.2"
    said = look()["msg"]
    assert "no connection" in said and "Its load balancer answers well, so the name leads elsewhere" in said
