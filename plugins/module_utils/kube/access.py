"""Where an app can be reached from this machine."""

from __future__ import annotations

import html.parser
import http.client
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Any

from ..machine import proxies
from .objects import dig

Object = Mapping[str, Any]


def is_of_this_machine(address: str) -> bool:
    """Whether one of this machine's interfaces has the address: only then can a socket be bound to it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def node_addresses(nodes: Iterable[Object]) -> list[str]:
    """Return the nodes' addresses, each once."""
    found = [each.get("address") for node in nodes for each in dig(node, "status", "addresses") or [] if each.get("type") in ("InternalIP", "ExternalIP")]
    return list(dict.fromkeys(address for address in found if address))


def candidates(service: Object, ingresses: Iterable[Object], nodes: Iterable[Object], path: str = "/") -> list[str]:
    """Return the URLs at which a Service may answer for a page, given by its path, best first.

    For a node that is this machine, the URL uses the loopback address: under any other name the app may refuse the request and log it.
    On another machine the loopback address may lead to somebody else's cluster, so it is not used there.
    """
    found = []
    name = dig(service, "metadata", "name")
    for ingress in ingresses:
        secure = {host for entry in dig(ingress, "spec", "tls") or [] for host in entry.get("hosts") or []}
        for rule in dig(ingress, "spec", "rules") or []:
            backends = [dig(path, "backend", "service", "name") for path in dig(rule, "http", "paths") or []]
            if rule.get("host") and name in backends:
                found.append(f"{'https' if rule['host'] in secure else 'http'}://{rule['host']}/")
    port = dig(service, "spec", "ports", 0) or {}
    for entry in dig(service, "status", "loadBalancer", "ingress") or []:
        if address := entry.get("hostname") or entry.get("ip"):
            found.append(_url(address, port.get("port")))
    if port.get("nodePort"):
        addresses = node_addresses(nodes)
        if any(is_of_this_machine(address) for address in addresses):
            addresses = ["127.0.0.1"]
        found += [_url(address, port["nodePort"]) for address in addresses]
    return list(dict.fromkeys(url.removesuffix("/") + path for url in found))


def _url(address: str, port: int | None) -> str:
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}/" if port in (None, 80) else f"http://{host}:{port}/"


class WithinSite(urllib.request.HTTPRedirectHandler):
    """Follows redirects within a site, and treats a redirect elsewhere, such as to https, as the site's answer."""

    def redirect_request(self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> urllib.request.Request | None:
        """Return the request to follow, or None."""
        here, there = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Answer:
    """What a URL answered.

    Attributes:
        status: The HTTP status after redirects within the site, 0 for no answer.
        text: For people: ``200 in 12 ms``, or why there was no answer.
        url: The URL that answered, after redirects.
        body: The content.
    """

    def __init__(self, status: int, text: str, url: str = "", body: str = "") -> None:
        self.status, self.text, self.url, self.body = status, text, url, body

    @property
    def good(self) -> bool:
        """Whether it is a page: neither an error nor silence."""
        return 200 <= self.status < 400


def ask(url: str, timeout: float) -> Answer:
    """Request a URL, bypassing any proxy in the environment: cluster addresses are not reached through it."""
    began, body = time.monotonic(), b""
    try:
        with proxies.direct(WithinSite).open(urllib.request.Request(url, headers={"User-Agent": "berth"}), timeout=timeout) as answer:
            body, url = answer.read(), answer.url
            status = answer.status
    except urllib.error.HTTPError as error:
        status = error.code
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, _silence(error))
    return Answer(status, f"{status} in {(time.monotonic() - began) * 1000:.0f} ms", url, body.decode(errors="replace"))


class _StyleSheets(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "link" and (values.get("rel") or "").lower() == "stylesheet" and values.get("href"):
            self.found.append(values["href"] or "")


def style_sheet(page: Answer) -> str:
    """Return the URL of the first style sheet that a page links to on its own site; empty for none."""
    parser = _StyleSheets()
    parser.feed(page.body)
    here = urllib.parse.urlsplit(page.url)
    urls = [urllib.parse.urljoin(page.url, each) for each in parser.found]
    return next((url for url in urls if urllib.parse.urlsplit(url)[:2] == here[:2]), "")


def _silence(error: BaseException) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) and isinstance(error.reason, BaseException) else error
    if isinstance(cause, TimeoutError):
        return "no answer"
    if isinstance(cause, ConnectionRefusedError):
        return "nothing listens there"
    return str(cause) or type(cause).__name__
