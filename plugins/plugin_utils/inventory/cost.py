"""Calculate what an environment in AWS costs: from its roles' settings and a region's prices to items, and from items to a block of text.

Nothing here asks AWS. A month has 730 hours and a year 8760, as AWS counts.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ...module_utils import formats
from ...module_utils.aws import prices as price_lists
from ...module_utils.aws.prices import PriceError, Prices
from .variables import nearest

HOURS, MONTHS = 730, 12
"""Hours in a month and in a year."""

SETTINGS = {
    "eks": (
        "eks_region",
        "eks_zones",
        "eks_vpc",
        "eks_nat",
        "eks_endpoints",
        "eks_version",
        "eks_support",
        "eks_log_days",
        "eks_compute",
        "eks_nodes",
    ),
    "database": ("database_provider", "database_storage", "database_rds_class", "database_rds_storage", "database_rds_multi_az"),
    "entry": ("entry_provider",),
}
"""The roles' defaults to read, by role. They complete what an inventory omits."""

PREFIXES = ("berth_provider", "berth_budget", "berth_aws_", "berth_eks_", "berth_entry", "berth_database", "berth_rds_")
"""The problems of the variables that decide it."""

GATEWAYS = ("s3", "dynamodb")
"""AWS services whose endpoints are free: docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html."""

# --- Assumptions for what the inventory does not say -----------------------------------------------------------------

AUTO_TYPE = "c6a.large"
"""Auto Mode picks a cheap instance type that fits, from the families c, m and r: a node of the smallest common size."""
AUTO_DISK = 80
"""GiB of an Auto Mode node's disk: docs.aws.amazon.com/eks/latest/userguide/create-node-class.html, ephemeralStorage."""
LOG_GB = 10
"""GB a month of a small cluster's control-plane logs (api, audit, authenticator)."""
DAYS = Decimal(30)
"""Of a month, for logs that are kept longer."""


class CostError(Exception):
    """The cost cannot be calculated: ``path`` is a variable with the part of it that is wrong, ``text`` a phrase that says why."""

    def __init__(self, path: tuple[str | int, ...], text: str) -> None:
        super().__init__(text)
        self.path, self.text = path, text

    def advice(self, inventory: str) -> str:
        """Return what to do, as the end of the phrase."""
        return ""


class NoPrice(CostError):
    """The price list has no such price."""

    def advice(self, inventory: str) -> str:
        """Return what to do, as the end of the phrase."""
        return f"; fix it, or update the prices with: ansible-playbook playbooks/ops/cost.yml -i {inventory} -e ops_cost_refresh=true"


# --- The environment -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Environment:
    """What an environment pays AWS for. Sizes are in GiB; ``least`` and ``most`` are numbers of nodes, or sizes."""

    region: str
    zones: int
    own_network: bool
    nat: str
    endpoints: tuple[str, ...]
    entry: bool
    version: str
    support: str
    log_days: int
    auto: bool
    types: tuple[str, ...]
    nodes: tuple[int, int]
    disk: int
    rds: bool
    rds_class: str
    rds_storage: tuple[int, int]
    multi_az: bool
    volume: Decimal


def bill(project: Path, loader: DataLoader, templar: Templar, variables: Mapping[str, Any], today: date) -> Cost:
    """Return what a host's environment costs according to its inventory.

    Args:
        project: The project's directory.
        loader, templar: Ansible's.
        variables: The host's variables.
        today: The date of the calculation, which decides whether a version still has support.

    Raises:
        CostError: It cannot be calculated.
        AnsibleError: A template in the inventory fails.
    """
    files = [project / "roles" / role / "defaults" / "main.yml" for role in SETTINGS]
    defaults: dict[str, Any] = {}
    for path in filter(Path.is_file, files):
        defaults |= loader.load_from_file(str(path), unsafe=True, trusted_as_template=True)
    templates = {name: defaults[name] for names in SETTINGS.values() for name in names if name in defaults}
    templates["chosen"] = trust_as_template("{{ (berth_eks_nodes | default({})).types | default([]) }}")
    worker = templar.copy_with_new_env(available_variables={**defaults, **variables})
    wanted = environment({name: worker.template(template) for name, template in templates.items()})
    return cost(wanted, prices_of(wanted.region, project), today)


