"""A network for the commands of a build: they can reach other machines, but nothing on this one.

A build runs code that is not ours: a dependency's hook may connect to anything. So the build gets a network namespace with its own loopback and
no link to the outside. The namespace's packet filter redirects each TCP connection and each DNS query to a relay in this process, which connects
from this machine unless the target is this machine. Nothing outside the namespace changes. It has no name, and the kernel removes it with its
last process, so a killed build leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ipaddress
import json
import os
import re
import socket
import struct
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .registry import ImageError, tool

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Place = tuple[str, int]  # a host or an address, and a port

# Clouds' metadata services, which also hand out credentials, at addresses that are not link-local.
METADATA = {
    ipaddress.ip_address("fd00:ec2::254"),  # docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
    ipaddress.ip_address("fd20:ce::254"),  # cloud.google.com/compute/docs/metadata/querying-metadata
    ipaddress.ip_address("fd00:c1::a9fe:a9fe"),  # docs.oracle.com/en-us/iaas/Content/Compute/Tasks/gettingmetadata.htm
    ipaddress.ip_address("168.63.129.16"),  # learn.microsoft.com/en-us/azure/virtual-network/what-is-ip-address-168-63-129-16
    ipaddress.ip_address("100.100.100.200"),  # alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata
}
# The namespace's own addresses, because programs look for one that is not loopback before they look up names: RFC 7335 and RFC 4193.
OWN = {4: "192.0.0.2", 6: "fd62:6572:7468::2"}
LOOPBACK = {4: "127.0.0.1", 6: "::1"}
LOOPBACKS = {4: "127.0.0.0/8", 6: "::1/128"}
PORTS = {"http": 80, "https": 443, "ftp": 21, "socks5": 1080, "socks5h": 1080, "socks4": 1080, "socks4a": 1080}
# Where the packet filter keeps a connection's original target (linux/netfilter_ipv4.h, netfilter_ipv6/ip6_tables.h).
ORIGINAL_DESTINATION = 80
LONGEST_CONNECT, LONGEST_ANSWER = 30.0, 3.0  # seconds
MOST_PROBLEMS = 20
# Kinds of devices whose other end is on this machine.
VIRTUAL = {"dummy", "ifb", "netkit", "veth"}
MANIFESTS = Path("/etc/kubernetes/manifests")


# --- What may be reached -----------------------------------------------------
def place(url: str) -> Place | None:
    """Return the host and port of a proxy's or an index's address, None if it is not an address.

    >>> place("http://me:secret@127.0.0.1:3128/")
    ('127.0.0.1', 3128)
    """
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        return (parts.hostname, parts.port or PORTS.get(parts.scheme.rpartition("+")[2], 443)) if parts.hostname else None
    except ValueError:
        return None


def addresses(host: str, port: int) -> list[Address]:
    """Return the addresses of a host, none if it cannot be resolved within a few seconds."""
    found: list[Address] = []

    def look_up() -> None:
        with contextlib.suppress(OSError, UnicodeError, ValueError):
            found.extend(ipaddress.ip_address(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))

    # A name look-up has no timeout, so it runs in a thread that may be left behind.
    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(LONGEST_ANSWER)
    return list(dict.fromkeys(found))


def cluster_networks(manifests: Path = MANIFESTS) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Return the networks of the pods and services of a cluster on this machine, which its packet filter routes to the cluster."""
    found = []
    for file in sorted(manifests.glob("*.y*ml")):
        for value in re.findall(r"--(?:service-cluster-ip-range|cluster-cidr)=([0-9a-fA-F:.,/]+)", file.read_text(encoding="utf-8", errors="replace")):
            found += [ipaddress.ip_network(network, strict=False) for network in value.split(",") if network]
    return found


def ip(*words: str) -> list[dict[str, Any]]:
    """Return what ip(8) prints.

    Raises:
        ImageError: It is missing or fails; the text is its reason.
    """
    try:
        done = subprocess.run([tool("ip") or "ip", "-json", *words], capture_output=True, text=True, check=False)
    except OSError as error:
        raise ImageError(f"ip: {error.strerror}") from error
    if done.returncode:
        raise ImageError(done.stderr.strip().removeprefix("RTNETLINK answers: ") or "ip failed")
    return [each for each in json.loads(done.stdout or "[]") if each]


