"""What in this machine's network would conflict with a new cluster. Everything here only reads."""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

BRIDGE = "berth-pods"
OWN_LINKS = "berth-"
# In a network as large as this, such as 10.0.0.0/8 behind a VPN, a cluster hides a part that may be unused; a smaller network is surely in use.
LARGE = 16
LEAST = 8  # a VPN may write the default route as two halves
KINDS = {"local": "address", "nameserver": "name server"}
FREE = {
    "berth_pod_network": ("10.244.0.0/16", "10.217.0.0/16", "172.28.0.0/16", "192.168.128.0/18", "100.64.0.0/16", "198.18.0.0/16"),
    "berth_service_network": ("10.96.0.0/16", "10.218.0.0/16", "172.29.0.0/16", "192.168.192.0/20", "100.65.0.0/16", "198.19.0.0/16"),
    "berth_node_address": ("10.245.0.1/32", "10.219.0.1/32", "172.30.0.1/32", "192.168.224.1/32", "100.66.0.1/32", "198.18.255.1/32"),
}
USES = {"berth_pod_network": "pods", "berth_service_network": "services", "berth_node_address": "the node"}

ETC_RESOLV = Path("/etc/resolv.conf")
# The name servers that systemd-resolved asks, if /etc/resolv.conf points to it at 127.0.0.53 (systemd-resolved.service(8)).
RESOLVED = Path("/run/systemd/resolve/resolv.conf")


@dataclass(frozen=True)
class Clash:
    """A range of the cluster's that this machine already uses; ``certain`` if it surely does not work, otherwise one only hides the other."""

    variable: str
    text: str
    certain: bool


# --- Ranges ----------------------------------------------------------------------------------------------------------


def routes() -> list[dict[str, Any]]:
    """Return the machine's IPv4 routes in all tables, as ``ip -json route`` prints them; its own addresses have the type local."""
    if not shutil.which("ip"):  # such as on a machine that has little but its default route
        return []
    done = subprocess.run(["ip", "-4", "-json", "route", "show", "table", "all"], capture_output=True, text=True, check=False)
    return json.loads(done.stdout or "[]") if done.returncode == 0 else []


def ranges(pods: str, services: str, node: str) -> dict[str, IPv4Network]:
    """Return a cluster's ranges by the variables that set them."""
    return {"berth_pod_network": IPv4Network(pods), "berth_service_network": IPv4Network(services), "berth_node_address": IPv4Network(node)}


def overlapping(wanted: Mapping[str, IPv4Network]) -> list[tuple[str, str]]:
    """Return the pairs of variables whose ranges overlap."""
    pairs = itertools.combinations(wanted.items(), 2)
    return [(name, f"{other_network} ({other})") for (other, other_network), (name, network) in pairs if network.overlaps(other_network)]


def clashes(wanted: Mapping[str, IPv4Network], known: Iterable[Mapping[str, Any]]) -> list[Clash]:
    """Return where the ``wanted`` ranges overlap with a route or an address of the machine, each with a free range.

    Args:
        wanted: The cluster's ranges, as ``ranges`` returns them.
        known: The machine's routes, as ``routes`` returns them.
    """
    others = [route for route in known if _is_used(route)]
    found: list[Clash] = []
    for variable, network in wanted.items():
        for route in sorted(others, key=lambda route: route.get("type") in KINDS):
            certain, what = _clash(network, route)
            device = f" on {route['dev']}" if route.get("dev") else ""
            told = any(clash.variable == variable and device and f"{device} " in clash.text for clash in found)
            if what and not told:
                shown = network.network_address if network.prefixlen == 32 else network
                verb, end = ("overlaps with", "") if certain else ("hides part of", ", so hosts there would be unreachable")
                way = f"set {variable} to one that is free, such as {_free(variable, wanted, others)}"
                found.append(Clash(variable, f"{shown} of {USES[variable]} {verb} {what}{device} of this machine{end}; {way}", certain))
    sure = {clash.variable for clash in found if clash.certain}
    return [clash for clash in found if clash.certain or clash.variable not in sure]


def _is_used(route: Mapping[str, Any]) -> bool:
    """Whether a route points to existing machines, or is an address of this one or of a name server."""
    return route.get("type") not in ("broadcast", "multicast", "anycast") and not str(route.get("dev", "")).startswith((OWN_LINKS, "lo"))


def _clash(network: IPv4Network, route: Mapping[str, Any]) -> tuple[bool, str]:
    """Return whether a route surely conflicts with a range, and what it is; "" if it does not conflict."""
    gateways = [hop["gateway"] for hop in (route, *route.get("nexthops", [])) if "gateway" in hop]
    if inside := [gateway for gateway in gateways if IPv4Address(gateway) in network]:
        return True, f"the gateway {inside[0]} of the route {route['dst']}"
    there = _target(route)
    if there.prefixlen < LEAST or not there.overlaps(network):
        return False, ""
    if route.get("type") in KINDS:
        return True, f"the {KINDS[route['type']]} {route['dst']}"
    return there.subnet_of(network) or (network.prefixlen == 32 and there.prefixlen >= LARGE), f"the route {route['dst']}"


def _target(route: Mapping[str, Any]) -> IPv4Network:
    return IPv4Network("0.0.0.0/0" if route["dst"] == "default" else route["dst"], strict=False)


