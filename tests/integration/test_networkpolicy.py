"""The namespace's NetworkPolicies let the app's own flows through and nothing else.

Not every network enforces policies, so what they mean is asked of
cyclonus, which models https://kubernetes.io/docs/concepts/services-networking/network-policies/ without a cluster.
Policies and pods' labels are rendered from the roles as they are.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import ansible_fork
import pytest
from ansible_collections.berth.platform.plugins.module_utils.machine.artifacts import find_go, wanted_go
from ansible_collections.berth.platform.plugins.module_utils.rollout import command as commands
from ansible_collections.berth.platform.plugins.plugin_utils.inventory import variables
from module_run import plugin

Json = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "tests" / "networkpolicy"
NAMESPACE = "polls-test"
MAIL = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 587, "protocol": "TCP"}]}
DNS_LABELS = {"k8s-app": "kube-dns"}


class Peer(NamedTuple):
    """One end of a flow.

    Attributes:
        pod: The role of one of the app's pods (web, release, schedule, process, database), or the labels of any other pod;
            None for an address outside of the cluster.
        namespace: The pod's namespace.
        ip: Its address; policies look at it outside of the cluster only.
    """

    pod: str | Json | None
    namespace: str = NAMESPACE
    ip: str = "10.244.0.9"


WEB, RELEASE, SCHEDULE, PROCESS, DATABASE = Peer("web"), Peer("release"), Peer("schedule"), Peer("process"), Peer("database")
COMMAND = Peer(commands.labels("polls"))
UNLABELLED = Peer({})
OTHER_APP = Peer({"app.kubernetes.io/instance": "shop", "app.kubernetes.io/component": "web"})
FOREIGN = Peer({}, "shop")
IMPOSTOR = Peer("web", "shop")  # the same labels, in somebody else's namespace
DNS = Peer(DNS_LABELS, "kube-system")
VISITOR = Peer(None, ip="203.0.113.7")
INTERNET = Peer(None, ip="198.51.100.4")
KUBERNETES_API = Peer(None, ip="10.245.0.1")

# What the flow is: (from, to, port, protocol).
ALLOWED: dict[str, tuple[Peer, Peer, int, str]] = {
    "a visitor reaches a web pod": (VISITOR, WEB, 8000, "TCP"),
    "a visitor reaches the web server for files in a web pod": (VISITOR, WEB, 8080, "TCP"),
    "a web pod reaches the database": (WEB, DATABASE, 5432, "TCP"),
    "the release job reaches the database": (RELEASE, DATABASE, 5432, "TCP"),
    "a scheduled job reaches the database": (SCHEDULE, DATABASE, 5432, "TCP"),
    "a process reaches the database": (PROCESS, DATABASE, 5432, "TCP"),
    "a process asks the DNS": (PROCESS, DNS, 53, "UDP"),
    "a command of manage.py reaches the database": (COMMAND, DATABASE, 5432, "TCP"),
    "a web pod asks the DNS over UDP": (WEB, DNS, 53, "UDP"),
    "a web pod asks the DNS over TCP": (WEB, DNS, 53, "TCP"),
    "the release job asks the DNS": (RELEASE, DNS, 53, "UDP"),
    "a scheduled job asks the DNS": (SCHEDULE, DNS, 53, "UDP"),
    "the database asks the DNS": (DATABASE, DNS, 53, "UDP"),
    "a pod without labels asks the DNS": (UNLABELLED, DNS, 53, "UDP"),
}
DENIED: dict[str, tuple[Peer, Peer, int, str]] = {
    "a visitor does not reach the database": (VISITOR, DATABASE, 5432, "TCP"),
    "a visitor does not reach a web pod's other ports": (VISITOR, WEB, 22, "TCP"),
    "a visitor does not reach a web pod over UDP": (VISITOR, WEB, 8000, "UDP"),
    "a visitor does not reach the release job": (VISITOR, RELEASE, 8000, "TCP"),
    "a visitor does not reach a pod without labels": (VISITOR, UNLABELLED, 8000, "TCP"),
    "a visitor does not reach a process": (VISITOR, PROCESS, 8000, "TCP"),
    "a pod of another namespace does not reach the web server for files": (FOREIGN, WEB, 8080, "TCP"),
    "a web pod does not reach a process": (WEB, PROCESS, 8000, "TCP"),
    "a process does not reach the internet": (PROCESS, INTERNET, 443, "TCP"),
    "a visitor does not reach a command of manage.py": (VISITOR, COMMAND, 8000, "TCP"),
    "a pod of another namespace does not reach a web pod": (FOREIGN, WEB, 8000, "TCP"),
    "a pod of another namespace does not reach the database": (FOREIGN, DATABASE, 5432, "TCP"),
    "a web pod's labels in another namespace do not open the database": (IMPOSTOR, DATABASE, 5432, "TCP"),
    "a pod of another namespace does not reach a scheduled job": (FOREIGN, SCHEDULE, 8000, "TCP"),
    "another app in the namespace does not reach the database": (OTHER_APP, DATABASE, 5432, "TCP"),
    "a pod without labels does not reach the database": (UNLABELLED, DATABASE, 5432, "TCP"),
    "a pod without labels does not reach a web pod": (UNLABELLED, WEB, 8000, "TCP"),
    "a web pod does not reach the database's other ports": (WEB, DATABASE, 22, "TCP"),
    "a web pod does not reach the internet": (WEB, INTERNET, 443, "TCP"),
    "a web pod does not reach the Kubernetes API": (WEB, KUBERNETES_API, 6443, "TCP"),
    "a web pod does not reach another web pod": (WEB, WEB, 8000, "TCP"),
    "a web pod does not reach another namespace": (WEB, FOREIGN, 8000, "TCP"),
    "a web pod does not reach the DNS pods' other ports": (WEB, DNS, 9153, "TCP"),
    "a web pod does not ask a DNS in another namespace": (WEB, Peer(DNS_LABELS, "shop"), 53, "UDP"),
    "a web pod does not ask a DNS on the internet": (WEB, INTERNET, 53, "UDP"),
    "the release job does not reach the internet": (RELEASE, INTERNET, 443, "TCP"),
    "the database does not reach the internet": (DATABASE, INTERNET, 443, "TCP"),
    "the database does not reach a web pod": (DATABASE, WEB, 8000, "TCP"),
    "the database does not reach the Kubernetes API": (DATABASE, KUBERNETES_API, 6443, "TCP"),
    "a pod without labels does not reach the internet": (UNLABELLED, INTERNET, 443, "TCP"),
}
FLOWS = ALLOWED | DENIED


@pytest.fixture(scope="session")
def analyser() -> Path:
    """Build the analyser once for each of its versions, into the user's cache."""
    source = b"".join((SOURCE / name).read_bytes() for name in ("go.mod", "go.sum", "main.go"))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "berth" / "tests"
    binary = cache / f"networkpolicy-{hashlib.sha256(source).hexdigest()[:12]}"
    if binary.exists():
        return binary
    go = find_go(SOURCE)
    if go is None:
        pytest.fail(f"The analyser is built with Go {wanted_go(SOURCE)} or newer, and this machine has none: install it.")
    cache.mkdir(parents=True, exist_ok=True)
    unfinished = binary.with_suffix(f".{os.getpid()}")
    # The flags are those of the artifacts role, so that what it compiled is not compiled again.
    build = [go, "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", str(unfinished)]
    settings = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off", "GOTOOLCHAIN": "local"}
    subprocess.run(build, cwd=SOURCE, env=os.environ | settings, check=True)
    unfinished.replace(binary)
    return binary


