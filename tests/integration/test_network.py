"""What of a machine's network is in the way of a cluster: ranges that are used, name servers that pods do not reach, firewalls."""

from __future__ import annotations

import os
import shutil
import subprocess
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import jinja2
import pytest
from ansible_collections.berth.platform.plugins.module_utils import formats
from ansible_collections.berth.platform.plugins.module_utils.machine import network
from ansible_collections.berth.platform.plugins.plugin_utils.inventory import variables

PROJECT = Path(__file__).resolve().parents[2]
DEFAULT = network.ranges("10.244.0.0/16", "10.96.0.0/16", "10.245.0.1")
PODS, SERVICES, NODE = network.USES
# As ip -4 -json route show table all prints them on a machine that nothing is wrong with, and which has a cluster already.
ORDINARY: list[dict[str, Any]] = [
    {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0", "flags": []},
    {"dst": "192.0.2.0/24", "dev": "eth0", "protocol": "kernel", "scope": "link", "prefsrc": "192.0.2.2", "flags": []},
    {"dst": "172.17.0.0/16", "dev": "docker0", "protocol": "kernel", "scope": "link", "prefsrc": "172.17.0.1", "flags": ["linkdown"]},
    {"dst": "10.244.0.0/16", "dev": "berth-pods", "protocol": "kernel", "scope": "link", "prefsrc": "10.244.0.1", "flags": []},
    {"type": "local", "dst": "10.245.0.1", "dev": "berth-node", "table": "local", "scope": "host", "flags": []},
    {"type": "local", "dst": "127.0.0.0/8", "dev": "lo", "table": "local", "scope": "host", "flags": []},
    {"type": "local", "dst": "192.0.2.2", "dev": "eth0", "table": "local", "scope": "host", "flags": []},
    {"type": "broadcast", "dst": "192.0.2.255", "dev": "eth0", "table": "local", "scope": "link", "flags": []},
]


def route(dst: str, dev: str = "tun0", **more: Any) -> dict[str, Any]:
    """Return a route as ip prints it."""
    return {"dst": dst, "dev": dev, "flags": [], **more}


# --- Ranges -----------------------------------------------------------------------------------------------------------
CERTAIN = [
    (PODS, route("10.244.0.0/16"), "10.244.0.0/16 of pods overlaps with the route 10.244.0.0/16 on tun0"),
    (PODS, route("10.244.7.0/24", "wlan0"), "the route 10.244.7.0/24 on wlan0"),
    (PODS, route("10.244.7.9", "wg0", table="51820"), "the route 10.244.7.9 on wg0"),
    (PODS, route("10.244.7.9", "eth0", type="local", table="local"), "the address 10.244.7.9 on eth0"),
    (PODS, {"dst": "10.244.0.53", "type": "nameserver"}, "the name server 10.244.0.53 of this machine"),
    (PODS, route("default", "eth0", gateway="10.244.0.1"), "the gateway 10.244.0.1 of the route default on eth0"),
    (PODS, route("198.51.100.0/24", "eth1", nexthops=[{"gateway": "192.0.2.7"}, {"gateway": "10.244.9.9"}]), "the gateway 10.244.9.9 of the route"),
    (PODS, {"type": "unreachable", "dst": "10.244.8.0/22", "flags": []}, "the route 10.244.8.0/22 of this machine"),
    (SERVICES, route("10.96.0.0/16"), "10.96.0.0/16 of services overlaps with the route 10.96.0.0/16 on tun0"),
    (SERVICES, route("10.96.0.10", "vpn1"), "the route 10.96.0.10 on vpn1"),
    (NODE, route("10.245.0.0/24", "eth1"), "10.245.0.1 of the node overlaps with the route 10.245.0.0/24 on eth1"),
    (NODE, route("10.245.0.0/16", "eth1"), "the route 10.245.0.0/16 on eth1"),
    (NODE, route("10.245.0.1", "eth1", type="local"), "the address 10.245.0.1 on eth1"),
]
HIDDEN = [
    ((PODS, SERVICES, NODE), route("10.0.0.0/8")),
    ((PODS, NODE), route("10.240.0.0/12")),
    ((SERVICES,), route("10.96.0.0/12", "wg0")),
]


@pytest.mark.parametrize(("variable", "clash", "text"), CERTAIN)
def test_what_the_machine_uses_is_named_with_its_device_and_a_range_that_is_free(variable: str, clash: dict[str, Any], text: str) -> None:
    known = [*ORDINARY, clash]
    (found,) = network.clashes(DEFAULT, known)
    assert (found.variable, found.certain) == (variable, True)
    assert text in found.text
    better = found.text.partition(f"set {variable} to one that is free, such as ")[2]
    assert network.clashes(DEFAULT | {variable: IPv4Network(better)}, known) == []
    assert variables.FORMATS[variable](better) == ""


@pytest.mark.parametrize(("hidden", "large"), HIDDEN)
def test_of_a_large_network_only_a_part_is_hidden(hidden: tuple[str, ...], large: dict[str, Any]) -> None:
    found = network.clashes(DEFAULT, [*ORDINARY, large])
    assert [(clash.variable, clash.certain) for clash in found] == [(variable, False) for variable in hidden]
    assert all(f"hides part of the route {large['dst']} on {large['dev']}" in clash.text for clash in found)


def test_an_interface_and_its_address_are_told_once_and_of_two_the_surer() -> None:
    known = [*ORDINARY, route("10.0.0.0/8", "vpn"), route("10.244.7.0/24", "lan"), route("10.244.7.1", "lan", type="local")]
    assert [clash.text.split(" on ")[1].split()[0] for clash in network.clashes(DEFAULT, known) if clash.variable == PODS] == ["lan"]


@pytest.mark.parametrize(
    "other",
    [
        [],
        [route("192.168.0.0/16"), route("172.16.0.0/12"), route("10.243.0.0/16"), route("10.97.0.0/16"), route("10.246.0.0/16")],
        [route("0.0.0.0/1", gateway="10.8.0.1"), route("128.0.0.0/1", gateway="10.8.0.1")],  # all of it through a VPN
        [route("10.244.0.0/24", "berth-pods"), route("10.244.0.255", "eth0", type="broadcast")],
        [{"dst": "192.0.2.53", "type": "nameserver"}],
    ],
)
def test_what_leads_elsewhere_is_no_clash(other: list[dict[str, Any]]) -> None:
    assert network.clashes(DEFAULT, [*ORDINARY, *other]) == []


def test_the_machines_own_routes_can_be_read() -> None:
    assert all("dst" in one for one in network.routes())
    network.clashes(DEFAULT, network.routes())


def test_ranges_that_overlap_with_one_another_are_told() -> None:
    wanted = network.ranges("10.96.0.0/12", "10.96.0.0/16", "10.97.0.1")
    assert network.overlapping(wanted) == [
        ("berth_service_network", "10.96.0.0/12 (berth_pod_network)"),
        ("berth_node_address", "10.96.0.0/12 (berth_pod_network)"),
    ]
    assert network.overlapping(DEFAULT) == []


@pytest.mark.parametrize(
    ("variable", "value", "text"),
    [
        (PODS, "10.244.0.0/25", "a /25 is too small; use one from /8 to /24"),
        (PODS, "10.0.0.0/7", "a /7 is too large"),
        (PODS, "10.244.1.0/16", "has host bits set"),
        (PODS, "fd00::/48", "write it like 172.28.0.0/16"),
        (PODS, "10.244.0.0", "a /32 is too small"),
        (PODS, "127.0.0.0/16", "127.0.0.0 cannot be an interface's address"),
        (PODS, "224.0.0.0/8", "cannot be an interface's address"),
        (SERVICES, "10.0.0.0/8", "a /8 is too large; use one from /12 to /28"),
        (SERVICES, "10.96.0.0/29", "a /29 is too small"),
        (SERVICES, "169.254.0.0/16", "cannot be an interface's address"),
        (NODE, "10.245.0.1/24", "is not an IPv4 address"),
        (NODE, "127.0.0.1", "cannot be an interface's address"),
        (NODE, "node", "is not an IPv4 address"),
        ("berth_resolv_conf", "resolv.conf", "is not an absolute path"),
    ],
)
def test_what_no_cluster_can_have_is_refused(variable: str, value: str, text: str) -> None:
    assert text in variables.FORMATS[variable](value)


@pytest.mark.parametrize(
    ("variable", "value"), [(PODS, "10.0.0.0/8"), (PODS, "10.1.2.0/24"), (SERVICES, "10.96.0.0/12"), (SERVICES, "10.96.0.0/28"), (NODE, "192.168.3.4")]
)
def test_what_kubeadm_takes_is_taken(variable: str, value: str) -> None:
    assert variables.FORMATS[variable](value) == ""


def test_a_table_of_free_ranges_has_only_such_as_can_be_taken() -> None:
    for variable, candidates in network.FREE.items():
        for candidate in candidates:
            assert variables.FORMATS[variable](candidate.removesuffix("/32")) == "", candidate
    assert formats.node_address("198.18.255.1") == ""


# --- Name servers -----------------------------------------------------------------------------------------------------
HERE = "which pods cannot reach"


@pytest.mark.parametrize(
    ("etc", "resolved", "path", "wrong"),
    [
        ("nameserver 192.0.2.53\n", None, "/etc/resolv.conf", ""),
        ("# nameserver 127.0.0.1\nsearch lan\nnameserver\t192.0.2.53 \n", None, "/etc/resolv.conf", ""),
        ("nameserver 2001:db8::53\n", None, "/etc/resolv.conf", ""),
        ("nameserver 192.0.2.53\n", "nameserver 192.0.2.54\n", "/etc/resolv.conf", ""),
        ("nameserver 127.0.0.53\noptions edns0\n", "nameserver 192.0.2.54\n", "/run/systemd/resolve/resolv.conf", ""),
        (None, "nameserver 192.0.2.54\n", "/run/systemd/resolve/resolv.conf", ""),
        ("nameserver 127.0.0.53\n", None, "/etc/resolv.conf", f"/etc/resolv.conf has nameserver 127.0.0.53, {HERE}"),
        ("nameserver 127.0.0.53\n", "nameserver 127.0.0.1\n", "/etc/resolv.conf", f"nameserver 127.0.0.53, {HERE}"),
        ("nameserver 127.0.0.1\n", None, "/etc/resolv.conf", f"nameserver 127.0.0.1, {HERE}"),
        ("nameserver 192.0.2.53\nnameserver 127.0.1.1\n", None, "/etc/resolv.conf", f"nameserver 127.0.1.1, {HERE}"),
        ("nameserver ::1\n", None, "/etc/resolv.conf", f"nameserver ::1, {HERE}"),
        ("search lan\n", None, "/etc/resolv.conf", "/etc/resolv.conf has no nameserver"),
        ("", "", "/etc/resolv.conf", "/etc/resolv.conf has no nameserver"),
        (None, None, "/etc/resolv.conf", "/etc/resolv.conf cannot be read (No such file or directory)"),
    ],
)
def test_pods_get_name_servers_that_they_reach_or_it_is_said_that_there_are_none(
    tmp_path: Path, etc: str | None, resolved: str | None, path: str, wrong: str
) -> None:
    for name, text in (("etc", etc), ("run/systemd/resolve", resolved)):
        (tmp_path / name).mkdir(parents=True)
        if text is not None:
            (tmp_path / name / "resolv.conf").write_text(text, encoding="utf-8")
    found = network.resolv_conf(tmp_path)
    assert str(found) == path
    assert wrong in network.unusable(tmp_path, found) and bool(wrong) == bool(network.unusable(tmp_path, found))


def test_a_name_server_in_a_range_of_the_clusters_is_found(tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 10.96.0.53\nnameserver ::1\nnameserver 127.0.0.1\n", encoding="utf-8")
    servers = network.servers(tmp_path, Path("/resolv.conf"))
    assert [clash.variable for clash in network.clashes(DEFAULT, servers)] == [SERVICES]


# --- Firewalls --------------------------------------------------------------------------------------------------------
def chain(name: str, hook: str, policy: str = "drop", family: str = "inet", table: str = "filter") -> dict[str, Any]:
    """Return a base chain as nft --json prints it."""
    return {"chain": {"family": family, "table": table, "name": name, "handle": 1, "type": "filter", "hook": hook, "prio": 0, "policy": policy}}


def rule(name: str, text: str, family: str = "inet", table: str = "filter") -> dict[str, Any]:
    """Return a rule that says something of an interface."""
    match = {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": text}}
    return {"rule": {"family": family, "table": table, "chain": name, "handle": 2, "expr": [match, {"accept": None}]}}


@pytest.mark.parametrize(
    ("ruleset", "told"),
    [
        ([chain("forward", "forward")], ["inet filter forward"]),
        ([chain("FWD", "forward", family="ip", table="mine")], ["ip mine FWD"]),
        ([chain("input", "input")], ["inet filter input"]),
        ([chain("forward", "forward"), chain("input", "input")], ["inet filter forward", "inet filter input"]),
        ([chain("forward", "forward"), rule("forward", "eth0")], ["inet filter forward"]),
        ([chain("forward", "forward"), rule("forward", "berth-pods")], []),
        ([chain("forward", "forward"), rule("forward", "10.244.0.0")], []),
        ([chain("forward", "forward"), rule("input", "berth-pods")], ["inet filter forward"]),
        ([chain("forward", "forward", policy="accept")], []),
        ([chain("output", "output")], []),
        ([chain("FORWARD", "forward", family="ip")], []),  # of iptables, where node-up has rules
        ([chain("filter_FORWARD", "forward", table="firewalld")], []),
        ([chain("forward", "forward", family="ip6", table="x"), chain("forward", "forward", family="bridge", table="x")], []),
        ([{"chain": {"family": "inet", "table": "filter", "name": "mine", "handle": 3}}, {"metainfo": {"version": "1.0.6"}}], []),
        ([], []),
    ],
)
def test_a_chain_that_drops_what_pods_send_is_told_with_the_rules_that_let_it_through(ruleset: list[dict[str, Any]], told: list[str]) -> None:
    found = network.dropping(ruleset, "10.244.0.0/16")
    assert [text.split(" of nftables")[0].removeprefix("the chain ") for text in found] == told
    for text, place in zip(found, told, strict=True):
        assert f'nft insert rule {place} iifname "berth-pods" accept' in text


@pytest.mark.parametrize(("state", "zone", "told"), [(0, "", True), (0, "public", True), (0, "trusted", False), (252, "", False)])
def test_a_firewalld_that_runs_has_to_trust_pods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: int, zone: str, told: bool) -> None:
    program = tmp_path / "firewall-cmd"
    program.write_text(f'#!/bin/sh\n[ "$1" != --state ] || exit {state}\n[ "$1" = --get-zone-of-source=10.244.0.0/16 ] && echo {zone}\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    found = network.firewalld("10.244.0.0/16")
    assert bool(found) == told
    assert not told or "firewall-cmd --permanent --zone=trusted --add-source=10.244.0.0/16, then firewall-cmd --reload" in found


# A machine with two pods on the cluster's bridge, one host beyond another bridge, and a program on each that answers.
MACHINE = """
mount -t tmpfs none /run/netns; mount -t sysfs none /sys
ip link set lo up
for bridge in "berth-pods 10.244.0.1/16" "beyond 192.0.2.1/24"; do
    set -- $bridge; ip link add $1 type bridge; ip address add $2 dev $1; ip link set $1 up
done
machine() {
    ip netns add $1; ip link add v$1 type veth peer name eth0 netns $1; ip link set v$1 master $3 up
    ip -n $1 address add $2 dev eth0; ip -n $1 link set eth0 up; ip -n $1 route add default via $4
}
machine one 10.244.0.2/16 berth-pods 10.244.0.1; machine two 10.244.0.3/16 berth-pods 10.244.0.1; machine far 192.0.2.9/24 beyond 192.0.2.1
echo 1 >/proc/sys/net/ipv4/ip_forward
[ ! -e /proc/sys/net/bridge ] || echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
answer() { "$@" "$python" -m http.server 8000 --directory / >/dev/null 2>&1 & pids="$pids $!"; }
pids=
answer; answer ip netns exec two; answer ip netns exec far
trap 'kill $pids' EXIT
# As long as they start, or for ever, nobody answers.
call() { from=$1; shift; "$@" "$python" -c "
import socket, sys, time
end = time.monotonic() + float(sys.argv[2])
while True:
    try:
        socket.create_connection((sys.argv[1], 8000), 0.3).close(); sys.exit(0)
    except ConnectionRefusedError: time.sleep(0.05)
    except OSError: pass
    if time.monotonic() > end: sys.exit(1)
" "$from" "$seconds"; }
# From one pod to the other, to beyond, to the node; and from the machine itself to a pod.
all() {
    for target in 10.244.0.3 192.0.2.9 10.245.0.1; do call $target ip netns exec one && echo "$1 pod $target"; done
    call 10.244.0.3 env && echo "$1 machine 10.244.0.3"
}
"""


needs_root = pytest.mark.skipif(os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "ip", "iptables"))), reason="needs root, iproute2 and iptables")


