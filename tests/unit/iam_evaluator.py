"""A small evaluator of IAM policies: what policies of one account say of one request.

As docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html has it for identity policies and a permissions boundary: a request is
allowed when each of its resources is, by both, and nothing denies it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Context = Mapping[str, str | Sequence[str]]
Request = tuple[str, Sequence[tuple[str, Context]]]
"""An action, and each resource that it is asked for with the condition keys of that resource."""
Document = Mapping[str, Any]


@functools.cache
def compiled(pattern: str, flags: int) -> re.Pattern[str]:
    """Return what a pattern of IAM says as a regular expression."""
    return re.compile("".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern), flags)


def glob(pattern: str, text: str, flags: int = 0) -> bool:
    """Whether ``text`` is what ``pattern`` says; ``*`` is any text and ``?`` any character, slashes and colons among them."""
    return bool(compiled(pattern, flags).fullmatch(text))


# docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html: how one value of a request fits one of a policy.
FITS = {
    "StringEquals": lambda wanted, value: wanted == value,
    "StringLike": glob,
    "ArnEquals": glob,
    "ArnLike": glob,
    "Bool": lambda wanted, value: wanted.lower() == value.lower(),
}


def holds(operator: str, key: str, wanted: str | Sequence[str], context: Context) -> bool:
    """Whether one condition holds."""
    quantifier, _, name = operator.rpartition(":")
    found = next((value for other, value in context.items() if other.lower() == key.lower()), None)
    if name == "Null":
        return (found is None) == (wanted == "true")
    optional = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    negated = name.startswith("StringNot")
    fits = FITS[name.replace("Not", "")]
    if found is None:
        return optional or negated or quantifier == "ForAllValues"
    values = [found] if isinstance(found, str) else list(found)
    each = [any(fits(one, value) for one in ([wanted] if isinstance(wanted, str) else wanted)) != negated for value in values]
    return any(each) if quantifier == "ForAnyValue" else all(each)


def applies(statement: Mapping[str, Any], action: str, resource: str, context: Context) -> bool:
    """Whether a statement is about a request."""
    named = any(glob(one, action, re.IGNORECASE) for one in statement.get("Action", statement.get("NotAction", [])))
    there = any(glob(one, resource) for one in statement.get("Resource", statement.get("NotResource", [])))
    if named != ("Action" in statement) or there != ("Resource" in statement):
        return False
    return all(holds(operator, key, wanted, context) for operator, keys in statement.get("Condition", {}).items() for key, wanted in keys.items())


def allowed(documents: Iterable[Document], request: Request) -> bool:
    """Whether policies allow a request."""
    action, resources = request
    statements = [statement for document in documents for statement in document["Statement"]]
    for resource, context in resources:
        effects = {statement["Effect"] for statement in statements if applies(statement, action, resource, context)}
        if effects != {"Allow"}:
            return False
    return True
