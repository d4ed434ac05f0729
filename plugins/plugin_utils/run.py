"""What a run works on: the environments of its inventory, and the directory for files that can be recreated."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError


def variables(play: Any) -> dict[str, dict[str, Any]]:
    """Return the variables of the inventory's environments as written: preflight reports what is wrong there."""
    manager = play.get_variable_manager()
    group = manager._inventory.groups.get("berth")  # there is no public way to these before the first task
    hosts = group.get_hosts() if group else []
    try:
        return {host.name: manager.get_vars(play=play, host=host) for host in hosts}
    except AnsibleError:  # an unreadable file, such as an encrypted one without its password, which Ansible itself is about to report
        return {}


def environments(play: Any) -> dict[str, Any]:
    """Return the inventory's environments, each with its provider."""
    return {name: found.get("berth_provider") for name, found in variables(play).items()}


def cache() -> Path:
    """Return the directory for Berth's files that can be recreated."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "berth"