def node_up(directory: Path) -> Path:
    """Write what prepares the machine."""
    text = (PROJECT / "roles/kubeadm/templates/node-up.j2").read_text(encoding="utf-8")
    values = {"kubeadm_address": "10.245.0.1", "kubeadm_pod_subnet": "10.244.0.0/16", "kubeadm_service_subnet": "10.96.0.0/16"}
    (directory / "node-up").write_text(jinja2.Template(text).render(__kubeadm_directory=directory, **values), encoding="utf-8")
    return directory / "node-up"


def on_a_machine(steps: str) -> subprocess.CompletedProcess[str]:
    """Run commands on MACHINE."""
    command = ["unshare", "--net", "--mount", "sh", "-c", MACHINE + steps]
    environment = os.environ | {"python": shutil.which("python3") or "python3"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


@needs_root
@pytest.mark.parametrize("chain", ["FORWARD", "INPUT"])
def test_pods_reach_all_that_they_need_on_a_machine_that_drops_what_it_does_not_know(tmp_path: Path, chain: str) -> None:
    up = node_up(tmp_path)
    steps = f"""
iptables -P {chain} DROP; iptables -A INPUT -i lo -j ACCEPT
ip link add berth-node type bridge; ip address add 10.245.0.1/32 dev berth-node; ip link set berth-node up
seconds=0.5; all before
sh {up}; sh {up}
seconds=20; all after
iptables-save | grep -c berth-pods
"""
    done = on_a_machine(steps)
    lines = done.stdout.split("\n")
    missing = {"FORWARD": {"pod 10.244.0.3", "pod 192.0.2.9"}, "INPUT": {"pod 10.245.0.1", "machine 10.244.0.3"}}[chain]
    everything = {"pod 10.244.0.3", "pod 192.0.2.9", "pod 10.245.0.1", "machine 10.244.0.3"}
    before, after = ({line.partition(" ")[2] for line in lines if line.startswith(when)} for when in ("before", "after"))
    assert before.isdisjoint(missing), done.stderr
    assert after == everything, done.stderr
    assert lines[-2] == "4", "each rule is there once"


@needs_root
def test_a_neighbour_reaches_the_machines_own_services_but_nothing_of_the_cluster(tmp_path: Path) -> None:
    # The node, a pod, a service, what listens on the machine's own 127.0.0.1, and a host that only this machine reaches.
    targets = "10.245.0.1 10.244.0.3 10.96.0.10 127.0.0.1 198.51.100.9 192.0.2.1"
    steps = f"""
ip link add berth-node type bridge; ip address add 10.245.0.1/32 dev berth-node; ip link set berth-node up
ip link add behind type bridge; ip address add 198.51.100.1/24 dev behind; ip link set behind up
machine hidden 198.51.100.9/24 behind 198.51.100.1; answer ip netns exec hidden
iptables --table nat --append PREROUTING --destination 10.96.0.10 --protocol tcp --jump DNAT --to-destination 10.244.0.3
ip route add default via 192.0.2.9
echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet
ip netns exec far sh -c 'echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet; ip route add 127.0.0.0/8 via 192.0.2.1'
reach() {{ for target in {targets}; do call $target ip netns exec far && echo "$1 $target"; done; }}
seconds=2; reach before
echo 0 >/proc/sys/net/ipv4/ip_forward
sh {node_up(tmp_path)}; sh {tmp_path}/node-up
seconds=1; reach after
call 192.0.2.9 ip netns exec one && echo pods reach the neighbour
iptables-save | grep -c -e "-j BERTH-"
"""
    done = on_a_machine(steps)
    reached = {when: {line.split()[1] for line in done.stdout.splitlines() if line.startswith(when)} for when in ("before", "after")}
    assert reached["before"] == set(targets.split()), done.stderr
    assert reached["after"] == {"192.0.2.1"}, done.stderr
    assert (tmp_path / "volumes").stat().st_mode & 0o777 == 0o700, "nor do other users of the machine reach what a database keeps"
    assert done.stdout.endswith("pods reach the neighbour\n2\n"), done.stdout + done.stderr
