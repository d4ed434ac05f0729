"""One run of an environment at a time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.callback import CallbackBase

from ..module_utils import providers
from ..plugin_utils import run, run_lock

DOCUMENTATION = """
name: run_lock
type: notification
short_description: Let one run at a time touch an environment
description:
  - Takes the environment's lock when a playbook starts, and reports which run holds it if it has to wait. The kernel releases it when the run
    ends, however it ends. If the run is killed, that is when its current task has ended.
  - Runs of different environments do not wait for each other, but for one that changes what they share on this machine (C(machine_lock)). Environments
    whose cluster is elsewhere (C(berth_provider) C(eks) or C(existing)) are not affected.
  - Root's runs on this machine's cluster have their locks in C(/run/berth-locks), whatever their cache is; all others in Berth's cache.
  - A playbook that does not change the cluster sets the variable C(run_lock=false) in each of its plays, and never waits.
requirements:
  - to be listed in C(callbacks_enabled)
"""


def machine_place() -> Path:
    """Return the directory of the locks on what this machine's environments share, such as its cluster, which is root's.

    Root may have several caches, but there is one machine. In /run, only root can make a file or hold a lock on one of these.
    """
    return Path("/run/berth-locks") if os.geteuid() == 0 else run.cache()


def places(play: Any) -> tuple[dict[str, Path], Path | None]:
    """Return where the locks of a play's environments are, and those of the machine: None if all of their clusters are elsewhere."""
    elsewhere = {name: providers.of(provider).elsewhere for name, provider in run.environments(play).items()}
    own = {name: run.cache() if away else machine_place() for name, away in elsewhere.items()}
    return own, None if own and all(elsewhere.values()) else machine_place()


class CallbackModule(CallbackBase):
    """Holds the locks of the run."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "run_lock"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._run: run_lock.Run | None = None

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Take the locks; they last as long as the process. A playbook started by a task of another run shares that run's locks."""
        changing = [play for play in playbook.get_plays() if play.vars.get("run_lock", True)]
        if changing and "BERTH_RUN" not in os.environ:
            self._take_locks(changing[0], Path(playbook._file_name).name)
            os.environ["BERTH_RUN"] = str(os.getpid())

    def _take_locks(self, play: Any, playbook: str) -> None:
        try:
            self._run = run_lock.Run(*places(play), playbook, self._display.display)
        except OSError as error:
            way = "Let this user write there. If it is the cache, XDG_CACHE_HOME can name another one."
            raise AnsibleError(f"The lock of the run cannot be created: {error}. {way}") from None
