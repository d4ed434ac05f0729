"""Have the binaries and images of a cluster in a cache, from their releases or built from packages.

The cache holds one directory for each artifact. Its name carries everything that its content depends on,
and it appears under that name in one rename, after its content has reached the disk: what is there is whole.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import http.client
import json
import os
import platform
import re
import shutil
import signal
import stat
import subprocess
import tarfile
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.module_utils.berth_progress import report

HEARTBEAT = 10.0  # seconds between two lines about the same step
ATTEMPTS = 3  # of a transfer that breaks off
TAIL = 12  # lines of a tool's output that a message quotes
MARK = (
    "Signature: 8a477f597d28d172789f06886806bc55\n# Made by Berth's artifacts role.\n"  # https://bford.info/cachedir/
)
PATH_IN_IMAGE = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
EPOCH = "1970-01-01T00:00:00Z"  # the same content gives the same image digest
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# What apt on this machine needs to reach its mirror; the rest of its configuration is no business of an image.
APT_OPTIONS = re.compile(r"^Acquire::(https?::|Check-Valid-Until|Check-Date|Retries|ForceIPv[46])")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # as Go, Debian and the registries call them


class ArtifactError(Exception):
    """What is wrong, where, and what to do, in words for the person at the terminal."""


@dataclass(frozen=True)
class Entry:
    """One artifact's place in the cache.

    Attributes:
        kind: ``binary`` or ``image``.
        name: The binary's name, or the image's full name.
        short: What a person calls it.
        spec: Its description, as the role's variables have it.
        directory: Where it lies once it is whole.
        file: The file that others use.
    """

    kind: str
    name: str
    short: str
    spec: dict[str, Any]
    directory: Path
    file: Path

    @property
    def complete(self) -> bool:
        """Whether the file is there, as long as it was when it was recorded."""
        try:
            record = json.loads((self.directory / "record.json").read_text(encoding="utf-8"))
            return self.file.stat().st_size == record["size"]
        except (OSError, ValueError, KeyError, TypeError):
            return False


@dataclass
class Settings:
    """What the caller asks for; see the module's documentation for each field."""

    cache_dir: Path
    source: str
    binaries: list[dict[str, Any]]
    images: list[dict[str, Any]]
    go_dir: Path
    wanted: list[str] = field(default_factory=list)
    debian: dict[str, Any] = field(default_factory=dict)
    mirrors: dict[str, str] = field(default_factory=dict)
    probe_timeout: float = 5.0
    arch: str = ARCHITECTURES.get(platform.machine(), platform.machine())

    def mirrored(self, address: str) -> str:
        """Return the address with the longest matching prefix of ``mirrors`` replaced."""
        for prefix in sorted(self.mirrors, key=len, reverse=True):
            if address == prefix or address.startswith(prefix.rstrip("/") + "/"):
                return self.mirrors[prefix].rstrip("/") + address[len(prefix.rstrip("/")) :]
        return address

    def url(self, template: str) -> str:
        """Return a release's address for this machine's architecture, through the mirror if there is one."""
        return self.mirrored(template.replace("{arch}", self.arch))


@dataclass
class Plan:
    """What a source gives, and what of it is missing.

    Attributes:
        source: ``download`` or ``build``.
        reason: Why, in one sentence.
        binaries: Every binary of that source.
        images: Every image of that source.
        directory: The directory with a link to every binary.
    """

    source: str
    reason: str
    binaries: list[Entry]
    images: list[Entry]
    directory: Path

    @property
    def entries(self) -> list[Entry]:
        """Binaries first: images are made from them."""
        return self.binaries + self.images

    @property
    def missing(self) -> list[Entry]:
        """What has still to be made."""
        return [entry for entry in self.entries if not entry.complete]

    @property
    def linked(self) -> bool:
        """Whether the directory of links is whole."""
        return all((self.directory / entry.name).exists() for entry in self.binaries)

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return self.linked and not self.missing