def environment(given: Mapping[str, Any]) -> Environment:
    """Return what the environment pays for.

    Args:
        given: The values of :data:`SETTINGS`, and as ``chosen`` the node types that the inventory itself names.

    Raises:
        CostError: A required value is missing, or a number is invalid.
    """
    for name, variable in (("eks_region", "berth_aws_region"), ("eks_zones", "berth_aws_zones"), ("eks_version", "berth_eks_version")):
        if not given[name]:
            raise CostError((variable,), "is missing; berth_provider: eks needs it")
    nodes, storage = given["eks_nodes"], given["database_rds_storage"]
    auto = given["eks_compute"] == "auto"
    volume = formats.quantity(given["database_storage"])
    if volume is None:
        raise CostError(("berth_database_storage",), f"{given['database_storage']!r} is not a quantity; write it like 20Gi")
    return Environment(
        region=given["eks_region"],
        zones=len(given["eks_zones"]),
        own_network=not given["eks_vpc"],
        nat=given["eks_nat"],
        endpoints=tuple(service for service in given["eks_endpoints"] if service not in GATEWAYS),
        entry=given.get("entry_provider", "loadbalancer") == "loadbalancer",
        version=str(given["eks_version"]),
        support=given["eks_support"],
        log_days=_whole(("berth_eks_log_days",), given["eks_log_days"]),
        auto=auto,
        types=tuple(given["chosen"] or ([AUTO_TYPE] if auto else nodes["types"])),
        nodes=_bounds("berth_eks_nodes", nodes),
        disk=AUTO_DISK if auto else _whole(("berth_eks_nodes", "disk"), nodes["disk"]),
        rds=given["database_provider"] == "rds",
        rds_class=given["database_rds_class"],
        rds_storage=_bounds("berth_rds_storage", storage),
        multi_az=boolean(given["database_rds_multi_az"], strict=False),
        volume=volume / 2**30,
    )


def _bounds(variable: str, given: Mapping[str, Any]) -> tuple[int, int]:
    least, most = (_whole((variable, key), given[key]) for key in ("min", "max"))
    if least > most:
        raise CostError((variable, "min"), f"{least} is above max, which is {most}")
    return least, most


