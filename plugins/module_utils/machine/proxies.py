"""Which addresses are never accessed through a proxy: those of clusters and registries on this machine.

Programs take proxies from the environment (HTTPS_PROXY and the like), and all of them honour NO_PROXY there:
https://about.gitlab.com/blog/we-need-to-talk-no-proxy/
"""

from __future__ import annotations

import functools
import ipaddress
import socket
import struct
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import yaml

PROXIES = ("http_proxy", "https_proxy", "all_proxy")
HERE = ("localhost", "127.0.0.1", "::1")


def named(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the proxies that an environment names, by the variable's name."""
    return {name: value for name, value in environment.items() if name.lower() in PROXIES and value}


def without(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without its proxies."""
    proxies = named(environment)
    return {name: value for name, value in environment.items() if name not in proxies}


@functools.cache  # it reads this machine's certificate authorities, which takes 50 ms
def direct(*handlers: type[urllib.request.BaseHandler]) -> urllib.request.OpenerDirector:
    """Return an opener that bypasses any proxy in the environment, with additional urllib handlers."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), *handlers)


def exceptions(environment: Mapping[str, str], kubeconfigs: Iterable[Path], to_come: Iterable[str], routes: str = "/proc/net/route") -> dict[str, str]:
    """Return the variables that exempt clusters on this machine from the proxy; none if the environment names no proxy.

    Args:
        environment: The current environment.
        kubeconfigs: Those of the environments in this run; one that does not exist yet is ignored.
        to_come: Addresses of clusters that this machine will have.
        routes: The kernel's table of IPv4 routes (proc_pid_net(5)).
    """
    if not named(environment):
        return {}
    given = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    hosts = [host for host in map(server, kubeconfigs) if host and is_near(host, routes)]
    wanted = list(dict.fromkeys([*filter(None, (word.strip() for word in given.split(","))), *HERE, *to_come, *hosts]))
    return dict.fromkeys(("no_proxy", "NO_PROXY"), ",".join(wanted))


def server(kubeconfig: Path) -> str:
    """Return the host of the API server in a kubeconfig's current context; "" if that cannot be read."""
    try:
        content = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        context = next(each["context"] for each in content["contexts"] if each["name"] == content["current-context"])
        cluster = next(each["cluster"] for each in content["clusters"] if each["name"] == context["cluster"])
        return urlsplit(cluster["server"]).hostname or ""
    except (OSError, ValueError, KeyError, TypeError, StopIteration, yaml.YAMLError):
        return ""


def is_near(host: str, routes: str = "/proc/net/route") -> bool:
    """Whether an address is this machine's or in a network that the machine is attached to, so that no proxy could be on the way."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    if address.is_loopback:
        return True
    return isinstance(address, ipaddress.IPv4Address) and address.is_private and any(address in network for network in _attached(routes))


def _attached(routes: str) -> list[ipaddress.IPv4Network]:
    """Return the private networks that the machine is attached to: those that it has routes to without a gateway."""
    try:
        lines = Path(routes).read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return []
    found = []
    for _link, target, gateway, *_middle, mask in (line.split()[:8] for line in lines):
        if int(gateway, 16) == 0 and int(mask, 16):
            found.append(ipaddress.IPv4Network((_dotted(target), _dotted(mask))))
    return found


def _dotted(word: str) -> str:
    """Return an address from the table, which has the machine's own byte order, in the usual notation."""
    return socket.inet_ntoa(struct.pack("=I", int(word, 16)))


def blamed(environment: Mapping[str, str], host: str) -> str:
    """Return what to say about a proxy that blocks access to ``host``."""
    names = named(environment)
    variable = next((name for name in sorted(names, key=lambda name: name.lower() != "https_proxy")), "HTTPS_PROXY")
    return f"The proxy in {variable} does not connect to {host}. Correct it, or add {host} to NO_PROXY"