def routes(family: int, *which: str) -> list[dict[str, Any]]:
    """Return this machine's routes of an address family, none if its kernel does not support the family."""
    try:
        return ip(f"-{family}", "route", "show", *which)
    except ImageError:
        return []


def inside(device: str) -> bool:
    """Whether a network device has only this machine's containers and virtual machines behind it."""
    if any(route.get("dev") == device for family in (4, 6) for route in routes(family, "default")):
        return False
    [found] = map(kind, ip("-details", "link", "show", "dev", device))
    if found == "bridge":
        return all(kind(port) in {*VIRTUAL, "tun"} for port in ip("-details", "link", "show", "master", device))
    return device == "lo" or found in VIRTUAL


def kind(link: dict[str, Any]) -> str:
    """Return what kind of device a link is (ip-link(8), "TYPE"), "" for a hardware device."""
    return link.get("linkinfo", {}).get("info_kind", "")


def refusal(address: Address, networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> str:
    """Return why a build may not reach an address, "" if it may; ``networks`` are those of the cluster on this machine.

    Raises:
        ImageError: There is no route to it.
    """
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    if address.is_link_local or address in METADATA:
        return "it is a cloud's metadata service, which knows this machine's secrets"
    if address.is_loopback or address.is_unspecified:
        return "it is this machine"
    if address.is_multicast or any(address in network for network in networks):
        return "it is part of this machine's cluster" if not address.is_multicast else "it is not a single machine"
    [route] = ip("route", "get", str(address))
    if route.get("type", "unicast") != "unicast":
        return "it is this machine"
    return "it is in a network inside this machine" if inside(str(route.get("dev"))) else ""


@dataclass
class Reach:
    """What a build may reach.

    Args:
        named: What this machine's settings name for builds, such as its proxy and index. It is reachable wherever it is.
    """

    named: Iterable[Place]
    problems: dict[str, str] = field(default_factory=dict)  # what a build could not reach, and why
    allowed: set[tuple[Address, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.networks = cluster_networks()
        self.refused = functools.cache(lambda address: refusal(address, self.networks))
        for host, port in dict.fromkeys(self.named):
            self.allowed |= {(address, port) for address in addresses(host, port)}

    def forwarded(self, family: int) -> list[tuple[str, int]]:
        """Return the loopback addresses that are forwarded to this machine's. Names use IPv4 only, because no program tries another family after an answer."""
        both = {port for address, port in self.allowed if address.is_loopback and address.version == 4}
        return sorted(
            (str(address), port) for address, port in self.allowed if address.is_loopback and address.version == family and (family == 4 or port not in both)
        )

    def failed(self, address: Address, port: int, reason: str) -> None:
        """Record a target that a build failed to reach. If it tries several, the first is enough."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.setdefault(f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}", reason)

    async def connect(self, address: Address, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the target that a build asks for.

        Raises:
            ImageError: It is refused.
            OSError: It does not answer.
        """
        if (address, port) not in self.allowed and (reason := self.refused(address)):
            raise ImageError(f"refused, because {reason}")
        async with asyncio.timeout(LONGEST_CONNECT):
            return await asyncio.open_connection(str(address), port)


def nameservers(file: Path = Path("/etc/resolv.conf")) -> list[str]:
    """Return this machine's name servers (resolv.conf(5))."""
    try:
        found = re.findall(r"^\s*nameserver\s+(\S+)", file.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    except OSError:
        found = []
    return found or ["127.0.0.1"]


# --- The namespace -------------------------------------------------------------
@dataclass
class Sockets:
    """The sockets that listen in a namespace for one address family, 4 or 6: for connections, and for DNS queries."""

    family: int
    tcp: socket.socket
    udp: socket.socket

    @classmethod
    def here(cls, family: int) -> Sockets:
        """Return them in the namespace of the calling thread."""
        kind = socket.AF_INET if family == 4 else socket.AF_INET6
        pair = [socket.socket(kind, each | socket.SOCK_NONBLOCK) for each in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
        for each in pair:
            each.bind((LOOPBACK[family], 0))
        pair[0].listen(512)
        return cls(family, *pair)

    def close(self) -> None:
        """Stop listening."""
        self.tcp.close()
        self.udp.close()

    def rules(self, forwarded: Iterable[tuple[str, int]]) -> str:
        """Return the packet filter's rules (iptables-restore(8)); ``forwarded`` are loopback addresses that are forwarded out of the namespace."""
        host = LOOPBACK[self.family] if self.family == 4 else f"[{LOOPBACK[self.family]}]"
        tcp, udp = (f"-j DNAT --to-destination {host}:{each.getsockname()[1]}" for each in (self.tcp, self.udp))
        lines = [f"-p udp --dport 53 {udp}", f"-p tcp --dport 53 {tcp}"]
        lines += [f"-d {address} -p tcp --dport {port} {tcp}" for address, port in forwarded]
        lines += [f"-d {LOOPBACKS[self.family]} -j RETURN", f"-d {OWN[self.family]} -j RETURN", f"-p tcp {tcp}"]
        return "\n".join(["*nat", *(f"-A OUTPUT {line}" for line in lines), "COMMIT", ""])

    def configure(self, forwarded: Iterable[tuple[str, int]]) -> None:
        """Redirect everything in the namespace of the calling thread to these sockets."""
        link = f"address add {OWN[self.family]}/{32 if self.family == 4 else 128} dev lo{'' if self.family == 4 else ' nodad'}\n"
        told(["ip", f"-{self.family}", "-batch", "-"], f"{link}route add local default dev lo src {OWN[self.family]}\n")
        told(["iptables-restore" if self.family == 4 else "ip6tables-restore", "--wait"], self.rules(forwarded))


def told(command: list[str], text: str) -> None:
    """Run a command that reads a text.

    Raises:
        ImageError: It is missing or fails.
    """
    try:
        done = subprocess.run([tool(command[0]) or command[0], *command[1:]], input=text, capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        raise ImageError(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        raise ImageError(f"{command[0]}: {' '.join(done.stderr.split())}")


def families() -> list[int]:
    """Return the address families by which this machine reaches others."""

    def leads_out(family: int) -> bool:
        return any(route.get("dev") != "lo" and route.get("dst") != "fe80::/64" for route in routes(family))

    default = [family for family in (4, 6) if routes(family, "default")]
    # A program that got an answer over IPv4 does not try IPv6, so on a machine without a way out the namespace has no IPv4 there either.
    return [family for family in (4, 6) if leads_out(family) and (family == 6 or family in default or not default)]


def make(reach: Reach) -> tuple[int, list[Sockets]]:
    """Put the calling thread into a namespace; return a descriptor of it, and its listening sockets.

    Raises:
        ImageError: It cannot be made; the text is the reason.
    """
    wanted = families()
    with contextlib.ExitStack() as undo:
        try:
            os.unshare(os.CLONE_NEWNET)
            told(["ip", "-batch", "-"], "link set lo up\n")
            made = []
            for family in (4, 6):
                forwarded = reach.forwarded(family)
                if family not in wanted and not forwarded:
                    continue
                try:
                    sockets = undo.enter_context(contextlib.closing(Sockets.here(family)))
                    sockets.configure(forwarded)
                    made.append(sockets)
                except (ImageError, OSError):
                    if forwarded or not made:
                        raise  # otherwise programs use IPv4
            descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise ImageError(f"a network namespace: {error.strerror}") from error
        undo.pop_all()
    return descriptor, made


# --- The relay -----------------------------------------------------------------
def asked_for(sockets: Sockets, connection: socket.socket) -> tuple[Address, int]:
    """Return the address and port that a connection of the namespace asked for."""
    if sockets.family == 4:
        port, packed = struct.unpack("!2xH4s8x", connection.getsockopt(socket.SOL_IP, ORIGINAL_DESTINATION, 16))
    else:
        port, packed = struct.unpack("!2xH4x16s4x", connection.getsockopt(socket.IPPROTO_IPV6, ORIGINAL_DESTINATION, 28))
    return ipaddress.ip_address(packed), port


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy one direction of a connection until it ends."""
    while block := await reader.read(1 << 18):
        writer.write(block)
        await writer.drain()
    writer.write_eof()


async def ask_for_name(loop: asyncio.AbstractEventLoop, question: bytes, servers: list[str]) -> bytes:
    """Return the answer of the first server that gives one, b"" if none does."""
    for server in servers:
        with contextlib.suppress(OSError, TimeoutError), socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.setblocking(False)
            await loop.sock_connect(asking, socket.getaddrinfo(server, 53, type=socket.SOCK_DGRAM)[0][4])
            await loop.sock_sendall(asking, question)
            async with asyncio.timeout(LONGEST_ANSWER):
                while (answer := await loop.sock_recv(asking, 65535))[:2] != question[:2]:
                    pass
                return answer
    return b""


class Relay:
    """Serves the sockets that listen in a namespace."""

    def __init__(self, reach: Reach, listening: list[Sockets], servers: list[str]) -> None:
        self.reach, self.listening, self.servers = reach, listening, servers
        self.tasks: set[asyncio.Task[None]] = set()

    async def connection(self, sockets: Sockets, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection; reset it if its target cannot be reached."""
        onward = None
        try:
            address, port = asked_for(sockets, writer.get_extra_info("socket"))
            try:
                there, onward = await (self.name_server() if port == 53 else self.reach.connect(address, port))
            except (ImageError, OSError, TimeoutError) as error:
                number = getattr(error, "errno", None)
                reason = os.strerror(number) if number else str(error) or f"no answer within {LONGEST_CONNECT:g} s"
                self.reach.failed(address, port, reason)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            await asyncio.gather(pass_on(reader, onward), pass_on(there, writer))
        except (OSError, asyncio.CancelledError):
            for each in filter(None, (writer, onward)):
                each.transport.abort()
        finally:
            for each in filter(None, (writer, onward)):
                each.close()

    async def name_server(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the first name server that answers."""
        for server in self.servers[:-1]:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(LONGEST_ANSWER):
                    return await asyncio.open_connection(server, 53)
        async with asyncio.timeout(LONGEST_ANSWER):
            return await asyncio.open_connection(self.servers[-1], 53)

    async def names(self, sockets: Sockets) -> None:
        """Forward DNS queries."""
        loop = asyncio.get_running_loop()

        async def answer(question: bytes, asker: tuple[str, int]) -> None:
            with contextlib.suppress(OSError):
                if found := await ask_for_name(loop, question, self.servers):
                    await loop.sock_sendto(sockets.udp, found, asker)

        while True:
            with contextlib.suppress(OSError):  # the client that asked is gone
                question, asker = await loop.sock_recvfrom(sockets.udp, 65535)
                self.start(answer(question, asker))

    def start(self, work: Awaitable[None]) -> None:
        """Run something in the background."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)  # without a reference, a task may be collected before it is done
        task.add_done_callback(self.tasks.discard)

    async def run(self, stop: asyncio.Event) -> None:
        """Answer until ``stop``."""
        for sockets in self.listening:
            await asyncio.start_server(functools.partial(self.connection, sockets), sock=sockets.tcp)
            self.start(self.names(sockets))
        await stop.wait()


@contextlib.contextmanager
def in_thread(work: Callable[[asyncio.Event], Awaitable[None]]) -> Iterator[None]:
    """Run something in a thread until the block ends."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(work(stop))  # type: ignore[arg-type]

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


@contextlib.contextmanager
def network(reach: Reach) -> Iterator[list[str]]:
    """Yield the prefix that runs a command in a network that reaches no more than ``reach``.

    Raises:
        ImageError: There is none.
    """
    try:
        # The namespace belongs to the thread and to what the thread runs.
        with ThreadPoolExecutor(max_workers=1) as maker:
            descriptor, listening = maker.submit(make, reach).result()
    except ImageError as error:
        raise ImageError(
            f"This machine cannot give a build its own network ({error}), and in this machine's network it could reach the machine's services. "
            "Build as root, with CAP_SYS_ADMIN and CAP_NET_ADMIN and the packages iproute2, iptables and util-linux, or start Docker."
        ) from error
    try:
        with in_thread(Relay(reach, listening, nameservers()).run):
            yield ["nsenter", f"--net=/proc/{os.getpid()}/fd/{descriptor}", "--"]
    finally:
        os.close(descriptor)
        for sockets in listening:
            sockets.close()
