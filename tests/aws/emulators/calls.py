"""Every call that the emulators get, in a file: what of AWS the toolkit uses, so that the IAM policy that it needs follows from it.

The file that ``BERTH_EMULATOR_CALLS`` names gets a line of JSON a call: ``{"by": ..., "service": ..., "operation": ..., "names": {...}}``; ``by`` is the access
key, ``service`` the name that signs (which IAM has as the action's prefix, but for a few), ``names`` are the parameters that name a resource. Other
parameters, such as passwords, stay out.
"""

from __future__ import annotations

import functools
import json
import os
import re
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

import botocore.session
from botocore.model import OperationModel

_LOCK = threading.Lock()
_SEEN: set[str] = set()
# boto3's names where they are not those that sign.
SERVICES = {"servicequotas": "service-quotas", "tagging": "resourcegroupstaggingapi", "elasticloadbalancing": "elbv2"}
NAMING = re.compile(r"(?i)^(name|\w*(name|identifier|arn|secretid|keyid|resourceid|aliasname|targetkeyid|launchtemplateid|dryrun))$")


@functools.cache
def operations(service: str) -> list[OperationModel]:
    """Return what a service can be asked for, long paths first; nothing for a service that botocore does not know."""
    session = botocore.session.get_session()
    name = SERVICES.get(service, service)
    if name not in session.get_available_services():
        return []
    model = session.get_service_model(name)
    return sorted((model.operation_model(one) for one in model.operation_names), key=lambda one: -len(one.http.get("requestUri", "")))


@functools.cache
def pattern(template: str) -> re.Pattern[str]:
    """Return a path of a service's description as a regular expression."""
    parts = re.split(r"(\{\w+\+?\})", template.split("?")[0])
    return re.compile("".join(f"(?P<{part.strip('{+}')}>{'.+' if '+' in part else '[^/]+'})" if part.startswith("{") else re.escape(part) for part in parts))


def read(method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> tuple[str, str, dict[str, Any]]:
    """Return a call's service, its operation and its parameters as far as they are strings; ``by`` among them is whose access key it is.

    Args:
        headers: With small letters.
    """
    signed = re.search(r"Credential=([^/]+)/\d+/[\w-]+/([\w-]+)/", headers.get("authorization", ""))
    service = signed[2] if signed else ""
    target = headers.get("x-amz-target", "").split(".")[-1]
    parameters: dict[str, Any] = dict(parse_qsl(query, keep_blank_values=True)) | {"by": signed[1] if signed else ""}
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        parameters |= dict(parse_qsl(body.decode("latin1"), keep_blank_values=True))
    elif body[:1] == b"{":
        parameters |= {key: value for key, value in json.loads(body).items() if isinstance(value, str | bool)}
    if action := parameters.pop("Action", ""):
        return service, action, parameters
    if target:
        return service, target, parameters
    for operation in operations(service):
        found = operation.http.get("method") == method and pattern(operation.http["requestUri"]).fullmatch(path)
        if found:
            return service, operation.name, parameters | {key: unquote(value) for key, value in found.groupdict().items()}
    return service, "", parameters


def record(service: str, operation: str, parameters: Mapping[str, Any]) -> None:
    """Add a call to the file, once: what counts is that it is made."""
    path = os.environ.get("BERTH_EMULATOR_CALLS")
    if not (path and service and operation):
        return
    names = {key: str(value) for key, value in sorted(parameters.items()) if NAMING.match(key)}
    line = json.dumps({"by": parameters.get("by", ""), "service": service, "operation": operation, "names": names})
    with _LOCK:
        if line not in _SEEN or not os.path.exists(path):
            _SEEN.add(line)
            with open(path, "a", encoding="utf-8") as file:
                file.write(line + "\n")
