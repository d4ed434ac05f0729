"""The artifacts module: a cache that is whole or says what is missing, whatever happens to a run."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import io
import json
import os
import platform
import re
import signal
import socket
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ansible_fork
import pytest
import yaml
from ansible_collections.berth.platform.plugins.module_utils.machine import artifacts
from ansible_collections.berth.platform.plugins.module_utils.machine.artifacts import ArtifactError, Settings, make_plan, missing_packages
from ansible_collections.berth.platform.plugins.module_utils.machine.artifacts_make import apt_sources, published_checksum, tool_message
from role_options import options

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles" / "artifacts"
# The module in a process of its own, a fork, so that it can be killed and run twice at once.
RUNNER = """
import json, runpy, sys
from ansible_collections.berth.platform.plugins.module_utils.machine import artifacts
from ansible.module_utils.testing import patch_module_args
artifacts.HEARTBEAT, artifacts.PATIENCE = 0.2, 1.0
with patch_module_args(json.loads(sys.argv[2])):
    runpy.run_module(sys.argv[1], run_name="__main__")
"""
GO = """#!/bin/sh
if [ "$1" = version ]; then echo go version go1.26.8 linux/amd64; exit; fi
out=; for word; do [ "$last" = -o ] && out=$word; last=$word; done
echo "$last" >> "$FAKES/built"
echo "$GOFLAGS $GOWORK $GOTOOLCHAIN $CGO_ENABLED $PWD" > "$FAKES/environment"
echo "$*" > "$FAKES/arguments"
echo $$ > "$FAKES/go.pid"
if [ -e "$FAKES/fail" ]; then cat "$FAKES/fail" >&2; exit 1; fi
printf 'half of ' > "$out"
if [ -e "$FAKES/hang-$(basename "$last")" ]; then sleep 30; fi
if [ -e "$FAKES/slow" ]; then sleep 0.6; fi
while [ -e "$FAKES/hold" ]; do sleep 0.05; done
printf '%s' "$last" >> "$out"
"""
MMDEBSTRAP = """#!{python}
import io, os, sys, tarfile
target = next(word for word in sys.argv[1:] if word.endswith(".tar"))
with open(os.environ["FAKES"] + "/debian", "a") as log:
    log.write(" ".join(sys.argv[1:]) + "\\n")
with tarfile.open(target, "w") as root:
    for name, content in (("./etc/os-release", b"ID=debian"), ("./usr/bin/catatonit", b"pause"),
                          ("./usr/bin/busybox", b"#!/bin/sh\\necho sh; echo rm\\n")):
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(content), 0o755
        root.addfile(member, io.BytesIO(content))
"""
SKOPEO = """#!{python}
import os, sys
with open(os.environ["FAKES"] + "/skopeo", "a") as log:
    log.write(" ".join(sys.argv[1:]) + "\\n")
if "inspect" in sys.argv:
    print("time=now level=warning msg=noise", file=sys.stderr)
    print("sha256:" + "b" * 64)
else:
    target = next(word for word in sys.argv if word.startswith("docker-archive:")).split(":")[1]
    with open(target, "w") as archive:
        archive.write("an image")
"""


class Started(ansible_fork.Run):
    """A run of the module that was started, with what it prints."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        """Start it."""
        self.output, self.errors = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 - communicate() closes them
        super().__init__(command, self.output, self.errors, env=env)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Return its output and its errors when it has ended."""
        self.wait(timeout)
        with self.output, self.errors:
            return ansible_fork.read(self.output), ansible_fork.read(self.errors)


class Machine:
    """A machine with tools of our own and a cache, on which the module runs.

    Attributes:
        cache: The cache directory, which no run has made yet.
        fakes: Where the tools say what they were called with, and find what to do.
    """

    def __init__(self, directory: Path) -> None:
        """Put the tools in place."""
        self.cache = directory / "cache"
        self.fakes = directory / "fakes"
        self.go_dir = directory / "go"
        self.progress_file = directory / "progress"
        for path in (self.fakes / "bin", self.go_dir):
            path.mkdir(parents=True)
        (self.go_dir / "go.mod").write_text("module test\n\ngo 1.26.8\n", encoding="utf-8")
        (self.go_dir / "go.sum").write_text("", encoding="utf-8")
        for name, text in (("go", GO), ("mmdebstrap", MMDEBSTRAP), ("skopeo", SKOPEO)):
            self.tool(name, text)

    def tool(self, name: str, text: str) -> None:
        """Put an executable in the first directory of PATH."""
        path = self.fakes / "bin" / name
        path.write_text(text.replace("{python}", sys.executable), encoding="utf-8")
        path.chmod(0o755)

    def start(self, **options: Any) -> Started:
        """Start the module."""
        arguments = {
            "cache_dir": str(self.cache),
            "go_dir": str(self.go_dir),
            "probe_timeout": 1,
            "debian": {"suite": "trixie", "mirror": "http://d", "security": "http://s", "exclude": [], "clean": []},
            **options,
        }
        command = [sys.executable, "-c", RUNNER, "ansible_collections.berth.platform.plugins.modules.artifacts", json.dumps(arguments)]
        return Started(
            command,
            {
                **os.environ,
                "PATH": f"{self.fakes / 'bin'}:/usr/bin:/bin",
                "FAKES": str(self.fakes),
                "BERTH_PROGRESS": str(self.progress_file),
                "no_proxy": "*",
            },
        )

    def run(self, **options: Any) -> dict[str, Any]:
        """Run the module and return its result."""
        return result_of(self.start(**options))

    def log(self, name: str) -> list[str]:
        """Return the lines that a tool left."""
        path = self.fakes / name
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def order(self, name: str, text: str = "") -> None:
        """Tell a tool what to do."""
        (self.fakes / name).write_text(text, encoding="utf-8")

    @property
    def progress(self) -> list[str]:
        """What a person at the terminal saw."""
        return self.progress_file.read_text(encoding="utf-8").splitlines() if self.progress_file.exists() else []


def result_of(process: Started) -> dict[str, Any]:
    """Wait for a run and return its result."""
    output, errors = process.communicate(timeout=60)
    assert output, errors
    return json.loads(output)


def eventually(condition: Any) -> None:
    """Wait up to ten seconds for something to become true."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.02)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a machine with nothing in its cache."""
    return Machine(tmp_path)


