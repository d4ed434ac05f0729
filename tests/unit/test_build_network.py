"""What a build reaches, and what of this machine it does not."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.image import build_network
from ansible_collections.berth.platform.plugins.module_utils.image.build_network import (
    Reach,
    Sockets,
    addresses,
    cluster_networks,
    families,
    inside,
    nameservers,
    network,
    place,
    refusal,
)
from ansible_collections.berth.platform.plugins.module_utils.image.registry import ImageError, tool
from simulated_machine import MACHINE, NEIGHBOUR, Machine

as_root = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(tool, ("ip", "iptables-restore"))), reason="Only root makes network namespaces, with iproute2 and iptables."
)


@pytest.fixture(autouse=True)
def routes(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Have a machine with the address 203.0.113.9, a bridge for containers and a way out, except for tests with one of their own."""
    if "machine" in request.fixturenames:
        return
    found = {"203.0.113.9": {"type": "local", "dev": "lo"}, "10.88.0.7": {"dev": "cni0"}, "203.0.113.255": {"type": "broadcast", "dev": "eth0"}}

    def ip(*words: str) -> list[dict[str, Any]]:
        return [found.get(words[-1], {"dev": "eth0"})]

    monkeypatch.setattr(build_network, "ip", ip)
    monkeypatch.setattr(build_network, "inside", lambda device: device == "cni0")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1", "this machine"),
        ("127.8.8.8", "this machine"),
        ("::1", "this machine"),
        ("::ffff:127.0.0.1", "this machine"),
        ("0.0.0.0", "this machine"),
        ("::", "this machine"),
        ("203.0.113.9", "this machine"),
        ("::ffff:203.0.113.9", "this machine"),
        ("203.0.113.255", "this machine"),
        ("224.0.0.251", "not a single machine"),
        ("10.88.0.7", "inside this machine"),
        ("10.96.0.1", "this machine's cluster"),
        ("::ffff:10.96.0.1", "this machine's cluster"),
        ("169.254.169.254", "a cloud"),
        ("::ffff:169.254.169.254", "a cloud"),
        ("169.254.170.2", "a cloud"),
        ("fe80::1", "a cloud"),
        ("fd00:ec2::254", "a cloud"),
        ("168.63.129.16", "a cloud"),
        ("100.100.100.200", "a cloud"),
        ("192.168.1.10", ""),
        ("10.0.0.1", ""),
        ("151.101.0.223", ""),
        ("2a04:4e42::223", ""),
    ],
)
def test_a_build_reaches_other_machines_and_no_address_that_is_this_one(address: str, reason: str) -> None:
    said = refusal(ipaddress.ip_address(address), [ipaddress.ip_network("10.96.0.0/16")])
    assert reason in said and bool(said) == bool(reason)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://localhost:3141/root/pypi/+simple/", ("localhost", 3141)),
        ("https://me:s3cret@index.example/simple", ("index.example", 443)),
        ("127.0.0.1:3128", ("127.0.0.1", 3128)),
        ("proxy.example", ("proxy.example", 80)),
        ("socks5h://[::1]", ("::1", 1080)),
        ("git+https://code.example/a", ("code.example", 443)),
        ("git+ssh://code.example:2222/a", ("code.example", 2222)),
        ("http://index.example:port/", None),
        ("http://[::1", None),
        ("file:///wheels", None),
    ],
)
def test_an_address_of_the_settings_leads_to_a_host_and_a_port(url: str, found: tuple[str, int] | None) -> None:
    assert place(url) == found


def test_the_networks_of_a_cluster_are_those_that_it_runs_with(tmp_path: Path) -> None:
    assert cluster_networks(tmp_path / "absent") == []
    (tmp_path / "kube-apiserver.yaml").write_text("    - --service-cluster-ip-range=10.7.0.0/16,fd07::/108\n")
    (tmp_path / "kube-controller-manager.yaml").write_text("    - --cluster-cidr=10.8.0.0/16\n    - --service-cluster-ip-range=10.7.0.0/16\n")
    assert {str(network) for network in cluster_networks(tmp_path)} == {"10.7.0.0/16", "fd07::/108", "10.8.0.0/16"}


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("nameserver 192.0.2.1\n  nameserver\t::1\n# nameserver 192.0.2.3\n", ["192.0.2.1", "::1"]),
        ("search example.com\n", ["127.0.0.1"]),
        (None, ["127.0.0.1"]),
    ],
)
def test_names_are_asked_for_where_the_machine_asks(tmp_path: Path, text: str | None, servers: list[str]) -> None:
    if text is not None:
        (tmp_path / "resolv.conf").write_text(text)
    assert nameservers(tmp_path / "resolv.conf") == servers


