"""Run a manage.py command once, as a Job with the image and the configuration of the serving release."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_command
short_description: Run a C(manage.py) command once, with the serving release
description:
  - Creates a Job with the image, configuration, resources and security context of a Deployment's newest release that has ready pods.
  - Shows the command's output while it runs, and returns all of it. Values of the Secrets that its pod refers to are replaced by C(***).
  - The Job is removed when it has ended, or when the run that waits for it is interrupted. Several may run at a time.
options:
  kubeconfig:
    description: Path of the kubeconfig; the client's own default (E(KUBECONFIG), then C(~/.kube/config)) if omitted.
    type: path
  context: {description: Context of the kubeconfig; its current one if omitted., type: str}
  namespace: {description: Namespace of the Deployment., type: str, required: true}
  name: {description: "Name of the Deployment, which is the app's name.", type: str, required: true}
  command: {description: "The arguments of C(manage.py), quoted as in a shell.", type: str, required: true}
  timeout: {description: Seconds after which the command is stopped., type: int, default: 3600}
  interactive:
    description:
      - Whether to connect the command to the run's terminal, for prompts. What you type, such as a password, appears on no command line and in no log.
    type: bool
    default: false
  otherwise:
    description: With O(interactive), the command to run instead if the run has no terminal. Without it, the module refuses to run.
    type: str
    default: ""
attributes:
  check_mode: {support: full, description: Says which release would run it.}
  diff_mode: {support: none, description: It is not known what a command changes.}
"""

EXAMPLES = """
- name: Create an administrator
  berth.platform.k8s_command:
    kubeconfig: .cache/dev/kubeconfig
    namespace: polls-dev
    name: polls
    command: createsuperuser --noinput --username admin --email admin@example.org
"""

RETURN = """
words: {description: "The arguments of C(manage.py), as a list.", type: list, elements: str, returned: success}
version: {description: "The release's version.", type: str, returned: success}
image: {description: "The release's image.", type: str, returned: success}
rc: {description: "The command's exit code.", type: int, returned: when it has exited by itself}
lines: {description: "Its output; empty if it had a terminal.", type: list, elements: str, returned: when it was run}
"""

import contextlib
import os
import shlex
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils import formats
from ..module_utils.kube import client, session
from ..module_utils.kube.client import Cluster, KubeError, NotFound, Unreachable
from ..module_utils.kube.objects import condition
from ..module_utils.kube.redact import redact, unshown
from ..module_utils.progress import report
from ..module_utils.rollout import command as commands
from ..module_utils.rollout import rollback
from ..module_utils.rollout.command import Output
from ..module_utils.rollout.judge import judge
from ..module_utils.rollout.message import describe
from ..module_utils.rollout.model import Finding, Patience, Snapshot
from ..module_utils.rollout.reading import event_subjects

Object = Mapping[str, Any]
LOOK = 0.5  # seconds between two polls
PATIENCE = 120.0  # seconds for which the API server may be silent while a command runs


class Failed(Exception):
    """The command was not run, or failed; the text is the message.

    Args:
        message: For the user.
        rc: The command's exit code; None if it has not exited by itself.
    """

    def __init__(self, message: str, rc: int | None = None) -> None:
        super().__init__(message)
        self.rc = rc


def chosen(cluster: Cluster, namespace: str, name: str) -> rollback.Release:
    """Return the release to run a command with.

    Raises:
        Failed: There is none.
        KubeError: The API server does not answer, or denies this user.
    """
    try:
        deployment = cluster.get("Deployment", namespace, name)
    except NotFound:
        deployment = None
    found = rollback.releases(deployment, cluster.items("ReplicaSet", namespace)) if deployment else []
    release = commands.serving(found)
    if release is None:
        raise Failed(f"Nothing was run: there is no release of {name} in the namespace {namespace} to run it with. Release the app with site.yml.")
    return release


