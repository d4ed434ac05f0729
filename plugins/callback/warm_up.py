"""What each task's process or each module would do for itself, done once a run or once for many runs."""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import importlib
import os
import shutil
import time
from pathlib import Path
from typing import Any

import ansible
from ansible import constants
from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import filter_loader, test_loader

from ..module_utils import private
from ..plugin_utils import run

DOCUMENTATION = """
name: warm_up
type: notification
short_description: Import and wrap once a run, or once for many, what each task would import and wrap for itself
description:
  - Keeps the payloads in which Ansible wraps modules from run to run, for as long as neither they nor Ansible change.
  - Imports the filters of Ansible and of this collection once a run.
  - Imports the clients of Kubernetes and, for C(eks), of AWS once for all modules that the connection C(forked) runs, and reads AWS's
    descriptions of its services once.
requirements:
  - to be listed in C(callbacks_enabled)
"""

AWS_SERVICES = ("acm", "ec2", "ecr", "eks", "elbv2", "iam", "kms", "logs", "rds", "route53", "sts")  # those that the modules ask
PAYLOADS_KEPT = 30 * 24 * 3600.0  # seconds for which modules' payloads are kept after code has changed


def keep_payloads() -> None:
    """Let Ansible find the modules' payloads, which it makes again in each run, where the run before left them.

    There is a directory for each state of Ansible, its collections, and the project's modules and module_utils. Payloads are pickled, so
    those that others may have written go unread, and where others may put theirs in the place, none is kept.
    """
    plugins = Path(__file__).resolve().parents[1]
    code = [Path(ansible.__file__), *plugins.glob("modules/*.py"), *plugins.glob("module_utils/**/*.py")]
    code += [each for path in constants.COLLECTIONS_PATHS for each in Path(path, "ansible_collections").glob("*/*")]
    state = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(code)]
    payloads = run.cache() / "payloads"
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
    """Does it before the first task that has use for it."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "warm_up"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Find the payloads of the runs before, and import the filters and tests."""
        with contextlib.suppress(OSError):  # it costs time, no more
            keep_payloads()
        for loader in (filter_loader, test_loader):
            loader.get("defined")  # the loader reads all of Ansible's own to find any
        for file in Path(__file__).resolve().parents[1].glob("filter/*.py"):
            importlib.import_module(f"..filter.{file.stem}", __package__)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Import what the play's modules import, unless it is preflight's: its refusals are quicker without."""
        if Path(play.get_path().rpartition(":")[0]).name != "preflight.yml":
            preload("eks" in run.environments(play).values())
        gc.freeze()  # else each task's process, a fork, would copy what the collector looks at, which is everything