def test_a_name_of_the_loopback_leads_out_of_it_by_ipv4_alone_and_an_address_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [ipaddress.ip_address("::1"), ipaddress.ip_address("127.0.0.1")]
    monkeypatch.setattr(build_network, "addresses", lambda host, port: both if host == "localhost" else [ipaddress.ip_address(host)])
    reach = Reach([("localhost", 3141), ("::1", 3128), ("203.0.113.9", 80)])
    assert reach.forwarded(4) == [("127.0.0.1", 3141)] and reach.forwarded(6) == [("::1", 3128)]


def test_a_kernel_without_ipv6_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    def ip(*words: str) -> list[dict[str, Any]]:
        if words[0] == "-6":
            raise ImageError("Operation not supported")
        return [{"dst": "default", "dev": "eth0"}]

    monkeypatch.setattr(build_network, "ip", ip)
    assert families() == [4]


@pytest.mark.parametrize(
    ("by_4", "by_6", "found"),
    [
        (["default", "192.0.2.0/24"], ["fe80::/64"], [4]),
        (["default"], ["2001:db8::/64", "fe80::/64"], [4, 6]),
        (["192.0.2.0/24"], ["default", "fe80::/64"], [6]),
        (["192.0.2.0/24"], [], [4]),
        ([], [], []),
    ],
)
def test_a_build_has_the_families_of_addresses_by_which_the_machine_reaches_others(
    monkeypatch: pytest.MonkeyPatch, by_4: list[str], by_6: list[str], found: list[int]
) -> None:
    def ip(*words: str) -> list[dict[str, Any]]:
        return [{"dst": each, "dev": "eth0"} for each in (by_4 if words[0] == "-4" else by_6) if words[-1] in ("show", each)]

    monkeypatch.setattr(build_network, "ip", ip)
    assert families() == found


def test_a_name_that_nobody_answers_for_delays_a_build_by_seconds_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()
    monkeypatch.setattr(build_network, "LONGEST_ANSWER", 0.05)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: asked.wait() and [])
    assert addresses("index.example", 443) == []
    asked.set()


def test_of_a_build_that_tries_everything_the_first_problems_are_kept() -> None:
    reach = Reach([])
    for port in range(1, 1000):
        reach.failed(ipaddress.ip_address("203.0.113.9"), port, "refused")
    assert 1 < len(reach.problems) < 50 and "203.0.113.9:1" in reach.problems


# --- For real ------------------------------------------------------------------
@pytest.fixture
def machine() -> Iterator[Machine]:
    """Return a machine of its own."""
    with Machine() as made:
        yield made


CALL = """
import socket, sys
host, port, said = sys.argv[1], int(sys.argv[2]), b""
with socket.create_connection((host, port), timeout=10) as call:
    call.sendall(b"hello")
    call.shutdown(socket.SHUT_WR)
    while block := call.recv(99):
        said += block
print(said.decode())
"""