class Run:
    """A command that runs as a Job.

    Args:
        cluster: Where it runs.
        namespace: The Job's namespace.
        job: The Job, as the API server returned it.
        words: The arguments of ``manage.py``.
    """

    def __init__(self, cluster: Cluster, namespace: str, job: Object, words: Sequence[str]) -> None:
        self.cluster, self.namespace, self.job, self.words = cluster, namespace, {**job, "kind": "Job"}, words
        self.name: str = job["metadata"]["name"]
        self.output = Output()
        self.began = False
        self._secrets = unshown(cluster, namespace, job["spec"]["template"]["spec"])
        self._patience = Patience()

    def look(self) -> bool:
        """Poll once, show new output, and return whether the command has succeeded.

        Raises:
            Failed: It has failed, or it is certain that it will not start.
            KubeError: The API server does not answer, or denies this user.
        """
        self.job = {**self.cluster.get("Job", self.namespace, self.name), "kind": "Job"}
        pods = self.cluster.items("Pod", self.namespace, labelSelector=f"batch.kubernetes.io/job-name={self.name}")
        began, how = commands.state(pods[-1] if pods else None)
        if began:
            self.began = True
            self._read(pods[-1]["metadata"]["name"])
        if commands.overdue(self.job):
            limit = self.job["spec"]["activeDeadlineSeconds"]
            self._fail(f"took longer than {limit} s and was stopped", "If it needs more time, raise ops_timeout (seconds).")
        if how:
            if message := commands.ended(self.words, how, self.output.lines):
                raise Failed(message, how["exitCode"])
            return True
        if self.began and (not pods or condition(self.job, "Failed")):
            self._fail("was stopped, because its pod was removed", "Run it again, if it is safe to run twice.")
        if not self.began:
            self._expect(pods)
        return False

    def talk(self, terminal: str) -> None:
        """Wait for the pod, and connect the command to the terminal until it has ended.

        Raises:
            Failed: It has failed, or it is certain that it will not start.
            KubeError: The API server does not answer, or denies this user.
        """
        while not self.began:
            self.look()
            time.sleep(0 if self.began else LOOK)
        pods = self.cluster.items("Pod", self.namespace, labelSelector=f"batch.kubernetes.io/job-name={self.name}")
        command = ["python", "manage.py", *self.words]
        report("the command now has the terminal")
        try:
            connection = self.cluster.execute(self.namespace, pods[-1]["metadata"]["name"], "manage", command, stdin=True, terminal=True)
            code = session.converse(connection, terminal, commands.exit_code)
        except (session.Ended, client.WebSocketException, OSError) as error:
            self._fail(f"lost its connection ({str(error).rstrip('.')}) and was stopped", "Run it again, if it is safe to run twice.")
        if code:
            raise Failed(f"manage.py {self.words[0]} ended with exit code {code}; its output is above.", code)

    def _expect(self, pods: Sequence[Object]) -> None:
        """Fail if a pod that has not started cannot start any more."""
        snapshot = Snapshot(self.job, pods=pods, now=self.cluster.now)
        events: list[Object] = []
        for uid in event_subjects(snapshot):
            with contextlib.suppress(client.Forbidden):  # they only improve the explanation
                events += self.cluster.items("Event", self.namespace, fieldSelector=f"involvedObject.uid={uid}")
        verdict = judge(Snapshot(self.job, pods=pods, events=events, now=self.cluster.now))
        finding: Finding | None = self._patience.certain(verdict.findings, time.monotonic())
        if finding:
            message = describe(verdict.state, finding, self.namespace, f"manage.py {self.words[0]} did not begin", workload=self.job)
            raise Failed(redact(message, self._secrets))

    def _read(self, pod: str) -> None:
        since = {"sinceTime": self.output.since} if self.output.since else {}
        try:
            log = self.cluster.log(self.namespace, pod, timestamps="true", **since)
        except NotFound:
            return
        for line in self.output.add(redact(log, self._secrets)):
            report(line)

    def _fail(self, why: str, way: str) -> NoReturn:
        raise Failed(commands.failure(self.words, why, self.output.lines, way))


def follow(run: Run) -> None:
    """Follow a command until it has ended.

    Raises:
        Failed, KubeError: As for Run.look.
    """
    heard = time.monotonic()
    while True:
        try:
            if run.look():
                return
            heard = time.monotonic()
        except Unreachable as error:
            # The command keeps running without the API server.
            if time.monotonic() - heard > PATIENCE:
                raise
            report(f"{error}; trying again")
        time.sleep(LOOK)


@contextlib.contextmanager
def begun(cluster: Cluster, namespace: str, job: dict[str, Any], words: Sequence[str]) -> Iterator[Run]:
    """Create a Job, and remove it in the end, even if the run is interrupted.

    Raises:
        KubeError: The API server rejects it.
    """

    def leave(*_: Any) -> NoReturn:
        raise Failed("The run was interrupted, and the command was stopped.")

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    made = cluster.create("Job", namespace, job)
    try:
        yield Run(cluster, namespace, made, words)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        cluster.delete("Job", namespace, made["metadata"]["name"], made["metadata"]["uid"], "Background")


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **client.CONNECTION_OPTIONS,
            "name": {"type": "str", "required": True},
            "command": {"type": "str", "required": True},
            "timeout": {"type": "int", "default": 3600},
            "interactive": {"type": "bool", "default": False},
            "otherwise": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    if client.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("kubernetes"))
    options, output = module.params, Output()
    terminal = session.terminal(os.getpid()) if options["interactive"] else ""
    if options["interactive"] and not terminal and not module.check_mode:
        if not options["otherwise"]:
            way = f"run it in a terminal, or run ops/manage with a command that does not prompt, such as -e 'ops_command=\"{options['command']} --help\"'"
            module.fail_json(msg=f"Nothing was run: manage.py {options['command']} needs a terminal, but this run has none; {way}.")
        options["command"] = options["otherwise"]
    if wrong := formats.command(options["command"]):
        module.fail_json(msg=f"Nothing was run: the command {wrong}.")
    if options["timeout"] < 1:
        module.fail_json(msg=f"Nothing was run: {options['timeout']} is too few seconds; at least 1 is needed.")
    words = shlex.split(options["command"])
    try:
        cluster = Cluster(options["kubeconfig"], options["context"])
        release = chosen(cluster, options["namespace"], options["name"])
        result = {"changed": True, "words": words, "version": release.version, "image": release.image}
        if module.check_mode:
            module.exit_json(**result)
        job = commands.job(release, options["name"], words, options["timeout"], waits=bool(terminal))
        with begun(cluster, options["namespace"], job, words) as run:
            output = run.output
            if terminal:
                run.talk(terminal)
            else:
                follow(run)
    except Failed as failed:
        module.fail_json(msg=str(failed), rc=failed.rc, lines=output.lines)
    except KubeError as error:
        module.fail_json(msg=str(error), lines=output.lines)
    module.exit_json(**result, rc=0, lines=output.lines)


if __name__ == "__main__":
    main()