def digest_of(value: Any, length: int = 10) -> str:
    """Return the first characters of the sha256 of a value's JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:length]


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's content, in hexadecimal."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


# The plan


def plan_for(settings: Settings, source: str, reason: str) -> Plan:
    """Lay out where each artifact of one source lies.

    Raises:
        ArtifactError: ``wanted`` has a name that is neither a binary nor an image.
    """
    recipe = ""
    if source == "build":
        recipe = digest_of([(settings.go_dir / name).read_text(encoding="utf-8") for name in ("go.mod", "go.sum")], 64)
    binaries: dict[str, Entry] = {}
    for spec in settings.binaries:
        if source == "download" and not spec.get("url"):
            continue  # released as an image only
        keys = ("package", "variables") if source == "build" else ("url", "sha256", "member")
        key = digest_of([settings.arch, recipe, {name: spec.get(name) for name in keys}])
        directory = settings.cache_dir / "binaries" / f"{spec['name']}-{spec['version']}-{source}-{key}"
        short = f"{spec['name']} {spec['version']}"
        binaries[spec["name"]] = Entry("binary", spec["name"], short, spec, directory, directory / spec["name"])
    images: dict[str, Entry] = {}
    for spec in settings.images:
        build = spec.get("build") or {}
        if source == "build":
            binary = binaries.get(build.get("binary") or "")
            debian = settings.debian if build.get("packages") or build.get("unpack") else None
            content: Any = [build, debian, binary.directory.name if binary else ""]
        else:
            content = [spec.get("digest"), spec.get("from")]
        key = digest_of([settings.arch, spec["name"], content])
        short = spec["name"].rsplit("/", 1)[-1]
        directory = settings.cache_dir / "images" / f"{short.replace(':', '-')}-{source}-{key}"
        images[spec["short"]] = Entry("image", spec["name"], short, spec, directory, directory / "image.tar")
    unknown = set(settings.wanted) - {spec["name"] for spec in settings.binaries} - set(images)
    if unknown:
        raise ArtifactError(
            f"artifacts_wanted has {', '.join(sorted(unknown))}, which is neither a binary nor an image of this role. "
            f"There are: {', '.join(sorted({*binaries, *images}))}."
        )
    if settings.wanted:
        images = {short: entry for short, entry in images.items() if short in settings.wanted}
        inside = {(entry.spec.get("build") or {}).get("binary") for entry in images.values()}
        needed = set(settings.wanted) | (inside if source == "build" else set())
        binaries = {name: entry for name, entry in binaries.items() if name in needed}
    links = digest_of([entry.directory.name for entry in binaries.values()])
    return Plan(source, reason, list(binaries.values()), list(images.values()), settings.cache_dir / f"bin-{links}")


def make_plan(settings: Settings) -> Plan:
    """Decide where the artifacts come from: what is whole already, then what was asked for, then what answers.

    Raises:
        ArtifactError: The machine's architecture has no releases, or a name in ``wanted`` is unknown.
    """
    if settings.arch not in ARCHITECTURES.values():
        raise ArtifactError(
            f"This machine is {settings.arch}; the artifacts role knows {', '.join(ARCHITECTURES.values())}."
        )
    if settings.source != "auto":
        return plan_for(settings, settings.source, f"artifacts_source is {settings.source}")
    for source in ("download", "build"):
        plan = plan_for(settings, source, "everything is in the cache already")
        if plan.complete:
            return plan
    plan = plan_for(settings, "download", "the release hosts answer")
    silent = silent_hosts(settings, plan)
    if silent:
        return plan_for(settings, "build", silent[0])
    return plan


def probes(settings: Settings, plan: Plan) -> dict[str, str]:
    """Return one address to try for each host that the missing artifacts come from."""
    addresses: dict[str, str] = {}
    for entry in plan.missing:
        if entry.kind == "binary":
            address = settings.url(entry.spec["checksum"] if entry.spec.get("checksum") else entry.spec["url"])
        else:
            reference, insecure = image_source(settings, entry.spec)
            host = reference.split("/", 1)[0]
            # https://distribution.github.io/distribution/spec/api/#api-version-check
            server = "registry-1.docker.io" if host == "docker.io" else host
            address = f"{'http' if insecure else 'https'}://{server}/v2/"
        addresses.setdefault(urllib.parse.urlsplit(address).netloc, address)
    return addresses


def silent_hosts(settings: Settings, plan: Plan) -> list[str]:
    """Return a sentence for each release host that cannot be used, within ``probe_timeout`` seconds."""
    answers: dict[str, str] = {}

    def ask(host: str, address: str) -> None:
        try:
            request = urllib.request.Request(address, method="HEAD")
            with urllib.request.urlopen(request, timeout=settings.probe_timeout):
                answers[host] = ""
        except urllib.error.HTTPError as error:
            # A registry answers 401 to whoever has no token yet.
            answers[host] = "" if error.code == 401 else f"{host} answers {error.code} to {address}"
        except (OSError, ValueError) as error:
            answers[host] = f"{host} does not answer ({getattr(error, 'reason', None) or error})"

    hosts = probes(settings, plan)
    # A name look-up knows no timeout: so threads that are left behind rather than waited for.
    threads = [threading.Thread(target=ask, args=pair, daemon=True) for pair in hosts.items()]
    deadline = time.monotonic() + settings.probe_timeout
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = {
        host: f"{host} does not answer within {settings.probe_timeout:g} s" for host in hosts if host not in answers
    }
    return [sentence for sentence in {**answers, **late}.values() if sentence]


# What the machine needs


def missing_packages(settings: Settings, plan: Plan) -> list[str]:
    """Return the Debian packages that the plan needs and the machine lacks.

    Raises:
        ArtifactError: Go is missing or too old, and no package of this machine's distribution is new enough.
    """
    packages: list[str] = []
    missing = plan.missing
    if plan.source == "download":
        if any(entry.kind == "image" for entry in missing) and not which("skopeo"):
            packages.append("skopeo")
        return packages
    builds = [entry.spec["build"] for entry in missing if entry.kind == "image"]
    if any(build.get("packages") or build.get("unpack") for build in builds):
        packages += [] if which("mmdebstrap") else ["mmdebstrap"]
        packages += [] if Path(KEYRING).exists() else ["debian-archive-keyring"]
    if any(entry.kind == "binary" for entry in missing) and not find_go(settings.go_dir):
        packages.append(go_package(settings.go_dir))
    return packages


def which(command: str) -> str | None:
    """Return where a command lies, also in the directories that a user's PATH lacks."""
    return shutil.which(command, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def version_tuple(text: str) -> tuple[int, ...]:
    """Return the first version in a text as numbers, (0,) where there is none."""
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in match.groups()) if match else (0,)