def called(host: str, port: int, *named: tuple[str, int]) -> str:
    """Return what a server tells a build that calls it."""
    with network(Reach(named)) as within:
        done = subprocess.run([*within, "python3", "-c", CALL, host, str(port)], capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr.strip().rpartition("\n")[2].partition(":")[0]


@as_root
def test_what_the_settings_name_is_reached_on_the_loopback_and_its_other_ports_are_not(machine: Machine) -> None:
    named, other = (machine.serve(name, "127.0.0.1") for name in ("named", "other"))
    assert machine.run(called, "127.0.0.1", named, ("localhost", named)) == "named"
    assert machine.run(called, "localhost", named, ("localhost", named)) == "named"
    assert machine.run(called, "127.0.0.1", other, ("localhost", named)) == "ConnectionRefusedError"
    assert machine.run(called, MACHINE, named, ("localhost", named)) == "ConnectionResetError"


@as_root
def test_a_connection_that_leads_nowhere_is_said(machine: Machine) -> None:
    reach = Reach([])

    def call() -> None:
        with network(reach) as within:
            subprocess.run([*within, "python3", "-c", CALL, NEIGHBOUR, "9"], capture_output=True, check=False)

    machine.run(call)
    assert reach.problems == {f"{NEIGHBOUR}:9": "Connection refused"}


@as_root
def test_a_build_has_a_loopback_of_its_own_and_the_machine_keeps_its_network_as_it_is(machine: Machine) -> None:
    def state() -> list[str]:
        asked = (["ip", "-4", "-oneline", "address"], ["ip", "-4", "route", "show", "table", "all"], ["iptables-save"], ["sysctl", "net.ipv4.ip_forward"])
        links = [name for _, name in socket.if_nameindex()]
        return [*links, *(re.sub(r"#.*", "", subprocess.run(each, capture_output=True, text=True, check=False).stdout) for each in asked)]

    def build() -> tuple[list[str], list[str], str]:
        before = state()
        with network(Reach([])) as within:
            served = "import socket as s; a = s.create_server(('127.0.0.1', 0)); s.create_connection(a.getsockname()); print('served')"
            out = subprocess.run([*within, "python3", "-c", served], capture_output=True, text=True, check=True).stdout
            during = state()
        assert state() == before
        return before, during, out

    before, during, out = machine.run(build)
    assert during == before and out == "served\n"


@as_root
def test_a_build_that_is_killed_leaves_no_namespace(tmp_path: Path) -> None:
    program = tmp_path / "build.py"
    program.write_text(
        "import os\n"
        "from ansible_collections.berth.platform.plugins.module_utils.image.build_network import Reach, network\n"
        "with network(Reach([])) as within:\n"
        "    print(os.stat(within[1].removeprefix('--net=')).st_ino, flush=True)\n"
        "    os.execvp(within[0], [*within, 'sleep', '60']) if not os.fork() else os.wait()\n"
    )
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True, start_new_session=True) as build:
        namespace = int(build.stdout.readline())  # type: ignore[union-attr]
        assert build.poll() is None
        os.killpg(build.pid, signal.SIGKILL)
        assert build.stdout.read() == ""  # type: ignore[union-attr]  # its end comes with that of the last process
    assert namespace not in namespaces()


def namespaces() -> set[int]:
    """Return the network namespaces that processes are in, and those that are kept by a mount."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/ns/net"):
        with contextlib.suppress(OSError):
            found.add(link.stat().st_ino)
    return found | {int(number) for number in re.findall(r"net:\[(\d+)\]", Path("/proc/self/mountinfo").read_text())}


@as_root
def test_a_network_that_cannot_be_made_is_refused_with_what_it_needs(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sockets, "rules", lambda self, forwarded: "*nonsense\n")
    with pytest.raises(ImageError, match=r"cannot give a build its own network \(iptables-restore: .*\).* Build as root, with CAP_SYS_ADMIN"):
        machine.run(called, NEIGHBOUR, 9)


@as_root
def test_the_networks_of_containers_are_inside_the_machine_and_its_way_out_is_not(machine: Machine) -> None:
    machine.run(machine.ip, "link add pod type veth peer name podx", "link set podx master inner", "tuntap add dev tunnel mode tun")
    found = {device: machine.run(inside, device) for device in ("lo", "inner", "pod", "out", "tunnel")}
    assert found == {"lo": True, "inner": True, "pod": True, "out": False, "tunnel": False}


@as_root
def test_ipv6_is_passed_on_too_and_what_is_this_machine_is_refused_there(machine: Machine) -> None:
    machine.run(machine.ip, "address add 2001:db8::1/64 dev out nodad")
    machine.neighbour.submit(machine.ip, "address add 2001:db8::2/64 dev in nodad").result()
    there = machine.serve("there", "2001:db8::2", there=True)
    here, named = machine.serve("here", "2001:db8::1"), machine.serve("named", "::1")
    assert machine.run(called, "2001:db8::2", there) == "there"
    assert machine.run(called, "2001:db8::1", here) == "ConnectionResetError"
    assert machine.run(called, "::1", named, ("::1", named)) == "named"