def _free(variable: str, wanted: Mapping[str, IPv4Network], others: Sequence[Mapping[str, Any]]) -> str:
    """Return a range that neither the machine nor the cluster uses, or at least one that only hides a part of a large network."""
    rest = [network for name, network in wanted.items() if name != variable]
    apart = [one for one in map(IPv4Network, FREE[variable]) if not any(one.overlaps(network) for network in rest)]
    free = [one for one in apart if not any(_clash(one, route)[1] for route in others)]
    usable = [one for one in apart if not any(_clash(one, route)[0] for route in others)]
    return str(next(iter([*free, *usable]), "a private one of another network")).removesuffix("/32")


# --- Name servers ----------------------------------------------------------------------------------------------------


def name_servers(text: str) -> list[str]:
    """Return the name servers in a resolv.conf(5)."""
    return [words[1] for words in map(str.split, text.splitlines()) if len(words) > 1 and words[0] == "nameserver"]


def resolv_conf(root: Path = Path("/")) -> Path:
    """Return the file with the name servers that pods can ask: systemd-resolved's own, if /etc/resolv.conf points to this machine itself."""
    return RESOLVED if unusable(root, ETC_RESOLV) and not unusable(root, RESOLVED) else ETC_RESOLV


def servers(root: Path, path: Path) -> list[dict[str, Any]]:
    """Return the name servers in a file, as ``clashes`` takes them."""
    with contextlib.suppress(OSError):
        found = name_servers((root / path.relative_to("/")).read_text(encoding="utf-8", errors="replace"))
        return [{"dst": server, "type": "nameserver"} for server in found if re.fullmatch(r"[0-9.]+", server) and not _is_loopback(server)]
    return []


def unusable(root: Path, path: Path) -> str:
    """Return why pods cannot use a file's name servers, as a phrase; "" if they can.

    In a pod, 127.0.0.1 is the pod itself: CoreDNS would ask itself, and exits; without a name server it does not start.
    https://coredns.io/plugins/loop/#troubleshooting
    """
    try:
        servers = name_servers((root / path.relative_to("/")).read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        return f"{path} cannot be read ({error.strerror})"
    if not servers:
        return f"{path} has no nameserver"
    here = next((server for server in servers if _is_loopback(server)), None)
    return f"{path} has nameserver {here}, which pods cannot reach" if here else ""


def _is_loopback(server: str) -> bool:
    try:
        return ipaddress.ip_address(server.partition("%")[0]).is_loopback
    except ValueError:
        return False


# --- Firewalls that an iptables rule does not override ---------------------------------------------------------------


def firewalls(pods: str) -> list[str]:
    """Return the firewalls that would drop pods' traffic, each with the commands that allow it.

    roles/kubeadm makes the iptables rules; what another nftables table drops stays dropped (nft(8), VERDICT STATEMENTS).
    """
    return [*filter(None, [firewalld(pods)]), *dropping(_ruleset(), pods)]


def firewalld(pods: str) -> str:
    """Return the commands for firewalld, if it runs and does not trust pods."""
    if not shutil.which("firewall-cmd") or subprocess.run(["firewall-cmd", "--state"], capture_output=True, check=False).returncode:
        return ""
    zone = subprocess.run(["firewall-cmd", f"--get-zone-of-source={pods}"], capture_output=True, text=True, check=False).stdout.strip()
    way = f"firewall-cmd --permanent --zone=trusted --add-source={pods}, then firewall-cmd --reload"
    return "" if zone == "trusted" else f"firewalld drops packets from pods; run: {way}"


def _ruleset() -> list[dict[str, Any]]:
    if not shutil.which("nft"):
        return []
    done = subprocess.run(["nft", "--json", "list", "ruleset"], capture_output=True, text=True, check=False)
    return json.loads(done.stdout)["nftables"] if done.returncode == 0 and done.stdout else []


def dropping(ruleset: Iterable[Mapping[str, Any]], pods: str) -> list[str]:
    """Return a phrase for each nftables chain that drops what no rule of it accepts, and has no rule for our pods.

    Args:
        ruleset: The objects of ``nft --json list ruleset`` (libnftables-json(5)).
        pods: The pods' network.
    """
    objects = list(ruleset)
    chains = [each["chain"] for each in objects if "chain" in each]
    found = []
    for chain in chains:
        # iptables tables have our own rules; firewalld is checked separately.
        foreign = chain["family"] in ("ip", "inet") and (chain["family"], chain["table"]) != ("ip", "filter") and chain["table"] != "firewalld"
        if not (foreign and chain.get("policy") == "drop" and chain.get("hook") in ("forward", "input")):
            continue
        place = (chain["family"], chain["table"], chain["name"])
        rules = [each["rule"] for each in objects if "rule" in each and (each["rule"]["family"], each["rule"]["table"], each["rule"]["chain"]) == place]
        text = json.dumps(rules)
        if BRIDGE in text or pods.partition("/")[0] in text:
            continue
        insert = f"nft insert rule {' '.join(place)}"
        commands = [f'{insert} iifname "{BRIDGE}" accept', f'{insert} oifname "{BRIDGE}" ct state established,related accept']
        if chain["hook"] == "input":
            commands = [f'{insert} iifname "{BRIDGE}" accept']
        found.append(f"the chain {' '.join(place)} of nftables drops packets from pods; run: {'; '.join(commands)}; and add that to /etc/nftables.conf")
    return found