def _whole(path: tuple[str | int, ...], value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = -1
    if number < 0:
        raise CostError(path, f"must be a whole number, but is {value!r}")
    return number


# --- The bill --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Item:
    """One line of the bill: ``least`` and ``most`` are USD a month, ``variable`` is the variable that changes it.

    ``name`` says what it is; ``counts`` says how much of it at least and at most, as two equal texts if both are the same.
    """

    name: str
    counts: tuple[str, str]
    least: Decimal
    most: Decimal
    variable: str


@dataclass(frozen=True)
class Cost:
    """A bill with its ``notes``: assumptions, and coming changes."""

    items: tuple[Item, ...]
    notes: tuple[str, ...]
    prices: Prices

    @property
    def least(self) -> Decimal:
        """USD a month."""
        return sum((item.least for item in self.items), Decimal(0))

    @property
    def most(self) -> Decimal:
        """USD a month, with as many nodes and as much storage as the inventory allows."""
        return sum((item.most for item in self.items), Decimal(0))


def cost(wanted: Environment, prices: Prices, today: date) -> Cost:
    """Return what an environment costs.

    Raises:
        NoPrice: It names a type, a class or a version without a price.
    """
    plane, support = _control_plane(wanted, prices, today)
    items = [plane, *_nodes(wanted, prices), *_network(wanted, prices), *_database(wanted, prices)]
    # One key encrypts Secrets; RDS and the disks use AWS's own keys, which are free.
    items.append(_item("KMS key", "1", prices.month["key"], ""))
    kept = LOG_GB * wanted.log_days / DAYS
    logs = LOG_GB * prices.month["logs_taken"] + kept * prices.month["logs_kept"]
    items.append(_item("control-plane logs", f"{LOG_GB} GB a month, kept {wanted.log_days} days", logs, "berth_eks_log_days"))
    return Cost(tuple(items), (support, *_assumptions(wanted, prices)), prices)


def _item(name: str, count: str, month: Decimal, variable: str) -> Item:
    return Item(name, (count, count), month, month, variable)


def _range(name: str, counts: Sequence[tuple[int, str]], prices: Sequence[Decimal], variable: str) -> Item:
    """Return an item with a minimum and a maximum: ``counts`` are number and unit, ``prices`` USD a month each."""
    least, most = (Decimal(number) * each for (number, _), each in zip(counts, prices, strict=True))
    words = [f"{number} {unit}" for number, unit in counts]
    return Item(name, (words[0], words[1]), least, most, variable)


def _control_plane(wanted: Environment, prices: Prices, today: date) -> tuple[Item, str]:
    """Return the control plane's cost, and how it will change.

    docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html: a version whose standard support has ended is billed as extended
    support, or upgraded by EKS where the upgrade policy is STANDARD.
    """
    end = prices.versions.get(wanted.version)
    if end is None:
        known = tuple(prices.versions)
        text = f"the end of standard support for {wanted.version} is not known: the price file of {prices.date} covers {known[0]} to {known[-1]}"
        raise NoPrice(("berth_eks_version",), f"{text}{nearest(wanted.version, known)}")
    standard = prices.hour["control_plane"]
    extended = standard + prices.hour["extended_support"]
    over = today >= end
    if wanted.support == "STANDARD":
        words = f"{wanted.version} {'had' if over else 'has'} standard support until {end}; after that EKS upgrades it automatically, at the same price"
        return _item("EKS control plane", f"{wanted.version}, standard support", standard * HOURS, "berth_eks_version"), words
    if not over:
        words = f"{wanted.version} has standard support until {end}; after that it costs {_dollars(extended * HOURS)} a month: upgrade before then"
        return _item("EKS control plane", f"{wanted.version}, standard support", standard * HOURS, "berth_eks_version"), words
    words = f"{wanted.version} has been in extended support since {end}; an upgrade saves {_dollars((extended - standard) * HOURS)} a month"
    return _item("EKS control plane", f"{wanted.version}, extended support", extended * HOURS, "berth_eks_version"), words


def _nodes(wanted: Environment, prices: Prices) -> list[Item]:
    """Return the nodes, their disks and Auto Mode's fee. The minimum uses the first type, the maximum the most expensive one."""
    variable = "berth_eks_nodes"
    for number, name in enumerate(wanted.types):
        _known(name, prices.instances, (variable, "types", number), "instance type", prices)
        if wanted.auto:
            _known(name, prices.auto_mode, (variable, "types", number), "instance type of Auto Mode", prices)
    each = {name: prices.instances[name] + (prices.auto_mode[name] if wanted.auto else 0) for name in wanted.types}
    types = wanted.types[0], max(wanted.types, key=each.__getitem__)
    counts = list(zip(wanted.nodes, types, strict=True))
    items = [_range("nodes", counts, [prices.instances[name] * HOURS for name in types], variable)]
    if wanted.auto:
        items.append(_range("EKS Auto Mode", counts, [prices.auto_mode[name] * HOURS for name in types], "berth_eks_compute"))
    disks = [(number, f"x {wanted.disk} GiB gp3") for number in wanted.nodes]
    return [*items, _range("disks of the nodes", disks, [wanted.disk * prices.month["disk"]] * 2, variable)]


def _network(wanted: Environment, prices: Prices) -> list[Item]:
    items = []
    gateways = {"none": 0, "one": 1, "zone": wanted.zones}[wanted.nat] if wanted.own_network else 0
    if gateways:
        items.append(_item("NAT gateways", str(gateways), gateways * prices.hour["nat_gateway"] * HOURS, "berth_aws_nat"))
    if wanted.own_network and wanted.endpoints:
        number = len(wanted.endpoints) * wanted.zones
        words = f"{len(wanted.endpoints)} in {wanted.zones} zones"
        items.append(_item("interface endpoints", words, number * prices.hour["interface_endpoint"] * HOURS, "berth_aws_endpoints"))
    if wanted.entry:
        items.append(_item("public load balancer", "1", prices.hour["load_balancer"] * HOURS, "berth_entry"))
    # Each gateway has one; the load balancer has one in each zone.
    if addresses := gateways + (wanted.zones if wanted.entry else 0):
        items.append(_item("public IPv4 addresses", str(addresses), addresses * prices.hour["public_address"] * HOURS, "berth_aws_nat"))
    return items


def _database(wanted: Environment, prices: Prices) -> list[Item]:
    if not wanted.rds:
        return [_item("volume of the database", f"{wanted.volume:f} GiB gp3", wanted.volume * prices.month["disk"], "berth_database_storage")]
    table = _rds_prices(wanted, prices)
    _known(wanted.rds_class, table, ("berth_rds_class",), "RDS instance class", prices)
    suffix = ", Multi-AZ" if wanted.multi_az else ""
    storage = prices.month["database_storage_multi_az" if wanted.multi_az else "database_storage"]
    counts = [(size, f"GiB gp3{suffix}") for size in wanted.rds_storage]
    return [
        _item("RDS", f"{wanted.rds_class}{suffix}", table[wanted.rds_class] * HOURS, "berth_rds_class"),
        _range("RDS storage", counts, [storage, storage], "berth_rds_storage"),
        # RDS keeps the master password there.
        _item("Secrets Manager", "1 secret", prices.month["secret"], "berth_database"),
    ]


def _rds_prices(wanted: Environment, prices: Prices) -> Mapping[str, Decimal]:
    return prices.databases_multi_az if wanted.multi_az else prices.databases


def _known(name: str, table: Mapping[str, Decimal], path: tuple[str | int, ...], what: str, prices: Prices) -> None:
    if name not in table:
        near = nearest(name, list(table)) or f"; they have {', '.join(sorted(table)[:5])}, ..."
        raise NoPrice(path, f"the prices for {prices.region} of {prices.date} have no {what} {name}{near}")


def _assumptions(wanted: Environment, prices: Prices) -> list[str]:
    found = []
    if wanted.auto:
        size = " and ".join(dict.fromkeys((str(wanted.nodes[0]), str(wanted.nodes[1]))))
        found.append(
            f"Auto Mode chooses nodes by the pods' requests, without a limit of its own: this counts {size} {wanted.types[0]}; change that with berth_eks_nodes"
        )
    if not wanted.own_network:
        found.append("the VPC is managed outside Berth: its NAT gateways and endpoints are not counted")
    if wanted.rds:
        again = _rds_prices(wanted, prices)[wanted.rds_class] * HOURS
        found.append(f"a restore keeps the previous RDS instance, which costs another {_dollars(again)} a month plus its storage until it is removed")
    used = {wanted.rds_class if wanted.rds else "", *wanted.types, *price_lists.HOUR, *price_lists.MONTH}
    if estimated := [name for name in prices.estimated if name in used]:
        found.append(f"estimated, not quoted by AWS: {', '.join(estimated)}; -e ops_cost_refresh=true asks AWS")
    found.append(
        "not counted: traffic (NAT and the internet by GB, the load balancer by capacity unit), images in ECR, backups beyond the database's "
        "size, requests, tax, discounts"
    )
    return found


# --- Problems --------------------------------------------------------------------------------------------------------


def prices_of(region: str, project: Path) -> Prices:
    """Return a region's prices.

    Raises:
        NoPrice: There is no such file, or it is broken.
    """
    path = price_lists.DIRECTORY / f"{region}.yml"
    try:
        return price_lists.load(project / path)
    except PriceError as error:
        if (project / path).exists():
            raise NoPrice(("berth_aws_region",), f"{path} {error}") from error
        known = ", ".join(price_lists.regions(project / price_lists.DIRECTORY))
        raise NoPrice(("berth_aws_region",), f"there are no prices for {region}; there are prices for {known}") from error


def over_budget(found: Cost, budget: int) -> str:
    """Return the problem with a bill whose maximum is above ``budget`` (USD a month), "" if it is not."""
    if found.most <= budget:
        return ""
    largest = sorted(found.items, key=lambda item: item.most, reverse=True)[:4]
    shown = ", ".join(f"{item.name} {_dollars(item.most)}{f' ({item.variable})' if item.variable else ''}" for item in largest)
    return (
        f"the environment would cost up to {_dollars(found.most)} a month at the prices of {found.prices.date}, {_dollars(found.most - budget)} above the "
        f"budget of {_dollars(Decimal(budget))}. The largest items: {shown}. Make these smaller or raise the budget; playbooks/ops/cost.yml shows every item"
    )


# --- The text --------------------------------------------------------------------------------------------------------

WIDTH = 88
"""Columns of the text: with Ansible's indentation it fits a terminal of 100."""
_LABEL, _COLUMNS = 48, (10, 12, 13)


def text(name: str, found: Cost, budget: int | None) -> str:
    """Return a bill as a table: a line for each item, or two if it has a minimum and a maximum, then the notes.

    Args:
        name: The environment.
        found: Its bill.
        budget: USD a month; None for none.
    """
    prices = found.prices
    lines = [f"{name}: {_dollars(found.least)} to {_dollars(found.most)} a month in {prices.region}, in USD without tax"]
    lines += _wrap(f"prices of {prices.date} ({price_lists.DIRECTORY}/{prices.region}.yml): {prices.source}")
    lines += ["", _row("ITEM", ("HOUR", "MONTH", "YEAR"))]
    for item in found.items:
        if item.counts[0] == item.counts[1] and item.least == item.most:
            lines.append(_amounts(f"{item.name}: {item.counts[0]}", item.least))
        else:
            lines += [_amounts(f"{item.name}, least: {item.counts[0]}", item.least), _amounts(f"{item.name}, most: {item.counts[1]}", item.most)]
    lines += ["", _amounts("total, least", found.least), _amounts("total, most", found.most)]
    if budget is not None:
        rest = budget - found.most
        words = f"{_dollars(rest)} left" if rest >= 0 else f"{_dollars(-rest)} over, so site.yml refuses it"
        lines += _wrap(f"budget (berth_budget_monthly): {_dollars(Decimal(budget))} a month, {words}")
    lines.append("")
    for note in found.notes:
        lines += _wrap(note, "- ")
    return "\n".join(lines)


def _amounts(label: str, month: Decimal) -> str:
    return _row(label, (f"{month / HOURS:,.4f}", f"{month:,.2f}", f"{month * MONTHS:,.2f}"))


def _row(label: str, cells: Sequence[str]) -> str:
    return f"{label:<{_LABEL}}" + "".join(cell.rjust(width) for cell, width in zip(cells, _COLUMNS, strict=True))


def _dollars(amount: Decimal) -> str:
    return f"${amount:,.2f}"


def _wrap(words: str, first: str = "") -> list[str]:
    return textwrap.wrap(words, WIDTH, initial_indent=first, subsequent_indent=" " * len(first))
