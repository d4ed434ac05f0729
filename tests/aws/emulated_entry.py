"""What the tests of the public entry do with the emulated AWS: a hosted zone of their own, records and load balancers."""

from __future__ import annotations

from typing import Any

from emulated_aws import Emulated

Record = dict[str, Any]


class Entry:
    """An emulated AWS with a hosted zone of the test's own.

    Args:
        aws: The emulated AWS.
    """

    def __init__(self, aws: Emulated) -> None:
        self.aws, self.domain = aws, f"{aws.name}.example"
        self.host = f"polls.{self.domain}"
        self.route53, self.acm, self.elb = (aws.client(service) for service in ("route53", "acm", "elbv2"))
        self.zone = self.make_zone(self.domain)

    def make_zone(self, name: str, **options: Any) -> str:
        """Make a hosted zone and return its id."""
        reference = f"{name}-{len(self.route53.list_hosted_zones()['HostedZones'])}"
        return self.route53.create_hosted_zone(Name=name, CallerReference=reference, **options)["HostedZone"]["Id"].removeprefix("/hostedzone/")

    def records(self) -> dict[tuple[str, str], Record]:
        """Return the records of the zone by name and type, without its own."""
        found = self.route53.list_resource_record_sets(HostedZoneId=self.zone)["ResourceRecordSets"]
        return {(each["Name"].rstrip("."), each["Type"]): each for each in found if each["Type"] not in ("NS", "SOA")}

    def make_record(self, name: str, kind: str, value: str) -> None:
        """Make a record as somebody else does."""
        record = {"Name": name, "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value}]}
        self.route53.change_resource_record_sets(HostedZoneId=self.zone, ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]})

    def balancer(self, name: str = "", certificate: str = "") -> Record:
        """Make a load balancer, with a listener that uses a certificate, and return it."""
        found = self.elb.create_load_balancer(Name=name or self.aws.name, Subnets=self.aws.subnets[:2])["LoadBalancers"][0]
        if certificate:
            answer = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]
            self.elb.create_listener(
                LoadBalancerArn=found["LoadBalancerArn"], Protocol="HTTPS", Port=443, DefaultActions=answer, Certificates=[{"CertificateArn": certificate}]
            )
        return found

    def owner(self, **options: Any) -> dict[str, Any]:
        """Return a module's options that say whose a thing is."""
        return {"environment": "prod", "name": self.aws.name, **options}

    def certificate(self, **options: Any) -> dict[str, Any]:
        """Return the options of the certificate."""
        return self.owner(**{"host": self.host, "zone": self.domain, "wait_timeout": 5, **options})

    def alias(self, target: Record | None = None, **options: Any) -> dict[str, Any]:
        """Return the options of the record, which leads to a load balancer."""
        leads = {"target": target["DNSName"], "target_zone": target["CanonicalHostedZoneId"]} if target else {}
        return self.owner(**{"host": self.host, "zone": self.domain, **leads, **options})
