"""Ask a public site for its page, as a visitor does, until it answers."""

from __future__ import annotations

DOCUMENTATION = """
module: site_answer
short_description: Ask a public site for its page, as a visitor does, until it answers
description:
  - Requests the page from C(https://HOST), checks the certificate and follows redirects. Retries until there is a page or the time is up.
  - If the name does not resolve yet, it requests the same page from the load balancer's address, so that the message says which of the two is at fault.
options:
  host: {description: The site's host name., type: str, required: true}
  path: {description: The path of the page., type: str, default: /}
  address: {description: "Where its load balancer answers, to ask it past the name.", type: str, default: ""}
  port: {description: The port., type: int, default: 443}
  name_required:
    description: Whether the name has to lead there. V(false) is for a record that somebody else makes, and then an answer of the load balancer is enough.
    type: bool
    default: true
  timeout: {description: Seconds until the site has to answer., type: int, default: 600}
  ask_timeout: {description: Seconds for one answer., type: int, default: 10}
attributes:
  check_mode: {support: full, description: Asks only.}
  diff_mode: {support: none, description: Nothing to show.}
"""

EXAMPLES = """
- name: Ask the site as a visitor does
  berth.platform.site_answer:
    host: polls.example.com
    address: k8s-polls-polls-0123456789-1.eu-central-1.elb.amazonaws.com
"""

RETURN = """
url: {description: The site's URL., type: str, returned: always}
answer: {description: "What it answered, e.g. C(200).", type: str, returned: always}
named: {description: Whether the host name leads to the site., type: bool, returned: always}
"""

import time
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.kube.entry import Reply, visit
from ..module_utils.progress import report

PAUSE = 5.0  # seconds between two rounds


def ask(options: Mapping[str, Any]) -> tuple[Reply, Reply | None]:
    """Return what the site replies by its name, and by its load balancer's address where the name does not lead there (None: not asked)."""
    port, timeout = options["port"], float(options["ask_timeout"])
    named = visit(options["host"], port=port, timeout=timeout, path=options["path"])
    if named.good or not options["address"]:
        return named, None
    # A name that leads elsewhere is at fault too, when the load balancer itself answers.
    return named, visit(options["host"], options["address"], port=port, timeout=timeout, path=options["path"])


def verdict(host: str, seconds: int, named: Reply, direct: Reply | None) -> str:
    """Return why there is no page, and what to do."""
    began = f"https://{host}/ gives no page after {seconds} s"
    if direct and direct.good and named.kind == "dns":
        return (
            f"{began}: {named.text}, while its load balancer answers well. The record is there, so it has not spread yet (a resolver that was asked too early "
            "remembers for up to 15 minutes that there was none: run the same command again), or the domain is not delegated to the hosted zone."
        )
    if direct and direct.good:
        return f"{began}: {named.text}. Its load balancer answers well, so the name leads elsewhere, or a proxy is between."
    if direct and named.kind == "dns":
        return f"{began}: {direct.text}. (By its name: {named.text}.)"
    return f"{began}: {named.text}."


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "required": True},
            "path": {"type": "str", "default": "/"},
            "address": {"type": "str", "default": ""},
            "port": {"type": "int", "default": 443},
            "name_required": {"type": "bool", "default": True},
            "timeout": {"type": "int", "default": 600},
            "ask_timeout": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    options = module.params
    url = f"https://{options['host']}{options['path']}"
    end, told = time.monotonic() + options["timeout"], ""
    while True:
        named, direct = ask(options)
        if named.good or (direct and direct.good and not options["name_required"]):
            answer = named if named.good or direct is None else direct
            module.exit_json(changed=False, url=url, answer=answer.text, named=named.good)
        if named.text != told:
            told = named.text
            report(f"{url}: {told}")
        if time.monotonic() >= end:
            module.fail_json(msg=verdict(options["host"], options["timeout"], named, direct), url=url, answer=named.text, named=False)
        time.sleep(max(0.0, min(PAUSE, end - time.monotonic())))


if __name__ == "__main__":
    main()
