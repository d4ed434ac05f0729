"""Get the prices of a region from AWS, and keep them in a file."""

from __future__ import annotations

DOCUMENTATION = """
module: aws_prices
short_description: Get the prices of a region from AWS, and keep them in a file
description:
  - Gets the prices of what Berth's environments consist of (C(pricing:GetProducts)), and the end of standard support of each Kubernetes version
    (C(eks:DescribeClusterVersions)). Needs credentials of any AWS account, even an empty one.
  - The types and classes in an existing file are updated. What AWS does not sell in the region is left out,
    unless O(instances) or O(databases) names it.
  - The file is written only if a price or a date has changed, so its date is that of the last change.
options:
  of: {description: The region to get the prices of., type: str, required: true}
  directory: {description: The directory of the file, which is named after the region., type: path, required: true}
  instances: {description: EC2 instance types in addition to the usual ones., type: list, elements: str, default: []}
  databases: {description: RDS instance classes in addition to the usual ones., type: list, elements: str, default: []}
attributes:
  check_mode: {support: full, description: Asks AWS and writes nothing.}
  diff_mode: {support: full, description: Shows the file.}
extends_documentation_fragment: [amazon.aws.common.modules, amazon.aws.region.modules, amazon.aws.boto3]
notes:
  - O(region) is the region of the price list API, V(us-east-1), V(eu-central-1) or V(ap-south-1).
"""

EXAMPLES = """
- name: Get the prices from AWS
  berth.platform.aws_prices:
    region: us-east-1
    of: eu-central-1
    directory: "{{ playbook_dir }}/files/prices"
    instances: [m7i.large]
"""

RETURN = """
path: {description: The file., type: str, returned: success}
"""

import contextlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from ..module_utils.aws import prices, session
from ..module_utils.aws.prices import PriceError, Prices, Product
from ..module_utils.aws.session import Aws, Refused, run

OPTIONS: dict[str, Any] = {
    "of": {"type": "str", "required": True},
    "directory": {"type": "path", "required": True},
    "instances": {"type": "list", "elements": "str", "default": []},
    "databases": {"type": "list", "elements": "str", "default": []},
}
SOURCE = "AWS's price list (pricing:GetProducts) and eks:DescribeClusterVersions"
WORKERS = 4  # requests at a time, for AWS throttles


def main() -> None:
    """Run the module."""
    run(work, "pricing", "Prices of {of}", OPTIONS)


def work(aws: Aws) -> dict[str, Any]:
    """Get the prices, compare them and write the file."""
    region = aws.options["of"]
    path = Path(aws.options["directory"]) / f"{region}.yml"
    earlier = None
    with contextlib.suppress(PriceError):  # a broken file is replaced
        earlier = prices.load(path)
    try:
        found = ask(aws, region, earlier)
    except PriceError as error:
        raise Refused(f"{error}.") from error
    if earlier and earlier == replace(found, date=earlier.date):
        return {"path": str(path)}
    aws.changed = True
    aws.before, aws.after = (
        {"content": path.read_text(encoding="utf-8") if path.exists() else ""},
        {"content": prices.text(found)},
    )
    if not aws.check:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(prices.text(found), encoding="utf-8")
        except OSError as error:
            raise Refused(f"{path} cannot be written: {error.strerror}.") from error
    return {"path": str(path)}


def ask(aws: Aws, region: str, earlier: Prices | None) -> Prices:
    """Return the current prices.

    Raises:
        PriceError: AWS has no price for something that every environment needs, or that the inventory names.
    """
    instances = names(prices.INSTANCES, earlier.instances if earlier else (), aws.options["instances"])
    databases = names(prices.DATABASES, earlier.databases if earlier else (), aws.options["databases"])
    wanted: dict[tuple[str, str], Product] = {("hour", name): product for name, product in prices.HOUR.items()}
    wanted |= {("month", name): product for name, product in prices.MONTH.items()}
    for name in instances:
        wanted |= {("instances", name): prices.instance(name), ("auto_mode", name): prices.auto_mode(name)}
    for name in databases:
        wanted |= {("databases", name): prices.database(name, False), ("databases_multi_az", name): prices.database(name, True)}
    with ThreadPoolExecutor(WORKERS) as pool:
        answers = dict(zip(wanted, pool.map(lambda product: price(aws, product, region), wanted.values()), strict=True))
    needed = [f"{name} ({wanted[table, name].usage})" for table, name in answers if table in ("hour", "month") and answers[table, name] is None]
    needed += [name for table in ("instances", "databases") for name in aws.options[table] if answers[table, name] is None]
    if needed:
        raise PriceError(f"AWS has no price for {', '.join(needed)} in this region. Fix the region, or the types in berth_eks_nodes and berth_rds_class")
    tables: dict[str, Any] = {kind: {name: value for (table, name), value in answers.items() if table == kind and value is not None} for kind, _ in answers}
    return Prices(region=region, date=datetime.now(UTC).date(), source=SOURCE, versions=versions(aws), **tables)


def names(*lists: Iterable[str]) -> list[str]:
    """Return all names, sorted and without duplicates."""
    return sorted({name for names in lists for name in names})


def price(aws: Aws, product: Product, region: str) -> Decimal | None:
    """Return the price of a product, None if AWS does not sell it."""
    answers = aws.list("get_products", "PriceList", ServiceCode=product.service, Filters=prices.filters(product, region))
    return prices.price(answers, product, region)


def versions(aws: Aws) -> dict[str, date]:
    """Return the end of standard support by version. The dates are the same everywhere, so any region will do: it asks the price list's."""
    client = session.connect(aws.module, "eks")
    found = client.get_paginator("describe_cluster_versions").paginate(includeAll=True).build_full_result()["clusterVersions"]
    ends = {each["clusterVersion"]: each["endOfStandardSupportDate"].date() for each in found if each.get("endOfStandardSupportDate")}
    if not ends:
        raise PriceError("EKS names no version with an end of standard support")
    return dict(sorted(ends.items(), key=lambda item: tuple(map(int, item[0].split(".")))))


if __name__ == "__main__":
    main()
