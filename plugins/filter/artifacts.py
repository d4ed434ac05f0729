"""Pick items from the artifacts role's facts."""

from __future__ import annotations

import shutil
from pathlib import PurePath
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils import providers

DOCUMENTATION = """
name: image_archives
short_description: Pick images by their short names
description:
  - Returns a mapping of full image names to archives, for the given short names.
options:
  _input: {description: Short names., type: list, elements: str, required: true}
  artifacts: {description: C(artifacts_facts)., type: dict, required: true}
"""


def image_archives(names: list[str], artifacts: dict[str, Any]) -> dict[str, str]:
    """Return ``{full image name: archive}`` for short ``names``.

    >>> image_archives(["pause"], {"refs": {"pause": "r/pause:1"}, "images": {"r/pause:1": "/c/image.tar"}})
    {'r/pause:1': '/c/image.tar'}
    """
    try:
        return {artifacts["refs"][name]: artifacts["images"][artifacts["refs"][name]] for name in names}
    except KeyError as error:
        raise AnsibleFilterError(f"artifacts_facts has no image {error}.") from None


def artifact_image(name: str, provider: str, artifacts: dict[str, Any]) -> str:
    """Return the name that pods use for one of our images with a provider: the image that is loaded onto the nodes, or one that they pull.

    >>> artifact_image("valkey", "eks", {"refs": {"valkey": "r/valkey:8"}, "pullable": {"valkey": "mirror/valkey:8@sha256:1"}})
    'mirror/valkey:8@sha256:1'
    """
    return artifacts["refs" if providers.of(provider).image_import else "pullable"][name]


def binary_files(names: list[str], binaries: dict[str, str], directory: str) -> list[dict[str, Any]]:
    """Return the entries for the ``files`` module that install the programs ``names`` in ``directory``.

    >>> binary_files(["ctr"], {"ctr": "/c/ctr"}, "/b")
    [{'path': '/b/ctr', 'src': '/c/ctr', 'link': True, 'mode': '0755'}]
    """
    try:
        return [{"path": f"{directory}/{name}", "src": binaries[name], "link": True, "mode": "0755"} for name in names]
    except KeyError as error:
        raise AnsibleFilterError(f"artifacts_facts has no binary {error}.") from None


def artifact_versions(paths: list[str]) -> list[str]:
    """Return sorted identifiers of the artifacts' content: the names of their directories, regardless of the cache's location.

    >>> artifact_versions(["/root/.cache/berth/artifacts/images/pause-3.10-build-58d05abc7f/image.tar"])
    ['pause-3.10-build-58d05abc7f']
    """
    return sorted({PurePath(path).parent.name for path in paths})


def first_program(names: list[str]) -> str:
    """Return the first of ``names`` (paths, or names to look up on PATH) that can be run here, "" if none can.

    >>> first_program(["/nowhere/sh", "sh"])
    'sh'
    """
    return next((name for name in names if shutil.which(name)), "")


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {
            "artifact_image": artifact_image,
            "image_archives": image_archives,
            "binary_files": binary_files,
            "artifact_versions": artifact_versions,
            "first_program": first_program,
        }
