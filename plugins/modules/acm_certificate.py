"""Request an ACM certificate for a host name, or delete it."""

from __future__ import annotations

DOCUMENTATION = """
module: acm_certificate
short_description: Request an ACM certificate for a host name, or delete it
description:
  - Requests a certificate, creates the validation record in Route 53, and waits until the certificate is issued. ACM uses the same record to renew it,
    so the record stays as long as the certificate.
  - A certificate belongs to the environment if its tags C(berth:environment) and C(berth:name) say so. No other certificate is changed or deleted.
  - With O(arn), it only checks that the certificate can be used.
options:
  environment: {description: "The environment; the value of the tag C(berth:environment).", type: str, required: true}
  name: {description: "The prefix of the environment's resource names; the value of the tag C(berth:name).", type: str, required: true}
  state:
    description: Whether the certificate exists. V(absent) deletes all certificates of the environment except O(keep).
    type: str
    choices: [present, absent]
    default: present
  host: {description: The host name. Needed for V(present)., type: str, default: ""}
  zone: {description: "The public hosted zone for the validation record, by name or ID.", type: str, default: ""}
  arn: {description: A certificate that is managed outside Berth., type: str, default: ""}
  keep: {description: "The ARN of a certificate to keep.", type: str, default: ""}
  tags: {description: Tags in addition to Berth's own., type: dict, default: {}}
  wait: {description: Whether to wait until the certificate is issued., type: bool, default: true}
  wait_timeout: {description: "Seconds to wait until the certificate is issued, or until no load balancer uses it any more.", type: int, default: 900}
attributes:
  check_mode: {support: full, description: Says what would change.}
  diff_mode: {support: full, description: Shows which certificates are requested and deleted.}
extends_documentation_fragment: [amazon.aws.common.modules, amazon.aws.region.modules, amazon.aws.boto3]
"""

EXAMPLES = """
- name: Provide the certificate
  berth.platform.acm_certificate:
    environment: prod
    name: polls-prod
    host: polls.example.com
    zone: example.com
  register: certificate
"""

RETURN = """
arn: {description: "The certificate's ARN. Empty in check mode if it has not been requested yet.", type: str, returned: always}
status: {description: "Its status in ACM, C(ISSUED) when it can be used; empty when there is no certificate.", type: str, returned: always}
removed: {description: "The certificates that were deleted, or would be in check mode.", type: list, elements: str, returned: always}
"""

from typing import Any

from ..module_utils.aws.route53 import find_zone, name_servers, plain, records
from ..module_utils.aws.session import GONE, Aws, Refused, connect, run, strings, tag_changes, wait_options

OPTIONS: dict[str, Any] = {
    "environment": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "host": {"type": "str", "default": ""},
    "zone": {"type": "str", "default": ""},
    "arn": {"type": "str", "default": ""},
    "keep": {"type": "str", "default": ""},
    "tags": {"type": "dict", "default": {}},
    **wait_options(900),
}
PATIENCE = 60.0  # seconds for ACM to publish the validation record
LIVE = ("ISSUED", "PENDING_VALIDATION")
KEYS = ["RSA_1024", "RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1", "EC_secp384r1", "EC_secp521r1"]
ZONE = "berth:zone"
"""The tag that names the hosted zone in which Berth created the validation record."""


def main() -> None:
    """Run the module."""
    run(work, "acm", "Certificate of {name}", OPTIONS)


def work(aws: Aws) -> dict[str, Any]:
    """Request, check or delete the certificate."""
    if aws.options["state"] == "absent":
        return {"arn": "", "status": "", "removed": remove(aws)}
    if not aws.options["host"]:
        raise Refused("host is not set. Set berth_entry_host.")
    arn = aws.options["arn"] or provide(aws)
    if not arn:
        return {"arn": "", "status": "", "removed": []}
    if aws.options["arn"]:
        usable(aws.options["host"], describe(aws, arn), arn)
    return {"arn": arn, "status": (describe(aws, arn) or {}).get("Status", ""), "removed": []}


def describe(aws: Aws, arn: str) -> dict[str, Any] | None:
    """Return the certificate as ACM describes it, None if it does not exist."""
    return aws.find("describe_certificate", "Certificate", CertificateArn=arn)