class ReleaseHost(http.server.ThreadingHTTPServer):
    """A release host on loopback.

    Attributes:
        files: Content by path.
        cuts: How many transfers of a path break off half-way.
        ranges: The Range headers that were asked for, by path.
    """

    daemon_threads = True

    def __init__(self) -> None:
        """Listen on a free port."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.cuts: dict[str, int] = {}
        self.ranges: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def release(self, name: str, content: bytes, checksum: str | None = None) -> dict[str, Any]:
        """Serve a file with its checksum, and return the binary that it is."""
        self.files[f"/{name}"] = content
        self.files[f"/{name}.sha256"] = (checksum or hashlib.sha256(content).hexdigest()).encode()
        return {**binary(name), "url": f"{self.url}/{name}", "checksum": f"{self.url}/{name}.sha256"}


class Handler(http.server.BaseHTTPRequestHandler):
    """Serve files, from any offset, and break off when told to."""

    server: ReleaseHost

    def do_HEAD(self) -> None:
        """Answer whether the file is there."""
        self.send_response(200 if self.path in self.server.files else 404)
        self.end_headers()

    def do_GET(self) -> None:
        """Send the file, or the rest of it."""
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        wanted = self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if wanted:
            self.server.ranges.append(wanted)
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        rest = content[start:]
        if self.server.cuts.get(self.path, 0) > 0:
            self.server.cuts[self.path] -= 1
            rest = rest[: len(rest) // 2]
        self.wfile.write(rest)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def releases() -> Iterator[ReleaseHost]:
    """Run a release host."""
    host = ReleaseHost()
    thread = threading.Thread(target=host.serve_forever, daemon=True)
    thread.start()
    yield host
    host.shutdown()
    host.server_close()


def binary(name: str, version: str = "v1.0.0") -> dict[str, Any]:
    """Return a binary as the role's vars describe it."""
    return {"name": name, "version": version, "package": f"example.org/cmd/{name}"}


ALPHA, BETA = binary("alpha"), binary("beta")
PAUSE = {
    "name": "registry.k8s.io/pause:3.10.2",
    "short": "pause",
    "build": {
        "unpack": ["catatonit"],
        "files": {"/pause": "/usr/bin/catatonit"},
        "config": {"Entrypoint": ["/pause", "-P"], "User": "65535:65535"},
    },
}
PAUSE_PIN = {PAUSE["name"]: "sha256:" + "a" * 64}
PROXY = {
    "name": "registry.k8s.io/kube-proxy:v1.0.0",
    "short": "kube-proxy",
    "build": {"packages": ["nftables"], "binary": "alpha", "path": "/usr/local/bin/alpha", "config": {}},
}


# Builds


def test_every_binary_is_built_and_found_by_its_plain_name_in_one_directory(machine: Machine) -> None:
    result = machine.run(source="build", binaries=[ALPHA, BETA])
    assert result["made"] == ["alpha", "beta"]
    directory = Path(result["directory"])
    assert sorted(path.name for path in directory.iterdir()) == ["alpha", "beta"]
    assert (directory / "beta").read_text(encoding="utf-8") == "half of example.org/cmd/beta"
    assert os.access(directory / "alpha", os.X_OK)
    assert Path(result["present"]["alpha"]) == (directory / "alpha").resolve()


def test_go_builds_from_go_sum_alone_and_never_fetches_another_go(machine: Machine) -> None:
    machine.run(source="build", binaries=[ALPHA])
    assert machine.log("environment") == [f"-mod=readonly off local 0 {machine.go_dir}"]


def test_a_binary_with_modules_of_its_own_is_built_there_with_its_tags_and_cgo(machine: Machine, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "go.mod").write_text("module own\n\ngo 1.26.8\n", encoding="utf-8")
    (own / "go.sum").write_text("", encoding="utf-8")
    binaries = [{**ALPHA, "go_dir": str(own), "cgo": True, "tags": ["libvirt_dlopen", "other"]}]
    old = machine.run(source="build", binaries=binaries)["present"]["alpha"]
    assert machine.log("environment") == [f"-mod=readonly off local 1 {own}"]
    assert "-tags libvirt_dlopen,other" in machine.log("arguments")[0]
    (own / "go.sum").write_text("another line\n", encoding="utf-8")
    assert machine.run(source="build", binaries=binaries)["present"]["alpha"] != old


def test_what_the_cache_holds_keeps_its_place_when_the_module_learns_new_options(machine: Machine) -> None:
    released = {"url": "https://dl.example.org/v1/bin/{os}/{arch}/alpha", "member": None}
    unused = {"variables": None, "go_dir": None, "cgo": None, "tags": None}
    places = {}
    for source in ("build", "download"):
        settings = Settings(machine.cache, source, [{**ALPHA, **released, **unused}], [PROXY], machine.go_dir)
        settings.debian, settings.arch, settings.system = {"suite": "trixie"}, "amd64", "linux"
        places[source] = [entry.directory.name for entry in make_plan(settings).entries]
    assert places == {
        "build": ["alpha-v1.0.0-build-1592a59477", "kube-proxy-v1.0.0-build-34f489331e"],
        "download": ["alpha-v1.0.0-download-3f113bc842", "kube-proxy-v1.0.0-download-a82e63fb8e"],
    }


def test_another_system_has_its_own_release_and_its_own_build(machine: Machine) -> None:
    released = {**ALPHA, "url": "https://dl.example.org/{os}/{arch}/alpha"}
    places = {}
    for system in ("linux", "darwin"):
        settings = Settings(machine.cache, "download", [released], [], machine.go_dir, arch="arm64", system=system)
        assert settings.url(released["url"]) == f"https://dl.example.org/{system}/arm64/alpha"
        places[system] = [make_plan(settings).directory]
        settings.source = "build"
        places[system].append(make_plan(settings).directory)
    assert len({*places["linux"], *places["darwin"]}) == 4


def test_cgo_asks_for_a_compiler_where_there_is_none(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(machine.fakes / "bin"))
    monkeypatch.setattr(artifacts, "which", lambda command: None if command == "cc" else f"/usr/bin/{command}")
    monkeypatch.setattr(artifacts, "find_go", lambda go_dir: "/usr/bin/go")
    settings = Settings(machine.cache, "build", [{**ALPHA, "cgo": True}], [], machine.go_dir)
    assert missing_packages(settings, make_plan(settings)) == ["gcc", "libc6-dev"]
    settings.binaries = [ALPHA]
    assert missing_packages(settings, make_plan(settings)) == []


