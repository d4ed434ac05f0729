"""The modules of the public entry against the emulated ACM, Route 53 and load balancers."""

from __future__ import annotations

from typing import Any

import emulated
import pytest
from ansible_collections.berth.platform.plugins.modules import acm_certificate, load_balancer_info, route53_alias
from emulated_aws import Emulated
from emulated_entry import Entry


@pytest.fixture
def entry(aws: Emulated) -> Entry:
    """Return the emulated AWS with a zone."""
    return Entry(aws)


# --- The certificate -------------------------------------------------------
def test_a_certificate_is_requested_once_validated_and_issued(entry: Entry) -> None:
    answer = entry.aws.beats(acm_certificate, **entry.certificate(tags={"team": "web"}))
    found = entry.acm.describe_certificate(CertificateArn=answer["arn"])["Certificate"]
    assert (answer["status"], found["Status"], found["DomainName"]) == ("ISSUED", "ISSUED", entry.host)
    tags = {tag["Key"]: tag["Value"] for tag in entry.acm.list_tags_for_certificate(CertificateArn=answer["arn"])["Tags"]}
    assert tags == {"team": "web", "berth:environment": "prod", "berth:name": entry.aws.name, "berth:zone": entry.zone}
    assert [kind for _, kind in entry.records()] == ["CNAME"]


def test_changed_tags_are_changed_on_the_same_certificate(entry: Entry) -> None:
    first = entry.aws.run(acm_certificate, **entry.certificate(tags={"team": "web"}))
    assert entry.aws.beats(acm_certificate, **entry.certificate(tags={"team": "core"}))["arn"] == first["arn"]


def test_a_certificate_that_a_run_was_cut_off_waiting_for_is_found_again(entry: Entry) -> None:
    entry.aws.control(seconds={"acm": 3600})
    first = entry.aws.run(acm_certificate, **entry.certificate(wait=False))
    assert first["status"] == "PENDING_VALIDATION"
    entry.aws.control()
    second = entry.aws.run(acm_certificate, **entry.certificate())
    assert (second["arn"], second["status"], second["changed"]) == (first["arn"], "ISSUED", False)


def test_a_domain_that_is_not_delegated_is_named_with_the_name_servers_to_delegate_it_to(entry: Entry) -> None:
    entry.aws.control(seconds={"acm": 3600})
    said = entry.aws.refusal(acm_certificate, **entry.certificate(wait_timeout=1))
    server = entry.route53.get_hosted_zone(Id=entry.zone)["DelegationSet"]["NameServers"][0]
    assert said.startswith(f"Certificate of {entry.aws.name} for {entry.host} is still PENDING_VALIDATION after 1 s")
    assert f"Is {entry.domain} delegated to this zone's name servers ({server}" in said


def test_a_validation_that_fails_is_said_at_once(entry: Entry) -> None:
    entry.aws.control(outcomes={f"certificate/{entry.host}": {"status": "FAILED"}})
    assert f"Certificate of {entry.aws.name} for {entry.host} is FAILED" in entry.aws.refusal(acm_certificate, **entry.certificate(wait_timeout=600))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"zone": "nowhere.example"}, "this account has no public hosted zone nowhere.example"),
        ({"zone": "Z0000000000"}, "this account has no public hosted zone Z0000000000"),
        ({"host": "polls.elsewhere.example"}, "polls.elsewhere.example is not in the hosted zone"),
        ({"zone": ""}, "it cannot be validated without a hosted zone"),
        ({"host": ""}, "host is not set"),
    ],
)
def test_a_zone_that_does_not_fit_is_refused_before_anything_is_requested(entry: Entry, options: dict[str, Any], message: str) -> None:
    before = entry.acm.list_certificates()["CertificateSummaryList"]
    assert message in entry.aws.refusal(acm_certificate, **entry.certificate(**options))
    assert entry.acm.list_certificates()["CertificateSummaryList"] == before


def test_of_two_zones_of_one_name_the_id_has_to_be_given(entry: Entry) -> None:
    other = entry.make_zone(entry.domain)
    said = entry.aws.refusal(acm_certificate, **entry.certificate())
    assert "there are 2 public hosted zones" in said and entry.zone in said and other in said
    assert entry.aws.run(acm_certificate, **entry.certificate(zone=entry.zone))["status"] == "ISSUED"


