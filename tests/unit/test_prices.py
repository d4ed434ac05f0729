"""The prices of a region: their file, and how AWS is asked for them (botocore checks what is asked and what is answered)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from ansible_collections.berth.platform.plugins.module_utils.aws import prices as price_lists
from ansible_collections.berth.platform.plugins.module_utils.aws import session
from ansible_collections.berth.platform.plugins.module_utils.aws.prices import PriceError, Prices, Product
from ansible_collections.berth.platform.plugins.modules import aws_prices
from botocore.stub import Stubber
from module_run import run

REGION = "eu-central-1"
FILE = Path(__file__).resolve().parents[2] / price_lists.DIRECTORY / f"{REGION}.yml"
GATEWAY = price_lists.HOUR["nat_gateway"]


def answer(usage: str, *steps: tuple[str, str], **attributes: str) -> str:
    """Return an entry of PriceList as the price list has them.

    Args:
        usage: The usage type.
        steps: Where each step of the price begins, and its USD.
        attributes: More of the product's.
    """
    dimensions = {
        f"SKU.JRTCKXETXF.{number}": {
            "unit": "Hrs",
            "beginRange": begin,
            "endRange": "Inf",
            "description": f"${dollars} per hour",
            "appliesTo": [],
            "rateCode": f"SKU.JRTCKXETXF.{number}",
            "pricePerUnit": {"USD": dollars},
        }
        for number, (begin, dollars) in enumerate(steps)
    }
    return json.dumps(
        {
            "product": {"productFamily": "made up", "sku": "SKU", "attributes": {"usagetype": usage, "regionCode": REGION, **attributes}},
            "serviceCode": "made up",
            "terms": {
                "OnDemand": {"SKU.JRTCKXETXF": {"priceDimensions": dimensions, "sku": "SKU", "offerTermCode": "JRTCKXETXF", "termAttributes": {}}},
                "Reserved": {"SKU.38NPMPTW36": {"priceDimensions": {"x": {"beginRange": "0", "pricePerUnit": {"USD": "0.0000000001"}}}}},
            },
            "version": "20260918164236",
            "publicationDate": "2026-09-18T16:42:36Z",
        }
    )


# --- Answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["EUC1-", "", "eu-central-1-", "EU-"])
def test_a_usage_type_is_known_whatever_its_region_is_called(prefix: str) -> None:
    assert price_lists.price([answer(f"{prefix}NatGateway-Hours", ("0", "0.0520000000"))], GATEWAY, REGION) == Decimal("0.052")


@pytest.mark.parametrize("usage", ["EUC1-RegionalNatGateway-Hours", "EUC1-NatGateway-Hours-Other", "EUC1-NatGateway-Bytes", "EUC1-LHR-NatGateway-Hours"])
def test_a_usage_type_that_only_contains_the_name_is_another(usage: str) -> None:
    assert price_lists.price([answer(usage, ("0", "0.9"))], GATEWAY, REGION) is None


def test_of_a_price_by_steps_it_is_the_first() -> None:
    logs = price_lists.MONTH["logs_taken"]
    assert price_lists.price([answer("EUC1-DataProcessing-Bytes", ("10240", "0.30"), ("0", "0.63"))], logs, REGION) == Decimal("0.63")


def test_the_same_price_twice_is_one_and_two_prices_are_refused() -> None:
    once, other = answer("EUC1-NatGateway-Hours", ("0", "0.052")), answer("EUC1-NatGateway-Hours", ("0", "0.0600"))
    assert price_lists.price([once, once], GATEWAY, REGION) == Decimal("0.052")
    with pytest.raises(PriceError, match=r"several prices for NatGateway-Hours in eu-central-1: 0\.052, 0\.06"):
        price_lists.price([once, other], GATEWAY, REGION)


@pytest.mark.parametrize("text", ["<html>", "[]", '{"product": {}}', '{"product": null}'])
def test_an_answer_that_is_none_of_the_price_lists_is_refused(text: str) -> None:
    with pytest.raises(PriceError, match=r"AWS's answer on NatGateway-Hours cannot be read"):
        price_lists.price([text], GATEWAY, REGION)


def test_products_are_asked_for_as_the_price_list_tells_them_apart() -> None:
    assert price_lists.filters(price_lists.database("db.t4g.medium", True), REGION) == [
        {"Type": "TERM_MATCH", "Field": "regionCode", "Value": "eu-central-1"},
        {"Type": "TERM_MATCH", "Field": "instanceType", "Value": "db.t4g.medium"},
        {"Type": "TERM_MATCH", "Field": "databaseEngine", "Value": "PostgreSQL"},
        {"Type": "TERM_MATCH", "Field": "deploymentOption", "Value": "Multi-AZ"},
        {"Type": "CONTAINS", "Field": "usagetype", "Value": "Multi-AZUsage:db.t4g.medium"},
    ]
    assert price_lists.auto_mode("c6a.large") == Product("AmazonEKS", "EKS-Auto:c6a.large-management-hours")


# --- The file --------------------------------------------------------------------------------------------------------


def test_a_file_is_written_as_it_is_read(tmp_path: Path) -> None:
    prices = price_lists.load(FILE)
    copy = tmp_path / "copy.yml"
    copy.write_text(price_lists.text(prices), encoding="utf-8")
    assert price_lists.load(copy) == prices
    assert price_lists.text(prices) == FILE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hour": {"control_plane": 0.1}}, "lacks hour.extended_support"),
        ({"date": "soon"}, "has an invalid date"),
        ({"versions": {"1.35": "some day"}}, "has an invalid date"),
        ({"versions": ["1.35"]}, "has an invalid date"),
        ({"instances": {"t3.large": "cheap"}}, "has instances.t3.large: cheap, which is not a price"),
        ({"instances": {"t3.large": -1}}, "has instances.t3.large: -1, which is not a price"),
        ({"instances": ["t3.large"]}, "has instances that do not map names to prices"),
        ({"source": ...}, "lacks source"),
    ],
)
def test_a_broken_file_says_what_is_wrong_with_it(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    content = {**yaml.safe_load(FILE.read_text(encoding="utf-8")), **change}
    path = tmp_path / "broken.yml"
    path.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not ...}), encoding="utf-8")
    with pytest.raises(PriceError, match=words.replace(".", r"\.")):
        price_lists.load(path)


@pytest.mark.parametrize(("text", "words"), [("a: [", "cannot be read"), ("- 1", "contains no prices"), ("", "contains no prices"), (None, "does not exist")])
def test_what_is_no_file_of_prices_is_said(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "none.yml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(PriceError, match=words):
        price_lists.load(path)


# --- Asking AWS ------------------------------------------------------------------------------------------------------

TYPES, CLASSES = ("c6a.large", "t3.large"), ("db.t4g.medium",)
# The price of each usage type, as AWS answers it; Auto Mode does not run t3.large here.
LIST = {
    "EUC1-AmazonEKS-Hours:perCluster": "0.1000000000",
    "EUC1-AmazonEKS-Hours:extendedSupport": "0.5000000000",
    "EUC1-NatGateway-Hours": "0.0520000000",
    "EUC1-LoadBalancerUsage": "0.0270000000",
    "EUC1-PublicIPv4:InUseAddress": "0.0050000000",
    "EUC1-VpcEndpoint-Hours": "0.0120000000",
    "EUC1-EBS:VolumeUsage.gp3": "0.0952000000",
    "EUC1-RDS:GP3-Storage": "0.1370000000",
    "EUC1-RDS:Multi-AZ-GP3-Storage": "0.2740000000",
    "eu-central-1-KMS-Keys": "1.0000000000",
    "EUC1-AWSSecretsManager-Secrets": "0.4000000000",
    "EUC1-DataProcessing-Bytes": "0.6300000000",
    "EUC1-TimedStorage-ByteHrs": "0.0324000000",
    "EUC1-BoxUsage:c6a.large": "0.0873000000",
    "EUC1-BoxUsage:t3.large": "0.0960000000",
    "EUC1-EKS-Auto:c6a.large-management-hours": "0.0104800000",
    "EUC1-InstanceUsage:db.t4g.medium": "0.0740000000",
    "EUC1-Multi-AZUsage:db.t4g.medium": "0.1480000000",
}
VERSIONS = [
    {"clusterVersion": version, "endOfStandardSupportDate": datetime(*end, tzinfo=UTC), "versionStatus": "STANDARD_SUPPORT"}
    for version, end in (("1.35", (2027, 3, 27)), ("1.36", (2027, 8, 2)))
]
Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Ask]:
    """Return a function that runs the module against a price list, and checks that everything was asked for."""
    monkeypatch.setattr(price_lists, "INSTANCES", TYPES)
    monkeypatch.setattr(price_lists, "DATABASES", CLASSES)
    monkeypatch.setattr(aws_prices, "WORKERS", 1)  # the answers come in a row
    keys = {"region_name": "us-east-1", "aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "none"}

    def expected(instances: list[str], databases: list[str]) -> list[Product]:
        products = [*price_lists.HOUR.values(), *price_lists.MONTH.values()]
        for name in sorted({*TYPES, *instances}):
            products += [price_lists.instance(name), price_lists.auto_mode(name)]
        for name in sorted({*CLASSES, *databases}):
            products += [price_lists.database(name, multi_az) for multi_az in (False, True)]
        return products

    def ask(prices: dict[str, str] = LIST, check: bool = False, versions: bool = True, **options: Any) -> dict[str, Any]:
        clients = {name: boto3.client(name, **keys) for name in ("pricing", "eks")}
        stubs = {name: Stubber(client) for name, client in clients.items()}
        for product in expected(options.get("instances", []), options.get("databases", [])):
            request = {"ServiceCode": product.service, "Filters": price_lists.filters(product, REGION)}
            found = [answer(usage, ("0", dollars)) for usage, dollars in prices.items() if product.usage in usage]
            if product is GATEWAY:  # comes in two pages, and with what contains the same name
                first = [answer("EUC1-RegionalNatGateway-Hours", ("0", "0.9"))]
                stubs["pricing"].add_response("get_products", {"FormatVersion": "aws_v1", "PriceList": first, "NextToken": "more"}, request)
                request = {**request, "NextToken": "more"}
            stubs["pricing"].add_response("get_products", {"FormatVersion": "aws_v1", "PriceList": found}, request)
        if versions:
            stubs["eks"].add_response("describe_cluster_versions", {"clusterVersions": VERSIONS}, {"includeAll": True})
        monkeypatch.setattr(session, "connect", lambda module, name: clients[name])
        for stub in stubs.values():
            stub.activate()
        result = run(aws_prices, capsys, check, region="us-east-1", of=REGION, directory=str(tmp_path), **options)
        for stub in stubs.values():
            stub.assert_no_pending_responses()
        return result

    yield ask


def test_the_prices_of_aws_are_written_to_the_file_of_the_region(ask: Ask, tmp_path: Path) -> None:
    result = ask()
    assert result["changed"] and result["path"] == str(tmp_path / f"{REGION}.yml")
    found = price_lists.load(tmp_path / f"{REGION}.yml")
    assert found == Prices(
        region=REGION,
        date=datetime.now(UTC).date(),
        source=aws_prices.SOURCE,
        hour={
            name: Decimal(value)
            for name, value in {
                "control_plane": "0.1",
                "extended_support": "0.5",
                "nat_gateway": "0.052",
                "load_balancer": "0.027",
                "public_address": "0.005",
                "interface_endpoint": "0.012",
            }.items()
        },
        month={
            name: Decimal(value)
            for name, value in {
                "disk": "0.0952",
                "database_storage": "0.137",
                "database_storage_multi_az": "0.274",
                "key": "1",
                "secret": "0.4",
                "logs_taken": "0.63",
                "logs_kept": "0.0324",
            }.items()
        },
        instances={"c6a.large": Decimal("0.0873"), "t3.large": Decimal("0.096")},
        auto_mode={"c6a.large": Decimal("0.01048")},
        databases={"db.t4g.medium": Decimal("0.074")},
        databases_multi_az={"db.t4g.medium": Decimal("0.148")},
        versions={"1.35": date(2027, 3, 27), "1.36": date(2027, 8, 2)},
    )


def test_the_same_prices_once_more_change_nothing_and_keep_the_date(ask: Ask, tmp_path: Path) -> None:
    ask()
    path = tmp_path / f"{REGION}.yml"
    path.write_text(path.read_text(encoding="utf-8").replace(str(datetime.now(UTC).date()), "2026-10-02"), encoding="utf-8")
    before = path.read_text(encoding="utf-8")
    assert not ask()["changed"]
    assert path.read_text(encoding="utf-8") == before


def test_a_new_price_is_shown_and_in_check_mode_not_written(ask: Ask, tmp_path: Path) -> None:
    ask()
    path = tmp_path / f"{REGION}.yml"
    before = path.read_text(encoding="utf-8")
    dearer = {**LIST, "EUC1-NatGateway-Hours": "0.0600000000"}
    result = ask(dearer, check=True)
    assert result["changed"] and "nat_gateway: 0.06\n" in result["diff"]["after"]["content"] and "nat_gateway: 0.052\n" in result["diff"]["before"]["content"]
    assert path.read_text(encoding="utf-8") == before
    assert ask(dearer)["changed"] and "nat_gateway: 0.06\n" in path.read_text(encoding="utf-8")


def test_what_the_inventory_names_is_asked_for_too(ask: Ask, tmp_path: Path) -> None:
    more = {**LIST, "EUC1-BoxUsage:m7i.large": "0.1207500000", "EUC1-InstanceUsage:db.m7g.large": "0.19", "EUC1-Multi-AZUsage:db.m7g.large": "0.38"}
    ask(more, instances=["m7i.large"], databases=["db.m7g.large"])
    found = price_lists.load(tmp_path / f"{REGION}.yml")
    assert found.instances["m7i.large"] == Decimal("0.12075") and found.databases_multi_az["db.m7g.large"] == Decimal("0.38")


def test_a_type_of_the_inventory_that_aws_does_not_sell_there_is_refused(ask: Ask, tmp_path: Path) -> None:
    result = ask(instances=["m9z.large"], versions=False)
    assert result["failed"] and "AWS has no price for m9z.large in this region. Fix the region, or the types in berth_eks_nodes" in result["msg"]
    assert not list(tmp_path.iterdir())


def test_a_region_without_what_every_environment_needs_is_refused(ask: Ask, tmp_path: Path) -> None:
    result = ask({usage: dollars for usage, dollars in LIST.items() if "KMS" not in usage}, versions=False)
    assert result["failed"] and "AWS has no price for key (KMS-Keys) in this region" in result["msg"]


def test_a_missing_permission_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    client = boto3.client("pricing", region_name="us-east-1", aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="none")
    stub = Stubber(client)
    monkeypatch.setattr(aws_prices, "WORKERS", 1)
    for _ in range(100):
        stub.add_client_error("get_products", "AccessDeniedException", "User: x is not authorized to perform: pricing:GetProducts")
    stub.activate()
    monkeypatch.setattr(session, "connect", lambda module, name: client)
    result = run(aws_prices, capsys, region="us-east-1", of=REGION, directory=str(tmp_path))
    assert result["failed"] and "the permission pricing:GetProducts is missing" in result["msg"]


@pytest.mark.parametrize("file", sorted(FILE.parent.glob("*.yml")), ids=lambda file: file.stem)
def test_prices_that_hang_together_do(file: Path) -> None:
    """AMD's generation costs nine tenths of Intel's, and Auto Mode 12 per cent of the instance: a slip in one of many numbers shows."""
    prices = yaml.safe_load(file.read_text(encoding="utf-8"))
    instances, managed = (prices[key] for key in ("instances", "auto_mode"))
    for kind in set(instances) & {name.replace("c6a", "c6i") for name in instances if name.startswith("c6a")}:
        assert instances[kind.replace("c6i", "c6a")] == pytest.approx(instances[kind] * 0.9, rel=0.01), kind
    for kind, surcharge in managed.items():
        assert surcharge == pytest.approx(instances[kind] * 0.12, rel=0.02), kind
