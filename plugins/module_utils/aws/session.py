"""What Berth's own modules for AWS share: connection, error messages, comparison, tags and waiting.

A module describes what exists, compares it with what is wanted, and asks :class:`Aws` for each change; check mode
and the diff are handled here.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.module_utils.common.dict_transformations import camel_dict_to_snake_dict
from ansible_collections.amazon.aws.plugins.module_utils.botocore import boto3_inventory_conn, get_aws_connection_info, is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ..progress import report

try:
    from botocore import exceptions as boto
    from botocore.config import Config
    from botocore.parsers import ResponseParserError
except ImportError:
    pass  # AnsibleAWSModule says that boto3 is missing.

ATTEMPTS = 7
"""How often a call is tried if AWS throttles it or does not answer: half a minute on average."""

PATIENCE = 120.0
"""Seconds until all of AWS knows a role that IAM has just created, with its policies, or that an update has just ended: both are eventually consistent."""

PAUSE = 2.0
"""Seconds between two such attempts."""

LONGEST_PAUSE = 15.0
"""Seconds between two checks of something that takes minutes."""

GONE = ""
"""The status of a resource that does not exist."""

PREFIXES = {"elbv2": "elasticloadbalancing"}
"""IAM's name of a service, if boto3's name differs."""

MISSING = ("ResourceNotFoundException", "NoSuchEntity", "DBInstanceNotFound", "DBInstanceNotFoundFault", "DBSnapshotNotFound", "DBSnapshotNotFoundFault")
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
NOT_ACCEPTED = (
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "AuthFailure",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
)
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized")
THROTTLED = ("Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException", "RequestThrottled")
NOT_YET = re.compile(
    r"update in progress|could not be assumed|trusted entity|invalid principal|instance profile|(?<![-\w])role(?:Arn)?\b.*(?:does not exist|not found)"
    r"|Error in role params|role doesn't have the Amazon EKS Managed Policies|role's policy must include|principalArn.*(?:is invalid|does not exist)",
    re.IGNORECASE,
)
"""AWS's messages about a role that it does not know yet (or that does not exist), and about an update that it believes is still running.

For CreateCluster these are the ones that github.com/hashicorp/terraform-provider-aws retries (internal/service/eks/cluster.go).
"""

TAG_OPTIONS: dict[str, Any] = {"tags": {"type": "dict", "aliases": ["resource_tags"]}, "purge_tags": {"type": "bool", "default": True}}

Differences = dict[str, tuple[Any, Any]]
"""What differs from what is wanted: (live, wanted) by option."""


class Refused(Exception):
    """Something cannot be done, or has failed; the text says what, why and what to do."""


def cluster_tags(name: str) -> dict[str, str]:
    """Return the tags of what an EKS cluster makes outside of itself, and may leave behind: any one of them shows whose it is.

    From EKS itself and Auto Mode (docs.aws.amazon.com/eks/latest/userguide/sec-group-reqs.html, auto-learn-iam.html), its controllers, the load balancer
    controller, and a node group's network (github.com/aws/amazon-vpc-cni-k8s).
    """
    return {
        "aws:eks:cluster-name": name,
        "eks:eks-cluster-name": name,
        f"kubernetes.io/cluster/{name}": "owned",
        "elbv2.k8s.aws/cluster": name,
        "cluster.k8s.amazonaws.com/name": name,
    }


def wait_options(seconds: int) -> dict[str, Any]:
    """Return the options of a module that can wait, at most ``seconds`` by default."""
    return {"wait": {"type": "bool", "default": True}, "wait_timeout": {"type": "int", "default": seconds}}


def connect(module: AnsibleAWSModule, service: str, region: str = "", attempts: int = ATTEMPTS, **settings: Any) -> Any:
    """Return a boto3 client for ``service``, by default in the module's region; ``settings`` are botocore's, such as timeouts.

    botocore itself retries: its standard mode knows every code with which a service throttles (EKS says ThrottlingException, which AWSRetry does
    not know) and covers paginators and lost connections too.

    Raises:
        BotoCoreError: There is no region, or no such profile.
    """
    given, endpoint, parameters = get_aws_connection_info(module)
    config = Config(retries={"mode": "standard", "total_max_attempts": attempts}, **settings)
    return boto3_inventory_conn("client", resource=service, region=region or given, endpoint=endpoint, config=config, **parameters)


def explain(error: Exception, service: str, attempts: int = ATTEMPTS) -> str:
    """Return what went wrong between us and AWS, and what to do, in one line.

    Args:
        error: A BotoCoreError, ClientError or ResponseParserError.
        service: boto3's or IAM's name, for an action that AWS does not name.
        attempts: How often the call was tried.
    """
    if isinstance(error, boto.ClientError):
        answer = error.response.get("Error", {})
        action = f"{PREFIXES.get(service, service)}:{error.operation_name}"
        return _explain_answer(answer.get("Code", "Unknown"), answer.get("Message", ""), action, attempts)
    if isinstance(error, boto.NoRegionError):
        return "no region is set. Give the option region, or AWS_REGION in the environment."
    if isinstance(error, boto.ProfileNotFound):
        return f"{error}. Correct the option profile or AWS_PROFILE."
    if isinstance(error, boto.NoCredentialsError | boto.PartialCredentialsError):
        return f"no AWS credentials: {error}. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, in the environment."
    if isinstance(error, boto.CredentialRetrievalError | boto.TokenRetrievalError | boto.SSOError):
        return f"the AWS credentials cannot be obtained: {error}. Log in again, then run the same command again."
    if isinstance(error, ResponseParserError):
        return "the server is not AWS, or AWS has a problem: its answer cannot be read. Check proxies and AWS_ENDPOINT_URL*, then run the same command again."
    if isinstance(error, boto.ParamValidationError):
        return " ".join(str(error).split())
    if isinstance(error, boto.HTTPClientError | boto.ConnectionError):
        return f"AWS does not answer: {error}. Check the region's name and the network, then run the same command again: it continues from here."
    return " ".join(str(error).split())


def _explain_answer(code: str, message: str, action: str, attempts: int) -> str:
    message = " ".join(message.split()).rstrip(".")
    if code in EXPIRED:
        return f"the AWS credentials have expired ({code}). Log in again, then run the same command again: it continues from here."
    if code in NOT_ACCEPTED:
        return f"AWS does not accept the credentials ({code}: {message}). Check AWS_PROFILE or the keys in the environment."
    if code in DENIED:
        named = re.search(r"perform:? (\w[\w-]*:\w+)", message)
        return f"the permission {named[1] if named else action} is missing ({code}: {message}). Add it to the IAM policy of the credentials' owner."
    if code in THROTTLED:
        return f"AWS still throttles {action} after {attempts} attempts ({code}: {message}). Run the same command again later: it continues from here."
    if code in ("ResourceLimitExceededException", "LimitExceeded", "ServiceQuotaExceededException", "SnapshotQuotaExceeded"):
        return f"a quota of the account is used up ({action}: {message}). Request an increase in Service Quotas, or remove what is not needed."
    unknown = re.search(r"^No cluster found for name: (\S+)$", message)
    if unknown:
        return f"there is no EKS cluster {unknown[1]} in this account and region. Create it first, or correct its name or the region."
    return f"AWS refuses {action} ({code}): {message}."


def snake(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Return a described resource with keys in snake_case; the keys of tags and labels stay as they are."""
    return camel_dict_to_snake_dict(dict(resource), ignore_list=["tags", "labels"])