def test_a_certificate_that_is_given_is_looked_at_and_left_as_it_is(entry: Entry) -> None:
    made = entry.aws.run(acm_certificate, **entry.certificate())["arn"]
    answer = entry.aws.run(acm_certificate, **entry.owner(host=entry.host, arn=made))
    assert (answer["changed"], answer["arn"], answer["status"]) == (False, made, "ISSUED")
    assert f"is for {entry.host}, not for www.example.org" in entry.aws.refusal(acm_certificate, **entry.owner(host="www.example.org", arn=made))
    missing = f"arn:aws:acm:{emulated.REGION}:{emulated.ACCOUNT}:certificate/none"
    assert f"there is no certificate {missing}" in entry.aws.refusal(acm_certificate, **entry.owner(host=entry.host, arn=missing))
    pending = entry.acm.request_certificate(DomainName=entry.host, ValidationMethod="DNS")["CertificateArn"]
    entry.aws.control(outcomes={f"certificate/{entry.host}": {"status": "PENDING_VALIDATION"}})
    assert "is PENDING_VALIDATION, not ISSUED" in entry.aws.refusal(acm_certificate, **entry.owner(host=entry.host, arn=pending))


@pytest.mark.parametrize(
    ("host", "names", "covered"),
    [
        ("polls.example.com", ["polls.example.com"], True),
        ("polls.example.com", ["example.com", "*.example.com"], True),
        ("polls.example.com", ["*.polls.example.com"], False),
        ("a.polls.example.com", ["*.example.com"], False),
        ("example.com", ["*.example.com"], False),
    ],
)
def test_a_pattern_covers_one_label(host: str, names: list[str], covered: bool) -> None:
    assert acm_certificate.covers(host, names) is covered


def test_removal_takes_the_certificate_and_its_record_and_no_other(entry: Entry) -> None:
    entry.aws.run(acm_certificate, **entry.certificate())
    foreign = entry.acm.request_certificate(DomainName=f"www.{entry.domain}", ValidationMethod="DNS")["CertificateArn"]
    entry.make_record(f"other.{entry.domain}", "CNAME", "elsewhere.example.")
    entry.aws.beats(acm_certificate, **entry.owner(state="absent"))
    left = [each["CertificateArn"] for each in entry.acm.list_certificates()["CertificateSummaryList"]]
    assert foreign in left and not [each for each in left if entry.acm.describe_certificate(CertificateArn=each)["Certificate"]["DomainName"] == entry.host]
    assert list(entry.records()) == [(f"other.{entry.domain}", "CNAME")]


def test_the_record_of_a_validation_stays_while_another_certificate_is_renewed_by_it(entry: Entry) -> None:
    entry.aws.run(acm_certificate, **entry.certificate())
    entry.acm.request_certificate(DomainName=entry.host, ValidationMethod="DNS")
    entry.aws.run(acm_certificate, **entry.owner(state="absent"))
    assert [kind for _, kind in entry.records()] == ["CNAME"]


def test_the_certificate_to_keep_stays_and_that_of_another_environment_too(entry: Entry) -> None:
    kept = entry.aws.run(acm_certificate, **entry.certificate())["arn"]
    other = entry.aws.run(acm_certificate, **entry.certificate(environment="stage"))["arn"]
    old = entry.aws.run(acm_certificate, **entry.certificate(host=f"old.{entry.domain}"))["arn"]
    answer = entry.aws.run(acm_certificate, **entry.owner(state="absent", keep=kept))
    assert answer["removed"] == [old]
    assert {kept, other} <= {each["CertificateArn"] for each in entry.acm.list_certificates()["CertificateSummaryList"]}


def test_a_certificate_that_a_load_balancer_still_uses_is_waited_for_and_named(entry: Entry) -> None:
    arn = entry.aws.run(acm_certificate, **entry.certificate())["arn"]
    balancer = entry.balancer(certificate=arn)
    said = entry.aws.run(acm_certificate, **entry.owner(state="absent", wait_timeout=1))["msg"]
    assert f"Certificate of {entry.aws.name}, {arn}, is still in use after 1 s" in said and balancer["LoadBalancerArn"] in said
    entry.elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
    assert entry.aws.run(acm_certificate, **entry.owner(state="absent", wait_timeout=1))["removed"] == [arn]


# --- The record ------------------------------------------------------------
def test_a_host_name_is_led_to_the_load_balancer_and_marked_as_ours(entry: Entry) -> None:
    balancer = entry.balancer()
    entry.aws.beats(route53_alias, **entry.alias(balancer))
    records = entry.records()
    assert records[entry.host, "A"]["AliasTarget"]["DNSName"].rstrip(".") == balancer["DNSName"]
    assert records[f"_berth.{entry.host}", "TXT"]["ResourceRecords"] == [{"Value": f'"environment=prod name={entry.aws.name}"'}]


