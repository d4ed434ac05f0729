"""What an environment in AWS costs: each item, each variant, the sums, and what is said where there is no price."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import ansible_fork
import pytest
import yaml
from ansible_collections.berth.platform.plugins.module_utils.aws import prices as price_lists
from ansible_collections.berth.platform.plugins.module_utils.aws.prices import Prices
from ansible_collections.berth.platform.plugins.plugin_utils.inventory import cost
from ansible_collections.berth.platform.plugins.plugin_utils.inventory.cost import Cost, CostError, Environment, Item

PROJECT = Path(__file__).resolve().parents[2]
BEFORE, END, AFTER = date(2027, 3, 26), date(2027, 3, 27), date(2027, 3, 28)

# No two prices are alike, so that none is taken for another.
PRICES = Prices(
    region="eu-central-1",
    date=date(2026, 10, 2),
    source="made up",
    hour={name: Decimal(value) for name, value in {
        "control_plane": "0.20", "extended_support": "0.50", "nat_gateway": "0.05", "load_balancer": "0.03", "public_address": "0.006",
        "interface_endpoint": "0.01",
    }.items()},
    month={name: Decimal(value) for name, value in {
        "disk": "0.08", "database_storage": "0.12", "database_storage_multi_az": "0.24", "key": "1", "secret": "0.4", "logs_taken": "0.6", "logs_kept": "0.03",
    }.items()},
    instances={"c6a.large": Decimal("0.07"), "t3.large": Decimal("0.09"), "m6i.large": Decimal("0.11")},
    auto_mode={"c6a.large": Decimal("0.007"), "m6i.large": Decimal("0.013")},
    databases={"db.t4g.medium": Decimal("0.065"), "db.m7g.large": Decimal("0.168")},
    databases_multi_az={"db.t4g.medium": Decimal("0.131"), "db.m7g.large": Decimal("0.337")},
    versions={"1.35": END, "1.36": date(2027, 8, 2)},
)  # fmt: skip
ENVIRONMENT = Environment(
    region="eu-central-1", zones=3, own_network=True, nat="one", endpoints=(), entry=True, version="1.35", support="STANDARD", log_days=90, auto=False,
    types=("t3.large",), nodes=(2, 4), disk=40, rds=True, rds_class="db.t4g.medium", rds_storage=(20, 100), multi_az=False, volume=Decimal(1),
)  # fmt: skip
# What the roles' defaults leave of an inventory that says only where.
GIVEN: dict[str, Any] = {
    "eks_region": "eu-central-1", "eks_zones": ["a", "b"], "eks_vpc": {}, "eks_nat": "one", "eks_endpoints": ["s3"], "eks_version": "1.35",
    "eks_support": "STANDARD", "eks_log_days": 90, "eks_compute": "auto", "eks_nodes": {"types": ["t3.large"], "min": 2, "max": 4, "disk": 40},
    "database_provider": "rds", "database_storage": "1Gi", "database_rds_class": "db.t4g.medium", "database_rds_storage": {"min": 20, "max": 100},
    "database_rds_multi_az": False, "chosen": [],
}  # fmt: skip


def bill(today: date = BEFORE, prices: Prices = PRICES, **changes: Any) -> Cost:
    """Return the bill of the environment with some things different."""
    return cost.cost(replace(ENVIRONMENT, **changes), prices, today)


def item(found: Cost, name: str) -> Item:
    """Return the one item of a name."""
    [one] = [each for each in found.items if each.name == name]
    return one


def month(found: Cost, name: str) -> tuple[Decimal, Decimal]:
    """Return what an item costs a month, at least and at most."""
    return item(found, name).least, item(found, name).most


def names(found: Cost) -> set[str]:
    """Return the names of all items."""
    return {each.name for each in found.items}


# --- The control plane -----------------------------------------------------------------------------------------------


def test_a_control_plane_at_20_cents_an_hour_is_1752_dollars_a_year() -> None:
    found = bill()
    assert item(found, "EKS control plane").least * cost.MONTHS == Decimal(1752)
    line = next(line for line in cost.text("prod", found, None).splitlines() if line.startswith("EKS control plane"))
    assert line.split()[-3:] == ["0.2000", "146.00", "1,752.00"]


@pytest.mark.parametrize(
    ("support", "today", "dollars", "words"),
    [
        ("STANDARD", BEFORE, "0.20", "1.35, standard support"),
        ("STANDARD", AFTER, "0.20", "1.35, standard support"),  # EKS upgrades it
        ("EXTENDED", BEFORE, "0.20", "1.35, standard support"),
        ("EXTENDED", END, "0.70", "1.35, extended support"),
        ("EXTENDED", AFTER, "0.70", "1.35, extended support"),
    ],
)
def test_extended_support_is_paid_from_the_end_of_standard_support_where_it_is_wanted(support: str, today: date, dollars: str, words: str) -> None:
    found = item(bill(today, support=support), "EKS control plane")
    assert (found.least, found.most) == (Decimal(dollars) * 730, Decimal(dollars) * 730)
    assert found.counts == (words, words)


def test_the_note_says_what_becomes_of_a_version() -> None:
    assert "has standard support until 2027-03-27; after that EKS upgrades it" in bill().notes[0]
    assert "had standard support until 2027-03-27" in bill(AFTER).notes[0]
    assert "until 2027-03-27; after that it costs $511.00 a month: upgrade before" in bill(support="EXTENDED").notes[0]
    assert "has been in extended support since 2027-03-27; an upgrade saves $365.00 a month" in bill(AFTER, support="EXTENDED").notes[0]


# --- Nodes -----------------------------------------------------------------------------------------------------------


def test_a_node_group_is_its_instances_and_their_disks() -> None:
    found = bill(nodes=(2, 5), disk=50)
    assert month(found, "nodes") == (Decimal("0.09") * 730 * 2, Decimal("0.09") * 730 * 5)
    assert month(found, "disks of the nodes") == (Decimal("0.08") * 50 * 2, Decimal("0.08") * 50 * 5)
    assert "EKS Auto Mode" not in names(found)


def test_of_several_types_the_first_is_the_least_and_the_dearest_the_most() -> None:
    found = item(bill(types=("t3.large", "m6i.large", "c6a.large")), "nodes")
    assert (found.least, found.most) == (Decimal("0.09") * 730 * 2, Decimal("0.11") * 730 * 4)
    assert found.counts == ("2 t3.large", "4 m6i.large")


def test_auto_mode_takes_its_fee_on_top_of_the_instances() -> None:
    found = bill(auto=True, types=("c6a.large",))
    assert month(found, "nodes") == (Decimal("0.07") * 730 * 2, Decimal("0.07") * 730 * 4)
    assert month(found, "EKS Auto Mode") == (Decimal("0.007") * 730 * 2, Decimal("0.007") * 730 * 4)
    assert any(note.startswith("Auto Mode chooses nodes") and "2 and 4 c6a.large" in note for note in found.notes)


def test_auto_mode_is_reckoned_with_its_own_type_and_disk_unless_the_inventory_names_types() -> None:
    wanted = cost.environment(GIVEN)
    assert (wanted.auto, wanted.types, wanted.disk) == (True, (cost.AUTO_TYPE,), cost.AUTO_DISK)
    assert cost.environment({**GIVEN, "chosen": ["m6i.large"]}).types == ("m6i.large",)
    group = cost.environment({**GIVEN, "eks_compute": "nodes"})
    assert (group.auto, group.types, group.disk) == (False, ("t3.large",), 40)


# --- The network -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("nat", "gateways"), [("none", 0), ("one", 1), ("zone", 3)])
def test_nat_gateways_cost_by_zone_and_have_an_address_each(nat: str, gateways: int) -> None:
    found = bill(nat=nat)
    assert sum(each.least for each in found.items if each.name == "NAT gateways") == gateways * Decimal("0.05") * 730
    assert month(found, "public IPv4 addresses")[0] == (gateways + 3) * Decimal("0.006") * 730


def test_interface_endpoints_cost_by_zone_and_gateway_endpoints_nothing() -> None:
    wanted = cost.environment({**GIVEN, "eks_endpoints": ["s3", "dynamodb", "ecr.api", "ecr.dkr"]})
    assert wanted.endpoints == ("ecr.api", "ecr.dkr")
    assert month(bill(endpoints=wanted.endpoints), "interface endpoints")[1] == 2 * 3 * Decimal("0.01") * 730
    assert "interface endpoints" not in names(bill())


def test_somebody_elses_vpc_has_its_gateways_and_endpoints_from_them() -> None:
    wanted = cost.environment({**GIVEN, "eks_vpc": {"id": "vpc-1"}})
    found = bill(own_network=wanted.own_network, nat="zone", endpoints=("sts",))
    assert not {"NAT gateways", "interface endpoints"} & names(found)
    assert any("managed outside Berth" in note for note in found.notes)


def test_the_load_balancer_has_an_address_in_each_zone() -> None:
    found = bill(nat="none")
    assert month(found, "public load balancer") == (Decimal("0.03") * 730,) * 2
    assert month(found, "public IPv4 addresses")[0] == 3 * Decimal("0.006") * 730


def test_without_an_entry_there_is_no_load_balancer() -> None:
    wanted = cost.environment({**GIVEN, "entry_provider": "none"})
    assert not {"public load balancer", "public IPv4 addresses"} & names(bill(entry=wanted.entry, nat="none"))


# --- The database and the rest ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("more", "dollars"), [({}, "$47.45"), ({"multi_az": True}, "$95.63"), ({"rds": False}, "")])
def test_the_instance_that_a_restore_keeps_is_told_with_its_price(more: dict[str, bool], dollars: str) -> None:
    notes = [note for note in bill(**more).notes if note.startswith("a restore keeps")]
    assert [re.findall(r"\$[\d.]+", note) for note in notes] == ([[dollars]] if dollars else [])


@pytest.mark.parametrize(("multi_az", "hour", "gib"), [(False, "0.065", "0.12"), (True, "0.131", "0.24")])
def test_rds_is_its_class_and_its_storage_and_a_standby_costs_both_again(multi_az: bool, hour: str, gib: str) -> None:
    found = bill(multi_az=multi_az)
    assert month(found, "RDS") == (Decimal(hour) * 730,) * 2
    assert month(found, "RDS storage") == (20 * Decimal(gib), 100 * Decimal(gib))
    assert month(found, "Secrets Manager") == (Decimal("0.4"),) * 2


def test_a_database_in_the_cluster_is_its_volume() -> None:
    wanted = cost.environment({**GIVEN, "database_provider": "cluster", "database_storage": "5Gi"})
    found = bill(rds=wanted.rds, volume=wanted.volume)
    assert month(found, "volume of the database") == (5 * Decimal("0.08"),) * 2
    assert not {"RDS", "RDS storage", "Secrets Manager"} & names(found)


def test_the_key_and_the_logs_are_items_and_the_logs_say_what_is_assumed() -> None:
    found = bill(log_days=60)
    assert month(found, "KMS key") == (Decimal(1),) * 2
    # 10 GB come in each month, and those of two months are kept.
    assert month(found, "control-plane logs") == (10 * Decimal("0.6") + 20 * Decimal("0.03"),) * 2
    assert item(found, "control-plane logs").counts[0] == "10 GB a month, kept 60 days"


def test_the_total_is_the_sum_of_the_items() -> None:
    found = bill()
    fixed = [Decimal(146), Decimal("36.5"), Decimal("21.9"), 4 * Decimal("4.38"), Decimal("47.45"), Decimal("0.4"), Decimal(1), Decimal("6.9")]
    assert found.least == sum(fixed) + 2 * Decimal("65.7") + 2 * Decimal("3.2") + Decimal("2.4")
    assert found.most == sum(fixed) + 4 * Decimal("65.7") + 4 * Decimal("3.2") + Decimal(12)


# --- No price --------------------------------------------------------------------------------------------------------


def refused(**changes: Any) -> str:
    """Return the message on an environment without a price, as preflight begins it."""
    with pytest.raises(cost.NoPrice) as error:
        bill(**changes)
    path = error.value.path
    assert "ops_cost_refresh=true" in error.value.advice("inventories/prod")
    return f"{'.'.join(map(str, path))}: {error.value.text}"


def test_an_unknown_instance_type_is_named_with_its_variable_and_the_nearest() -> None:
    message = refused(types=("t3.large", "m6i.lrage"))
    assert message == "berth_eks_nodes.types.1: the prices for eu-central-1 of 2026-10-02 have no instance type m6i.lrage, did you mean m6i.large?"


def test_a_type_that_auto_mode_does_not_run_is_named() -> None:
    assert refused(auto=True, types=("t3.large",)).startswith(
        "berth_eks_nodes.types.0: the prices for eu-central-1 of 2026-10-02 have no instance type of Auto"
    )


def test_an_unknown_class_of_rds_is_named_with_its_variable_and_the_nearest() -> None:
    assert refused(rds_class="db.t4g.medum").startswith("berth_rds_class: ")
    assert refused(rds_class="db.t4g.medum", multi_az=True).endswith("have no RDS instance class db.t4g.medum, did you mean db.t4g.medium?")
    assert refused(rds_class="huge").endswith("have no RDS instance class huge; they have db.m7g.large, db.t4g.medium, ...")


def test_a_version_whose_end_is_not_known_is_named() -> None:
    assert refused(version="1.53").startswith("berth_eks_version: the end of standard support for 1.53 is not known")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"eks_region": ""}, ("berth_aws_region",)),
        ({"eks_zones": []}, ("berth_aws_zones",)),
        ({"eks_version": ""}, ("berth_eks_version",)),
        ({"eks_log_days": "many"}, ("berth_eks_log_days",)),
        ({"eks_nodes": {"types": [], "min": 5, "max": 4, "disk": 40}}, ("berth_eks_nodes", "min")),
        ({"eks_nodes": {"types": [], "min": 1, "max": None, "disk": 40}}, ("berth_eks_nodes", "max")),
        ({"database_rds_storage": {"min": -1, "max": 4}}, ("berth_rds_storage", "min")),
        ({"database_storage": "much"}, ("berth_database_storage",)),
    ],
)
def test_what_cannot_be_reckoned_names_its_variable(changes: dict[str, Any], path: tuple[str, ...]) -> None:
    with pytest.raises(CostError) as error:
        cost.environment({**GIVEN, **changes})
    assert error.value.path == path
    assert error.value.advice("inventories/prod") == ""  # new prices do not help


# --- The budget ------------------------------------------------------------------------------------------------------


def test_a_budget_is_kept_to_the_cent_and_exceeded_by_one() -> None:
    found = Cost((Item("nodes", ("4", "4"), Decimal(100), Decimal("500.00"), "berth_eks_nodes"),), (), PRICES)
    assert cost.over_budget(found, 500) == ""
    above = Cost((*found.items, Item("KMS key", ("1", "1"), Decimal("0.01"), Decimal("0.01"), "")), (), PRICES)
    assert "up to $500.01 a month at the prices of 2026-10-02, $0.01 above the budget of $500.00" in cost.over_budget(above, 500)


def test_too_much_names_the_largest_items_with_what_changes_them() -> None:
    message = cost.over_budget(bill(nat="zone"), 10)
    assert (
        "The largest items: nodes $262.80 (berth_eks_nodes), EKS control plane $146.00 (berth_eks_version), NAT gateways $109.50 (berth_aws_nat), "
        "RDS $47.45 (berth_rds_class). Make these smaller or raise the budget"
    ) in message


# --- The text --------------------------------------------------------------------------------------------------------


def test_the_text_fits_a_terminal_and_says_of_which_day_the_prices_are() -> None:
    shown = cost.text("prod", bill(nat="zone", multi_az=True, endpoints=("ecr.api", "sts", "logs")), 500)
    assert max(map(len, shown.splitlines())) <= cost.WIDTH
    assert "prices of 2026-10-02 (playbooks/ops/files/prices/eu-central-1.yml)" in shown
    assert "nodes, least: 2 t3.large" in shown and "nodes, most: 4 t3.large" in shown


def test_the_text_says_what_of_the_budget_is_left_or_lacking() -> None:
    most = bill().most
    assert f"${600 - most:,.2f} left" in cost.text("prod", bill(), 600)
    assert f"${most - 100:,.2f} over, so site.yml refuses it" in " ".join(cost.text("prod", bill(), 100).split())
    assert "budget" not in cost.text("prod", bill(), None)


def test_an_estimated_price_that_is_used_is_said_to_be_one() -> None:
    prices = replace(PRICES, estimated=("db.t4g.medium", "m6i.large"))
    [note] = [note for note in bill(prices=prices).notes if note.startswith("estimated")]
    assert "db.t4g.medium" in note and "m6i.large" not in note


# --- The playbook ----------------------------------------------------------------------------------------------------


def play(*arguments: str, playbook: str = "playbooks/ops/cost.yml") -> subprocess.CompletedProcess[str]:
    """Return a run of a playbook; nothing in the environment leads to AWS."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "AWS_EC2_METADATA_DISABLED": "true"}
    command = ["ansible-playbook", playbook, *arguments]
    return ansible_fork.run(command, cwd=PROJECT, env=environment, timeout=60)


