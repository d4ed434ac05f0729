"""What an app's pods may call in addition to DNS, the database and the cache."""

from __future__ import annotations

from typing import Any

# Networks that are not part of the internet: an app that may call the internet must not call anything on the machine's or the company's own
# network, nor a cloud's metadata service, which is link-local. RFC 1122, 1918, 3927, 6598, 6890; 4193, 4291.
PRIVATE_4 = ["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "224.0.0.0/4"]
PRIVATE_6 = ["::1/128", "fc00::/7", "fe80::/10", "ff00::/8"]
INTERNET = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": PRIVATE_4}}, {"ipBlock": {"cidr": "::/0", "except": PRIVATE_6}}]}
WORDS: dict[str, list[dict[str, Any]]] = {"none": [], "internet": [INTERNET]}
FIELDS = {"to", "ports"}  # of a NetworkPolicyEgressRule


def egress_rules(given: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the egress rules of a NetworkPolicy for ``internet``, ``none``, or the rules themselves.

    >>> egress_rules("none"), egress_rules([{"ports": [{"port": 587}]}])
    ([], [{'ports': [{'port': 587}]}])
    """
    return WORDS[given] if isinstance(given, str) else given


def egress_problem(given: Any) -> str:
    """Return what is wrong with an inventory's value, as a phrase; "" for nothing.

    >>> egress_problem("intranet")
    "is 'intranet': write internet, none, or a list of egress rules of a NetworkPolicy"
    """
    if (isinstance(given, str) and given not in WORDS) or not isinstance(given, str | list):
        return f"is {given!r}: write internet, none, or a list of egress rules of a NetworkPolicy"
    for number, rule in enumerate([] if isinstance(given, str) else given, 1):
        if not isinstance(rule, dict) or not rule:
            return f"has rule {number} that is {rule!r}: a rule needs to, ports or both; without them, everything would be allowed"
        if unknown := sorted(map(str, set(rule) - FIELDS)):
            return (
                f"has rule {number} with {unknown[0]!r}: a rule has the fields to and ports (kubernetes.io/docs/concepts/services-networking/network-policies)"
            )
    return ""