def test_a_host_name_follows_to_another_load_balancer(entry: Entry) -> None:
    entry.aws.run(route53_alias, **entry.alias(entry.balancer()))
    second = entry.balancer(f"{entry.aws.name}-2")
    entry.aws.beats(route53_alias, **entry.alias(second))
    assert entry.records()[entry.host, "A"]["AliasTarget"]["DNSName"].rstrip(".") == second["DNSName"]


def test_the_top_of_a_zone_can_be_the_host(entry: Entry) -> None:
    entry.aws.run(route53_alias, **entry.alias(entry.balancer(), host=entry.domain, zone=entry.zone))
    assert (entry.domain, "A") in entry.records()


@pytest.mark.parametrize(("kind", "value"), [("A", "192.0.2.1"), ("AAAA", "2001:db8::1"), ("CNAME", "elsewhere.example.")])
def test_a_record_of_somebody_else_is_neither_changed_nor_removed(entry: Entry, kind: str, value: str) -> None:
    entry.make_record(entry.host, kind, value)
    before = entry.records()
    said = entry.aws.refusal(route53_alias, **entry.alias(entry.balancer()))
    assert f"has a record {kind} of that name already, which is not this environment's (nothing says that Berth made it)" in said
    assert not entry.aws.run(route53_alias, **entry.alias(state="absent"))["changed"]
    assert entry.records() == before


def test_a_host_name_of_another_environment_is_refused_with_its_name(entry: Entry) -> None:
    balancer = entry.balancer()
    entry.aws.run(route53_alias, **entry.alias(balancer, environment="stage"))
    assert "(environment=stage name=" in entry.aws.refusal(route53_alias, **entry.alias(balancer))
    assert not entry.aws.run(route53_alias, **entry.alias(state="absent"))["changed"]


def test_a_host_name_is_taken_away_once(entry: Entry) -> None:
    entry.make_record(f"other.{entry.domain}", "A", "192.0.2.1")
    entry.aws.run(route53_alias, **entry.alias(entry.balancer()))
    entry.aws.beats(route53_alias, **entry.alias(state="absent"))
    assert list(entry.records()) == [(f"other.{entry.domain}", "A")]


def test_a_name_that_somebody_has_led_elsewhere_since_loses_only_its_mark(entry: Entry) -> None:
    entry.aws.run(route53_alias, **entry.alias(entry.balancer()))
    entry.make_record(entry.host, "A", "192.0.2.1")
    entry.aws.run(route53_alias, **entry.alias(state="absent"))
    assert [name for name in entry.records() if name != (entry.host, "A")] == [] and (entry.host, "A") in entry.records()


def test_a_record_whose_zone_is_gone_is_gone(entry: Entry) -> None:
    assert not entry.aws.run(route53_alias, **entry.alias(state="absent", zone="nowhere.example"))["changed"]


# --- The load balancer -----------------------------------------------------
def test_a_load_balancer_is_found_by_its_address_with_its_zone(entry: Entry) -> None:
    balancer = entry.balancer()
    answer = entry.aws.run(load_balancer_info, address=balancer["DNSName"].upper(), wait_for="active", wait_timeout=5)
    assert (answer["exists"], answer["arn"], answer["zone_id"]) == (True, balancer["LoadBalancerArn"], balancer["CanonicalHostedZoneId"])


def test_one_that_is_gone_has_been_waited_for_and_one_that_stays_is_an_error(entry: Entry) -> None:
    balancer = entry.balancer()
    gone = entry.aws.run(load_balancer_info, address="none.elb.amazonaws.com", wait_for="absent", wait_timeout=1)
    assert (gone["changed"], gone["exists"]) == (False, False)
    said = entry.aws.run(load_balancer_info, address=balancer["DNSName"], wait_for="absent", wait_timeout=1)["msg"]
    assert f"Load balancer {balancer['DNSName']} is still active after 1 s" in said


def test_a_permission_that_is_missing_is_named_as_iam_calls_it(entry: Entry) -> None:
    entry.aws.control(faults=[{"service": "elasticloadbalancing", "code": "AccessDenied", "status": 403, "message": "no", "count": 9}])
    said = entry.aws.refusal(load_balancer_info, address="x.elb.amazonaws.com")
    assert "the permission elasticloadbalancing:DescribeLoadBalancers is missing" in said