class Rendered(NamedTuple):
    """What the roles make: ``policies`` by name, and ``pods``, the labels of each role's pods."""

    policies: dict[str, Json]
    pods: dict[str, Json]


KUBEADM = {"pod_networks": ["10.244.0.0/16"]}
ELSEWHERE: Json = {"pod_networks": []}


def render(directory: Path, cluster: Json = KUBEADM, **variables: Any) -> Rendered:
    """Render the roles' templates with Ansible; ``variables`` are those of an inventory (``berth_*``), ``cluster`` what its role found out."""
    rendered = directory / "rendered.json"
    extra = json.dumps(variables | {"rendered": str(rendered), "cluster_facts": cluster})
    command = ["ansible-playbook", "render.yml", "-e", extra]
    environment = os.environ | {"ANSIBLE_FILTER_PLUGINS": str(ROOT / "plugins" / "filter")}
    answer = ansible_fork.run(command, cwd=SOURCE, env=environment)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    made = json.loads(rendered.read_text(encoding="utf-8"))
    policies = {found["metadata"]["name"]: found for found in made["objects"] if found["kind"] == "NetworkPolicy"}
    return Rendered(policies, made["pods"])


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """Render the roles as an inventory that says nothing about the network has them."""
    return render(tmp_path_factory.mktemp("namespace"))


