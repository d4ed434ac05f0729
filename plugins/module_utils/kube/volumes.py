"""Whether volume claims can be changed as wanted, and how. Nothing is read from a cluster here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..formats import quantity
from .fixed import Problem
from .objects import condition, dig

Object = Mapping[str, Any]
Operations = list[dict[str, Any]]
"""A JSON patch (RFC 6902)."""

UNLIMITED = ("rancher.io/local-path",)
"""Provisioners whose volumes are directories: each is as large as the disk, so growing one only changes the recorded size, which nothing else does."""


@dataclass(frozen=True)
class Wanted:
    """What a claim should be, and which variables say so."""

    name: str
    size: str
    storage_class: str
    """Empty for any class."""
    size_variable: str
    class_variable: str


def size_of(claim: Object) -> str:
    """Return the size that a claim requests."""
    return str(dig(claim, "spec", "resources", "requests", "storage"))


def amount(size: str) -> Decimal:
    """Return a size in bytes.

    Raises:
        ValueError: It is not a quantity.
    """
    found = quantity(size)
    if found is None:
        raise ValueError(f"{size} is not a quantity")
    return found


def problem(wanted: Wanted, claim: Object, storage_class: Object | None) -> Problem | None:
    """Return why a claim cannot be changed as wanted; None if it can, or already has been.

    https://kubernetes.io/docs/concepts/storage/persistent-volumes/#expanding-persistent-volumes-claims

    Args:
        wanted: What the claim should be.
        claim: The claim as it is.
        storage_class: The claim's storage class; None if it cannot be read.
    """
    size, made_in = size_of(claim), dig(claim, "spec", "storageClassName") or ""
    if wanted.storage_class and wanted.storage_class != made_in:
        phrase = f"is {wanted.storage_class}, but the volume {wanted.name} has the class {made_in}, which cannot be changed"
        return Problem(wanted.class_variable, made_in, phrase)
    if amount(wanted.size) < amount(size):
        return Problem(wanted.size_variable, size, f"is {wanted.size}, but the volume {wanted.name} has {size} and cannot shrink")
    if amount(wanted.size) > amount(size) and not (storage_class or {}).get("allowVolumeExpansion"):
        why = f"the volume {wanted.name} has {size} and its storage class {made_in} does not allow volumes to grow (allowVolumeExpansion)"
        return Problem(wanted.size_variable, size, f"is {wanted.size}, but {why}")
    return None


def growth(wanted: Wanted, claim: Object) -> Operations:
    """Return the patch that makes a claim request the wanted size; empty if it already does."""
    if amount(wanted.size) <= amount(size_of(claim)):
        return []
    return [{"op": "replace", "path": "/spec/resources/requests/storage", "value": wanted.size}]


def grown(wanted: Wanted, claim: Object) -> bool:
    """Whether a claim's volume has the wanted size, or will have it when its pod restarts."""
    capacity = dig(claim, "status", "capacity", "storage")
    enough = capacity is not None and amount(str(capacity)) >= amount(wanted.size)
    return enough or condition(claim, "FileSystemResizePending") is not None


def differs(template: Object, wanted: Wanted) -> bool:
    """Whether a StatefulSet's claim template, which cannot be changed, differs from what is wanted."""
    storage_class = dig(template, "spec", "storageClassName") or ""
    return amount(size_of(template)) != amount(wanted.size) or storage_class != wanted.storage_class
