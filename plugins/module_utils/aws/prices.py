"""AWS's prices: a file for each region in the project, and how to ask AWS for them."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import yaml

DIRECTORY = Path("playbooks/ops/files/prices")
"""The directory of the files in the project, each named after its region."""


class PriceError(Exception):
    """A price that is not available; the text says which and why."""


# --- What AWS sells --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Product:
    """Something that has a price.

    Args:
        service: AWS's service code, as GetProducts takes it.
        usage: The usage type without the region's prefix.
        filters: Attributes that distinguish it from other products with the same usage type.
    """

    service: str
    usage: str
    filters: Mapping[str, str] = field(default_factory=dict)


SINGLE, MULTI = ({"databaseEngine": "PostgreSQL", "deploymentOption": option} for option in ("Single-AZ", "Multi-AZ"))

HOUR = {
    "control_plane": Product("AmazonEKS", "AmazonEKS-Hours:perCluster"),
    # In addition to the control plane's own price.
    "extended_support": Product("AmazonEKS", "AmazonEKS-Hours:extendedSupport"),
    "nat_gateway": Product("AmazonEC2", "NatGateway-Hours"),
    # Without the family, other kinds have the same price.
    "load_balancer": Product("AWSELB", "LoadBalancerUsage", {"productFamily": "Load Balancer-Application"}),
    "public_address": Product("AmazonVPC", "PublicIPv4:InUseAddress"),
    "interface_endpoint": Product("AmazonVPC", "VpcEndpoint-Hours"),
}
"""Products that are billed by the hour: an endpoint in each zone, everything else per unit."""

MONTH = {
    "disk": Product("AmazonEC2", "EBS:VolumeUsage.gp3"),
    "database_storage": Product("AmazonRDS", "RDS:GP3-Storage", SINGLE),
    "database_storage_multi_az": Product("AmazonRDS", "RDS:Multi-AZ-GP3-Storage", MULTI),
    "key": Product("awskms", "KMS-Keys"),
    "secret": Product("AWSSecretsManager", "AWSSecretsManager-Secrets"),
    "logs_taken": Product("AmazonCloudWatch", "DataProcessing-Bytes"),
    "logs_kept": Product("AmazonCloudWatch", "TimedStorage-ByteHrs"),
}
"""Products that are billed by the month: storage and logs by GB (AWS's GB is 2**30 bytes), everything else per unit."""

INSTANCES = (
    "t3.medium", "t3.large", "t3.xlarge", "t3a.large", "c5a.large", "c6a.large", "c6a.xlarge", "c6i.large", "c7a.large", "c7i.large",
    "m5.large", "m5.xlarge", "m6a.large", "m6a.xlarge", "m6i.large", "m6i.xlarge", "m7i.large", "m7i.xlarge", "r6i.large",
)  # fmt: skip
DATABASES = (
    "db.t3.micro", "db.t3.small", "db.t3.medium", "db.t4g.micro", "db.t4g.small", "db.t4g.medium", "db.t4g.large",
    "db.m6g.large", "db.m6i.large", "db.m7g.large", "db.m7g.xlarge", "db.r6g.large", "db.r6g.xlarge",
)  # fmt: skip
"""What a new file contains in addition to what the inventory names."""


def instance(name: str) -> Product:
    """Return an EC2 instance with Linux, on demand."""
    linux = {"operatingSystem": "Linux", "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used"}
    return Product("AmazonEC2", f"BoxUsage:{name}", {"instanceType": name, **linux})


def auto_mode(name: str) -> Product:
    """Return the surcharge of EKS Auto Mode on an instance, in addition to the instance's own price."""
    return Product("AmazonEKS", f"EKS-Auto:{name}-management-hours")


def database(name: str, multi_az: bool) -> Product:
    """Return an RDS for PostgreSQL instance."""
    usage = f"{'Multi-AZUsage' if multi_az else 'InstanceUsage'}:{name}"
    return Product("AmazonRDS", usage, {"instanceType": name, **(MULTI if multi_az else SINGLE)})


# --- The answers of GetProducts --------------------------------------------------------------------------------------


def filters(product: Product, region: str) -> list[dict[str, str]]:
    """Return the filters of GetProducts: docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html."""
    exact = [{"Type": "TERM_MATCH", "Field": key, "Value": value} for key, value in {"regionCode": region, **product.filters}.items()]
    # A region's prefix follows no rule: EUC1-, none at all, or eu-central-1-.
    return [*exact, {"Type": "CONTAINS", "Field": "usagetype", "Value": product.usage}]


def price(answers: Iterable[str], product: Product, region: str) -> Decimal | None:
    """Return the on-demand price in USD; for a tiered price, the first tier. None if AWS does not sell it in the region.

    Args:
        answers: ``PriceList`` of GetProducts: a JSON text for each product.
        product: The product that was asked for.
        region: The region.

    Raises:
        PriceError: An answer cannot be read, or there are several prices.
    """
    usage = re.compile(rf"(?:[A-Z0-9]+-|{re.escape(region)}-)?{re.escape(product.usage)}")
    found = set()
    for text in answers:
        try:
            answer = json.loads(text)
            if usage.fullmatch(answer["product"]["attributes"]["usagetype"]):
                terms = answer["terms"].get("OnDemand", {}).values()
                steps = [step for term in terms for step in term["priceDimensions"].values() if step.get("beginRange", "0") == "0"]
                found |= {Decimal(step["pricePerUnit"]["USD"]).normalize() for step in steps}
        except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation) as error:
            raise PriceError(f"AWS's answer on {product.usage} cannot be read: {error!r}") from error
    if len(found) > 1:
        raise PriceError(f"AWS has several prices for {product.usage} in {region}: {', '.join(map(str, sorted(found)))}")
    return found.pop() if found else None