def wanted_go(go_dir: Path) -> str:
    """Return the Go version that go.mod asks for."""
    match = re.search(r"^go (\S+)", (go_dir / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    return match[1] if match else "0"


def installed_go() -> dict[str, str]:
    """Return the path of each Go on this machine and its version."""
    candidates = [which("go"), "/usr/local/go/bin/go", *map(str, Path("/usr/lib").glob("go-*/bin/go"))]
    found: dict[str, str] = {}
    for path in candidates:
        if path and path not in found and os.access(path, os.X_OK):
            # Not in the module's directory: an old Go refuses everything there, its version included.
            answer = subprocess.run([path, "version"], capture_output=True, text=True, cwd="/", check=False)
            match = re.search(r"\bgo(\d+\.\d+\S*)", answer.stdout)
            if match:
                found[path] = match[1]
    return found


def find_go(go_dir: Path) -> str | None:
    """Return the first Go on this machine that is new enough."""
    need = version_tuple(wanted_go(go_dir))
    return next((path for path, version in installed_go().items() if version_tuple(version) >= need), None)


def go_package(go_dir: Path) -> str:
    """Return the distribution's Go package that is new enough.

    Raises:
        ArtifactError: There is none.
    """
    need = wanted_go(go_dir)
    found = installed_go()
    offers: dict[str, str] = {}
    if which("apt-cache"):
        minors = {".".join(map(str, version_tuple(need)[:2]))}
        minors |= {".".join(map(str, version_tuple(v)[:2])) for v in apt_candidates(["golang-go"]).values()}
        offers = apt_candidates([f"golang-{minor}-go" for minor in sorted(minors)])
    for package, version in offers.items():
        if version_tuple(version) >= version_tuple(need):
            return package
    here = ", ".join(f"{path} is {version}" for path, version in found.items()) or "no Go is installed"
    offered = ", ".join(f"{package} {version}" for package, version in offers.items()) or "nothing newer"
    raise ArtifactError(
        f"Building the binaries needs Go {need} or newer: {here}, and this machine's packages offer {offered}. "
        "Install Go from https://go.dev/dl/, or set berth_artifacts_source: download where the release hosts can be "
        "reached."
    )


def apt_candidates(packages: list[str]) -> dict[str, str]:
    """Return the version that apt would install of each package that it knows, without the epoch."""
    answer = subprocess.run(["apt-cache", "policy", *packages], capture_output=True, text=True, check=False)
    found = re.findall(r"^(\S+):\n(?:  .*\n)*?  Candidate: (?:\d+:)?(\d\S*)", answer.stdout, re.MULTILINE)
    return dict(found)


# The cache


@contextlib.contextmanager
def locked(cache_dir: Path) -> Iterator[None]:
    """Keep other runs out of the cache; the kernel gives the lock back when this process ends, however it ends."""
    path = cache_dir / "lock"
    start = time.monotonic()
    said = -HEARTBEAT
    while True:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with path.open("a+", encoding="utf-8") as lock:
            waited = time.monotonic() - start
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if waited - said >= HEARTBEAT:
                    lock.seek(0)
                    holder = lock.read().strip() or "unknown"
                    report(f"another run (pid {holder}) is making artifacts; waiting ({waited:.0f} s)")
                    said = waited
                time.sleep(0.3)
                continue
            if not path.exists() or not os.path.samestat(os.fstat(lock.fileno()), path.stat()):
                continue  # the run that held it removed the cache, lock and all
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield
            return


def adopt(cache_dir: Path) -> None:
    """Mark the directory as this role's, so that it may be removed again.

    Raises:
        ArtifactError: It holds something else already.
    """
    mark = cache_dir / "CACHEDIR.TAG"
    if not mark.exists() and {path.name for path in cache_dir.iterdir()} - {"lock"}:
        raise ArtifactError(
            f"{cache_dir} is not empty and was not made by the artifacts role: set artifacts_cache_dir to another one."
        )
    mark.write_text(MARK, encoding="utf-8")
    for name in ("binaries", "images", "downloads", "logs", "tmp"):
        (cache_dir / name).mkdir(exist_ok=True)


def sweep(cache_dir: Path) -> None:
    """Remove what runs that were broken off left behind. Needs the lock."""
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8") if Path("/proc/self/mounts").exists() else ""
    for path in (cache_dir / "tmp").iterdir():
        # Never go through a mount that a killed root file system build left: it may be the machine's own /dev.
        if f" {path}/" not in mounts:
            shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def new_entry(cache_dir: Path, entry: Entry, details: dict[str, Any]) -> Iterator[Path]:
    """Yield the path to write an artifact to; when the block ends well, it is whole and in its place.

    Args:
        cache_dir: The cache.
        entry: The artifact.
        details: What else to record of it; the block may add to it.
    """
    temporary = Path(tempfile.mkdtemp(dir=cache_dir / "tmp", prefix=entry.directory.name + "."))
    try:
        target = temporary / entry.file.name
        yield target
        record = {"name": entry.name, "size": target.stat().st_size, "sha256": sha256_of(target), **details}
        record_file = temporary / "record.json"
        record_file.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        temporary.chmod(0o755)
        for path in (target, record_file, temporary):
            fsync(path)
        shutil.rmtree(entry.directory, ignore_errors=True)
        temporary.rename(entry.directory)
        fsync(entry.directory.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def fsync(path: Path) -> None:
    """Have a file or directory reach the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def link(plan: Plan) -> None:
    """Make the one directory that has every binary by its plain name."""
    if plan.linked:
        return
    root = plan.directory.parent
    temporary = Path(tempfile.mkdtemp(dir=root / "tmp", prefix="bin."))
    for entry in plan.binaries:
        (temporary / entry.name).symlink_to(Path("..") / entry.file.relative_to(root))
    temporary.chmod(0o755)
    shutil.rmtree(plan.directory, ignore_errors=True)
    temporary.rename(plan.directory)


def remove(cache_dir: Path, dry_run: bool) -> bool:
    """Remove the cache, and return whether there was one.

    Raises:
        ArtifactError: The directory was not made by the role.
    """
    if not cache_dir.exists():
        return False
    if not (cache_dir / "CACHEDIR.TAG").exists():
        raise ArtifactError(f"{cache_dir} was not made by the artifacts role, so it stays: remove it yourself.")
    if not dry_run:
        with locked(cache_dir):
            shutil.rmtree(cache_dir)
    return True


# Tools and progress


class Work:
    """The steps of one run: says how they get on, runs their tools, and ends those when the run ends."""

    def __init__(self, settings: Settings) -> None:
        """Start with no tool running.

        Args:
            settings: What the caller asks for.
        """
        self.settings = settings
        self.running: set[subprocess.Popen[bytes]] = set()
        self.stopped = False

    @contextlib.contextmanager
    def step(self, what: str, doing: str, done: str, detail: Callable[[], str] = str) -> Iterator[None]:
        """Report a step's start, every ten seconds that it takes, and its end.

        Args:
            what: Such as ``binary 3 of 15: kubelet v1.36.3``.
            doing: Such as ``building``.
            done: Such as ``built``.
            detail: Gives more to say while it lasts, or nothing.
        """
        start = time.monotonic()
        over = threading.Event()

        def beat() -> None:
            while not over.wait(HEARTBEAT):
                words = [doing, *filter(None, [detail()])]
                report(f"{what}, {', '.join(words)} ({time.monotonic() - start:.0f} s)")

        report(f"{what}, {doing}")
        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        report(f"{what}, {done} in {time.monotonic() - start:.0f} s")

    def run(self, command: list[str], log: Path, env: dict[str, str], cwd: Path | None = None) -> None:
        """Run a tool with its output in a log.

        Raises:
            ArtifactError: The tool fails: with the last lines of its output, and where the rest is.
        """
        # A run that is killed outright takes its tools with it: they would go on writing behind the lock's back.
        guard = ["setpriv", "--pdeathsig", "TERM"] if which("setpriv") else []
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*guard, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **env},
                cwd=cwd,
                start_new_session=True,
            )
            self.running.add(process)
            try:
                if self.stopped:
                    self.stop()
                status = process.wait()
            finally:
                self.running.discard(process)
                end(process)
        if status != 0:
            raise ArtifactError(tool_message(Path(command[0]).name, status, log, self.settings.cache_dir))

    def stop(self) -> None:
        """End every tool that still runs."""
        self.stopped = True
        for process in list(self.running):
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a tool and what it started, first with a chance to clean up."""
    for number, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)


def tool_message(tool: str, status: int, log: Path, cache_dir: Path) -> str:
    """Return what a failed tool said, where the rest is, and what to do about it."""
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    text = "\n".join(lines)
    host = re.search(
        r"(?:dial tcp: lookup|Could not resolve|Temporary failure resolving|Get \"https?://|pinging container registry) ?'?([\w.-]+\.[\w-]+)",
        text,
    )
    if "no space left on device" in text.lower():
        advice = full_disk(cache_dir)
    elif host:
        advice = (
            f"{host[1]} could not be reached: check the network and the proxy settings, then run again; "
            "what is made already is kept."
        )
    else:
        advice = "Run again once the cause is gone; what is made already is kept."
    return f"{tool} failed with status {status}:\n" + "\n".join(lines[-TAIL:]) + f"\nThe whole log is {log}.\n{advice}"


def full_disk(cache_dir: Path) -> str:
    """Return what to say about a disk without space."""
    free = shutil.disk_usage(cache_dir).free / 1e9
    return (
        f"No space is left: {free:.1f} GB are free at {cache_dir}. Downloading takes about 2 GB, building about 14 GB "
        "with Go's own caches. Make room, or set artifacts_cache_dir (and GOCACHE and GOMODCACHE) to another disk."
    )


# Downloads


def fetch(settings: Settings, address: str, say: Callable[[str], None]) -> Path:
    """Download a file into the cache, from where an earlier transfer broke off.

    Args:
        settings: What the caller asks for.
        address: Where from.
        say: Takes how far it is, such as ``31 of 74 MB``.

    Raises:
        ArtifactError: The host does not answer, or refuses.
    """
    name = f"{digest_of(address)}-{address.rsplit('/', 1)[-1]}"
    target = settings.cache_dir / "downloads" / name
    if target.exists():
        return target
    partial = target.with_name(name + ".part")
    host = urllib.parse.urlsplit(address).netloc
    problem = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(attempt)
        have = partial.stat().st_size if partial.exists() else 0
        request = urllib.request.Request(address, headers={"Range": f"bytes={have}-"} if have else {})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                resumed = answer.status == 206
                length = answer.headers.get("Content-Length")
                whole = int(length) + (have if resumed else 0) if length else None
                with partial.open("ab" if resumed else "wb") as output:
                    while block := answer.read(1 << 20):
                        output.write(block)
                        say(f"{output.tell() / 1e6:.0f} of {whole / 1e6:.0f} MB" if whole else "")
            if whole is None or partial.stat().st_size == whole:
                fsync(partial)
                partial.rename(target)
                return target
            problem = f"{host} broke off after {partial.stat().st_size} of {whole} bytes"
        except urllib.error.HTTPError as error:
            if error.code == 416:  # the part is as long as the file, or longer: it cannot be gone on with
                partial.unlink(missing_ok=True)
            problem = f"{host} answers {error.code} {error.reason}"
            if error.code in (403, 404, 410):
                break
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            problem = f"{host} does not answer ({getattr(error, 'reason', None) or error})"
        except (ValueError, http.client.HTTPException) as error:
            problem = f"{host} broke off ({error})"
    raise ArtifactError(
        f"{address} could not be downloaded: {problem}. Check the network and the proxy settings and run again (what "
        "has come is kept), name a mirror in berth_artifacts_mirrors, or set berth_artifacts_source: build."
    )


def published_checksum(text: str, name: str) -> str:
    """Return the sha256 of a file from a published list, or from a file that holds nothing but one.

    Raises:
        ArtifactError: The list does not name the file.
    """
    found = re.findall(r"^\\?([0-9a-fA-F]{64})(?:\s+\*?(\S+))?\s*$", text, re.MULTILINE)
    for checksum, listed in found:
        if listed.rsplit("/", 1)[-1] == name or (not listed and len(found) == 1):
            return checksum.lower()
    raise ArtifactError(f"The published checksums do not name {name}: correct its `checksum` in the role's vars.")


def download_binary(work: Work, entry: Entry, what: str) -> None:
    """Download a released binary and put it into the cache once its checksum is right.

    Raises:
        ArtifactError: The transfer or the checksum is at fault, or the archive lacks the binary.
    """
    settings, spec = work.settings, entry.spec
    address = settings.url(spec["url"])
    state = [""]
    with work.step(what, "downloading", "downloaded", lambda: state[0]):
        file = fetch(settings, address, lambda words: state.__setitem__(0, words))
        name = address.rsplit("/", 1)[-1]
        wanted, whose = spec.get("sha256"), "`sha256` in the role's vars"
        if not wanted:
            published = settings.url(spec["checksum"])
            listing = fetch(settings, published, lambda words: None)
            whose = published
            wanted = published_checksum(listing.read_text(encoding="utf-8", errors="replace"), name)
            listing.unlink()  # asked again next time: only what it vouches for is kept
        got = sha256_of(file)
        if got != wanted:
            file.unlink()
            raise ArtifactError(
                f"{address} has the sha256 {got}, but {whose} says {wanted}. The file was removed. A transfer through "
                "a proxy that alters it does this, and so does a mirror with another release: check "
                "berth_artifacts_mirrors, or set berth_artifacts_source: build."
            )
        with new_entry(settings.cache_dir, entry, {"url": address, "archive_sha256": got}) as target:
            if spec.get("member"):
                member = spec["member"].replace("{arch}", settings.arch)
                with tarfile.open(file) as archive:
                    try:
                        content = archive.extractfile(member)
                    except KeyError:
                        content = None
                    if content is None:
                        raise ArtifactError(f"{address} holds no {member}: correct `member` in the role's vars.")
                    with target.open("wb") as output:
                        shutil.copyfileobj(content, output, 1 << 20)
            else:
                shutil.copyfile(file, target)
            target.chmod(0o755)


def image_source(settings: Settings, spec: dict[str, Any]) -> tuple[str, bool]:
    """Return where to pull an image from, without its tag, and whether that is plain HTTP."""
    name = settings.mirrored(spec["name"].rsplit(":", 1)[0])
    return name.removeprefix("http://").removeprefix("https://"), name.startswith("http://")


def download_image(work: Work, entry: Entry, what: str) -> None:
    """Pull an image by digest. A digest that nobody pinned is looked up first, and recorded.

    Raises:
        ArtifactError: skopeo fails.
    """
    settings = work.settings
    repository, insecure = image_source(settings, entry.spec)
    log = settings.cache_dir / "logs" / f"{entry.directory.name}.log"
    digest = entry.spec.get("digest")
    details = {"digest_from": "the role's vars" if digest else "the registry, at the first pull"}
    # A signature policy would have nothing to add to a digest.
    skopeo = ["skopeo", "--insecure-policy", f"--override-arch={settings.arch}", "--override-os=linux"]
    with work.step(what, "pulling", "pulled"):
        if not digest:
            tag = entry.name.rsplit(":", 1)[1]
            query = [*skopeo, "inspect", "--format={{.Digest}}", *(["--tls-verify=false"] if insecure else [])]
            work.run([*query, f"docker://{repository}:{tag}"], log, {})
            answer = re.findall(r"^sha256:[0-9a-f]{64}$", log.read_text(encoding="utf-8"), re.MULTILINE)
            if not answer:
                raise ArtifactError(f"skopeo names no digest of {repository}:{tag}; what it said is in {log}.")
            digest = answer[-1]
        with new_entry(settings.cache_dir, entry, details) as target:
            copy = [*skopeo, "copy", *(["--src-tls-verify=false"] if insecure else [])]
            work.run([*copy, f"docker://{repository}@{digest}", f"docker-archive:{target}:{entry.name}"], log, {})
            details |= {"digest": digest, "repository": repository}


# Builds


def build_binary(work: Work, entry: Entry, what: str, go: str) -> None:
    """Compile one binary from the modules that go.sum vouches for.

    Raises:
        ArtifactError: Go fails.
    """
    settings, spec = work.settings, entry.spec
    log = settings.cache_dir / "logs" / f"{entry.directory.name}.log"
    linker = " ".join(["-s -w", *(f"-X {name}={value}" for name, value in (spec.get("variables") or {}).items())])
    # GOTOOLCHAIN: never fetch another Go behind the user's back.
    env = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off", "GOTOOLCHAIN": "local"}

    def detail() -> str:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        fetched = sum(line.startswith("go: downloading") for line in lines)
        compiled = len(lines) - fetched
        return f"{compiled} packages compiled" if compiled else f"{fetched} modules fetched" if fetched else ""

    with work.step(what, "building", "built", detail):
        details = {"package": spec["package"], "go": installed_go().get(go, "")}
        with new_entry(settings.cache_dir, entry, details) as target:
            command = [go, "build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", linker, "-o", str(target)]
            work.run([*command, spec["package"]], log, env, settings.go_dir)
            target.chmod(0o755)


def apt_sources(settings: Settings) -> list[str]:
    """Return the lines of sources.list that a root file system is made from.

    A mirror from ``mirrors`` comes first, then the one that this machine uses itself where it is a Debian, then Debian's.
    """
    places = {"Debian": settings.debian["mirror"], "Debian-Security": settings.debian["security"]}
    query = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(LABEL)", "Created-By: Packages"]
    own: dict[str, str] = {}
    if which("apt-get"):
        answer = subprocess.run(query, capture_output=True, text=True, check=False)
        own = {label: uri for uri, label in re.findall(r"^(https?://\S+) Debian (\S+)$", answer.stdout, re.MULTILINE)}
    for label, default in places.items():
        mirrored = settings.mirrored(default)
        places[label] = mirrored if mirrored != default else own.get(label, default)
    suite = settings.debian["suite"]
    return [
        f"deb {places['Debian']} {suite} main",
        f"deb {places['Debian']} {suite}-updates main",
        f"deb {places['Debian-Security']} {suite}-security main",
    ]


def apt_options() -> list[str]:
    """Return this machine's apt settings that reaching a mirror may need, as options of mmdebstrap."""
    if not which("apt-config"):
        return []
    answer = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False)
    options = [
        f"--aptopt={line.rstrip(';')}"
        for line in answer.stdout.splitlines()
        if APT_OPTIONS.match(line) and not line.endswith(' "";')
    ]
    for option, path in (("Dir::Etc::netrc", "/etc/apt/auth.conf"), ("Dir::Etc::netrcparts", "/etc/apt/auth.conf.d")):
        if os.path.exists(path):
            options.append(f'--aptopt={option} "{path}"')
    return options


def debian_root(work: Work, build: dict[str, Any], target: Path, log: Path) -> None:
    """Make a Debian root file system as a tar file.

    Args:
        work: The run.
        build: ``packages`` to install, ``prepare`` and ``setup``: shell lines before and after, with the root as $1;
            or ``unpack``: packages to unpack and not install.
        target: The tar file.
        log: Where mmdebstrap's output goes.
    """
    debian = work.settings.debian
    command = ["mmdebstrap", f"--architectures={work.settings.arch}", f"--keyring={KEYRING}", "--skip=output/dev"]
    command += apt_options()
    if build.get("unpack"):
        command += ["--variant=extract", f"--include={','.join(build['unpack'])}"]
    else:
        command += ["--variant=minbase", f"--include={','.join(build['packages'])}"]
        command += [f"--dpkgopt=path-exclude={path}" for path in [*debian["exclude"], *(build.get("exclude") or [])]]
        command += [f"--essential-hook={line}" for line in build.get("prepare") or []]
        command += [f"--customize-hook={line}" for line in [*(build.get("setup") or []), *debian["clean"]]]
    env = {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    if os.geteuid() == 0:
        env["TMPDIR"] = str(target.parent)  # removed with the rest when this run is broken off
    work.run([*command, debian["suite"], str(target), *apt_sources(work.settings)], log, env)


def build_image(work: Work, entry: Entry, what: str, binaries: dict[str, Entry]) -> None:
    """Put an image together from Debian's packages, one of our binaries, or both.

    Raises:
        ArtifactError: mmdebstrap fails, or a package lacks a file.
    """
    settings, build = work.settings, entry.spec["build"]
    log = settings.cache_dir / "logs" / f"{entry.directory.name}.log"
    details: dict[str, Any] = {}
    with work.step(what, "building", "built"), new_entry(settings.cache_dir, entry, details) as target:
        layers: list[Path] = []
        root = target.parent / "root.tar"
        if build.get("packages") or build.get("unpack"):
            debian_root(work, build, root, log)
        if build.get("packages"):
            layers.append(root)
        files: dict[str, Path | str] = {}
        if build.get("unpack"):
            files = unpacked(root, build, target.parent)
        if build.get("binary"):
            files[build["path"]] = binaries[build["binary"]].file
        if files:
            layers.append(write_layer(target.parent / "files.tar", files))
        details["config_digest"] = write_image(target, entry.name, layers, build.get("config") or {}, settings.arch)
        for path in target.parent.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path != target:
                path.unlink()


def unpacked(root: Path, build: dict[str, Any], workspace: Path) -> dict[str, Path | str]:
    """Take files out of unpacked packages, and name the links that belong beside them.

    Returns:
        Path in the image to a file here, or to the path that a link points to.
    """
    files: dict[str, Path | str] = {}
    with tarfile.open(root) as archive:
        for place, source in build["files"].items():
            members = [name for name in archive.getnames() if name.removeprefix("./") == source.lstrip("/")]
            content = archive.extractfile(members[0]) if members else None
            if content is None:
                raise ArtifactError(
                    f"{', '.join(build['unpack'])} holds no {source}: correct `files` in the role's vars."
                )
            copy = workspace / source.strip("/").replace("/", "_")
            with copy.open("wb") as output:
                shutil.copyfileobj(content, output, 1 << 20)
            copy.chmod(0o755)
            files[place] = copy
    if build.get("applets"):
        # Its own name decides what a busybox does.
        command, program = ["busybox", "--list"], str(files[build["applets"]])
        names = subprocess.run(command, executable=program, capture_output=True, text=True, check=True).stdout.split()
        directory = os.path.dirname(build["applets"])
        files |= {f"{directory}/{name}": build["applets"] for name in names if f"{directory}/{name}" not in files}
    return files


def write_layer(target: Path, files: dict[str, Path | str]) -> Path:
    """Write a layer with executables and links, all root's, and the directories above them."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as layer:
        made: set[str] = set()
        for place, source in sorted(files.items()):
            for parent in list(reversed(Path(place.strip("/")).parents))[1:]:
                if str(parent) not in made:
                    made.add(str(parent))
                    directory = tarfile.TarInfo(str(parent))
                    directory.type, directory.mode = tarfile.DIRTYPE, 0o755
                    layer.addfile(directory)
            member = tarfile.TarInfo(place.strip("/"))
            member.mode = 0o755
            if isinstance(source, str):
                member.type, member.linkname = tarfile.SYMTYPE, source
                layer.addfile(member)
            else:
                member.size = source.stat().st_size
                with source.open("rb") as content:
                    layer.addfile(member, content)
    return target


def write_image(target: Path, name: str, layers: list[Path], config: dict[str, Any], arch: str) -> str:
    """Write a docker-archive that containerd, Docker and buildah can load, and return its config's digest.

    Args:
        target: The file to write.
        name: The image's full name with its tag.
        layers: Uncompressed tar files, lowest first.
        config: Entrypoint, Cmd, User and the like, as the image specification calls them.
        arch: As Go calls it. containerd silently skips an image that does not say.

    The format: https://github.com/moby/docker-image-spec/blob/main/spec.md
    """
    checksums = [sha256_of(layer) for layer in layers]
    environment = config.get("Env") or []
    if not any(item.startswith("PATH=") for item in environment):
        environment = [PATH_IN_IMAGE, *environment]
    document = {
        "architecture": arch,
        "os": "linux",
        "created": EPOCH,
        "config": {**config, "Env": environment},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{checksum}" for checksum in checksums]},
        "history": [{"created": EPOCH, "created_by": "berth"} for _ in layers],
    }
    encoded = json.dumps(document, sort_keys=True).encode()
    digest = hashlib.sha256(encoded).hexdigest()
    manifest = [
        {"Config": f"{digest}.json", "RepoTags": [name], "Layers": [f"{checksum}.tar" for checksum in checksums]}
    ]
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        for checksum, layer in zip(checksums, layers, strict=True):
            member = tarfile.TarInfo(f"{checksum}.tar")
            member.size = layer.stat().st_size
            with layer.open("rb") as content:
                archive.addfile(member, content)
        for file, content_bytes in ((f"{digest}.json", encoded), ("manifest.json", json.dumps(manifest).encode())):
            member = tarfile.TarInfo(file)
            member.size = len(content_bytes)
            with tempfile.TemporaryFile() as content:
                content.write(content_bytes)
                content.seek(0)
                archive.addfile(member, content)
    target.chmod(stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP | stat.S_IROTH)
    return f"sha256:{digest}"


# All of it


def make(settings: Settings, plan: Plan) -> list[str]:
    """Make what the plan misses, and return the names of what was made.

    Raises:
        ArtifactError: Something cannot be made. What was finished stays, and the next run goes on from there.
    """
    work = Work(settings)
    previous = signal.signal(signal.SIGTERM, interrupted)
    made: list[str] = []
    try:
        with locked(settings.cache_dir):
            adopt(settings.cache_dir)
            sweep(settings.cache_dir)
            made += make_binaries(work, plan)
            made += make_images(work, plan)
            link(plan)
            shutil.rmtree(settings.cache_dir / "downloads")
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise ArtifactError(full_disk(settings.cache_dir)) from error
        raise ArtifactError(f"{error.filename or settings.cache_dir}: {error.strerror or error}") from error
    finally:
        work.stop()
        signal.signal(signal.SIGTERM, previous)
    return made


def interrupted(number: int, frame: Any) -> None:
    """End in an orderly way when somebody ends the run."""
    raise ArtifactError("The run was ended from outside. Run again: it goes on where it was.")


def make_binaries(work: Work, plan: Plan) -> list[str]:
    """Make the binaries one after another: each finds the packages that those before it had compiled.

    Returns:
        The names of those that were missing.
    """
    made = []
    go = None
    for number, entry in enumerate(plan.binaries, 1):
        if entry.complete:  # perhaps only since the plan was made: by the run that this one waited for
            continue
        what = f"binary {number} of {len(plan.binaries)}: {entry.short}"
        if plan.source == "download":
            download_binary(work, entry, what)
        else:
            go = go or find_go(work.settings.go_dir)
            if not go:
                raise ArtifactError(f"Go {wanted_go(work.settings.go_dir)} or newer is needed: see https://go.dev/dl/.")
            build_binary(work, entry, what, go)
        made.append(entry.name)
    return made


def make_images(work: Work, plan: Plan) -> list[str]:
    """Make the images two at a time: a root file system waits for its mirror about half of the time.

    Returns:
        The names of those that were missing.
    """
    binaries = {entry.name: entry for entry in plan.binaries}
    todo = [(number, entry) for number, entry in enumerate(plan.images, 1) if not entry.complete]
    # The long ones first, so that none of them is left alone at the end.
    todo.sort(key=lambda pair: -len((pair[1].spec.get("build") or {}).get("packages") or []))

    def one(number: int, entry: Entry) -> None:
        what = f"image {number} of {len(plan.images)}: {entry.short}"
        if plan.source == "download":
            download_image(work, entry, what)
        else:
            build_image(work, entry, what, binaries)

    with ThreadPoolExecutor(max_workers=2) as pool:
        futures = [pool.submit(one, number, entry) for number, entry in todo]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            work.stop()
            raise
    return [entry.name for _, entry in todo]
