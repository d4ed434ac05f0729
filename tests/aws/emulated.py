"""The emulated AWS: moto and MiniStack, from pinned requirements in an environment of their own, on the loopback address."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "berth" / "tests" / "aws"
ENVIRONMENT = CACHE / "venv"
REGION = "eu-central-1"
ACCOUNT = "123456789012"
# What the toolkit calls, by who answers: AWS_ENDPOINT_URL_<SERVICE> (docs.aws.amazon.com/sdkref, "Service-specific endpoints").
MINISTACK = ("EKS", "ECR", "IAM", "STS")
MOTO = (
    "ACM",
    "AUTO_SCALING",
    "CLOUDWATCH_LOGS",
    "EC2",
    "ELASTIC_LOAD_BALANCING",
    "ELASTIC_LOAD_BALANCING_V2",
    "KMS",
    "PRICING",
    "RDS",
    "RESOURCE_GROUPS_TAGGING_API",
    "ROUTE_53",
    "SECRETS_MANAGER",
    "SERVICE_QUOTAS",
    "SSM",
)
# Processes inherit none of these: they are the user's AWS, or other emulators.
OWN = ("AWS_", "MOTO_", "MINISTACK_", "EKS_", "RDS_")


class EmulatorError(Exception):
    """Why the emulators do not run; the text is for the user."""


@dataclass(frozen=True)
class Instance:
    """One emulated AWS: its files are below ``directory``, its ports follow from its name."""

    name: str = "default"

    @property
    def directory(self) -> Path:
        """Where its process ids, logs and environment are."""
        return CACHE / "run" / self.name

    @property
    def env(self) -> Path:
        """The file with the environment that leads boto3 to it, as the IAM user deployer."""
        return self.directory / "env"

    @property
    def control(self) -> Path:
        """The file in which a test tells it about faults, times and outcomes (emulators/control.py)."""
        return self.directory / "control.json"

    @property
    def calls(self) -> Path:
        """The file in which it notes what it is called for (emulators/calls.py)."""
        return self.directory / "calls.jsonl"

    @property
    def recording(self) -> Path:
        """The file with every request of the playbooks that tests run, and its answer (record)."""
        return self.directory / "recording.jsonl"

    @property
    def ports(self) -> tuple[int, int]:
        """The ports of moto and MiniStack; below those that Linux gives to clients (32768 on)."""
        first = 24000 if self.name == "default" else 24002 + int(hashlib.sha256(self.name.encode()).hexdigest(), 16) % 2000 * 2
        return first, first + 1

    def environment(self) -> dict[str, str]:
        """Return the variables that lead boto3 to it, as root."""
        moto, ministack = (f"http://127.0.0.1:{port}" for port in self.ports)
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            **{f"AWS_ENDPOINT_URL_{service}": ministack for service in MINISTACK},
            **{f"AWS_ENDPOINT_URL_{service}": moto for service in MOTO},
        }


def prepare() -> Path:
    """Make the environment from requirements.txt (exact versions, hashes) unless it is up to date; return its interpreter."""
    python, requirements = ENVIRONMENT / "bin" / "python", HERE / "requirements.txt"
    lock = hashlib.sha256(requirements.read_bytes()).hexdigest()
    mark = ENVIRONMENT / ".lock"
    if python.exists() and mark.exists() and mark.read_text(encoding="utf-8") == lock:
        return python
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    for command in (
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(ENVIRONMENT)],
        [uv, "pip", "sync", "--quiet", "--compile-bytecode", "--require-hashes", "--python", str(python), str(requirements)],
    ):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise EmulatorError("uv is not there: run scripts/bootstrap first.") from error
        if done.returncode:
            raise EmulatorError(f"{' '.join(command[:3])} failed:\n{done.stderr.strip()[-1500:]}")
    mark.write_text(lock, encoding="utf-8")
    return python


def answers(url: str) -> bool:
    """Whether something answers at ``url``."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def process_id(file: Path) -> int:
    """Return the id of the running process that ``file`` names, 0 when it does not run (any more)."""
    try:
        number, started = file.read_text(encoding="utf-8").split()
        # The time that it was started at: another process may have got the number since.
        return int(number) if started == start_time(int(number)) else 0
    except (OSError, ValueError):
        return 0


def start_time(number: int) -> str:
    """Return the clock ticks after boot at which a process was started (proc(5), field 22 of stat)."""
    return Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]


