"""Documentation of the action plugin plugins/action/machine_lock.py."""

from __future__ import annotations

DOCUMENTATION = """
module: machine_lock
short_description: Have this machine alone for what changes it
description:
  - Runs of different environments use this machine's cluster at the same time. One that is about to make, stop or remove it waits here until the others
    have ended, and others wait for it, until it says that it shares the machine again or ends.
  - What was read before may have changed when the task ends.
options:
  alone: {description: "Whether to be alone, or to share the machine again.", type: bool, required: true}
attributes:
  check_mode: {support: full, description: "Nothing is changed, so nobody waits."}
"""

EXAMPLES = """
- name: Wait for the runs that use the cluster
  berth.platform.machine_lock:
    alone: true
"""

RETURN = "{}"