# --- The file --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prices:
    """The prices of a region, in USD.

    ``hour`` and ``month`` are by the names in :data:`HOUR` and :data:`MONTH`. ``instances``, ``auto_mode``, ``databases`` and
    ``databases_multi_az`` are hourly prices by type or class. ``versions`` has the ends of EKS's standard support for Kubernetes versions.
    ``estimated`` names the prices that are not AWS's own.
    """

    region: str
    date: datetime.date
    source: str
    hour: dict[str, Decimal]
    month: dict[str, Decimal]
    instances: dict[str, Decimal]
    auto_mode: dict[str, Decimal]
    databases: dict[str, Decimal]
    databases_multi_az: dict[str, Decimal]
    versions: dict[str, datetime.date]
    estimated: tuple[str, ...] = ()


TABLES = ("instances", "auto_mode", "databases", "databases_multi_az")


def regions(directory: Path) -> list[str]:
    """Return the regions that have a file."""
    return sorted(path.stem for path in directory.glob("*.yml"))


def load(path: Path) -> Prices:
    """Return the prices of a file.

    Raises:
        PriceError: The file does not exist, or a value is missing or not a price; the text says which.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PriceError("does not exist") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PriceError(f"cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise PriceError("contains no prices")
    tables = {name: _table(content, name) for name in ("hour", "month", *TABLES)}
    missing = [f"{name}.{key}" for name, known in (("hour", HOUR), ("month", MONTH)) for key in known if key not in tables[name]]
    missing += [name for name in ("region", "date", "source", "versions") if name not in content]
    if missing:
        raise PriceError(f"lacks {', '.join(missing)}")
    try:
        versions = {str(version): datetime.date.fromisoformat(str(end)) for version, end in content["versions"].items()}
        day = datetime.date.fromisoformat(str(content["date"]))
    except (AttributeError, ValueError) as error:
        raise PriceError(f"has an invalid date: {error}") from error
    estimated = tuple(map(str, content.get("estimated") or []))
    return Prices(region=str(content["region"]), date=day, source=str(content["source"]), versions=versions, estimated=estimated, **tables)


def _table(content: Mapping[str, Any], name: str) -> dict[str, Decimal]:
    table = content.get(name) or {}
    if not isinstance(table, dict):
        raise PriceError(f"has {name} that do not map names to prices")
    found = {}
    for key, value in table.items():
        try:
            found[str(key)] = Decimal(str(value))
        except InvalidOperation:
            found[str(key)] = Decimal("NaN")
        if not found[str(key)].is_finite() or found[str(key)] < 0:
            raise PriceError(f"has {name}.{key}: {value}, which is not a price")
    return found


def text(prices: Prices) -> str:
    """Return a file's content; the same prices give the same text."""
    plain: dict[str, Any] = {"region": prices.region, "date": prices.date.isoformat(), "source": prices.source}
    plain |= {name: {key: float(value) for key, value in getattr(prices, name).items()} for name in ("hour", "month")}
    plain |= {name: {key: float(value) for key, value in sorted(getattr(prices, name).items())} for name in TABLES}
    plain["versions"] = {version: end.isoformat() for version, end in prices.versions.items()}
    head = "---\n# AWS's prices without tax, in USD. playbooks/ops/cost.yml -e ops_cost_refresh=true writes this file again.\n"
    estimated = f"estimated: {json.dumps(list(prices.estimated))}\n" if prices.estimated else ""
    return head + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=150) + estimated
