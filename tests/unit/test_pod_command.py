"""A command in a container: what goes from file to file, and what is left when it fails or the connection breaks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.kube.client import KubeError, NotFound
from ansible_collections.berth.platform.plugins.modules import pod_command
from module_run import run
from websocket import WebSocketBadStatusException, WebSocketConnectionClosedException

OUT, ERR, STATUS = pod_command.OUT, pod_command.ERR, pod_command.STATUS
SUCCESS = json.dumps({"status": "Success"}).encode()
FAILURE = json.dumps({"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": [{"reason": "ExitCode", "message": "3"}]}}).encode()
UNSTARTED = json.dumps({"status": "Failure", "reason": "InternalError", "message": "no such file or directory"}).encode()


class Connection:
    """A connection that delivers frames, each of a channel, several at a time, and breaks after them where there is no status."""

    def __init__(self, frames: list[tuple[int, bytes]], at_once: int = 2, takes: int = 99) -> None:
        self.frames, self.at_once, self.takes = frames, at_once, takes
        self.channels: dict[int, bytes] = {}
        self.given: list[bytes] = []
        self.closed = False

    def is_open(self) -> bool:
        """Whether there is more to come."""
        return bool(self.frames)

    def update(self, timeout: float = 0) -> None:
        """Take the next frames."""
        for channel, data in self.frames[: self.at_once]:
            self.channels[channel] = self.channels.get(channel, b"") + data
        del self.frames[: self.at_once]

    def read_channel(self, channel: int) -> bytes:
        """Read as the client does: what is there, or else what comes."""
        if channel not in self.channels and self.frames:
            self.update()
        return self.channels.pop(channel, b"")

    def write_stdin(self, data: bytes) -> None:
        """Take input, or no more of it."""
        if len(self.given) == self.takes:
            raise WebSocketConnectionClosedException
        self.given.append(data)

    def close(self) -> None:
        """Note it."""
        self.closed = True


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    """Return a function that runs the module on a connection (or an error instead of one) and returns its answer."""

    class FakeCluster:
        """The cluster, and with which command it was asked."""

        asked: list[str] = []  # noqa: RUF012

        def __init__(self, *_: Any) -> None:
            pass

        def get(self, _kind: str, _namespace: str, name: str) -> None:
            """Find a pod."""
            if name != "database-0":
                raise NotFound(f"Pod {name} in namespace polls: not found")

        def execute(self, _namespace: str, _pod: str, _container: str, command: list[str], stdin: bool = False) -> Any:
            """Start the command."""
            self.asked[:] = [str(stdin), *command]
            if isinstance(connection, Exception):
                raise connection
            return connection

    connection: Any = None

    def answer(using: Any, check: bool = False, **options: Any) -> dict[str, Any]:
        nonlocal connection
        connection = using
        FakeCluster.asked.clear()
        arguments = {"kubeconfig": "k", "namespace": "polls", "pod": "database-0", "container": "postgresql", "command": ["pg_dump", "polls"], **options}
        return {**run(pod_command, capsys, check, **arguments), "asked": list(FakeCluster.asked)}

    monkeypatch.setattr(pod_command, "Cluster", FakeCluster)
    monkeypatch.chdir(tmp_path)
    return answer


def test_what_a_command_writes_is_in_the_file_whole_and_for_its_user_alone(said: Any, tmp_path: Path) -> None:
    connection = Connection([(OUT, b"PG"), (OUT, b"DMP\x00\xff"), (ERR, b"by the way"), (OUT, b"end"), (STATUS, SUCCESS)])
    answer = said(connection, output="made/polls.dump")
    file = tmp_path / "made" / "polls.dump"
    assert file.read_bytes() == b"PGDMP\x00\xffend"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert (answer["changed"], answer["size"], answer["rc"], answer["stderr"]) == (True, 10, 0, "by the way")
    assert answer["asked"] == ["False", "pg_dump", "polls"]
    assert connection.closed


@pytest.mark.parametrize("at_once", [1, 2, 3, 9])
def test_nothing_is_lost_however_frames_arrive(said: Any, tmp_path: Path, at_once: int) -> None:
    frames = [(OUT, bytes([number])) for number in range(9)] + [(STATUS, SUCCESS)]
    said(Connection(frames, at_once), output="polls.dump")
    assert (tmp_path / "polls.dump").read_bytes() == bytes(range(9))


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([(OUT, b"PG"), (ERR, b"disk full\n"), (STATUS, FAILURE)], "pg_dump in Pod database-0 in namespace polls ended with code 3: disk full"),
        ([(STATUS, FAILURE)], "ended with code 3: it said nothing"),
        ([(OUT, b"PG")], "The connection to the container broke before the command had ended"),
        ([(STATUS, b'{"status"')], "The connection to the container broke"),
        ([(STATUS, UNSTARTED)], "Kubernetes could not run the command: no such file or directory"),
    ],
)
def test_a_command_that_does_not_end_well_leaves_no_file_and_its_last_words_are_told(
    said: Any, tmp_path: Path, frames: list[tuple[int, bytes]], message: str
) -> None:
    answer = said(Connection(frames), output="polls.dump")
    assert answer["failed"]
    assert message in answer["msg"]
    assert list(tmp_path.iterdir()) == []


def test_a_command_reads_the_file_to_its_end(said: Any, tmp_path: Path) -> None:
    (tmp_path / "polls.dump").write_bytes(b"x" * (pod_command.CHUNK + 1))
    connection = Connection([(ERR, b""), (ERR, b""), (ERR, b""), (STATUS, SUCCESS)], at_once=1)
    answer = said(connection, input="polls.dump", command=["psql"])
    assert len(connection.given[0]) == pod_command.CHUNK
    assert answer["asked"] == ["True", "sh", "-c", 'size=$1; shift; head -c "$size" | "$@"', "sh", str(pod_command.CHUNK + 1), "psql"]
    assert not answer.get("failed")


def test_a_command_reads_a_password_that_is_in_no_argument(said: Any) -> None:
    connection = Connection([(STATUS, SUCCESS)])
    answer = said(connection, content="höchst-geheim", command=["sh", "/scripts/password"])
    assert b"".join(connection.given).decode() == "höchst-geheim"
    assert answer["asked"] == ["True", "sh", "-c", 'size=$1; shift; head -c "$size" | "$@"', "sh", "14", "sh", "/scripts/password"]
    assert "geheim" not in json.dumps(answer)


def test_a_command_that_ends_before_it_has_read_all_is_told_of_by_its_own_words(said: Any, tmp_path: Path) -> None:
    (tmp_path / "polls.dump").write_bytes(b"no backup")
    answer = said(Connection([(ERR, b"not an archive"), (STATUS, FAILURE)], takes=0), input="polls.dump")
    assert answer["msg"].endswith("ended with code 3: not an archive")
    assert answer["rc"] == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input": "absent"}, "There is no file absent."),
        ({"output": "there"}, "there is there already, and is not overwritten"),
        ({"pod": "database-1", "output": "polls.dump"}, "Pod database-1 in namespace polls: not found"),
        ({"output": "there/polls.dump"}, "there is not a directory, so there/polls.dump cannot be made"),
    ],
)
@pytest.mark.parametrize("check", [False, True])
def test_what_can_be_known_before_is_told_before_anything_runs(said: Any, tmp_path: Path, check: bool, options: dict[str, Any], message: str) -> None:
    (tmp_path / "there").write_text("")
    answer = said(Connection([]), check, **options)
    assert message in answer["msg"]
    assert answer["asked"] == []
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_check_runs_nothing(said: Any, tmp_path: Path) -> None:
    answer = said(Connection([]), check=True, output="polls.dump")
    assert (answer["changed"], answer["output"], answer["asked"]) == (True, "polls.dump", [])
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_is_told(said: Any) -> None:
    assert said(KubeError("Kubernetes does not allow this user to run commands"))["msg"].startswith("Kubernetes does not allow")


# --- The way there ---------------------------------------------------------
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (WebSocketBadStatusException("no", 403), 'resources ["pods/exec"], verbs ["create", "get"]'),
        (WebSocketBadStatusException("no", 500), "it answers 500"),
        (ConnectionRefusedError("refused"), "does not answer"),
    ],
)
def test_why_a_command_cannot_be_started_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, message: str) -> None:
    from ansible_collections.berth.platform.plugins.module_utils.kube import client
    from fake_api import Api, kubeconfig, running

    def refuse(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(client, "WSClient", refuse)
    with running(Api()) as api:
        api.answers["/api/v1/namespaces/polls/pods/database-0"] = (200, {})
        cluster = client.Cluster(kubeconfig(tmp_path, api.url), None)
        with pytest.raises(KubeError) as raised:
            cluster.execute("polls", "database-0", "postgresql", ["true"])
    assert message in str(raised.value)