def totals(output: str) -> dict[str, list[Decimal]]:
    """Return hour, month and year of the lines that begin so."""
    rows = re.findall(r"^ *(total, least|total, most|EKS control plane|NAT gateways)\b.*?([\d,.]+) +([\d,.]+) +([\d,.]+)$", output, re.MULTILINE)
    return {name: [Decimal(cell.replace(",", "")) for cell in cells] for name, *cells in rows}


def test_the_runbook_reckons_prod_as_one_does_by_hand() -> None:
    done = play("-i", "inventories/prod")
    assert done.returncode == 0, done.stdout
    inventory = yaml.safe_load((PROJECT / "inventories/prod/group_vars/all/main.yml").read_text(encoding="utf-8"))
    price = yaml.safe_load((PROJECT / "playbooks/ops/files/prices/eu-central-1.yml").read_text(encoding="utf-8"))
    hour, gib = price["hour"], price["month"]
    zones = len(inventory["berth_aws_zones"])
    assert (inventory["berth_aws_nat"], inventory["berth_rds_multi_az"], inventory["berth_rds_class"]) == ("zone", True, "db.t4g.medium")
    assert not {"berth_eks_compute", "berth_eks_nodes", "berth_aws_endpoints"} & set(inventory)

    def monthly(nodes: int, storage: int) -> float:
        """Auto Mode with c6a.large of 80 GiB, a gateway in each zone, and a load balancer with an address in each too."""
        by_hour = hour["control_plane"] + zones * hour["nat_gateway"] + hour["load_balancer"] + 2 * zones * hour["public_address"]
        by_hour += nodes * (price["instances"]["c6a.large"] + price["auto_mode"]["c6a.large"]) + price["databases_multi_az"]["db.t4g.medium"]
        by_month = nodes * 80 * gib["disk"] + storage * gib["database_storage_multi_az"] + gib["secret"] + gib["key"]
        return 730 * by_hour + by_month + 10 * gib["logs_taken"] + 30 * gib["logs_kept"]

    found = totals(done.stdout)
    for name, expected in (("least", monthly(2, 20)), ("most", monthly(4, 200))):
        by_hour, by_month, by_year = map(float, found[f"total, {name}"])
        assert by_month == pytest.approx(expected, abs=0.006)
        assert by_year == pytest.approx(12 * expected, abs=0.06)
        assert by_hour == pytest.approx(expected / 730, abs=0.0001)
    assert f"prices of {price['date']}" in done.stdout
    assert float(found["EKS control plane"][2]) == pytest.approx(8760 * hour["control_plane"])
    assert monthly(4, 200) <= inventory["berth_budget_monthly"], "prod's own budget"


