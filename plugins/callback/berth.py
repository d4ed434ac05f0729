"""One run of an environment at a time, and signs of life from long tasks."""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import importlib
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import ansible
from ansible import constants
from ansible.errors import AnsibleError
from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import filter_loader, test_loader
from ansible.template import Templar

from ..module_utils import private
from ..module_utils.machine import proxies
from ..plugin_utils import run_lock

DOCUMENTATION = """
name: berth
type: notification
short_description: Let one run at a time touch an environment, and show the progress of long tasks
description:
  - Takes the environment's lock when a playbook starts, and says for whom it waits when another run holds it. The kernel releases it when the run
    ends, however it ends; of a run that was killed, when the task that it was at has ended.
  - Runs of different environments do not wait for each other, but for one that changes what they share on this machine (C(machine_lock)). Environments
    whose cluster is elsewhere (C(berth_provider) C(eks) or C(existing)) have nothing to do with that.
  - A playbook that changes nothing of the cluster says so with the variable C(run_lock=false) of each of its plays, and never waits.
  - Keeps the payloads in which Ansible wraps modules from run to run, for as long as neither they nor Ansible change.
  - Imports the clients of Kubernetes and, for C(eks), of AWS once for all modules that the connection C(forked) runs, and reads AWS's
    descriptions of its services once.
  - Keeps whatever the run starts from asking a cluster or a registry on this machine through a proxy that the environment names (C(NO_PROXY)).
  - Prints what modules report through the file that C(BERTH_PROGRESS) names, and the elapsed time of a task that says nothing.
requirements:
  - to be listed in C(callbacks_enabled)
"""

AWS_SERVICES = ("acm", "ec2", "ecr", "eks", "elbv2", "iam", "kms", "logs", "rds", "route53", "sts")  # those that the modules ask
ELSEWHERE = ("eks", "existing")  # providers whose environments share nothing of this machine but its caches, which have locks of their own
NODE = "10.245.0.1"  # the default of berth_node_address
HEARTBEAT = 15.0  # seconds of silence after which a running task says that it is alive
PAYLOADS_KEPT = 30 * 24 * 3600.0  # seconds for which modules' payloads are kept after code has changed
POLL = 0.5  # seconds between two looks at the progress file


def variables(play: Any) -> dict[str, dict[str, Any]]:
    """Return the variables of the inventory's environments, as they are written: what is wrong there is for preflight to say."""
    manager = play.get_variable_manager()
    group = manager._inventory.groups.get("berth")  # no public way leads there before the first task
    hosts = group.get_hosts() if group else []
    try:
        return {host.name: manager.get_vars(play=play, host=host) for host in hosts}
    except AnsibleError:  # a file that cannot be read, such as an encrypted one without its password, which Ansible itself is about to say
        return {}


def environments(play: Any) -> dict[str, Any]:
    """Return the inventory's environments, each with its provider."""
    return {name: found.get("berth_provider") for name, found in variables(play).items()}


def kubeconfigs(play: Any) -> list[Path]:
    """Return the environments' kubeconfigs, without those whose path cannot be worked out."""
    found = []
    for values in variables(play).values():
        with contextlib.suppress(AnsibleError, TypeError):
            found.append(Path(Templar(play.get_loader(), variables=values).template(values.get("berth_kubeconfig"))))
    return found


def nodes(play: Any) -> list[str]:
    """Return the addresses of clusters on this machine, those that are still to be made included."""
    return [str(values.get("berth_node_address", NODE)) for values in variables(play).values()]


def uses_machine(play: Any) -> bool:
    """Whether a play has to do with what environments of this machine share, such as its cluster: always, unless each one's cluster is elsewhere."""
    providers = list(environments(play).values())
    return not providers or any(provider not in ELSEWHERE for provider in providers)