def test_a_second_run_makes_nothing_and_is_quick(machine: Machine) -> None:
    machine.run(source="build", binaries=[ALPHA, BETA], images=[PAUSE])
    settings = Settings(machine.cache, "auto", [ALPHA, BETA], [PAUSE], machine.go_dir)
    settings.debian = {"suite": "trixie"}
    settings.probe_timeout = 0
    start = time.monotonic()
    assert make_plan(settings).complete
    assert time.monotonic() - start < 0.1
    result = machine.run(binaries=[ALPHA, BETA], images=[PAUSE])
    assert (result["changed"], result["made"], result["missing"]) == (False, [], [])
    assert machine.log("built") == ["example.org/cmd/alpha", "example.org/cmd/beta"]


def test_a_cache_that_is_whole_is_looked_at_without_a_process_of_its_own(machine: Machine) -> None:
    """Ansible takes a good part of a second for one."""
    options = {"source": "build", "binaries": [ALPHA], "images": [PAUSE], "debian": {"suite": "trixie"}}
    there = machine.run(**options)["present"]["alpha"]

    def look() -> str:
        command = [str(Path(sys.executable).with_name("ansible")), "localhost", "-i", "localhost,", "-c", "local", "--check", "-m", "berth.platform.artifacts"]
        arguments = json.dumps({"cache_dir": str(machine.cache), "go_dir": str(machine.go_dir), **options})
        no_process = ["-e", "ansible_python_interpreter=/nowhere/python"]
        return ansible_fork.run([*command, *no_process, "-a", arguments], cwd=ROOT).stdout

    assert f"alpha: {there}" in look()
    Path(there).write_text("cut", encoding="utf-8")
    assert "/nowhere/python" in look(), "what is missing is the module's business"


def test_a_person_sees_which_of_how_many_is_built_and_for_how_long(machine: Machine) -> None:
    machine.order("slow")
    machine.run(source="build", binaries=[ALPHA, BETA])
    assert "binary 2 of 2: beta v1.0.0, building" in machine.progress
    assert any(re.fullmatch(r"binary 1 of 2: alpha v1.0.0, building \(\d+ s\)", line) for line in machine.progress)
    assert any(re.fullmatch(r"binary 2 of 2: beta v1.0.0, built in \d+ s", line) for line in machine.progress)


def test_a_run_that_is_killed_leaves_no_half_file_and_the_next_goes_on_behind_it(machine: Machine) -> None:
    machine.order("hang-beta")
    process = machine.start(source="build", binaries=[ALPHA, BETA])
    eventually(lambda: machine.log("built")[1:] and list(machine.cache.glob("tmp/*/beta")))
    process.kill()
    process.communicate()
    assert not list(machine.cache.glob("binaries/beta-*"))
    go = int(machine.log("go.pid")[0])
    eventually(lambda: not Path(f"/proc/{go}").exists())
    (machine.fakes / "hang-beta").unlink()

    result = machine.run(source="build", binaries=[ALPHA, BETA])
    assert result["made"] == ["beta"]
    assert Path(result["binaries"]["beta"]).read_text(encoding="utf-8") == "half of example.org/cmd/beta"
    assert machine.log("built").count("example.org/cmd/alpha") == 1
    assert not list((machine.cache / "tmp").iterdir())


def test_a_tool_that_outlives_a_killed_run_is_ended_by_the_next(machine: Machine) -> None:
    stubborn = "#!{python}\nimport os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    stubborn += "open(os.environ['FAKES'] + '/debian.pid', 'w').write(str(os.getpid()))\ntime.sleep(60)\n"
    machine.tool("mmdebstrap", stubborn)
    process = machine.start(source="build", images=[PAUSE])
    eventually(lambda: machine.log("debian.pid"))
    process.kill()
    process.communicate()
    left = Path(f"/proc/{machine.log('debian.pid')[0]}")
    assert left.exists()

    machine.tool("mmdebstrap", MMDEBSTRAP)
    assert machine.run(source="build", images=[PAUSE])["made"] == [PAUSE["name"]]
    eventually(lambda: not left.exists())
    assert not list((machine.cache / "tmp").iterdir())


def test_a_run_that_is_ended_says_so_and_takes_its_tools_with_it(machine: Machine) -> None:
    machine.order("hang-alpha")
    process = machine.start(source="build", binaries=[ALPHA])
    eventually(lambda: machine.log("go.pid"))
    process.send_signal(signal.SIGTERM)
    result = result_of(process)
    assert "Run again: it continues where it stopped" in result["msg"]
    eventually(lambda: not Path(f"/proc/{machine.log('go.pid')[0]}").exists())  # its parent hears of its end a moment later


def test_two_runs_at_once_build_each_binary_once_and_the_second_says_that_it_waits(machine: Machine) -> None:
    machine.order("hold")
    first = machine.start(source="build", binaries=[ALPHA, BETA])
    eventually(lambda: machine.log("built"))
    second = machine.start(source="build", binaries=[ALPHA, BETA])
    waiting = rf"another run \(pid {first.pid}\) is making artifacts; waiting \(\d+ s\)"
    eventually(lambda: any(re.fullmatch(waiting, line) for line in machine.progress))
    (machine.fakes / "hold").unlink()
    results = [result_of(first), result_of(second)]
    assert [result["missing"] for result in results] == [[], []]
    assert machine.log("built") == ["example.org/cmd/alpha", "example.org/cmd/beta"]


def test_a_file_that_was_cut_short_is_made_again(machine: Machine) -> None:
    whole = Path(machine.run(source="build", binaries=[ALPHA])["present"]["alpha"])
    whole.write_text("half", encoding="utf-8")
    result = machine.run(source="build", binaries=[ALPHA])
    assert result["made"] == ["alpha"]
    assert whole.read_text(encoding="utf-8") == "half of example.org/cmd/alpha"


def test_a_file_without_its_record_is_not_taken_for_a_whole_one(machine: Machine) -> None:
    whole = Path(machine.run(source="build", binaries=[ALPHA])["present"]["alpha"])
    (whole.parent / "record.json").unlink()
    assert machine.run(source="build", binaries=[ALPHA], _ansible_check_mode=True)["missing"] == ["alpha"]


