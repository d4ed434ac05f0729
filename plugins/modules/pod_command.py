"""Run a command in a container, with files of this machine as its input and output."""

from __future__ import annotations

DOCUMENTATION = """
module: pod_command
short_description: Run a command in a container, with files of this machine as its input and output
description:
  - Unlike M(kubernetes.core.k8s_exec), it streams data of any kind and size from and to files.
  - A file appears under its name only when it is complete, and only its owner can read it.
  - With a O(recipient), output is encrypted while it is written, and encrypted input is decrypted while it is read. Plaintext is never on disk.
  - With an input, the container needs C(sh) and C(head), because Kubernetes' older protocols cannot signal its end.
options:
  kubeconfig:
    description: Path of the kubeconfig; the client's own default (E(KUBECONFIG), then C(~/.kube/config)) if omitted.
    type: path
  context: {description: Context of the kubeconfig; its current one if omitted., type: str}
  namespace: {description: Namespace of the pod., type: str, required: true}
  pod: {description: Name of the pod., type: str, required: true}
  container: {description: Name of the container in it., type: str, required: true}
  command: {description: "The command, with its arguments.", type: list, elements: str, required: true}
  input: {description: The file that the command reads., type: path}
  content: {description: "Input for the command instead of a file, such as a password.", type: str}
  output: {description: "The file for the command's output, which must not exist yet. Without it, the output is discarded.", type: path}
  recipient:
    description: "The recipient to encrypt the output for, with age (C(age1...), C(ssh-ed25519 ...)) or GnuPG (a fingerprint); empty for no encryption."
    type: str
    default: ""
  identity: {description: "The file with the identity that decrypts an input of age; GnuPG has its own keys.", type: str, default: ""}
attributes:
  check_mode: {support: full, description: "Checks that the pod and the input exist, and that encryption or decryption works, but runs nothing."}
  diff_mode: {support: none, description: What the command changes is not known.}
seealso:
  - name: The protocol of exec
    description: What the channels of the connection are.
    link: https://github.com/kubernetes/enhancements/tree/master/keps/sig-api-machinery/4006-transition-spdy-to-websockets
"""

EXAMPLES = """
- name: Copy the database
  berth.platform.pod_command:
    kubeconfig: .cache/dev/kubeconfig
    namespace: polls-dev
    pod: database-0
    container: postgresql
    command: [pg_dump, --username, polls, --format, custom, polls]
    output: polls.dump.age
    recipient: age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p
"""

RETURN = """
output: {description: "O(output), where the file is, or would be.", type: str, returned: success}
size: {description: "Bytes that the command has written, or was given to read.", type: int, returned: success}
rc: {description: "The command's exit code, if it has ended.", type: int, returned: when it has run}
stderr: {description: "The end of its error output.", type: str, returned: when it has run}
"""

import io
import json
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils.encryption import EncryptionError, check_recipient, clear, clear_size, encrypted
from ..module_utils.kube import client
from ..module_utils.kube.client import Cluster, KubeError, Unreachable
from ..module_utils.progress import report

# Channels of the connection (k8s.io/apimachinery/pkg/util/remotecommand).
OUT = 1
ERR = 2
STATUS = 3
CHUNK = 1 << 16  # bytes
SAID = 4000  # characters that are kept from the end of the command's error output
SPEAK = 5  # seconds between two progress lines


class Refused(Exception):
    """What was asked for cannot be done; the text is for the user."""


class _Ended(Exception):
    """The connection has ended, with or without a status."""


class Streams:
    """The streams of one running command.

    Args:
        connection: As Cluster.execute returns it.
        target: Where its output goes; None to discard it.
    """

    def __init__(self, connection: Any, target: IO[bytes] | None) -> None:
        self._connection, self._target = connection, target
        self._status = b""
        self.said = b""
        self.size = 0
        self._spoke = time.monotonic()

    def feed(self, source: IO[bytes], size: int) -> None:
        """Let the command read all of ``source``, or as much as it accepts.

        Raises:
            Refused: There are fewer than ``size`` bytes. The command would wait for the rest forever.
        """
        while self._connection.is_open():
            if not (chunk := source.read(CHUNK)):
                if self.size < size:
                    raise Refused(f"The input ended after {self.size} of {size} bytes.")
                return
            try:
                self._connection.write_stdin(chunk)
                self.size += len(chunk)
                self._take(0)
            except (client.WebSocketException, _Ended):
                return  # it has ended without reading everything; its status says how

    def follow(self) -> int:
        """Wait for the command's end, and return its exit code.

        Raises:
            Unreachable: The connection broke before that.
        """
        try:
            while self._connection.is_open():
                self._take(1)
            self._take(0)
        except _Ended:
            pass
        # https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apimachinery/pkg/util/remotecommand/constants.go
        with suppress(ValueError, KeyError, IndexError):
            status = json.loads(self._status)
            if status["status"] == "Success":
                return 0
            if status.get("reason") != "NonZeroExitCode":
                raise Unreachable(f"Kubernetes could not run the command: {status.get('message')}")
            return int(next(cause["message"] for cause in status["details"]["causes"] if cause["reason"] == "ExitCode"))
        raise Unreachable("The connection to the container broke before the command had ended")

    def _take(self, seconds: float) -> None:
        try:
            self._connection.update(timeout=seconds)
            out, err, status = (self._connection.read_channel(channel) for channel in (OUT, ERR, STATUS))
        except (client.WebSocketException, OSError) as error:
            raise _Ended from error
        self.said = (self.said + err)[-SAID:]
        self._status += status
        if self._target is not None:
            self._target.write(out)
            self.size += len(out)
        if time.monotonic() - self._spoke >= SPEAK:
            self._spoke = time.monotonic()
            report(f"{self.size / 1e6:.1f} MB copied")