def test_the_runbook_says_of_a_region_without_prices_how_to_have_them() -> None:
    done = play("-i", "inventories/prod", "-e", "berth_aws_region=eu-west-3")
    assert done.returncode != 0
    command = "ansible-playbook playbooks/ops/cost.yml -i inventories/prod -e ops_cost_refresh=true"
    assert re.search(rf"^ *berth_aws_region: there are no prices for eu-west-3; .*{re.escape(command)} \(-e\)$", done.stdout, re.MULTILINE), done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_the_runbook_names_what_is_of_a_wrong_type() -> None:
    done = play("-i", "inventories/prod", "-e", '{"berth_eks_nodes": ["t3.large"], "berth_aws_nat": "two"}')
    assert "berth_eks_nodes: must be a mapping, but is a list (-e)" in done.stdout
    assert "berth_aws_nat: 'two' is not one of: none, one, zone (-e)" in done.stdout


def test_the_runbook_says_that_other_providers_cost_nothing_in_aws() -> None:
    done = play("-i", "inventories/dev")
    assert done.returncode == 0 and "dev costs nothing in AWS" in done.stdout


def test_new_prices_without_credentials_end_with_what_is_lacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # where credentials lie too
    before = (PROJECT / "playbooks/ops/files/prices/eu-central-1.yml").read_bytes()
    done = play("-i", "inventories/prod", "-e", "ops_cost_refresh=true")
    assert done.returncode != 0 and "Prices of eu-central-1 in us-east-1: no AWS credentials" in done.stdout, done.stdout
    assert (PROJECT / "playbooks/ops/files/prices/eu-central-1.yml").read_bytes() == before


def test_preflight_says_nothing_of_an_environment_within_its_budget() -> None:
    # Ends with another problem, before AWS is asked anything.
    extra = ("-e", "berth_budget_monthly=10000", "-e", "berth_namespace=default")
    done = play("-i", "tests/inventories/invalid/budget-exceeded", *extra, playbook="playbooks/preflight.yml")
    assert "1 problem, and nothing was changed:\n    berth_namespace: " in done.stdout, done.stdout


# --- The files of prices ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("region", ["eu-central-1", "us-east-1"])
def test_the_prices_in_the_project_have_what_the_defaults_need(region: str) -> None:
    prices = price_lists.load(PROJECT / price_lists.DIRECTORY / f"{region}.yml")
    assert prices.region == region
    group = yaml.safe_load((PROJECT / "roles/eks/defaults/main.yml").read_text(encoding="utf-8"))["eks_nodes"]
    [default] = re.findall(r"'types': \['([\w.]+)'\]", group)
    assert {default, cost.AUTO_TYPE} <= set(prices.instances)
    assert cost.AUTO_TYPE in prices.auto_mode
    assert "db.t4g.medium" in prices.databases.keys() & prices.databases_multi_az.keys()
    assert "1.35" in prices.versions
