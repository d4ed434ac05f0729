"""Documentation of the action plugin plugins/action/machine_lock.py."""

from __future__ import annotations

DOCUMENTATION = """
module: machine_lock
short_description: Lock this machine for changes
description:
  - Runs of different environments share this machine's cluster. One that is about to create, stop or remove it waits here until the others
    have ended. Others then wait for it until it shares the machine again, or ends.
  - Anything that was read before this task may have changed when it ends.
options:
  alone: {description: "Whether to lock the machine, or to share it again.", type: bool, required: true}
attributes:
  check_mode: {support: full, description: "Nothing is changed, so it does not wait."}
"""

EXAMPLES = """
- name: Wait for the runs that use the cluster
  berth.platform.machine_lock:
    alone: true
"""

RETURN = "{}"