def covers(host: str, names: list[str]) -> bool:
    """Whether one of a certificate's names is the host name, or a wildcard that matches it (RFC 6125, section 6.4.3).

    >>> covers("polls.example.com", ["*.example.com"]), covers("a.polls.example.com", ["*.example.com"])
    (True, False)
    """
    return any(name.lower() == host or (name.startswith("*.") and name[2:].lower() == host.partition(".")[2]) for name in names)


def usable(host: str, found: dict[str, Any] | None, arn: str) -> None:
    """Check that a certificate that is managed outside Berth can be used.

    Raises:
        Refused: It cannot.
    """
    if not found:
        raise Refused(f"there is no certificate {arn} in this account and region. Fix berth_entry_certificate.")
    if found["Status"] != "ISSUED":
        raise Refused(f"{arn} is {found['Status']}, not ISSUED, so no load balancer can use it. Look at it in ACM, or change berth_entry_certificate.")
    names = found.get("SubjectAlternativeNames") or [found["DomainName"]]
    if not covers(host, names):
        raise Refused(f"{arn} is for {', '.join(names)}, not for {host}. Change berth_entry_certificate or berth_entry_host.")


def own(aws: Aws) -> list[tuple[dict[str, Any], dict[str, str]]]:
    """Return the environment's certificates as ACM lists them, each with its tags."""
    owner = owner_tags(aws)
    found = []
    for each in aws.list("list_certificates", "CertificateSummaryList", Includes={"keyTypes": KEYS}):
        listed = aws.find("list_tags_for_certificate", "Tags", CertificateArn=each["CertificateArn"]) or []
        tags = {tag["Key"]: tag.get("Value", "") for tag in listed}
        if owner.items() <= tags.items():
            found.append((each, tags))
    return found


def owner_tags(aws: Aws) -> dict[str, str]:
    """Return the tags that mark a certificate as the environment's."""
    return {"berth:environment": aws.options["environment"], "berth:name": aws.options["name"]}


def provide(aws: Aws) -> str:
    """Return the ARN of an issued certificate; "" in check mode if it has not been requested yet.

    Raises:
        Refused: It is not issued, with the reason.
    """
    options, route53 = aws.options, connect(aws.module, "route53")
    if not options["zone"]:
        raise Refused("it cannot be validated without a hosted zone. Set berth_entry_zone, or set berth_entry_certificate to an existing certificate.")
    zone = find_zone(route53, options["zone"], options["host"])
    arn, wanted = "", {**strings(options["tags"]), **owner_tags(aws), ZONE: zone.id}
    for each, tags in own(aws):
        found = describe(aws, each["CertificateArn"]) or {}
        if found.get("DomainName") == options["host"] and found.get("Status") in LIVE:
            arn = each["CertificateArn"]
            retag(aws, arn, tags, wanted)
            break
    if not arn:
        aws.note({"certificate": (None, options["host"])})
        listed = [{"Key": key, "Value": value} for key, value in wanted.items()]
        arn = aws.change("request_certificate", DomainName=options["host"], ValidationMethod="DNS", Tags=listed).get("CertificateArn", "")
    if arn and (describe(aws, arn) or {}).get("Status") != "ISSUED":
        validate(aws, route53, zone, arn)
    return arn


def retag(aws: Aws, arn: str, live: dict[str, str], wanted: dict[str, str]) -> None:
    """Update the tags."""
    to_set, to_unset = tag_changes(live, wanted, purge=True)
    if to_set or to_unset:
        aws.note({"tags": (live, wanted)})
    if to_unset:
        aws.change("remove_tags_from_certificate", CertificateArn=arn, Tags=[{"Key": key} for key in to_unset])
    if to_set:
        aws.change("add_tags_to_certificate", CertificateArn=arn, Tags=[{"Key": key, "Value": value} for key, value in to_set.items()])


def validation(found: dict[str, Any] | None) -> list[dict[str, str]]:
    """Return the records with which ACM validates a certificate, each with Name, Type and Value."""
    return [each["ResourceRecord"] for each in (found or {}).get("DomainValidationOptions", []) if "ResourceRecord" in each]


