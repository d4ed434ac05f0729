"""Point a host name to a load balancer in Route 53, or remove it."""

from __future__ import annotations

DOCUMENTATION = """
module: route53_alias
short_description: Point a host name to a load balancer in Route 53, or remove it
description:
  - Creates an alias record of type A and a TXT record C(_berth.HOST) that identifies the owner, both in one change.
  - A name that has records without that TXT record belongs to someone else. It is neither changed nor removed.
  - There is no AAAA record, because the load balancer has only IPv4 addresses.
options:
  host: {description: The host name., type: str, required: true}
  zone: {description: "The public hosted zone, by name or id.", type: str, required: true}
  environment: {description: The environment that the name is for., type: str, required: true}
  name: {description: The beginning of the environment's names., type: str, required: true}
  state:
    description: Whether the name exists.
    type: str
    choices: [present, absent]
    default: present
  target: {description: The load balancer's DNS name. Needed for V(present)., type: str, default: ""}
  target_zone: {description: The hosted zone of the load balancer's DNS name. Needed for V(present)., type: str, default: ""}
  wait: {description: Whether to wait until all Route 53 servers have the change., type: bool, default: true}
  wait_timeout: {description: Seconds to wait., type: int, default: 300}
attributes:
  check_mode: {support: full, description: Reports what would change.}
  diff_mode: {support: full, description: Shows the records that change.}
extends_documentation_fragment: [amazon.aws.common.modules, amazon.aws.region.modules, amazon.aws.boto3]
"""

EXAMPLES = """
- name: Point the host name to the load balancer
  berth.platform.route53_alias:
    environment: prod
    name: polls-prod
    host: polls.example.com
    zone: example.com
    target: k8s-polls-polls-0123456789-1.eu-central-1.elb.amazonaws.com
    target_zone: Z215JYRZR1TBD5
"""

RETURN = """
zone_id: {description: "The hosted zone, empty if it no longer exists.", type: str, returned: always}
exists: {description: Whether the host name points to the load balancer., type: bool, returned: always}
"""

import re
from typing import Any

from ..module_utils.aws.route53 import Zone, find_zone, plain, records, spread
from ..module_utils.aws.session import Aws, Refused, run, wait_options

BALANCER = re.compile(r"\.elb\.(?:[a-z0-9-]+\.)?amazonaws\.com(?:\.cn)?$")
OPTIONS: dict[str, Any] = {
    "host": {"type": "str", "required": True},
    "zone": {"type": "str", "required": True},
    "environment": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "target": {"type": "str", "default": ""},
    "target_zone": {"type": "str", "default": ""},
    **wait_options(300),
}


def main() -> None:
    """Run the module."""
    run(work, "route53", "Record {host}", OPTIONS, required_if=[("state", "present", ("target", "target_zone"))])


def mark(options: dict[str, Any]) -> dict[str, Any]:
    """Return the TXT record that says who owns a host name."""
    return plain(f"_berth.{options['host']}", "TXT", f'"environment={options["environment"]} name={options["name"]}"')


def work(aws: Aws) -> dict[str, Any]:
    """Create, change or delete the records."""
    options = aws.options
    try:
        zone = find_zone(aws.client, options["zone"], options["host"])
    except Refused:
        if options["state"] == "absent":
            return {"exists": False, "zone_id": ""}  # records are gone with their zone
        raise
    live, marks = records(aws.client, zone, options["host"]), records(aws.client, zone, f"_berth.{options['host']}")
    (remove if options["state"] == "absent" else provide)(aws, zone, live, marks.get("TXT"))
    return {"exists": options["state"] == "present", "zone_id": zone.id}


def ours(options: dict[str, Any], found: dict[str, Any] | None) -> bool:
    """Whether the TXT record that was found is this environment's."""
    return found is not None and found.get("ResourceRecords") == mark(options)["ResourceRecords"]


def alias(record: dict[str, Any] | None) -> str:
    """Return the target of an alias, "" for any other record."""
    return ((record or {}).get("AliasTarget") or {}).get("DNSName", "").removesuffix(".").lower()


def provide(aws: Aws, zone: Zone, live: dict[str, dict[str, Any]], found: dict[str, Any] | None) -> None:
    """Create or change the two records.

    Raises:
        Refused: The name is somebody else's.
    """
    options = aws.options
    in_the_way = [kind for kind in ("A", "AAAA", "CNAME") if kind in live]
    if in_the_way and not ours(options, found):
        whose = found["ResourceRecords"][0]["Value"].strip('"') if found else "nothing says that Berth made it"
        raise Refused(
            f"the hosted zone {zone.name} has a record {' and '.join(in_the_way)} of that name already, which is not this environment's ({whose}). "
            "Remove it, set another berth_entry_host, or leave berth_entry_zone out and look after the record yourself."
        )
    target = options["target"].removesuffix(".").lower()
    if ours(options, found) and alias(live.get("A")) == target:
        return
    aws.note({"target": (alias(live.get("A")) or None, target), "zone": (zone.name, zone.name)})
    lead = {"HostedZoneId": options["target_zone"], "DNSName": target, "EvaluateTargetHealth": False}
    wanted = [mark(options), {"Name": options["host"], "Type": "A", "AliasTarget": lead}]
    change(aws, zone, [("UPSERT", record) for record in wanted])


def remove(aws: Aws, zone: Zone, live: dict[str, dict[str, Any]], found: dict[str, Any] | None) -> None:
    """Remove the two records if they are this environment's; an alias that somebody has since pointed elsewhere stays."""
    if not ours(aws.options, found):
        return
    gone = [found]
    if BALANCER.search(alias(live.get("A"))):
        gone.append(live["A"])
    aws.note({"target": (alias(live.get("A")) or None, None), "zone": (zone.name, zone.name)})
    change(aws, zone, [("DELETE", record) for record in gone if record])


def change(aws: Aws, zone: Zone, changes: list[tuple[str, dict[str, Any]]]) -> None:
    """Make all changes or none, and wait until every server has them."""
    batch = {"Comment": f"Berth, {aws.options['name']}", "Changes": [{"Action": action, "ResourceRecordSet": record} for action, record in changes]}
    answer = aws.change("change_resource_record_sets", HostedZoneId=zone.id, ChangeBatch=batch)
    if answer and aws.options["wait"]:
        spread(aws.client, answer["ChangeInfo"], aws.wait, aws.subject)


if __name__ == "__main__":
    main()
