"""Work that each task's process or each module would do itself, done once per run or once for many runs."""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ansible
from ansible import constants
from ansible.playbook.play_context import PlayContext
from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import action_loader, connection_loader, filter_loader, test_loader
from ansible.template import Templar, trust_as_template

from ..module_utils import private, providers
from ..plugin_utils import run

DOCUMENTATION = """
name: warm_up
type: notification
short_description: Import and wrap once a run, or once for many, what each task would import and wrap for itself
description:
  - Keeps the payloads in which Ansible wraps modules from run to run, for as long as neither they nor Ansible change.
  - Imports the filters of Ansible, and the plugins of this collection with all that they import, once a run.
  - Has Python keep the bytecode of collections. Ansible's own way of importing them compiles each file in each process.
  - Has Ansible read once a run what each task's process would read for itself, such as the documentation of the connection.
  - Imports the clients of Kubernetes and, for C(eks), of AWS once for all modules that the connection C(forked) runs, and reads AWS's
    descriptions of its services once.
requirements:
  - to be listed in C(callbacks_enabled)
"""

AWS_SERVICES = ("acm", "ec2", "ecr", "eks", "elbv2", "iam", "kms", "logs", "rds", "route53", "sts")  # those that the modules use
PLUGINS = Path(__file__).resolve().parents[1]
PAYLOADS_KEPT = 30 * 24 * 3600.0  # seconds for which modules' payloads are kept after code has changed


def keep_payloads() -> None:
    """Let Ansible reuse the modules' payloads from the previous run, which it otherwise rebuilds in each run.

    There is a directory for each state of Ansible, its collections, and the project's modules and module_utils. Payloads are pickled, so
    those that others may have written are not read, and none are kept where others could replace them.
    """
    code = [Path(ansible.__file__), *PLUGINS.glob("modules/*.py"), *PLUGINS.glob("module_utils/**/*.py")]
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


class WithBytecode(importlib.abc.MetaPathFinder):
    """Finds the files of collections for Python's own loader, which stores their bytecode next to them."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """Return where a collection's file is; None for a package, and for anything outside a collection, which others find."""
        if fullname.startswith("ansible_collections."):
            for directory in path or ():
                file = Path(directory, f"{fullname.rpartition('.')[2]}.py")
                if file.is_file():
                    return importlib.util.spec_from_file_location(fullname, file)
        return None


def import_own(directory: str) -> None:
    """Import the files of a directory of the collection's plugins."""
    for file in sorted((PLUGINS / directory).glob("*.py")):
        importlib.import_module(".".join(["", "", *file.relative_to(PLUGINS).with_suffix("").parts]), __package__)


def read_once(play: Any) -> None:
    """Make Ansible's own process read what each task's would: that is a fork, so it has it then. The names are Ansible's private ones."""
    with contextlib.suppress(Exception):  # failing only costs time
        Templar(play.get_loader()).template(trust_as_template("{{ 1 }}"))
        connection_loader.get("berth.platform.forked", PlayContext(), None)
        for file in (PLUGINS / "action").glob("k8s_*.py"):
            action_loader.get(f"berth.platform.{file.stem}", class_only=True)
        json = importlib.import_module("ansible.module_utils.common.json")
        for direction in json.Direction:
            json.get_module_encoder("legacy", direction)
        result = importlib.import_module("ansible._internal._task").UnifiedTaskResult
        for source_is_module in (True, False):
            result.get_result_key_to_resolved_field_mapping(source_is_module=source_is_module)


@functools.cache
def preload(aws: bool) -> None:
    """Import what modules import and, for ``aws``, read the descriptions of its services, so that no module has to."""
    with contextlib.suppress(Exception):  # failing only costs time; the module reports the error, such as a profile that does not exist
        importlib.import_module("kubernetes.dynamic")
        for package in ("kube", "rollout", *(["aws"] if aws else [])):  # what most tasks use
            import_own(f"module_utils/{package}")
        if aws:
            importlib.import_module("ansible_collections.amazon.aws.plugins.module_utils.modules")
            sessions: Any = importlib.import_module("botocore.session")
            sessions.create_loader = functools.cache(sessions.create_loader)  # a module makes its own session, and with it a loader
            session = importlib.import_module("boto3").session.Session("none", "none", region_name="us-east-1")
            for service in AWS_SERVICES:
                session.client(service)  # no network access


class CallbackModule(CallbackBase):
    """Does this before the first task that benefits."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "warm_up"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Find the payloads of earlier runs, and import the filters and tests."""
        with contextlib.suppress(OSError):  # failing only costs time
            keep_payloads()
        for loader in (filter_loader, test_loader):
            loader.get("defined")  # the loader reads all of Ansible's own to find any
        if not any(isinstance(finder, WithBytecode) for finder in sys.meta_path):
            sys.meta_path.insert(0, WithBytecode())
        for directory in ("filter", "lookup"):
            import_own(directory)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Import what the play's modules import, unless the play is preflight's: its refusals are faster without."""
        if Path(play.get_path().rpartition(":")[0]).name != "preflight.yml":
            preload(any(providers.of(provider).aws for provider in run.environments(play).values()))
            read_once(play)
        gc.freeze()  # otherwise each task's process, a fork, would copy everything that the collector looks at