def differences(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> Differences:
    """Return which of ``wanted`` differ; None means no preference."""
    return {name: (live.get(name), value) for name, value in wanted.items() if value is not None and value != live.get(name)}


def refuse_fixed(found: Differences, advice: Mapping[str, str]) -> None:
    """Refuse differences that AWS cannot change.

    Args:
        found: All differences.
        advice: What to do instead, by the name of an option that cannot change.

    Raises:
        Refused: The message names every such option, its live and wanted value, and what to do.
    """
    fixed = [
        f"{name} cannot be changed: it is {shown(live)}, wanted is {shown(wanted)}. {advice[name]}" for name, (live, wanted) in found.items() if name in advice
    ]
    if fixed:
        raise Refused("\n".join(fixed))


def shown(value: Any) -> str:
    """Return a value as a message shows it."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "nothing" if value in (None, "", {}) else str(value)


def strings(values: Mapping[Any, Any]) -> dict[str, str]:
    """Return tags or labels as AWS keeps them; YAML turns some into numbers and booleans."""
    return {str(key): str(value).lower() if isinstance(value, bool) else str(value) for key, value in values.items()}


def tag_changes(live: Mapping[str, str], wanted: Mapping[Any, Any], purge: bool) -> tuple[dict[str, str], list[str]]:
    """Return the tags to set and the keys of those to remove; AWS's own (C(aws:...)) are left alone."""
    wanted = strings(wanted)
    unset = [key for key in live if key not in wanted and not key.startswith("aws:")] if purge else []
    return {key: value for key, value in wanted.items() if live.get(key) != value}, sorted(unset)


class Wait:
    """The wait of one task.

    Args:
        seconds: The limit for everything that the task waits for together.
    """

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        self.end = time.monotonic() + seconds

    def until(self, subject: str, look: Callable[[], tuple[str, str]], good: Iterable[str], bad: Mapping[str, float]) -> str:
        """Check until the status is good, and return it.

        Args:
            subject: What the task waits for, such as ``EKS cluster prod``.
            look: Returns the status and AWS's reason for it.
            good: The statuses to wait for.
            bad: Statuses that mean failure, each with the seconds after which it does.

        Raises:
            Refused: It has failed, with the reason, or the wait timed out.
        """
        told, since, started = None, 0.0, time.monotonic()
        while True:
            status, reason = look()
            now = time.monotonic()
            if (status, reason) != told:
                since = since if told and told[0] == status else now
                told = (status, reason)
                report(f"{subject}: {status or 'gone'}{f' ({reason})' if reason else ''}")
            if status in good:
                return status
            if status in bad and now - since >= bad[status]:
                raise Refused(f"{subject} is {status or 'gone'}: {reason or 'AWS gives no reason'}.")
            if now >= self.end:
                raise Refused(
                    f"{subject} is still {status or 'gone'} after {self.seconds} s (wait_timeout){f': {reason}' if reason else ''}. "
                    "AWS is still working on it: run the same command again to keep waiting, or raise wait_timeout."
                )
            time.sleep(max(0.0, min(LONGEST_PAUSE, 1 + (now - started) / 60, self.end - now)))


class Aws:
    """One task's work at AWS.

    Args:
        module: The module that does it.
        service: boto3's and IAM's name of the service.
        subject: What the module manages, such as ``EKS cluster prod``.
    """

    def __init__(self, module: AnsibleAWSModule, service: str, subject: str) -> None:
        self.module, self.service, self.subject = module, service, subject
        self.options: dict[str, Any] = module.params
        self.check: bool = module.check_mode
        self.client = connect(module, service)
        self.wait = Wait(module.params.get("wait_timeout") or 0)
        self.changed = False
        self.before: dict[str, Any] = {}
        self.after: dict[str, Any] = {}

    def find(self, operation: str, result: str, **names: Any) -> Any:
        """Return what ``operation`` describes, or its whole answer if ``result`` is empty; None if it does not exist."""
        try:
            answer = getattr(self.client, operation)(**names)
            return answer[result] if result else answer
        except is_boto3_error_code(MISSING):
            return None

    def list(self, operation: str, result: str, **names: Any) -> list[Any]:
        """Return everything that ``operation`` lists, on all pages; nothing if the resource that contains it does not exist."""
        try:
            return self.client.get_paginator(operation).paginate(**names).build_full_result().get(result, [])
        except is_boto3_error_code(MISSING):
            return []

    def change(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Make a call that changes something and return the answer; in check mode, only record that something would change."""
        self.changed = True
        if self.check:
            return {}
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return getattr(self.client, operation)(**parameters)
            except is_boto3_error_code(("InvalidParameterException", "InvalidRequestException", "ResourceInUseException")) as error:
                if time.monotonic() >= end or not NOT_YET.search(str(error)):
                    raise
                report(f"{self.subject}: AWS is not ready for it: {error.response['Error']['Message']}")
            time.sleep(PAUSE)

    def note(self, found: Differences) -> None:
        """Add differences to the diff."""
        self.before.update({name: live for name, (live, _) in found.items() if live is not None})
        self.after.update({name: wanted for name, (_, wanted) in found.items()})

    def retag(self, arn: str, live: Mapping[str, str] | None) -> None:
        """Set an EKS resource's tags to the wanted ones."""
        live = live or {}
        if self.options["tags"] is None:
            return
        to_set, to_unset = tag_changes(live, self.options["tags"], self.options["purge_tags"])
        if to_set or to_unset:
            self.note({"tags": (dict(live), {key: value for key, value in {**live, **to_set}.items() if key not in to_unset})})
        if to_unset:
            self.change("untag_resource", resourceArn=arn, tagKeys=to_unset)
        if to_set:
            self.change("tag_resource", resourceArn=arn, tags=to_set)


def run(work: Callable[[Aws], dict[str, Any]], service: str, subject: str, options: Mapping[str, Any], **rules: Any) -> None:
    """Run a module: ``work``'s answer, or one message that says what is wrong.

    Args:
        work: The function that does the work and returns the module's result, except ``changed`` and ``diff``.
        service: boto3's and IAM's name of the service.
        subject: What the module manages, with options in braces: ``EKS cluster {name}``.
        options: The module's options in addition to those of every AWS module.
        rules: Rules between options, as AnsibleModule takes them.
    """
    module = AnsibleAWSModule(argument_spec=dict(options), supports_check_mode=True, **rules)
    subject = subject.format_map(module.params)
    aws = None
    try:
        aws = Aws(module, service, subject)
        answer = work(aws)
    except Refused as error:
        message = str(error)
    except (boto.BotoCoreError, boto.ClientError, ResponseParserError) as error:
        message = explain(error, service)
    except ValueError as error:
        # botocore's error for an invalid address; nothing else in AWS raises it.
        message = f"the address of AWS is wrong: {error}. Check endpoint_url and AWS_ENDPOINT_URL* in the environment."
    else:
        # Without a difference there is nothing to show.
        diff = {"diff": {"before": aws.before, "after": aws.after}} if aws.before != aws.after else {}
        module.exit_json(changed=aws.changed, **diff, **answer)
    # Outside the handlers: fail_json shows the traceback of an exception that is being handled.
    region = aws.client.meta.region_name if aws else ""
    module.fail_json(msg=message if message.startswith(subject) else f"{subject}{f' in {region}' if region else ''}: {message}")