def validate(aws: Aws, route53: Any, zone: Any, arn: str) -> None:
    """Create the validation records, and wait until the certificate is issued.

    Raises:
        Refused: ACM does not issue it, with the reason.
    """

    subject = f"{aws.subject} for {aws.options['host']}"

    def named() -> tuple[str, str]:
        found = describe(aws, arn)
        return ("named" if validation(found) else "without the record that validates it"), ""

    if not aws.check:
        aws.wait.until(subject, named, good=("named",), bad={"without the record that validates it": PATIENCE})
    for record in validation(describe(aws, arn)):
        name = record["Name"].removesuffix(".")
        if record["Type"] not in records(route53, zone, name):
            aws.changed = True  # not in the diff: the record is unknown until the certificate has been requested
            if not aws.check:
                upsert(route53, zone.id, "UPSERT", plain(name, record["Type"], record["Value"]))
    if aws.check or not aws.options["wait"]:
        return

    def issued() -> tuple[str, str]:
        found = describe(aws, arn) or {}
        return found.get("Status", GONE), found.get("FailureReason", "")

    try:
        aws.wait.until(subject, issued, good=("ISSUED",), bad={"FAILED": 0.0, "VALIDATION_TIMED_OUT": 0.0, "REVOKED": 0.0, "EXPIRED": 0.0, GONE: 0.0})
    except Refused as error:
        if "PENDING_VALIDATION" not in str(error):
            raise
        raise Refused(
            f"{error} ACM does not see the validation record. Is {zone.name} delegated to this zone's name servers "
            f"({', '.join(name_servers(route53, zone))})? If the domain has a CAA record, it must allow amazon.com."
        ) from error


def upsert(route53: Any, zone_id: str, action: str, record: dict[str, Any]) -> None:
    """Create or delete a record."""
    route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]})


def remove(aws: Aws) -> list[str]:
    """Delete the environment's certificates except the one to keep, and return them.

    The validation record is deleted too, unless another certificate in this account and region is for the same name: its renewal needs the same record.

    Raises:
        Refused: A load balancer still uses one of them.
    """
    gone = [(each["CertificateArn"], tags) for each, tags in own(aws) if each["CertificateArn"] != aws.options["keep"]]
    if not gone:
        return []
    route53 = connect(aws.module, "route53")
    arns = [arn for arn, _ in gone]
    others = [each for each in aws.list("list_certificates", "CertificateSummaryList", Includes={"keyTypes": KEYS}) if each["CertificateArn"] not in arns]
    names = {name for each in others for name in [each["DomainName"], *(each.get("SubjectAlternativeNameSummaries") or [])]}
    aws.note({"certificates": (arns, [])})
    for arn, tags in gone:
        found = describe(aws, arn)
        if not found:
            continue
        if not aws.check:
            unused(aws, arn)
        aws.change("delete_certificate", CertificateArn=arn)
        if tags.get(ZONE) and not names & {found["DomainName"], *(found.get("SubjectAlternativeNames") or [])}:
            forget(aws, route53, tags[ZONE], found)
    return arns


def unused(aws: Aws, arn: str) -> None:
    """Wait until no load balancer uses a certificate.

    Raises:
        Refused: A load balancer still does; the text names it.
    """

    def look() -> tuple[str, str]:
        users = (describe(aws, arn) or {}).get("InUseBy") or []
        return ("in use", f"by {', '.join(users)}") if users else ("unused", "")

    aws.wait.until(f"{aws.subject}, {arn},", look, good=("unused",), bad={})


def forget(aws: Aws, route53: Any, zone_id: str, found: dict[str, Any]) -> None:
    """Delete a certificate's validation records, unless they were changed since Berth created them."""
    for record in validation(found):
        name = record["Name"].removesuffix(".")
        try:
            zone = find_zone(route53, zone_id, "")
        except Refused:
            return  # the record is gone with its zone
        live = records(route53, zone, name).get(record["Type"])
        if live and [each["Value"] for each in live.get("ResourceRecords", [])] == [record["Value"]]:
            aws.changed = True
            if not aws.check:
                upsert(route53, zone.id, "DELETE", live)


if __name__ == "__main__":
    main()
