"""Moto with what EC2 and RDS do on AWS and moto does not: dependencies, refusals, creation that takes time, faults and lag on demand.

Run as ``moto_plus.py PORT``. EKS, ECR, IAM and STS are MiniStack's (``ministack_plus.py``). ``RDS_PSQL`` is the command (JSON list) of psql for a
PostgreSQL server: every emulated instance of it gets its master role there, so that a managed master secret opens a real server.
"""

from __future__ import annotations

import datetime
import io
import json
import math
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import calls
import control
import lag
import moto.acm.models as acm_models
import moto.ec2.models as ec2_models
import moto.elbv2.models as elbv2_models
import moto.kms.models as kms_models
import moto.rds.models as rds_models
import moto.route53.models as route53_models
from moto.acm.exceptions import AWSResourceNotFoundException
from moto.ec2 import utils as ec2_utils
from moto.ec2.exceptions import EC2ClientError
from moto.rds.exceptions import DBParameterGroupNotFoundError, RDSClientError

ACCOUNT = "123456789012"

# DescribeTags calls it "natgateway" on AWS.
ec2_utils.EC2_PREFIX_TO_RESOURCE["nat"] = "natgateway"


def wrap(owner: Any, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Replace a method by one that gets the original first."""
    original = getattr(owner, name)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        def replaced(*args: Any, **kwargs: Any) -> Any:
            return function(original, *args, **kwargs)

        setattr(owner, name, replaced)
        return replaced

    return decorate


# --- EC2: nothing goes while something depends on it ------------------------------------------------------------------------
@wrap(ec2_models.EC2Backend, "describe_nat_gateways")
def describe_nat_gateways(original: Any, self: Any, filters: dict[str, list[str]], nat_gateway_ids: list[str] | None) -> Any:
    """DescribeNatGateways: filters by tag count too."""
    found = original(self, filters, nat_gateway_ids)
    wanted = {name.removeprefix("tag:"): values for name, values in (filters or {}).items() if name.startswith("tag:")}
    return [nat for nat in found if all({t["key"]: t["value"] for t in nat.get_tags()}.get(key) in values for key, values in wanted.items())]


@wrap(ec2_models.EC2Backend, "delete_nat_gateway")
def delete_nat_gateway(original: Any, self: Any, nat_gateway_id: str) -> Any:
    """DeleteNatGateway: its network interface goes with it, and its address is free."""
    deleted = original(self, nat_gateway_id)
    for address in self.addresses:
        if address.eni is deleted._eni:
            address.eni = address.association_id = None
    self.enis.pop(deleted._eni.id, None)
    return deleted


@wrap(ec2_models.EC2Backend, "delete_subnet")
def delete_subnet(original: Any, self: Any, subnet_id: str) -> Any:
    """DeleteSubnet: its association with a route table goes with it."""
    if any(e.subnet.id == subnet_id for e in self.enis.values()):
        raise EC2ClientError("DependencyViolation", f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
    for table in self.route_tables.values():
        table._associations = {key: subnet for key, subnet in table._associations.items() if subnet != subnet_id}
    return original(self, subnet_id)


@wrap(ec2_models.EC2Backend, "delete_security_group")
def delete_security_group(original: Any, self: Any, name: str | None = None, group_id: str | None = None) -> Any:
    """DeleteSecurityGroup: not while an interface, a database or a rule of another group uses it."""
    used = any(group_id in [g.id for g in e.group_set] for e in self.enis.values())
    for region in list(rds_models.rds_backends[ACCOUNT].values()):
        used = used or any(group_id in (d.vpc_security_group_ids or []) for d in region.databases.values())
    for groups in self.groups.values():
        for group in groups.values():
            if group.id != group_id:
                rules = [*group.ingress_rules, *group.egress_rules]
                used = used or any((rule.source_group or {}).get("GroupId") == group_id for rule in rules)
    if group_id and used:
        raise EC2ClientError("DependencyViolation", f"resource {group_id} has a dependent object")
    return original(self, name, group_id)


@wrap(ec2_models.EC2Backend, "release_address")
def release_address(original: Any, self: Any, address: str | None = None, allocation_id: str | None = None) -> Any:
    """ReleaseAddress: not while a NAT gateway has it."""
    found = self.address_by_ip([address]) if address else self.address_by_allocation([allocation_id])
    if any(n.state != "deleted" and found[0].eni is n._eni for n in self.nat_gateways.values()):
        raise EC2ClientError("InvalidIPAddress.InUse", f"Address {found[0].public_ip} is in use.")
    return original(self, address, allocation_id)


@wrap(ec2_models.EC2Backend, "detach_internet_gateway")
def detach_internet_gateway(original: Any, self: Any, internet_gateway_id: str, vpc_id: str) -> Any:
    """DetachInternetGateway: not while public addresses are mapped."""
    if any(n.vpc_id == vpc_id and n.state != "deleted" and n.connectivity_type != "private" for n in self.nat_gateways.values()):
        raise EC2ClientError(
            "DependencyViolation", f"Network {vpc_id} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway."
        )
    return original(self, internet_gateway_id, vpc_id)


@wrap(ec2_models.EC2Backend, "modify_vpc_endpoint")
def modify_vpc_endpoint(original: Any, self: Any, vpc_id: str, *args: Any, **wanted: Any) -> None:
    """ModifyVpcEndpoint: a gateway's routes come and go with its route tables, which DeleteVpcEndpoints counts on."""
    endpoint = self.describe_vpc_endpoints(vpc_end_point_ids=[vpc_id])[0]
    before = set(endpoint.route_table_ids or [])
    original(self, vpc_id, *args, **wanted)
    if endpoint.vpc_endpoint_type.lower() != "interface":
        after = set(endpoint.route_table_ids or [])
        for table in after - before:
            self.create_route(table, None, gateway_id=vpc_id, destination_prefix_list_id=endpoint.destination_prefix_list_id)
        for table in before - after:
            self.delete_route(table, endpoint.destination_prefix_list_id)


# --- ACM: issued when the record is there, and kept while it is used ---------------------------------------------------------
@wrap(acm_models.CertBundle, "check")
def check_certificate(_original: Any, self: Any) -> None:
    """Issue a certificate when the records of its validation are in a public zone, and the time that it takes is over."""
    if self.type != "AMAZON_ISSUED" or self.status != "PENDING_VALIDATION":
        return
    if outcome := control.outcome(f"certificate/{self.common_name}"):
        self.status = outcome["status"]
        return
    zones = route53_models.route53_backends[ACCOUNT]["aws"].zones.values()
    public = {(r.name.rstrip("."), r.type): list(r.records) for zone in zones if not zone.private_zone for r in zone.rrsets}
    wanted = [each["ResourceRecord"] for each in self.describe()["Certificate"]["DomainValidationOptions"]]
    if all(public.get((record["Name"].rstrip("."), record["Type"])) == [record["Value"]] for record in wanted):
        self.validated_at = getattr(self, "validated_at", time.time())
        if time.time() - self.validated_at >= control.seconds("acm"):
            self.status = "ISSUED"


class CertificateInUse(AWSResourceNotFoundException):
    """ACM's word on a certificate that a load balancer uses."""

    TYPE = "ResourceInUseException"


@wrap(acm_models.AWSCertificateManagerBackend, "delete_certificate")
def delete_certificate(original: Any, self: Any, arn: str) -> Any:
    """DeleteCertificate: not while a load balancer uses it."""
    if arn in self._certificates and self._certificates[arn].in_use_by:
        raise CertificateInUse(f"Certificate {arn} in account {ACCOUNT} is in use.")
    return original(self, arn)


@wrap(acm_models.AWSCertificateManagerBackend, "set_certificate_in_use_by")
def use_certificate(original: Any, self: Any, arn: str, user: str) -> Any:
    """Name the load balancer that uses a certificate, not its listener."""
    return original(self, arn, re.sub(r":listener/(.*)/\w+$", r":loadbalancer/\1", user))


@wrap(elbv2_models.ELBv2Backend, "delete_load_balancer")
def delete_load_balancer(original: Any, self: Any, arn: str) -> Any:
    """DeleteLoadBalancer: its listeners use no certificate any more."""
    for certificate in acm_models.acm_backends[ACCOUNT][self.region_name]._certificates.values():
        certificate.in_use_by = [user for user in certificate.in_use_by if user != arn]
    return original(self, arn)


@wrap(elbv2_models.ELBv2Backend, "delete_listener")
def delete_listener(original: Any, self: Any, listener_arn: str) -> Any:
    """DeleteListener: it uses no certificate any more."""
    deleted = original(self, listener_arn)
    for certificate in acm_models.acm_backends[ACCOUNT][self.region_name]._certificates.values():
        if certificate.arn in deleted.certificates:
            certificate.in_use_by = [user for user in certificate.in_use_by if user != deleted.load_balancer_arn]
    return deleted


# --- Route 53 ---------------------------------------------------------------------------------------------------------------
@wrap(route53_models, "create_route53_zone_id")
def zone_id(original: Any, **wanted: Any) -> str:
    """Return an id that begins as those of AWS do."""
    return "Z" + original(**wanted)[1:]


# --- KMS --------------------------------------------------------------------------------------------------------------------
def by_any_name(original: Any, self: Any, key_id: str, *args: Any, **kwargs: Any) -> Any:
    """Take a key's ARN and aliases too, where moto takes its id only."""
    return original(self, self.any_id_to_key_id(key_id), *args, **kwargs)


for operation in ("cancel_key_deletion", "disable_key", "enable_key", "schedule_key_deletion", "update_key_description"):
    wrap(kms_models.KmsBackend, operation)(by_any_name)


# --- RDS --------------------------------------------------------------------------------------------------------------------
# The parameters that are asked for, each with its default and how a change is taken on.
PARAMETERS = {
    "log_min_duration_statement": (None, "dynamic"),
    "max_connections": ("LEAST({DBInstanceClassMemory/9531392},5000)", "static"),
    "rds.force_ssl": ("1", "dynamic"),
}


@wrap(ec2_models.EC2Backend, "create_launch_template")
def create_template(original: Any, self: Any, name: str, description: str, data: dict[str, Any], tags: dict[str, Any]) -> Any:
    """CreateLaunchTemplate: the template's own tags are no part of its data."""
    kept = [one for one in data.get("TagSpecifications", []) if one["ResourceType"] != "launch-template"]
    data = {key: value for key, value in data.items() if key != "TagSpecifications"} | ({"TagSpecifications": kept} if kept else {})
    return original(self, name, description, data, tags)


@wrap(rds_models.DBParameterGroup, "__init__")
def parameter_group(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """Give a new parameter group its engine's parameters."""
    original(self, *args, **kwargs)
    if str(self.family).startswith("postgres"):
        for name, (value, kind) in PARAMETERS.items():
            entry = {"ParameterName": name, "IsModifiable": True, "ApplyType": kind, "DataType": "string", "Source": "engine-default"}
            self.parameters[name] = entry | ({"ParameterValue": value} if value else {})


@wrap(rds_models.RDSBackend, "describe_db_parameter_groups")
def describe_parameter_groups(original: Any, self: Any, wanted: dict[str, Any]) -> Any:
    """DescribeDBParameterGroups: one that is not there is an error."""
    found = original(self, wanted)
    if wanted.get("db_parameter_group_name") and not found:
        raise DBParameterGroupNotFoundError(wanted["db_parameter_group_name"])
    return found


@wrap(rds_models.RDSBackend, "create_subnet_group")
def create_subnet_group(original: Any, self: Any, subnet_name: str, description: str, subnets: list[Any], tags: Any) -> Any:
    """CreateDBSubnetGroup: in two zones at least."""
    if subnet_name.lower() in {name.lower() for name in self.subnet_groups}:
        raise RDSClientError("DBSubnetGroupAlreadyExists", f"The DB subnet group '{subnet_name}' already exists.")
    if len({s.availability_zone for s in subnets}) < 2:
        raise RDSClientError(
            "DBSubnetGroupDoesNotCoverEnoughAZs",
            "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ coverage: 1. Add subnets to cover at least 2 AZs.",
        )
    return original(self, subnet_name, description, subnets, tags)


@wrap(rds_models.RDSBackend, "delete_subnet_group")
def delete_subnet_group(original: Any, self: Any, subnet_name: str) -> Any:
    """DeleteDBSubnetGroup: not while an instance uses it."""
    if any(getattr(d, "_db_subnet_group_name", None) == subnet_name for d in self.databases.values()):
        message = f"Cannot delete the subnet group '{subnet_name}' because at least one database instance is still using it."
        raise RDSClientError("InvalidDBSubnetGroupStateFault", message)
    return original(self, subnet_name)


@wrap(rds_models.MasterUserSecret, "_generate_secret_string")
def secret_string(original: Any, self: Any) -> str:
    """Make up the managed master password, for the user that the instance has."""
    return json.dumps({"username": self.resource.master_username, "password": secrets.token_urlsafe(24)})


@wrap(rds_models.DBInstance, "__init__")
def instance(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """Give gp3 its defaults, and begin the time that creation takes."""
    original(self, *args, **kwargs)
    if self.storage_type == "gp3":
        self.iops = self.iops or 3000
        self._storage_throughput = self._storage_throughput or 125
    self._ready_at = time.time() + control.seconds("rds")


def instance_status(self: Any) -> str:
    """Return what DescribeDBInstances says of an instance; a test may say it, ``until`` a time in seconds since 1970."""
    told = control.outcome(f"db/{self.db_instance_identifier}")
    if told and time.time() < told.get("until", math.inf):
        return told["status"]
    return "creating" if time.time() < self.__dict__.get("_ready_at", 0) else self.__dict__.get("_state", "available")


rds_models.DBInstance.status = property(instance_status, lambda self, value: self.__dict__.__setitem__("_state", value))


def sql(text: str, database: str = "postgres") -> None:
    """Run statements in the server behind the emulated instances."""
    subprocess.run([*json.loads(os.environ["RDS_PSQL"]), f"--dbname={database}"], input=text, text=True, check=True, capture_output=True)


def restore_window(self: Any) -> dict[str, datetime.datetime]:
    """Return between which times an instance goes back, which moto does not know: a day, also where it was made just now."""
    now = datetime.datetime.now(datetime.UTC)
    return {"EarliestTime": now - datetime.timedelta(days=1), "LatestTime": now}


rds_models.DBInstanceAutomatedBackup.restore_window = property(restore_window)


@wrap(rds_models.RDSBackend, "create_db_instance")
def create_instance(original: Any, self: Any, wanted: dict[str, Any]) -> Any:
    """CreateDBInstance: the engine, its version and the class are looked at, and the master role is made in a real server."""
    version = str(wanted.get("engine_version") or "17.4")
    if wanted.get("engine") == "postgres" and not re.fullmatch(r"1[3-8](\.\d+)?", version):
        raise RDSClientError("InvalidParameterCombination", f"Cannot find version {version} for postgres")
    if not re.fullmatch(r"db\.[a-z]\w*\.\w+", str(wanted.get("db_instance_class"))):
        raise RDSClientError("InvalidParameterValue", f"Invalid DB Instance class: {wanted.get('db_instance_class')}")
    if wanted.get("master_username") in ("admin", "postgres_admin", "rdsadmin"):
        raise RDSClientError("InvalidParameterValue", "MasterUsername admin cannot be used as it is a reserved word used by the engine")
    created = original(self, wanted)
    master(created, wanted.get("master_user_password"), self.secretsmanager)
    return created


@wrap(rds_models.RDSBackend, "modify_db_instance")
def modify_instance(original: Any, self: Any, name: str, wanted: dict[str, Any]) -> Any:
    """ModifyDBInstance: a busy instance takes no change, and a new master password opens the real server too."""
    if (status := self.describe_db_instances(name)[0].status) not in ("available", "storage-optimization"):
        raise RDSClientError("InvalidDBInstanceState", f"Database instance is not in available state: {status}")
    modified = original(self, name, wanted)
    if "manage_master_user_password" in wanted or "master_user_password" in wanted:
        master(modified, wanted.get("master_user_password"), self.secretsmanager)
    return modified


def master(instance: Any, password: str, secrets_manager: Any) -> None:
    """Give an instance's master role its password in the real server."""
    if not os.environ.get("RDS_PSQL"):
        return
    user = instance.master_username
    if instance.manage_master_user_password:
        password = json.loads(secrets_manager.get_secret_value(instance.master_user_secret.secret_arn, None, None)["SecretString"])["password"]
    if not re.fullmatch(r"[a-z]\w*", user) or "'" in password:
        raise RDSClientError("InvalidParameterValue", "The emulator takes plain names and passwords only")
    # rds_superuser may make roles and databases, and is no superuser.
    sql(f"DO $$ BEGIN CREATE ROLE {user} LOGIN CREATEROLE CREATEDB; EXCEPTION WHEN duplicate_object THEN END $$;\nALTER ROLE {user} PASSWORD '{password}';")


@wrap(rds_models.RDSBackend, "delete_db_instance")
def delete_instance(original: Any, self: Any, **wanted: Any) -> Any:
    """DeleteDBInstance: with a final snapshot or without, but that has to be said."""
    final = wanted.get("final_db_snapshot_identifier")
    if not wanted.get("skip_final_snapshot") and not final:
        raise RDSClientError("InvalidParameterCombination", "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.")
    if final and final in self.database_snapshots:
        raise RDSClientError("DBSnapshotAlreadyExists", f"Cannot create the snapshot because a snapshot with the identifier {final} already exists.")
    return original(self, **wanted)


# --- The server -------------------------------------------------------------------------------------------------------------
def error_body(service: str, code: str, message: str) -> bytes:
    """Return an error as a service's protocol has it."""
    error = f"<Code>{code}</Code><Message>{message}</Message>"
    if service == "ec2":
        return f"<Response><Errors><Error>{error}</Error></Errors><RequestID>x</RequestID></Response>".encode()
    if service in ("rds", "elasticloadbalancing", "autoscaling", "route53"):
        return f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error><RequestId>x</RequestId></ErrorResponse>".encode()
    return json.dumps({"__type": code, "message": message}).encode()


# PostgreSQL's versions on RDS, the newest of each major one last; what each class of instance runs.
POSTGRES = {"13": ["13.22"], "14": ["14.19"], "15": ["15.14"], "16": ["16.9", "16.10"], "17": ["17.4", "17.6"], "18": ["18.1"]}
CLASSES = {"db.t4g.micro": 13, "db.t4g.medium": 13, "db.m7g.large": 13, "db.m8g.large": 16, "db.t3.micro": 13}
SINGLE = ("db.t3.micro",)  # pretended to have no standby
# docs.aws.amazon.com/general/latest/gr: what a new account has. A test sets others (control.py: quotas).
QUOTAS = {"L-F678F1CE": 5.0, "L-0263D0A3": 5.0, "L-1194D53C": 100.0}


def engine_versions() -> str:
    """DescribeDBEngineVersions, which moto does not know, of PostgreSQL."""
    found = ""
    for major, version in [(major, version) for major, versions in POSTGRES.items() for version in versions]:
        newest = [versions[-1] for other, versions in POSTGRES.items() if int(major) <= int(other) <= int(major) + 3 and versions[-1] != version]
        targets = "".join(f"<UpgradeTarget><EngineVersion>{target}</EngineVersion></UpgradeTarget>" for target in newest)
        found += f"<DBEngineVersion><EngineVersion>{version}</EngineVersion><ValidUpgradeTarget>{targets}</ValidUpgradeTarget></DBEngineVersion>"
    return f"<DBEngineVersions>{found}</DBEngineVersions>"


def orderable_options(parameters: dict[str, Any]) -> str:
    """DescribeOrderableDBInstanceOptions, which moto knows of Aurora only."""
    kind = parameters.get("DBInstanceClass", "")
    found = "".join(
        f"<OrderableDBInstanceOption><Engine>postgres</Engine><EngineVersion>{version}</EngineVersion><DBInstanceClass>{kind}</DBInstanceClass>"
        f"<StorageType>gp3</StorageType><MultiAZCapable>{'false' if kind in SINGLE else 'true'}</MultiAZCapable></OrderableDBInstanceOption>"
        for major, versions in POSTGRES.items()
        for version in versions
        if int(major) >= CLASSES.get(kind, 99)
    )
    return f"<OrderableDBInstanceOptions>{found}</OrderableDBInstanceOptions>"


def own_answer(service: str, action: str, parameters: dict[str, Any]) -> tuple[int, bytes] | None:
    """Return the HTTP status and the text of an answer that moto has not, None where moto answers."""
    if service == "ec2" and parameters.get("DryRun") == "true":
        # moto does some of them for real.
        return 412, error_body("ec2", "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
    if service == "rds" and action in ("DescribeDBEngineVersions", "DescribeOrderableDBInstanceOptions"):
        text = engine_versions() if action == "DescribeDBEngineVersions" else orderable_options(parameters)
        return 200, f"<{action}Response><{action}Result>{text}</{action}Result></{action}Response>".encode()
    if service == "servicequotas" and action == "GetServiceQuota":
        code = parameters.get("QuotaCode", "")
        quotas = QUOTAS | control.content().get("quotas", {})
        if code in quotas:
            return 200, json.dumps({"Quota": {"ServiceCode": parameters["ServiceCode"], "QuotaCode": code, "Value": quotas[code]}}).encode()
    return None


def with_lag(app: Callable[..., Iterable[bytes]], service: str, action: str, parameters: dict[str, Any]) -> Callable[..., Iterable[bytes]]:
    """Return ``app`` for a call, with an answer in which nothing is known too early."""
    if control.content().get("lag") is None:
        return app

    def wsgi(environment: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        begun: list[Any] = []
        text = b"".join(app(environment, lambda *how: begun.extend(how)))
        if begun[0].startswith("2"):
            lag.note(service, action, parameters, text.decode())
            text = lag.without(service, action, text)
        start(begun[0], [(name, value) for name, value in begun[1] if name.lower() != "content-length"] + [("Content-Length", str(len(text)))])
        return [text]

    return wsgi


def with_faults(app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Return ``app`` with the faults that a test wants, and with what moto lacks."""

    def wsgi(environment: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = environment["wsgi.input"].read(int(environment.get("CONTENT_LENGTH") or 0))
        environment["wsgi.input"] = io.BytesIO(body)
        headers = {name.removeprefix("HTTP_").lower().replace("_", "-"): value for name, value in environment.items() if isinstance(value, str)}
        path = environment.get("PATH_INFO", "")
        service, action, parameters = calls.read(environment["REQUEST_METHOD"], path, environment.get("QUERY_STRING", ""), headers, body)
        calls.record(service, action, parameters)
        injected = control.fault(service, action or f"{environment['REQUEST_METHOD']} {path}")
        status, text, code = 0, b"", ""
        if injected := injected or lag.refusal(service, action, parameters):
            status, text, code = injected["status"], error_body(service, injected["code"], injected["message"]), injected["code"]
        elif own := own_answer(service, action, parameters):
            status, text = own
        if not status:
            return with_lag(app, service, action, parameters)(environment, start)
        start(f"{status} X", [("Content-Type", "text/xml"), ("Content-Length", str(len(text))), *([("x-amzn-ErrorType", code)] if code else [])])
        return [text]

    return wsgi


if __name__ == "__main__":
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import run_simple

    server = with_faults(DomainDispatcherApplication(create_backend_app))
    run_simple("127.0.0.1", int(sys.argv[1]), server, threaded=True, request_handler=MotoRequestHandler)