@pytest.fixture(scope="session")
def with_mail(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """Render the roles for an inventory that lets the app send mail."""
    return render(tmp_path_factory.mktemp("namespace"), berth_app_egress=[MAIL])


@pytest.fixture(scope="session")
def with_rds(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """Render the roles for a database in a network outside the cluster."""
    return render(tmp_path_factory.mktemp("namespace"), berth_database_networks=["10.60.0.0/16"])


def ask(analyser: Path, made: Rendered, flows: dict[str, tuple[Peer, Peer, int, str]], without: str = "") -> set[str]:
    """Return the names of the flows that pass; ``without`` is a policy to leave out."""

    def traffic_peer(peer: Peer) -> Json:
        if peer.pod is None:
            return {"Internal": None, "IP": peer.ip}
        labels = made.pods[peer.pod] if isinstance(peer.pod, str) else peer.pod
        # The API server gives every namespace this label.
        namespace_labels = {"kubernetes.io/metadata.name": peer.namespace}
        internal = {"PodLabels": labels, "NamespaceLabels": namespace_labels, "Namespace": peer.namespace}
        return {"Internal": internal, "IP": peer.ip}

    question = {
        "policies": [policy for name, policy in made.policies.items() if name != without],
        "flows": [
            {
                "Source": traffic_peer(source),
                "Destination": traffic_peer(destination),
                "ResolvedPort": port,
                "Protocol": protocol,
            }
            for source, destination, port, protocol in flows.values()
        ],
    }
    answer = subprocess.run([analyser], input=json.dumps(question), capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return {name for name, passes in zip(flows, json.loads(answer.stdout), strict=True) if passes}


@pytest.fixture(scope="session")
def passing(analyser: Path, rendered: Rendered) -> set[str]:
    """Return the names of the flows that pass."""
    return ask(analyser, rendered, FLOWS)


@pytest.mark.parametrize("flow", ALLOWED)
def test_the_flow_passes(flow: str, passing: set[str]) -> None:
    assert flow in passing


@pytest.mark.parametrize("flow", DENIED)
def test_the_flow_is_refused(flow: str, passing: set[str]) -> None:
    assert flow not in passing


# What each policy is for: the flows whose fate changes without it.
PURPOSE: dict[str, set[str]] = {
    "default-deny": {
        "a visitor does not reach the release job",
        "a visitor does not reach a pod without labels",
        "a visitor does not reach a command of manage.py",
        "a visitor does not reach a process",
        "a pod of another namespace does not reach a scheduled job",
    },
    "allow-dns": {flow for flow in ALLOWED if "DNS" in flow},
    "allow-web": {"a visitor reaches a web pod", "a visitor reaches the web server for files in a web pod"},
    "allow-app-to-database": {flow for flow in ALLOWED if "reaches the database" in flow},
    "allow-database-from-app": {flow for flow in ALLOWED if "reaches the database" in flow},
}


@pytest.mark.parametrize("policy", PURPOSE)
def test_without_the_policy_its_flows_change(policy: str, analyser: Path, rendered: Rendered, passing: set[str]) -> None:
    assert policy in rendered.policies
    assert ask(analyser, rendered, FLOWS, without=policy) ^ passing == PURPOSE[policy]


def test_without_any_policy_everything_passes(analyser: Path, rendered: Rendered) -> None:
    assert ask(analyser, Rendered({}, rendered.pods), FLOWS) == set(FLOWS)


def test_pods_reach_name_servers_that_are_no_pods_and_nothing_else_of_them(analyser: Path, tmp_path: Path) -> None:
    """Auto Mode runs DNS on its nodes, behind an address of the services; NodeLocal DNSCache has one of its own."""
    of_eks = plugin("filter/aws.py").dns_networks("172.20.0.0/16")
    made = render(tmp_path, {"pod_networks": [], "dns_networks": of_eks}, berth_dns_networks=["169.254.20.10/32"])
    eks, local = Peer(None, ip="172.20.0.10"), Peer(None, ip="169.254.20.10")
    names = {
        f"{pod} asks {server.ip} over {protocol}": (pod, server, 53, protocol)
        for pod in (WEB, DATABASE, UNLABELLED)
        for server in (eks, local)
        for protocol in ("UDP", "TCP")
    }
    others = {"another service": (WEB, Peer(None, ip="172.20.0.11"), 53, "UDP"), "another port": (WEB, eks, 443, "TCP")}
    assert ask(analyser, made, names | others | {"pods of DNS": (WEB, DNS, 53, "UDP")}) == {*names, "pods of DNS"}


def test_an_inventory_lets_the_app_out_and_nobody_else(analyser: Path, with_mail: Rendered) -> None:
    flows = {
        "a web pod sends mail": (WEB, INTERNET, 587, "TCP"),
        "a scheduled job sends mail": (SCHEDULE, INTERNET, 587, "TCP"),
        "a process sends mail": (PROCESS, INTERNET, 587, "TCP"),
        "a web pod calls a web service": (WEB, INTERNET, 443, "TCP"),
        "the database sends mail": (DATABASE, INTERNET, 587, "TCP"),
        "a pod without labels sends mail": (UNLABELLED, INTERNET, 587, "TCP"),
    }
    assert ask(analyser, with_mail, flows) == {"a web pod sends mail", "a scheduled job sends mail", "a process sends mail"}


def test_an_inventory_that_lets_the_app_out_changes_no_other_flow(analyser: Path, with_mail: Rendered, passing: set[str]) -> None:
    assert ask(analyser, with_mail, FLOWS) == passing


CALLED = {
    "a service on the internet": "203.0.113.9",
    "one with IPv6": "2001:4860::8888",
    "a pod": "10.244.0.9",
    "the company's network": "192.168.7.1",
    "one of a provider": "100.64.0.1",
    "the metadata of a cloud": "169.254.169.254",
    "the metadata of AWS with IPv6": "fd00:ec2::254",
    "a neighbour with IPv6": "fe80::1",
}


def test_the_internet_is_everything_but_private_networks_and_metadata(analyser: Path, tmp_path: Path) -> None:
    flows = {name: (WEB, Peer(None, ip=address), 443, "TCP") for name, address in CALLED.items()}
    others = {"the database calls out": (DATABASE, INTERNET, 443, "TCP"), "a web pod calls the API": (WEB, KUBERNETES_API, 6443, "TCP")}
    assert ask(analyser, render(tmp_path, berth_app_egress="internet"), flows | others) == {"a service on the internet", "one with IPv6"}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("internet", ""),
        ("none", ""),
        ([], ""),
        ([MAIL], ""),
        ([{"ports": [{"port": 587}]}], ""),
        ("intranet", "'intranet': write internet, none"),
        ("", "'': write internet"),
        (None, "None: write internet"),
        ({"to": []}, "write internet"),
        ([{}], "rule 1 that is {}"),
        ([MAIL, "internet"], "rule 2 that is 'internet'"),
        ([MAIL, {"from": []}], "rule 2 with 'from'"),
    ],
)
def test_what_is_no_word_and_no_rule_is_refused(given: Any, problem: str) -> None:
    found = [each for each in variables.values({"berth_app_egress": given}) if each.variable == "berth_app_egress"]
    assert [problem in each.text for each in found] == [True] * bool(problem)


WEB_FLOWS = {
    "a visitor": (VISITOR, WEB, 8000, "TCP"),
    "a visitor with IPv6": (Peer(None, ip="2001:db8::7"), WEB, 8000, "TCP"),
    "a pod of another namespace": (FOREIGN, WEB, 8000, "TCP"),
    "a pod of the ingress controller": (Peer({}, "ingress-nginx"), WEB, 8000, "TCP"),
    "a pod of the namespace": (UNLABELLED, WEB, 8000, "TCP"),
    "a visitor, at another port": (VISITOR, WEB, 22, "TCP"),
}
INGRESS_NGINX = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}
OUTSIDE = {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.244.0.0/16"]}}


@pytest.mark.parametrize(
    ("cluster", "variables", "callers"),
    [
        (KUBEADM, {}, {"a visitor"}),
        ({"pod_networks": ["10.244.0.0/16", "fd00:10:244::/56"]}, {}, {"a visitor", "a visitor with IPv6"}),
        (KUBEADM, {"berth_app_ingress": [INGRESS_NGINX]}, {"a pod of the ingress controller"}),
        (KUBEADM, {"berth_app_ingress": [OUTSIDE, INGRESS_NGINX]}, {"a visitor", "a pod of the ingress controller"}),
        (KUBEADM, {"berth_app_ingress": []}, set(list(WEB_FLOWS)[:4])),
        (ELSEWHERE, {}, set(list(WEB_FLOWS)[:4])),  # which network the pods have is not known
        (ELSEWHERE, {"berth_app_ingress": [INGRESS_NGINX]}, {"a pod of the ingress controller"}),
    ],
)
def test_who_calls_the_web_pods_is_the_inventorys_to_say_and_else_whoever_is_no_pod(
    cluster: Json, variables: Json, callers: set[str], analyser: Path, tmp_path: Path
) -> None:
    assert ask(analyser, render(tmp_path, cluster, **variables), WEB_FLOWS) == callers


def test_a_database_outside_the_cluster_is_reached_in_its_network_by_the_app_and_the_job_that_makes_its_role(analyser: Path, with_rds: Rendered) -> None:
    instance = Peer(None, ip="10.60.3.4")
    flows = {
        "a web pod reaches it": (WEB, instance, 5432, "TCP"),
        "the release job reaches it": (RELEASE, instance, 5432, "TCP"),
        "the job that makes the role reaches it": (Peer("login"), instance, 5432, "TCP"),
        "a web pod reaches its other ports": (WEB, instance, 22, "TCP"),
        "a web pod reaches a database elsewhere": (WEB, INTERNET, 5432, "TCP"),
        "a pod without labels reaches it": (UNLABELLED, instance, 5432, "TCP"),
    }
    assert ask(analyser, with_rds, flows) == set(list(flows)[:3])


def test_every_policy_is_in_this_table(rendered: Rendered) -> None:
    assert set(rendered.policies) == {*PURPOSE, "allow-app-egress"}
