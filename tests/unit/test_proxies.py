"""What is on this machine is never asked through a proxy, and a proxy that leads nowhere is named."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import ansible_fork
import pytest
from ansible.parsing.dataloader import DataLoader
from ansible_collections.berth.platform.plugins.callback import no_proxy
from ansible_collections.berth.platform.plugins.module_utils.kube.client import Cluster, Unreachable
from ansible_collections.berth.platform.plugins.module_utils.machine import proxies
from fake_api import Api, kubeconfig, running

HERE = "localhost,127.0.0.1,::1,10.245.0.1"
# eth0: a gateway for everything, and 192.168.1.0/24; virbr0: 192.168.49.0/24; a VPN leads to 10.8.0.0/16 by a gateway.
ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
virbr0\t0031A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
tun0\t0000080A\t0101A8C0\t0003\t0\t0\t0\t0000FFFF\t0\t0\t0
"""


@pytest.fixture
def routes(tmp_path: Path) -> str:
    """Return the machine's routes."""
    path = tmp_path / "route"
    path.write_text(ROUTES, encoding="ascii")
    return str(path)


@pytest.mark.parametrize(
    ("host", "near"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("192.168.49.2", True),
        ("192.168.1.50", True),
        ("10.8.0.7", False),  # behind a gateway, where a proxy may well be needed
        ("203.0.113.7", False),
        ("ABCDEF.gr7.eu-central-1.eks.amazonaws.com", False),
        ("", False),
    ],
)
def test_only_what_is_beside_this_machine_is_asked_without_a_proxy(host: str, near: bool, routes: str) -> None:
    assert proxies.is_near(host, routes) is near


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"NO_PROXY": "example.org"}, None),
        ({"HTTPS_PROXY": ""}, None),
        ({"HTTPS_PROXY": "http://p:3128"}, f"{HERE},192.168.49.2"),
        ({"http_proxy": "http://p:3128", "NO_PROXY": "example.org, .corp"}, f"example.org,.corp,{HERE},192.168.49.2"),
        ({"ALL_PROXY": "socks5://p", "no_proxy": "127.0.0.1"}, "127.0.0.1,localhost,::1,10.245.0.1,192.168.49.2"),
    ],
)
def test_what_the_user_excepts_stays_excepted_and_nothing_changes_without_a_proxy(
    environment: dict[str, str], expected: str | None, tmp_path: Path, routes: str
) -> None:
    path = Path(kubeconfig(tmp_path, "https://192.168.49.2:8443"))
    found = proxies.exceptions(environment, [path, tmp_path / "absent"], ["10.245.0.1"], routes)
    assert found == ({} if expected is None else {"no_proxy": expected, "NO_PROXY": expected})
    assert proxies.exceptions({**environment, **found}, [path], ["10.245.0.1"], routes) == found  # again


@pytest.mark.parametrize("content", ["", "{", "kind: Config", "contexts: [{name: a}]\ncurrent-context: a\nclusters: []", "\x00"])
def test_a_kubeconfig_that_leads_nowhere_names_no_host(content: str, tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text(content)
    assert proxies.server(tmp_path / "kubeconfig") == ""


def test_kubeadm_gets_no_proxies() -> None:
    environment = {"PATH": "/bin", "https_proxy": "http://p", "HTTP_PROXY": "http://p", "ALL_PROXY": "socks5://p", "NO_PROXY": "x"}
    assert proxies.without(environment) == {"PATH": "/bin", "NO_PROXY": "x"}


def test_a_proxy_that_leads_to_no_cluster_is_named_and_not_the_cluster_blamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # where nothing listens
    monkeypatch.setenv("no_proxy", "")
    cluster = Cluster(kubeconfig(tmp_path, "https://cluster.example:6443"), None)
    words = r"The proxy in HTTPS_PROXY does not connect to cluster\.example\. Correct it, or add cluster\.example to NO_PROXY"
    with pytest.raises(Unreachable, match=words):
        cluster.version()


def test_a_cluster_on_this_machine_answers_below_a_proxy_that_does_not(tmp_path: Path) -> None:
    """In a playbook, as a user runs it: modules of other collections and commands are kept from the proxy as well."""
    play = tmp_path / "play.yml"
    play.write_text(
        """
- hosts: berth
  gather_facts: false
  tasks:
    - berth.platform.k8s_objects_info: {kubeconfig: "{{ berth_kubeconfig }}", namespace: polls-dev, kinds: [Deployment]}
    - ansible.builtin.command: printenv NO_PROXY
""",
        encoding="utf-8",
    )
    dev = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "berth_kubeconfig": "{{ inventory_dir }}/kubeconfig"}
    (tmp_path / "hosts.yml").write_text(json.dumps({"berth": {"hosts": {"dev": dev}}}), encoding="utf-8")
    project = Path(__file__).resolve().parents[2]
    with running(Api()) as api:
        kubeconfig(tmp_path, api.url)
        api.answers["/apis/apps/v1/namespaces/polls-dev/deployments"] = (200, {"items": []})
        environment = {name: value for name, value in os.environ.items() if name.lower() != "no_proxy"}
        environment |= {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
        command = ["ansible-playbook", "-v", "-i", str(tmp_path / "hosts.yml"), str(play)]
        ran = ansible_fork.run(command, cwd=project, env=environment)
    assert ran.returncode == 0, ran.stdout
    assert "localhost,127.0.0.1" in ran.stdout


def test_the_variables_of_the_environments_are_computed_once_a_play(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is half of what the callback takes."""
    asked: list[object] = []
    found = {"dev": {"berth_kubeconfig": "/dev/null", "berth_node_address": "10.1.0.1"}, "broken": {"berth_kubeconfig": "{{ nobody_sets_this }}"}}
    monkeypatch.setattr(no_proxy.run, "variables", lambda play: asked.append(play) or found)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")
    play = SimpleNamespace(get_loader=DataLoader)
    no_proxy.CallbackModule().v2_playbook_on_play_start(play)
    assert asked == [play]
    assert {"10.1.0.1", no_proxy.NODE} <= set(os.environ["NO_PROXY"].split(","))