def cache() -> Path:
    """Return the directory where Berth keeps what can be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "berth"


def keep_payloads() -> None:
    """Let Ansible find the modules' payloads, which it makes again in each run, where the run before left them.

    There is a directory for each state of Ansible, its collections, and the project's modules and module_utils. Payloads are pickled, so
    those that others may have written go unread, and where others may put theirs in the place, none is kept.
    """
    plugins = Path(__file__).resolve().parents[1]
    code = [Path(ansible.__file__), *plugins.glob("modules/*.py"), *plugins.glob("module_utils/**/*.py")]
    code += [each for path in constants.COLLECTIONS_PATHS for each in Path(path, "ansible_collections").glob("*/*")]
    state = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(code)]
    payloads = cache() / "payloads"
    mine = payloads / hashlib.sha256(repr((ansible.__version__, state)).encode()).hexdigest()[:16]
    if not (private.directory(payloads) and private.directory(mine)):
        return
    os.utime(mine)
    Path(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache").symlink_to(mine.resolve())
    for other in payloads.iterdir():
        if time.time() - other.stat().st_mtime > PAYLOADS_KEPT:
            shutil.rmtree(other, ignore_errors=True)


@functools.cache
def preload(aws: bool) -> None:
    """Import what modules import and, for ``aws``, read the descriptions of its services, so that no module has to."""
    with contextlib.suppress(Exception):  # it costs time, no more; the module says what is wrong, such as a profile that does not exist
        importlib.import_module("kubernetes.dynamic")
        if aws:
            importlib.import_module("ansible_collections.amazon.aws.plugins.module_utils.modules")
            sessions = importlib.import_module("botocore.session")
            sessions.create_loader = functools.cache(sessions.create_loader)  # a module makes a session of its own, and with it a loader
            session = importlib.import_module("boto3").session.Session("none", "none", region_name="us-east-1")
            for service in AWS_SERVICES:
                session.client(service)  # asks nobody


class CallbackModule(CallbackBase):
    """Holds the lock of the run and follows its long tasks."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "berth"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._run: run_lock.Run | None = None
        self._task = ""
        self._started = self._spoke = time.monotonic()
        self._done = threading.Event()
        self._kubeconfigs: dict[Path, float] = {}
        self._nodes: list[str] = []

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Take the lock and start to follow. A playbook started by a task of another run shares that run's lock."""
        changing = [play for play in playbook.get_plays() if play.vars.get("run_lock", True)]
        if changing and "BERTH_RUN" not in os.environ:
            self._take_locks(changing[0], Path(playbook._file_name).name)
            os.environ["BERTH_RUN"] = str(os.getpid())
        with contextlib.suppress(OSError):  # it costs time, no more
            keep_payloads()
        # What every task's process would do for itself: read Ansible's own filters and tests, and import the collection's.
        for loader in (filter_loader, test_loader):
            loader.get("defined")
        for file in Path(__file__).resolve().parents[1].glob("filter/*.py"):
            importlib.import_module(f"..filter.{file.stem}", __package__)
        handle, path = tempfile.mkstemp(prefix="berth-progress-")
        os.close(handle)
        os.environ["BERTH_PROGRESS"] = path
        self._done = threading.Event()  # one command can run several playbooks
        threading.Thread(target=self._follow, args=(Path(path), self._done), daemon=True).start()

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Import what the play's modules import, unless it is preflight's: its refusals are quicker without."""
        if Path(play.get_path().rpartition(":")[0]).name != "preflight.yml":
            preload("eks" in environments(play).values())
        if proxies.named(os.environ):
            self._kubeconfigs = dict.fromkeys(kubeconfigs(play), -1.0)
            self._nodes = nodes(play)
            self._go_past_proxies()
        gc.freeze()  # else each task's process, a fork, would copy what the collector looks at, which is everything

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Begin to count the seconds of a task."""
        self._task = task.get_name()
        self._started = self._spoke = time.monotonic()
        self._go_past_proxies()

    def _go_past_proxies(self) -> None:
        """Note each cluster on this machine in the environment, as soon as a kubeconfig leads to it."""
        written = {path: path.stat().st_mtime if path.exists() else 0.0 for path in self._kubeconfigs}
        if written != self._kubeconfigs:
            self._kubeconfigs = written
            os.environ.update(proxies.exceptions(os.environ, written, self._nodes))

    v2_playbook_on_handler_task_start = v2_playbook_on_cleanup_task_start = v2_playbook_on_task_start

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Stop following; the lock goes with the process."""
        self._done.set()
        Path(os.environ["BERTH_PROGRESS"]).unlink(missing_ok=True)

    def _take_locks(self, play: Any, playbook: str) -> None:
        try:
            self._run = run_lock.Run(cache(), list(environments(play)), playbook, self._display.display, uses_machine(play))
        except OSError as error:
            raise AnsibleError(f"The lock of a run cannot be made: {error}. Check XDG_CACHE_HOME.") from error

    def _follow(self, path: Path, done: threading.Event) -> None:
        with path.open(encoding="utf-8", errors="replace") as progress:
            while not done.wait(POLL):
                lines = progress.read().splitlines()
                now = time.monotonic()
                if not lines and now - self._spoke >= HEARTBEAT:
                    lines = [self._task]
                for line in lines:
                    self._spoke = now
                    if line:  # an empty one is a sign of life of what somebody is looking at
                        self._display.display(f"  ... {line} ({now - self._started:.0f} s)", color="bright gray")
