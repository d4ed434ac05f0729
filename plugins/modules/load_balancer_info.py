"""Find a load balancer by its DNS name, and wait until it serves or is gone."""

from __future__ import annotations

DOCUMENTATION = """
module: load_balancer_info
short_description: Find a load balancer by its DNS name, and wait until it serves or is gone
options:
  address: {description: The load balancer's DNS name., type: str, required: true}
  wait_for:
    description: What to wait for; V(nothing) only looks.
    type: str
    choices: [active, absent, nothing]
    default: nothing
  wait_timeout: {description: Seconds to wait., type: int, default: 600}
attributes:
  check_mode: {support: full, description: Reads only.}
extends_documentation_fragment: [amazon.aws.common.modules, amazon.aws.region.modules, amazon.aws.boto3]
"""

EXAMPLES = """
- name: Wait until the load balancer serves
  berth.platform.load_balancer_info:
    address: k8s-polls-polls-0123456789-1.eu-central-1.elb.amazonaws.com
    wait_for: active
"""

RETURN = """
exists: {description: Whether there is such a load balancer., type: bool, returned: always}
arn: {description: "Its ARN, empty if there is none.", type: str, returned: always}
zone_id: {description: "The hosted zone of its DNS name, for alias records; empty if there is none.", type: str, returned: always}
"""

from typing import Any

from ..module_utils.aws.session import GONE, Aws, run

OPTIONS: dict[str, Any] = {
    "address": {"type": "str", "required": True},
    "wait_for": {"type": "str", "choices": ["active", "absent", "nothing"], "default": "nothing"},
    "wait_timeout": {"type": "int", "default": 600},
}
# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerState.html
# An impaired one did not get everything that it needs to scale, but it serves, so that is no reason to fail.
SERVES = ("active", "active_impaired")
PATIENCE = 60.0  # seconds that AWS has to find one that its controller has just named


def main() -> None:
    """Run the module."""
    run(work, "elbv2", "Load balancer {address}", OPTIONS)


def work(aws: Aws) -> dict[str, Any]:
    """Look, or wait."""

    def look() -> tuple[str, str]:
        state = (find(aws) or {}).get("State", {})
        return state.get("Code", GONE), state.get("Reason", "")

    if aws.options["wait_for"] == "active":
        aws.wait.until(aws.subject, look, good=SERVES, bad={"failed": 0.0, GONE: PATIENCE})
    elif aws.options["wait_for"] == "absent":
        aws.wait.until(aws.subject, look, good=(GONE,), bad={})
    found = find(aws) or {}
    return {"exists": bool(found), "arn": found.get("LoadBalancerArn", ""), "zone_id": found.get("CanonicalHostedZoneId", "")}


def find(aws: Aws) -> dict[str, Any] | None:
    """Return the described load balancer, None if there is none."""
    wanted = aws.options["address"].removesuffix(".").lower()
    return next((each for each in aws.list("describe_load_balancers", "LoadBalancers") if each["DNSName"].lower() == wanted), None)


if __name__ == "__main__":
    main()
