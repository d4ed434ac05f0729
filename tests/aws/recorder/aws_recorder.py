"""A plugin of botocore's that writes every request to AWS and its answer into a file, without secrets; ``tests/aws/record`` switches it on.

botocore loads it into every client of every process below that command: Berth's modules, those of amazon.aws, and lookups. A line of JSON a request::

    {"time": ..., "seconds": 0.2, "service": "eks", "operation": "DescribeCluster", "parameters": {...}, "status": 200, "answer": {...}}

with ``"error": {"code": ..., "message": ...}`` instead of the answer where AWS refuses; without a status where nothing answers. What botocore tries again is
a line each. The way that botocore finds plugins is private to it, and its version is pinned: test_recording.py says when another one does it otherwise.
"""

from __future__ import annotations

import copy
import datetime
import fcntl
import json
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.model import OperationModel, Shape, StructureShape

FILE = "BERTH_AWS_RECORD"
ACCOUNT = "111122223333"  # the account of AWS's own examples
REMOVED = "(removed)"
KEPT = "berth_recorded"  # where in botocore's context of a call this keeps its own
# What no `sensitive` in AWS's descriptions marks, by the end of its path.
SECRET = re.compile(
    r"(?i)(password|passphrase|token|secretstring|secretbinary|plaintext|privatekey|userdata|secretaccesskey|accesskeyid|certificateauthority\.data)$"
)
SECRET_WITHIN = re.compile(
    r"(?P<before>X-Amz-(?:Signature|Security-Token|Credential)=|k8s-aws-v1\.|authorization failure message: )[^&\s\"]+"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{12,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]+?-----END [A-Z ]*PRIVATE KEY-----"
)
# The first kind are ids, such as vpc-0123456789012abcd, whose digits are no account.
ACCOUNTS = re.compile(r"\b[a-z]+-(?:[0-9a-f]{17}|[0-9a-f]{8})\b|(?<!\d)\d{12}(?!\d)")


def switched_on(file: Path) -> dict[str, str]:
    """Return the environment variables with which every process writes into ``file``."""
    paths = [str(Path(__file__).resolve().parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {FILE: str(file.resolve()), "BOTOCORE_EXPERIMENTAL__PLUGINS": "berth=aws_recorder", "PYTHONPATH": os.pathsep.join(paths)}


def initialize_client_plugin(client: Any) -> None:
    """Have botocore tell of each call of a client, of each attempt and of its answer."""
    client.meta.events.register_last("before-parameter-build", note_parameters)
    client.meta.events.register_last("request-created", note_time)
    client.meta.events.register_first("response-received", write_answer)


def note_parameters(params: Mapping[str, Any], model: OperationModel, context: dict[str, Any], **_: Any) -> None:
    """Keep what is asked for until there is an answer."""
    context[KEPT] = {"model": model, "parameters": copy.copy(params)}


def note_time(request: Any, **_: Any) -> None:
    """Keep when an attempt began."""
    request.context.get(KEPT, {})["began"] = time.time()


def write_answer(parsed_response: dict[str, Any] | None, context: dict[str, Any], exception: Exception | None, **_: Any) -> None:
    """Write a line about an attempt; what goes wrong here does not stop the run, and has a line, too."""
    kept = context.get(KEPT)
    if kept is None:
        return
    model, began = kept["model"], kept.get("began", time.time())
    line = {
        "time": datetime.datetime.fromtimestamp(began, datetime.UTC).isoformat(timespec="milliseconds"),
        "seconds": round(time.time() - began, 3),
        "service": model.service_model.service_name,
        "operation": model.name,
    }
    try:
        line |= {"parameters": clean(kept["parameters"], model.input_shape), **answered(parsed_response, exception, model)}
    except Exception as error:
        line["unrecorded"] = type(error).__name__
    append(Path(os.environ[FILE]), json.dumps(line, default=str))


def answered(parsed: dict[str, Any] | None, exception: Exception | None, model: OperationModel) -> dict[str, Any]:
    """Return what an attempt came to."""
    if parsed is None:
        return {"error": {"code": type(exception).__name__, "message": clean(str(exception))}}
    status = parsed.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if status is None or status >= 300:
        error = parsed.get("Error", {})
        return {"status": status, "error": {"code": error.get("Code", ""), "message": clean(error.get("Message", ""))}}
    return {"status": status, "answer": clean({key: value for key, value in parsed.items() if key != "ResponseMetadata"}, model.output_shape)}


def clean(value: Any, shape: Shape | None = None, path: str = "") -> Any:
    """Return a value without secrets and account ids.

    Args:
        shape: What AWS's description says of it.
        path: The keys above it, with dots.
    """
    if shape is not None and shape.metadata.get("sensitive"):
        return REMOVED
    if isinstance(value, Mapping):
        members = shape.members if isinstance(shape, StructureShape) else {}
        every = getattr(shape, "value", None)
        return {clean(str(key)): clean(found, members.get(key, every), f"{path}.{key}") for key, found in value.items()}
    if isinstance(value, list | tuple):
        return [clean(found, getattr(shape, "member", None), path) for found in value]
    if isinstance(value, bytes) or (isinstance(value, str) and SECRET.search(path)):
        return REMOVED
    if isinstance(value, str):
        shown = SECRET_WITHIN.sub(lambda found: (found["before"] or "") + REMOVED, value)
        return ACCOUNTS.sub(lambda found: ACCOUNT if found[0].isdigit() else found[0], shown)
    return value


def append(file: Path, line: str) -> None:
    """Add a line to a file that only its owner reads."""
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with os.fdopen(descriptor, "w", encoding="utf-8", closefd=False) as opened:
            opened.write(line + "\n")
    finally:
        os.close(descriptor)