def start(instance: Instance, endpoint: str = "", ca_file: str = "", psql: str = "", webhook_token: str = "") -> Instance:
    """Start the two emulators where they do not run with these settings, and wait until they answer.

    Raises :class:`EmulatorError` when the environment cannot be made, a port is taken or an emulator ends.
    """
    python = prepare()
    directory = instance.directory
    moto_port, ministack_port = instance.ports
    files = {"BERTH_EMULATOR_CONTROL": str(instance.control), "BERTH_EMULATOR_CALLS": str(instance.calls)}
    common = {k: v for k, v in os.environ.items() if not k.startswith(OWN)} | files | {"PYTHONDONTWRITEBYTECODE": "1"}
    moto = common | {"MOTO_EC2_LOAD_DEFAULT_AMIS": "true", "RDS_PSQL": psql}
    ministack = common | {
        "AUTH": "true",  # IAM policies and access entries count
        "BIND_HOST": "127.0.0.1",
        "SERVICES": "eks,ecr,iam,sts",
        "IOT_MTLS_ENABLED": "0",
        "GATEWAY_PORT": str(ministack_port),
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_AUTOCREATE_AWS_MANAGED": "true",
        "AWS_ENDPOINT_URL_EC2": f"http://127.0.0.1:{moto_port}",
        "TMPDIR": str(directory),
        "EKS_ENDPOINT_OVERRIDE": endpoint,
        "EKS_CA_FILE": ca_file,
        "EKS_WEBHOOK_TOKEN": webhook_token,
    }
    sources = sorted((HERE / "emulators").glob("*.py"))
    settings = hashlib.sha256(b"".join(f.read_bytes() for f in sources) + repr((endpoint, ca_file, psql, webhook_token)).encode()).hexdigest()
    mark = directory / "settings"
    running = [process_id(directory / f"{name}.pid") for name in ("moto", "ministack")]
    if all(running) and mark.exists() and mark.read_text(encoding="utf-8") == settings:
        return instance
    stop(instance)
    directory.mkdir(mode=0o700, parents=True)
    for name, port, arguments, environment in (
        ("moto", moto_port, [str(moto_port)], moto),
        ("ministack", ministack_port, [], ministack),
    ):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                stop(instance)
                raise EmulatorError(f"Port {port} of 127.0.0.1, which {name} needs, is taken by another program.")
        launch(instance, name, [str(python), str(HERE / "emulators" / f"{name}_plus.py"), *arguments], environment)
    until = time.monotonic() + 60
    for name, port, path in (("moto", moto_port, "/moto-api/"), ("ministack", ministack_port, "/_ministack/health")):
        while not answers(f"http://127.0.0.1:{port}{path}"):
            if not process_id(directory / f"{name}.pid") or time.monotonic() > until:
                words = (directory / f"{name}.log").read_text(encoding="utf-8", errors="replace").strip()[-1500:]
                stop(instance)
                raise EmulatorError(f"{name} did not start. Its last lines:\n{words}")
            time.sleep(0.1)
    root = instance.environment()
    command = [str(python), str(HERE / "emulators" / "deployer.py")]
    deployer = json.loads(subprocess.run(command, env=common | root, capture_output=True, text=True, check=True).stdout)
    lines = "".join(f"{key}={value}\n" for key, value in (root | deployer).items())
    instance.env.write_text(lines, encoding="utf-8")
    instance.env.with_suffix(".json").write_text(json.dumps(root | deployer), encoding="utf-8")
    mark.write_text(settings, encoding="utf-8")
    return instance


def launch(instance: Instance, name: str, command: list[str], environment: Mapping[str, str]) -> None:
    """Start a program of ``instance`` that outlives this one, unless it runs; what it says is in its log."""
    directory = instance.directory
    if process_id(directory / f"{name}.pid"):
        return
    with (directory / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    (directory / f"{name}.pid").write_text(f"{process.pid} {start_time(process.pid)}", encoding="utf-8")


def stop(instance: Instance) -> None:
    """End the programs of ``instance`` and remove their files."""
    finish([n for file in instance.directory.glob("*.pid") if (n := process_id(file))])
    shutil.rmtree(instance.directory, ignore_errors=True)


def end(instance: Instance, name: str) -> None:
    """End one program of ``instance``."""
    finish([n for n in [process_id(instance.directory / f"{name}.pid")] if n])


def finish(numbers: list[int]) -> None:
    """End processes, those that do not by themselves after five seconds."""
    for number in numbers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGTERM)
    until = time.monotonic() + 5
    for number in numbers:
        while running(number):
            if time.monotonic() > until:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            time.sleep(0.05)


def running(number: int) -> bool:
    """Whether a process runs; one that ended and that nobody has asked about yet does not."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(number, os.WNOHANG)
    try:
        return Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