@pytest.mark.parametrize("change", ["version", "variables", "go.sum", "a main program"])
def test_a_changed_pin_makes_a_new_file_and_leaves_the_old_one(machine: Machine, change: str) -> None:
    old = machine.run(source="build", binaries=[ALPHA])["present"]["alpha"]
    changed = {**ALPHA, **({change: "v2.0.0"} if change == "version" else {})}
    if change == "variables":
        changed["variables"] = {"main.version": "v2.0.0"}
    if change == "go.sum":
        (machine.go_dir / "go.sum").write_text("another line\n", encoding="utf-8")
    if change == "a main program":
        (machine.go_dir / "alpha").mkdir()
        (machine.go_dir / "alpha" / "main.go").write_text("package main\n", encoding="utf-8")
    new = machine.run(source="build", binaries=[changed])["present"]["alpha"]
    assert new != old
    assert Path(old).exists()


def test_check_mode_says_what_would_be_made_and_changes_nothing(machine: Machine) -> None:
    result = machine.run(source="build", binaries=[ALPHA], images=[PAUSE], _ansible_check_mode=True)
    assert result["changed"]
    assert result["made"] == ["alpha", "registry.k8s.io/pause:3.10.2"]
    assert result["source"] == "build"
    assert not machine.cache.exists()


def test_only_what_is_wanted_is_made_and_what_goes_into_it(machine: Machine) -> None:
    result = machine.run(source="build", binaries=[ALPHA, BETA], images=[PAUSE, PROXY], wanted=["kube-proxy"])
    assert result["made"] == ["alpha", "registry.k8s.io/kube-proxy:v1.0.0"]


def test_an_unknown_name_among_the_wanted_is_refused_with_those_that_exist(machine: Machine) -> None:
    result = machine.run(source="build", binaries=[ALPHA], images=[PAUSE], wanted=["alfa"])
    assert "artifacts_wanted has alfa" in result["msg"]
    assert "It has: alpha, pause" in result["msg"]


# Failures of a build


def test_a_failed_build_quotes_the_last_lines_and_names_the_log(machine: Machine) -> None:
    machine.order("fail", "\n".join(f"line {number}" for number in range(40)) + "\nundefined: frobnicate\n")
    message = machine.run(source="build", binaries=[ALPHA])["msg"]
    assert message.startswith("binary 1 of 1: alpha v1.0.0: go failed with status 1:")
    assert "undefined: frobnicate" in message
    assert "line 3\n" not in message
    log = re.search(r"The full log is (\S+\.log)\.", message)
    assert log and "line 3\n" in Path(log[1]).read_text(encoding="utf-8")


def test_a_module_proxy_out_of_reach_is_named(machine: Machine) -> None:
    machine.order("fail", 'go: Get "https://proxy.example.org/x": dial tcp: lookup proxy.example.org: no such host\n')
    message = machine.run(source="build", binaries=[ALPHA])["msg"]
    assert "proxy.example.org could not be reached: check the network and the proxy settings" in message


@pytest.mark.parametrize(
    ("line", "host"),
    [
        ("E: Temporary failure resolving 'deb.example.org'", "deb.example.org"),
        ('pinging container registry quay.example.org: Get "https://quay.example.org/v2/": x', "quay.example.org"),
    ],
)
def test_a_mirror_or_registry_out_of_reach_is_named(tmp_path: Path, line: str, host: str) -> None:
    log = tmp_path / "log"
    log.write_text(line, encoding="utf-8")
    assert f"{host} could not be reached" in tool_message("tool", 1, log, tmp_path)


