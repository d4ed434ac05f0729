"""Hosted zones of Route 53 and the records in them, for the modules that create records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..formats import ZONE_ID
from .session import Refused, Wait

TTL = 300  # seconds for which resolvers cache records that are not aliases


@dataclass(frozen=True)
class Zone:
    """A public hosted zone; ``name`` is without the trailing dot."""

    id: str
    name: str

    def has(self, host: str) -> bool:
        """Whether a host name is in it."""
        return host == self.name or host.endswith(f".{self.name}")


def find_zone(client: Any, wanted: str, host: str) -> Zone:
    """Return the public hosted zone ``wanted`` (a name or an id) that contains ``host``.

    Raises:
        Refused: There is none, there are several, it is private, or the host is not in it.
    """
    if ZONE_ID.fullmatch(wanted):
        try:
            found = [client.get_hosted_zone(Id=wanted)["HostedZone"]]
        except client.exceptions.NoSuchHostedZone:
            found = []
    else:
        name = wanted.removesuffix(".").lower() + "."
        pages = client.get_paginator("list_hosted_zones").paginate().build_full_result()["HostedZones"]
        found = [zone for zone in pages if zone["Name"] == name and not zone.get("Config", {}).get("PrivateZone")]
    if not found:
        raise Refused(f"this account has no public hosted zone {wanted} in Route 53. Correct berth_entry_zone, or remove it and create the record yourself.")
    if len(found) > 1:
        ids = ", ".join(zone["Id"].removeprefix("/hostedzone/") for zone in found)
        raise Refused(f"there are {len(found)} public hosted zones {wanted}: {ids}. Set berth_entry_zone to the id of the one that the domain is delegated to.")
    zone = Zone(found[0]["Id"].removeprefix("/hostedzone/"), found[0]["Name"].removesuffix("."))
    if found[0].get("Config", {}).get("PrivateZone"):
        raise Refused(f"the hosted zone {wanted} is private, so it is not visible on the internet. Set berth_entry_zone to a public one.")
    if host and not zone.has(host):
        raise Refused(f"{host} is not in the hosted zone {zone.name}. Correct berth_entry_host or berth_entry_zone.")
    return zone


def name_servers(client: Any, zone: Zone) -> list[str]:
    """Return the name servers to which the domain has to be delegated."""
    return client.get_hosted_zone(Id=zone.id).get("DelegationSet", {}).get("NameServers", [])


def records(client: Any, zone: Zone, name: str) -> dict[str, dict[str, Any]]:
    """Return the record sets of a name, by type."""
    found = client.list_resource_record_sets(HostedZoneId=zone.id, StartRecordName=name, MaxItems="20")["ResourceRecordSets"]
    # A name with * or other special characters comes back escaped; ours have none.
    return {record["Type"]: record for record in found if record["Name"].removesuffix(".") == name}


def plain(name: str, kind: str, value: str) -> dict[str, Any]:
    """Return a record set with one value."""
    return {"Name": name, "Type": kind, "TTL": TTL, "ResourceRecords": [{"Value": value}]}


def spread(client: Any, change: Mapping[str, Any], wait: Wait, subject: str) -> None:
    """Wait until all of Route 53's servers have a change.

    Raises:
        Refused: The wait timed out.
    """

    def look() -> tuple[str, str]:
        return client.get_change(Id=change["Id"])["ChangeInfo"]["Status"], ""

    wait.until(subject, look, good=("INSYNC",), bad={})
