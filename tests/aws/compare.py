#!/usr/bin/env python3
"""Say in what AWS answers otherwise than the emulators: two recordings by ``tests/aws/record``, held against each other.

    tests/aws/compare.py first.jsonl rehearsal.jsonl

For each operation that both have: the keys of its answers, with their types, and the errors, that only one of them has. What is a state rather than a shape,
such as an endpoint that a new cluster has not got yet, counts as there when any answer has it. Ends with 1 where there is a difference.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
from botocore.model import MapShape, ServiceModel, Shape, StructureShape

Operation = tuple[str, str]
Recording = dict[Operation, set[str]]
TYPES = {str: "string", bool: "boolean", int: "number", float: "number", type(None): "null"}


@functools.cache
def model(service: str) -> ServiceModel:
    """Return AWS's description of a service."""
    return botocore.session.get_session().get_service_model(service)


def described(service: str, operation: str) -> Shape | None:
    """Return AWS's description of an operation's answer."""
    return model(service).operation_model(operation).output_shape


def keys(value: Any, shape: Shape | None = None, path: str = "") -> Iterator[str]:
    """Return the paths of the keys of a value, each with its type; a list's items and a map's are one, for their keys are data."""
    if isinstance(value, dict):
        if path and not isinstance(shape, StructureShape | MapShape):
            yield f"{path} (document)"  # such as a policy
            return
        if path:
            yield f"{path} ({'map' if isinstance(shape, MapShape) else 'structure'})"
        for key, found in value.items():
            member = shape.value if isinstance(shape, MapShape) else getattr(shape, "members", {}).get(key)
            yield from keys(found, member, f"{path}.{'*' if isinstance(shape, MapShape) else key}".lstrip("."))
    elif isinstance(value, list):
        yield f"{path} (list)"
        for found in value:
            yield from keys(found, getattr(shape, "member", None), f"{path}[]")
    else:
        yield f"{path} ({TYPES[type(value)]})"


def read(lines: Iterable[str]) -> Recording:
    """Return what each operation was answered: keys of answers, and errors."""
    found: Recording = {}
    for line in map(json.loads, lines):
        operation = line["service"], line["operation"]
        answers = found.setdefault(operation, set())
        if "answer" in line:
            answers.update(keys(line["answer"], described(*operation)))
        elif "error" in line:
            answers.add(f"the error {line['error']['code']}")
    return found


def differences(aws: Recording, emulated: Recording) -> list[str]:
    """Return a line for all that only one of two recordings has."""
    found = []
    for one, other, who in ((aws, emulated, "AWS"), (emulated, aws, "emulators")):
        for service, operation in sorted(one):
            name = f"{service} {operation}"
            if (service, operation) not in other:
                found.append(f"{name}: only {who} asked for it")
                continue
            found += [f"{name}: only {who}: {key}" for key in sorted(one[service, operation] - other[service, operation])]
    return sorted(found)


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("aws", type=Path, help="what AWS answered")
    parser.add_argument("emulated", type=Path, help="what the emulators answered")
    given = parser.parse_args()
    try:
        recordings = [read(file.read_text(encoding="utf-8").splitlines()) for file in (given.aws, given.emulated)]
    except OSError as error:
        sys.exit(f"{error.filename} cannot be read: {error.strerror}.")
    found = differences(*recordings)
    print("\n".join(found) or "Both answer alike.")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