def test_an_image_that_a_registry_lacks_points_at_its_pin(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("reading manifest sha256:aa in registry.k8s.io/pause: manifest unknown", encoding="utf-8")
    assert "correct its name or its digest in `__artifacts_digests` (roles/artifacts/vars/main.yml)" in tool_message("skopeo", 1, log, tmp_path)


def test_a_full_disk_is_called_one(machine: Machine) -> None:
    machine.order("fail", "compile: writing output: no space left on device\n")
    message = machine.run(source="build", binaries=[ALPHA])["msg"]
    assert "No space is left" in message
    assert "artifacts_cache_dir" in message


def without_go(machine: Machine, monkeypatch: pytest.MonkeyPatch, policy: str) -> Settings:
    """Leave the machine without a Go but with an apt-cache that says the policy."""
    (machine.fakes / "bin" / "go").unlink()
    machine.tool("apt-cache", f"#!/bin/sh\ncat <<END\n{policy}\nEND\n")
    monkeypatch.setattr(artifacts, "GO_PLACES", [])
    monkeypatch.setenv("PATH", f"{machine.fakes / 'bin'}:/bin:/usr/bin")
    return Settings(machine.cache, "build", [ALPHA], [], machine.go_dir)


def test_without_go_and_without_a_new_enough_package_the_message_says_both_ways_out(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = "golang-go:\n  Installed: (none)\n  Candidate: 2:1.19~1\ngolang-1.19-go:\n  Candidate: 1.19.8-2"
    settings = without_go(machine, monkeypatch, policy)
    with pytest.raises(ArtifactError) as caught:
        missing_packages(settings, make_plan(settings))
    message = str(caught.value)
    assert "needs Go 1.26.8 or newer: no Go is installed" in message
    assert "golang-1.19-go 1.19.8-2" in message
    assert "berth_artifacts_source: download" in message


def test_without_go_a_new_enough_package_is_what_the_role_installs(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = "golang-go:\n  Installed: (none)\n  Candidate: 2:1.26~1\ngolang-1.26-go:\n  Candidate: 1.26.9-1"
    settings = without_go(machine, monkeypatch, policy)
    assert missing_packages(settings, make_plan(settings)) == ["golang-1.26-go"]


def test_a_go_that_is_too_old_is_named_with_its_version(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = without_go(machine, monkeypatch, "")
    machine.tool("go", "#!/bin/sh\necho go version go1.24.4 linux/amd64\n")
    with pytest.raises(ArtifactError, match=r"bin/go is 1\.24\.4"):
        missing_packages(settings, make_plan(settings))


def test_tools_that_images_need_are_asked_for_only_when_an_image_is_missing(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.run(source="build", binaries=[ALPHA], images=[PAUSE])
    for tool in ("go", "mmdebstrap"):
        (machine.fakes / "bin" / tool).unlink()
    monkeypatch.setenv("PATH", str(machine.fakes / "bin"))
    monkeypatch.setattr(artifacts, "which", lambda command: None)
    settings = Settings(machine.cache, "build", [ALPHA], [PAUSE], machine.go_dir, debian={"suite": "trixie"})
    assert missing_packages(settings, make_plan(settings)) == []
    settings.images = [{**PAUSE, "name": "registry.k8s.io/pause:3.11"}]
    assert "mmdebstrap" in missing_packages(settings, make_plan(settings))


# Images that are built


def archive_of(path: str) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, tarfile.TarInfo]]]:
    """Return the manifest, the config and the members of each layer of a docker-archive."""
    with tarfile.open(path) as archive:

        def content(name: str) -> bytes:
            member = archive.extractfile(name)
            assert member is not None
            return member.read()

        manifest = json.loads(content("manifest.json"))[0]
        config = content(manifest["Config"])
        assert hashlib.sha256(config).hexdigest() + ".json" == manifest["Config"]
        layers = [content(name) for name in manifest["Layers"]]
    document = json.loads(config)
    digests = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
    assert document["rootfs"]["diff_ids"] == digests
    members = []
    for layer in layers:
        with tarfile.open(fileobj=io.BytesIO(layer)) as files:
            members.append({member.name: member for member in files})
    return manifest, document, members


def test_a_built_image_has_its_name_its_architecture_and_its_config(machine: Machine) -> None:
    result = machine.run(source="build", images=[PAUSE])
    assert result["refs"] == {"pause": PAUSE["name"]}
    manifest, document, layers = archive_of(result["images"][PAUSE["name"]])
    assert manifest["RepoTags"] == [PAUSE["name"]]
    assert document["os"] == "linux"
    assert document["architecture"] in ("amd64", "arm64")
    assert document["config"]["Entrypoint"] == ["/pause", "-P"]
    assert any(item.startswith("PATH=") and "/usr/local/bin" in item for item in document["config"]["Env"])
    assert [(name, member.mode, member.uid) for name, member in layers[0].items()] == [("pause", 0o755, 0)]


def test_an_image_of_packages_and_a_binary_has_a_layer_of_each(machine: Machine) -> None:
    result = machine.run(source="build", binaries=[ALPHA], images=[PROXY])
    _, _, layers = archive_of(result["images"][PROXY["name"]])
    assert "./etc/os-release" in layers[0]
    assert {"usr/local/bin", "usr/local/bin/alpha"} <= set(layers[1])
    assert sorted(path.name for path in Path(result["images"][PROXY["name"]]).parent.iterdir()) == [
        "image.tar",
        "record.json",
    ]


def test_a_busybox_has_its_commands_as_links(machine: Machine) -> None:
    build = {
        "unpack": ["busybox-static"],
        "files": {"/bin/busybox": "/usr/bin/busybox"},
        "applets": "/bin/busybox",
        "config": {"Cmd": ["sh"]},
    }
    image = {"name": "docker.io/library/busybox:1.37.0", "short": "busybox", "build": build}
    result = machine.run(source="build", images=[image])
    _, _, layers = archive_of(result["images"][image["name"]])
    assert {name: member.linkname for name, member in layers[0].items() if member.issym()} == {
        "bin/sh": "/bin/busybox",
        "bin/rm": "/bin/busybox",
    }


def test_an_image_is_made_again_when_the_binary_inside_changes(machine: Machine) -> None:
    old = machine.run(source="build", binaries=[ALPHA], images=[PROXY])["images"][PROXY["name"]]
    newer = {**ALPHA, "version": "v2.0.0"}
    result = machine.run(source="build", binaries=[newer], images=[PROXY])
    assert result["made"] == ["alpha", PROXY["name"]]
    assert result["images"][PROXY["name"]] != old


def test_a_root_file_system_comes_from_the_machines_own_mirror(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    own = "https://mirror.example.org/debian/ Debian Debian\nhttps://mirror.example.org/security/ Debian Debian-Security"
    machine.tool("apt-get", f"#!/bin/sh\ncat <<END\n{own}\nEND\n")
    monkeypatch.setenv("PATH", f"{machine.fakes / 'bin'}:/bin:/usr/bin")
    assert apt_sources("trixie") == [
        "deb https://mirror.example.org/debian/ trixie main",
        "deb https://mirror.example.org/debian/ trixie-updates main",
        "deb https://mirror.example.org/security/ trixie-security main",
    ]
    machine.tool("apt-get", "#!/bin/sh\necho http://archive.example.org/ubuntu/ Ubuntu Ubuntu\n")
    assert apt_sources("trixie") == [], "mmdebstrap knows Debian's own mirror, another system's would not do"


# Downloads


def test_a_release_with_the_right_checksum_is_taken(machine: Machine, releases: ReleaseHost) -> None:
    result = machine.run(source="download", binaries=[releases.release("alpha", b"released")])
    path = Path(result["present"]["alpha"])
    assert path.read_bytes() == b"released"
    assert os.access(path, os.X_OK)
    assert not (machine.cache / "downloads").exists()


def test_binaries_of_one_archive_are_each_taken_out_of_it(machine: Machine, releases: ReleaseHost) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name in ("bin/alpha", "bin/beta"):
            member = tarfile.TarInfo(name)
            member.size = len(name)
            archive.addfile(member, io.BytesIO(name.encode()))
    served = releases.release("both.tar.gz", stream.getvalue())
    source = {"url": served["url"], "checksum": served["checksum"]}
    binaries = [{**ALPHA, **source, "member": "bin/alpha"}, {**BETA, **source, "member": "bin/beta"}]
    result = machine.run(source="download", binaries=binaries)
    assert Path(result["present"]["beta"]).read_bytes() == b"bin/beta"
    wrong = machine.run(source="download", binaries=[{**ALPHA, **source, "member": "alpha"}])
    assert "contains no alpha: correct `member` in the role's vars" in wrong["msg"]


def test_a_wrong_checksum_leaves_nothing_and_names_where_the_right_one_is(machine: Machine, releases: ReleaseHost) -> None:
    alpha = releases.release("alpha", b"tampered with", checksum="0" * 64)
    message = machine.run(source="download", binaries=[alpha])["msg"]
    assert hashlib.sha256(b"tampered with").hexdigest() in message
    assert f"{releases.url}/alpha.sha256 says {'0' * 64}" in message
    assert "The file was removed" in message
    assert not [path for path in machine.cache.rglob("*alpha*") if path.is_file()]


SYSTEM = f"{platform.system().lower()}/{artifacts.ARCHITECTURES[platform.machine()]}"


@pytest.mark.parametrize(
    ("pins", "said"),
    [
        ({"alpha v1.0.0": {SYSTEM: "<right>"}}, "downloaded and found as pinned in"),
        ({"alpha v0.9.0": {SYSTEM: "<right>"}}, "downloaded, not pinned: 127.0.0.1:<port> vouches for it in"),
        ({"alpha v1.0.0": {"plan9/mips": "<right>"}}, "downloaded, not pinned: 127.0.0.1:<port> vouches for it in"),
        ({}, "downloaded, not pinned: 127.0.0.1:<port> vouches for it in"),
    ],
)
def test_a_person_sees_whether_a_release_was_pinned_or_its_publisher_vouches_for_it(
    machine: Machine, releases: ReleaseHost, pins: dict[str, dict[str, str]], said: str
) -> None:
    alpha = releases.release("alpha", b"released")
    right = hashlib.sha256(b"released").hexdigest()
    filled = {name: {system: value.replace("<right>", right) for system, value in sums.items()} for name, sums in pins.items()}
    machine.run(source="download", binaries=[alpha], sha256=filled)
    assert said.replace("<port>", str(releases.server_port)) in "\n".join(machine.progress)


def test_a_pinned_release_is_refused_even_where_its_host_vouches_for_other_content(machine: Machine, releases: ReleaseHost) -> None:
    alpha = releases.release("alpha", b"tampered with, checksum and all")
    message = machine.run(source="download", binaries=[alpha], sha256={"alpha v1.0.0": {SYSTEM: "0" * 64}})["msg"]
    assert f"`__artifacts_sha256` in roles/artifacts/vars/main.yml says {'0' * 64}" in message
    assert not [path for path in machine.cache.rglob("*alpha*") if path.is_file()]


def test_a_pin_that_changes_has_a_release_fetched_again_on_its_own_system_only(machine: Machine) -> None:
    released = {**ALPHA, "url": "https://dl.example.org/alpha"}
    places = []
    for sums in ({}, {"linux/amd64": "0" * 64}, {"linux/amd64": "1" * 64}, {"linux/amd64": "1" * 64, "linux/arm64": "2" * 64}):
        settings = Settings(machine.cache, "download", [released], [], machine.go_dir, sha256={"alpha v1.0.0": sums}, arch="amd64", system="linux")
        places.append(make_plan(settings).directory)
    assert len(set(places)) == 3
    assert places[2] == places[3]


def test_a_transfer_that_breaks_off_is_gone_on_with_by_the_next_run(machine: Machine, releases: ReleaseHost) -> None:
    content = os.urandom(4_000_000)
    alpha = releases.release("alpha", content)
    releases.cuts["/alpha"] = 3
    message = machine.run(source="download", binaries=[alpha])["msg"]
    assert f"127.0.0.1:{releases.server_port} closed the connection" in message
    assert not list(machine.cache.glob("binaries/*"))
    result = machine.run(source="download", binaries=[alpha])
    assert Path(result["present"]["alpha"]).read_bytes() == content
    assert releases.ranges[-1] == "bytes=3500000-"


def test_a_file_that_the_release_lacks_is_named(machine: Machine, releases: ReleaseHost) -> None:
    alpha = releases.release("alpha", b"x")
    del releases.files["/alpha"]
    message = machine.run(source="download", binaries=[alpha])["msg"]
    assert f"{releases.url}/alpha could not be downloaded" in message
    assert "answers 404" in message


def test_a_mirror_is_used_instead_of_the_release_host(machine: Machine, releases: ReleaseHost) -> None:
    releases.release("alpha", b"from the mirror")
    official = {"url": "https://dl.example.org/alpha", "checksum": "https://dl.example.org/alpha.sha256"}
    mirrors = {"https://dl.example.org": releases.url}
    result = machine.run(source="download", binaries=[{**ALPHA, **official}], mirrors=mirrors)
    assert Path(result["present"]["alpha"]).read_bytes() == b"from the mirror"


def files_of_a_release(directory: Path, content: bytes, checksum: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Write a release's files into a directory, and return the binary and the mirror."""
    directory.mkdir()
    (directory / "alpha").write_bytes(content)
    (directory / "alpha.sha256").write_text(checksum, encoding="utf-8")
    official = {"url": "https://dl.example.org/alpha", "checksum": "https://dl.example.org/alpha.sha256"}
    return {**ALPHA, **official}, {"https://dl.example.org": directory.as_uri()}


def test_files_that_somebody_brought_are_used_instead_of_the_release_host(machine: Machine, tmp_path: Path) -> None:
    content = b"brought on a stick"
    alpha, mirrors = files_of_a_release(tmp_path / "stick", content, hashlib.sha256(content).hexdigest())
    result = machine.run(source="auto", binaries=[alpha], mirrors=mirrors)
    assert result["source"] == "download"
    assert Path(result["present"]["alpha"]).read_bytes() == content


def test_a_file_that_somebody_brought_is_verified_as_well_and_stays_where_it_is(machine: Machine, tmp_path: Path) -> None:
    alpha, mirrors = files_of_a_release(tmp_path / "stick", b"tampered with", "0" * 64)
    assert f"alpha.sha256 says {'0' * 64}" in machine.run(source="download", binaries=[alpha], mirrors=mirrors)["msg"]
    assert (tmp_path / "stick" / "alpha").exists()
    assert not list(machine.cache.glob("downloads/*alpha"))


def test_a_release_that_cannot_be_had_names_the_settings_for_a_mirror_and_for_files(machine: Machine, tmp_path: Path) -> None:
    alpha, mirrors = files_of_a_release(tmp_path / "stick", b"x", "")
    (tmp_path / "stick" / "alpha").unlink()
    start = time.monotonic()
    message = machine.run(source="download", binaries=[alpha], mirrors=mirrors)["msg"]
    assert time.monotonic() - start < 3, "a file that is not there does not come by waiting"
    assert f"{tmp_path.as_uri()}/stick/alpha could not be downloaded: the file cannot be read" in message
    assert "name a mirror or a directory with the files (file:///...) in berth_artifacts_mirrors" in message
    assert "berth_artifacts_source: build" in message
    (tmp_path / "stick" / "alpha.sha256").unlink()
    built = machine.run(source="auto", binaries=[alpha], mirrors=mirrors, _ansible_check_mode=True)
    assert built["source"] == "build"
    assert f"{tmp_path.as_uri()}/stick/alpha" in built["reason"]


def test_a_published_list_of_checksums_is_read_by_file_name() -> None:
    listing = f"{'a' * 64}  etcd-arm64.tar.gz\n{'b' * 64} *./etcd-amd64.tar.gz\n"
    assert published_checksum(listing, "etcd-amd64.tar.gz") == "b" * 64
    assert published_checksum("c" * 64, "kubelet") == "c" * 64
    with pytest.raises(ArtifactError, match=r"do not name etcd-s390x\.tar\.gz"):
        published_checksum(listing, "etcd-s390x.tar.gz")


# The source


def test_auto_downloads_where_the_release_host_answers(machine: Machine, releases: ReleaseHost) -> None:
    result = machine.run(binaries=[releases.release("alpha", b"released")])
    assert result["source"] == "download"
    assert result["reason"] == "the release hosts answer"
    assert not machine.log("built")


@contextlib.contextmanager
def silent_host() -> Iterator[str]:
    """Run a host that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_auto_builds_within_seconds_where_a_release_host_is_silent_and_says_which(machine: Machine) -> None:
    with silent_host() as host:
        alpha = {**ALPHA, "url": f"http://{host}/alpha", "checksum": f"http://{host}/alpha.sha256"}
        start = time.monotonic()
        result = machine.run(binaries=[alpha])
    assert time.monotonic() - start < 5
    assert result["source"] == "build"
    assert result["reason"].startswith(f"{host} does not answer")
    assert machine.log("built") == ["example.org/cmd/alpha"]


def test_auto_builds_where_something_in_between_refuses(machine: Machine, releases: ReleaseHost) -> None:
    alpha = releases.release("alpha", b"x")
    releases.files.clear()
    result = machine.run(binaries=[alpha], _ansible_check_mode=True)
    assert result["source"] == "build"
    assert "answers 404" in result["reason"]


def test_auto_asks_nobody_when_the_cache_has_everything(machine: Machine) -> None:
    machine.run(source="build", binaries=[ALPHA])
    with silent_host() as host:
        alpha = {**ALPHA, "url": f"http://{host}/alpha", "checksum": f"http://{host}/alpha.sha256"}
        result = machine.run(binaries=[alpha])
    assert not result["changed"]
    assert result["reason"] == "everything is in the cache already"


# Images that are pulled


def test_an_image_is_pulled_by_its_pinned_digest(machine: Machine) -> None:
    result = machine.run(source="download", images=[PAUSE], digests=PAUSE_PIN)
    assert len(machine.log("skopeo")) == 1
    assert f"docker://registry.k8s.io/pause@sha256:{'a' * 64} docker-archive:" in machine.log("skopeo")[0]
    assert machine.log("skopeo")[0].endswith(f":{PAUSE['name']}")
    assert Path(result["images"][PAUSE["name"]]).exists()


def test_a_digest_that_nobody_pinned_is_looked_up_once_and_recorded(machine: Machine) -> None:
    pins = {"registry.k8s.io/pause:3.10.1": "sha256:" + "a" * 64}  # another version's
    for _ in range(2):
        result = machine.run(source="download", images=[PAUSE], digests=pins)
    inspect, copy = machine.log("skopeo")
    assert "inspect" in inspect
    assert f"docker://registry.k8s.io/pause@sha256:{'b' * 64}" in copy
    record = json.loads((Path(result["images"][PAUSE["name"]]).parent / "record.json").read_text(encoding="utf-8"))
    assert record["digest"] == "sha256:" + "b" * 64
    assert "pulled, not pinned: registry.k8s.io says what its tag is in" in "\n".join(machine.progress)


def test_a_registry_mirror_over_http_is_used_without_tls(machine: Machine) -> None:
    machine.run(source="download", images=[PAUSE], digests=PAUSE_PIN, mirrors={"registry.k8s.io": "http://127.0.0.1:5000/k8s"})
    assert "--src-tls-verify=false" in machine.log("skopeo")[0]
    assert "docker://127.0.0.1:5000/k8s/pause@" in machine.log("skopeo")[0]


@pytest.mark.parametrize(
    ("mirrors", "digests", "name"),
    [
        ({}, PAUSE_PIN, f"registry.k8s.io/pause:3.10.2@sha256:{'a' * 64}"),
        ({}, {}, "registry.k8s.io/pause:3.10.2"),
        ({"registry.k8s.io": "https://mirror.example/k8s"}, PAUSE_PIN, f"mirror.example/k8s/pause:3.10.2@sha256:{'a' * 64}"),
    ],
)
def test_a_node_pulls_an_image_by_its_pin_and_through_the_mirror(machine: Machine, mirrors: dict[str, str], digests: dict[str, str], name: str) -> None:
    settings = Settings(machine.cache, "download", [], [PAUSE], machine.go_dir, mirrors=mirrors, digests=digests)
    assert artifacts.pullable(settings, PAUSE) == name


# The cache directory


def test_absent_removes_the_cache_that_the_role_made(machine: Machine) -> None:
    machine.run(source="build", binaries=[ALPHA])
    assert machine.run(state="absent", _ansible_check_mode=True)["changed"]
    assert machine.cache.exists()
    assert machine.run(state="absent")["changed"]
    assert not machine.cache.exists()
    assert not machine.run(state="absent")["changed"]


def test_a_directory_with_other_things_is_neither_filled_nor_removed(machine: Machine) -> None:
    machine.cache.mkdir()
    (machine.cache / "thesis.txt").write_text("mine", encoding="utf-8")
    assert "was not made by the artifacts role" in machine.run(state="absent")["msg"]
    assert "set artifacts_cache_dir to another directory" in machine.run(source="build", binaries=[ALPHA])["msg"]
    assert [path.name for path in machine.cache.iterdir() if path.name != "lock"] == ["thesis.txt"]


# The role's data


def role_vars() -> dict[str, Any]:
    """Return the role's vars with its own versions filled in."""
    text = (ROLE / "vars" / "main.yml").read_text(encoding="utf-8")
    versions = yaml.safe_load(text)["__artifacts_versions"]
    for name, version in versions.items():
        for written in (f"__artifacts_versions.{name}", f"__artifacts_versions['{name}']"):
            text = text.replace("{{ " + written + " }}", version).replace("{{ " + written + "[1:] }}", version[1:])
    return yaml.safe_load(text)


def test_the_pinned_versions_are_those_of_go_mod() -> None:
    for item in role_vars()["__artifacts_binaries"]:
        go_mod = Path(item.get("go_dir", "{{ role_path }}/files/go").replace("{{ role_path }}", str(ROLE))) / "go.mod"
        required = dict(re.findall(r"^\s+(\S+) (v\S+)", go_mod.read_text(encoding="utf-8"), re.MULTILINE))
        package = item["package"]
        if package.startswith("berth.local/"):  # a main program of our own: what it makes a program of
            source = (go_mod.parent / Path(package).name / "main.go").read_text(encoding="utf-8")
            package = re.findall(r'^\t"(github\.com/\S+)"$', source, re.MULTILINE)[0]
        module = next((name for name in sorted(required, key=len, reverse=True) if f"{package}/".startswith(f"{name}/")), None)
        assert module, item["name"]
        assert required[module] == item["version"], item["name"]


def test_a_provider_takes_what_there_is_and_only_minikubes_takes_minikube() -> None:
    data = role_vars()
    there = {item["name"] for item in data["__artifacts_binaries"]} | {item["short"] for item in data["__artifacts_images"]}
    sets = data["__artifacts_sets"]
    assert set(sets["kubeadm"]) == there - {"minikube", "valkey", "nginx"}, "the images of the cache and of the files are made where there are such"
    assert set(sets["minikube"]) <= there
    assert {"minikube", "kubectl"} <= set(sets["minikube"])
    assert options("artifacts")["artifacts_set"]["choices"] == list(sets)


def test_minikube_and_kubectl_are_released_for_every_system_and_architecture() -> None:
    urls = {item["name"]: item["url"] for item in role_vars()["__artifacts_binaries"] if item.get("url")}
    for name in ("minikube", "kubectl"):
        assert urls[name].startswith("{{ __artifacts_")
    text = (ROLE / "vars" / "main.yml").read_text(encoding="utf-8")
    for name in ("minikube", "kubectl"):
        line = next(line for line in text.splitlines() if line.startswith(f"__artifacts_{name}_url:"))
        assert "{os}" in line
        assert "{arch}" in line


def test_every_image_is_made_from_a_binary_that_exists_or_from_packages() -> None:
    data = role_vars()
    names = {item["name"] for item in data["__artifacts_binaries"]}
    for image in data["__artifacts_images"]:
        build = image["build"]
        assert build.get("packages") or build.get("unpack") or build["binary"] in names, image["name"]
        assert build.get("binary", "kubelet") in names, image["name"]
        assert re.fullmatch(r"[a-z0-9.-]+\.[a-z]+/[a-z0-9./-]+:[\w.-]+", image["name"])


def systems(url: str) -> list[str]:
    """Return the systems that a release's address is for, as ``os/arch``."""
    text = (ROLE / "vars" / "main.yml").read_text(encoding="utf-8")
    variable = re.search(r"__artifacts_\w+_url", url)
    assert variable, url
    found = re.search(rf'^{variable[0]}: "((?:.*\\\n)*.*)"$', text, re.MULTILINE)
    assert found, url
    return [f"{system}/{arch}" for system in (("linux", "darwin") if "{os}" in found[1] else ("linux",)) for arch in ("amd64", "arm64")]


# What nobody could look up where Berth is made. The run says of each that it is not pinned.
NOT_PINNED = {
    *(f"{name} v2.3.7 linux/{arch}" for name in ("containerd", "containerd-shim-runc-v2", "ctr") for arch in ("amd64", "arm64")),
    *(f"kube-proxy v1.36.3 linux/{arch}" for arch in ("amd64", "arm64")),
    "registry.k8s.io/kube-proxy:v1.36.3",
    "docker.io/cloudnativelabs/kube-router:v2.1.0",
    "quay.io/coreos/etcd:v3.6.16",
    "docker.io/valkey/valkey:8.1",
    "docker.io/nginxinc/nginx-unprivileged:1.28",
}


def test_every_release_and_image_is_pinned_but_for_these() -> None:
    data = role_vars()
    sums, digests = data["__artifacts_sha256"], data["__artifacts_digests"]
    wanted = {f"{item['name']} {item['version']} {system}" for item in data["__artifacts_binaries"] if item.get("url") for system in systems(item["url"])}
    wanted |= {image["name"] for image in data["__artifacts_images"]}
    pinned = {f"{name} {system}" for name, each in sums.items() for system in each} | set(digests)
    assert wanted - pinned == NOT_PINNED
    assert pinned - wanted == set(), "pins of what the role does not take"


def test_every_program_that_a_role_runs_by_itself_can_be_downloaded() -> None:
    kubeadm = yaml.safe_load((ROLE.parent / "kubeadm" / "vars" / "main.yml").read_text(encoding="utf-8"))["__kubeadm_binaries"]
    released = {item["name"] for item in role_vars()["__artifacts_binaries"] if item.get("url")}
    assert {*kubeadm, "registry", "minikube"} <= released


def test_every_pin_is_a_whole_sha256() -> None:
    data = role_vars()
    sums = [value for each in data["__artifacts_sha256"].values() for value in each.values()]
    assert all(re.fullmatch(r"[0-9a-f]{64}", value) for value in sums)
    assert len(set(sums)) == len(sums)
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", value) for value in data["__artifacts_digests"].values())


def test_every_release_names_where_its_publisher_shows_its_checksum() -> None:
    for item in role_vars()["__artifacts_binaries"]:
        assert not item.get("url") or item.get("checksum"), item["name"]


def test_the_dockerfile_by_itself_starts_from_the_image_that_the_role_pins() -> None:
    name = "docker.io/library/python:3.13-slim"
    digest = role_vars()["__artifacts_digests"][name]
    dockerfile = (ROLE.parents[1] / "Dockerfile").read_text(encoding="utf-8")
    assert f"ARG PYTHON_IMAGE={name}@{digest}\n" in dockerfile