def run(cluster: Cluster, options: dict[str, Any], source: IO[bytes] | None, target: IO[bytes] | None, size: int = 0) -> dict[str, Any]:
    """Run the command and return ``rc``, ``stderr`` and ``size``. It first gets the length of the input, ``size`` in bytes.

    Raises:
        KubeError: It could not be started, or the connection broke.
        Refused: The input is shorter than that.
    """
    command = options["command"]
    if source is not None:
        command = ["sh", "-c", 'size=$1; shift; head -c "$size" | "$@"', "sh", str(size), *command]
    connection = cluster.execute(options["namespace"], options["pod"], options["container"], command, stdin=source is not None)
    try:
        streams = Streams(connection, target)
        if source is not None:
            streams.feed(source, size)
        code = streams.follow()
    finally:
        connection.close()
    return {"rc": code, "stderr": streams.said.decode("utf-8", "replace").strip(), "size": streams.size}


def check(cluster: Cluster, options: dict[str, Any]) -> int:
    """Check everything that can be known beforehand; return how many bytes of a file the command will be given.

    Raises:
        Refused: A file is missing, or in the way.
        EncryptionError: The input cannot be decrypted, or the output cannot be encrypted.
        KubeError: There is no such pod.
    """
    if options["input"] and not Path(options["input"]).is_file():
        raise Refused(f"There is no file {options['input']}.")
    if options["output"] and Path(options["output"]).exists():
        raise Refused(f"{options['output']} is there already, and is not overwritten; name another file.")
    if options["output"] and not (nearest := next(each for each in Path(options["output"]).absolute().parents if each.exists())).is_dir():
        raise Refused(f"{nearest} is not a directory, so {options['output']} cannot be made; name another file.")
    if options["output"] and options["recipient"]:
        check_recipient(options["recipient"])
    cluster.get("Pod", options["namespace"], options["pod"])
    return clear_size(Path(options["input"]), options["identity"]) if options["input"] else 0


def copied(cluster: Cluster, options: dict[str, Any], size: int) -> dict[str, Any]:
    """Run the command from file to file, and return the result of ``run``.

    Raises:
        KubeError, Refused: As for run().
        EncryptionError, OSError: A file cannot be read or written.
    """
    if options["content"] is not None:
        content = options["content"].encode()
        return run(cluster, options, io.BytesIO(content), None, len(content))
    if options["input"]:
        with clear(Path(options["input"]), options["identity"]) as source:
            return run(cluster, options, source, None, size)
    if not options["output"]:
        return run(cluster, options, None, None)
    output = Path(options["output"])
    output.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, partial = tempfile.mkstemp(dir=output.parent, prefix=f".{output.name}.")
    try:
        with os.fdopen(handle, "wb") as target:
            with encrypted(target, options["recipient"]) as sink:
                result = run(cluster, options, None, sink)
            target.flush()
            os.fsync(target.fileno())
        if result["rc"] == 0:
            os.link(partial, output)  # unlike a rename, never over another one
    finally:
        os.unlink(partial)
    return result


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **client.CONNECTION_OPTIONS,
            "pod": {"type": "str", "required": True},
            "container": {"type": "str", "required": True},
            "command": {"type": "list", "elements": "str", "required": True},
            "input": {"type": "path"},
            "content": {"type": "str", "no_log": True},
            "output": {"type": "path"},
            "recipient": {"type": "str", "default": ""},
            "identity": {"type": "str", "default": ""},
        },
        mutually_exclusive=[("input", "content", "output")],
        supports_check_mode=True,
    )
    if client.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("kubernetes"))
    options = module.params
    where = f"Pod {options['pod']} in namespace {options['namespace']}"
    try:
        cluster = Cluster(options["kubeconfig"], options["context"])
        size = check(cluster, options)
        if module.check_mode:
            module.exit_json(changed=True, size=0, output=options["output"] or "")
        result = copied(cluster, options, size)
    except (Refused, EncryptionError, KubeError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename or options['output']}: {error.strerror}.")
    if result["rc"]:
        module.fail_json(msg=f"{options['command'][0]} in {where} ended with code {result['rc']}: {result['stderr'] or 'it said nothing'}", **result)
    module.exit_json(changed=True, output=options["output"] or "", **result)


if __name__ == "__main__":
    main()
