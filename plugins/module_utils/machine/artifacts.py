"""Lay out a cache of binaries and images, and decide where they come from.

The cache holds one directory for each artifact. Its name includes everything that its content depends on, and it appears
under that name in one rename, after its content has reached the disk. So whatever is there is complete.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..progress import report

HEARTBEAT = 10.0  # seconds between two messages about the same thing
PATIENCE = 5.0  # seconds that a tool has to clean up when it is asked to end
# https://bford.info/cachedir/
MARK = "Signature: 8a477f597d28d172789f06886806bc55\n# Made by Berth's artifacts role.\n"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
GO_PLACES = ["/usr/local/go/bin/go", "/usr/lib/go-*/bin/go"]  # of go.dev's archive, and of Debian's versioned packages
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # as Go, Debian and the registries call them

# The module's options.
BUILD = {
    "packages": {"type": "list", "elements": "str"},
    "unpack": {"type": "list", "elements": "str"},
    "files": {"type": "dict"},
    "applets": {"type": "str"},
    "exclude": {"type": "list", "elements": "str"},
    "prepare": {"type": "list", "elements": "str"},
    "setup": {"type": "list", "elements": "str"},
    "binary": {"type": "str"},
    "path": {"type": "str"},
    "config": {"type": "dict"},
}
BINARY = {
    "name": {"type": "str", "required": True},
    "version": {"type": "str", "required": True},
    "package": {"type": "str", "required": True},
    "variables": {"type": "dict"},
    "go_dir": {"type": "path"},
    "cgo": {"type": "bool"},
    "tags": {"type": "list", "elements": "str"},
    "url": {"type": "str"},
    "checksum": {"type": "str"},
    "member": {"type": "str"},
}
IMAGE = {
    "name": {"type": "str", "required": True},
    "short": {"type": "str", "required": True},
    "build": {"type": "dict", "required": True, "options": BUILD},
}
OPTIONS = {
    "cache_dir": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "source": {"type": "str", "choices": ["auto", "download", "build"], "default": "auto"},
    "binaries": {"type": "list", "elements": "dict", "default": [], "options": BINARY},
    "images": {"type": "list", "elements": "dict", "default": [], "options": IMAGE},
    "sha256": {"type": "dict", "default": {}},
    "digests": {"type": "dict", "default": {}},
    "wanted": {"type": "list", "elements": "str", "default": []},
    "go_dir": {"type": "path"},
    "debian": {"type": "dict", "default": {}},
    "mirrors": {"type": "dict", "default": {}},
    "probe_timeout": {"type": "float", "default": 5.0},
}


class ArtifactError(Exception):
    """What is wrong, where, and what to do, for the person at the terminal."""


@dataclass(frozen=True)
class Entry:
    """One artifact's place in the cache.

    Attributes:
        kind: ``binary`` or ``image``.
        name: The binary's name, or the image's full name.
        short: What a person calls it.
        spec: Its description, as in the role's variables.
        directory: Where it is once it is complete.
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
        """Whether the file is there, with the length that was recorded for it."""
        try:
            record = json.loads((self.directory / "record.json").read_text(encoding="utf-8"))
            return self.file.stat().st_size == record["size"]
        except (OSError, ValueError, KeyError, TypeError):
            return False


def foreign(nodes: Iterable[str], machine: str) -> str:
    """Return why an image that is built here runs on none of the nodes, as a phrase; "" if it runs on some.

    The base image that Berth provides has this machine's architecture, so no engine here can build for another one.

    Args:
        nodes: Their architectures, as Kubernetes calls them (https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-arch).
        machine: This machine's, as the kernel calls it.

    >>> foreign(["amd64"], "arm64")
    'nodes are amd64, and this machine makes images for arm64, which end there with "exec format error"'
    """
    here, there = ARCHITECTURES.get(machine, machine), sorted(set(nodes))
    if not there or here in there:
        return ""
    return f'nodes are {", ".join(there)}, and this machine makes images for {here}, which end there with "exec format error"'


@dataclass
class Settings:
    """What the caller asks for; see the module's documentation for each field."""

    cache_dir: Path
    source: str
    binaries: list[dict[str, Any]]
    images: list[dict[str, Any]]
    go_dir: Path
    sha256: dict[str, dict[str, str]] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    wanted: list[str] = field(default_factory=list)
    debian: dict[str, Any] = field(default_factory=dict)
    mirrors: dict[str, str] = field(default_factory=dict)
    probe_timeout: float = 5.0
    arch: str = ARCHITECTURES.get(platform.machine(), platform.machine())
    system: str = platform.system().lower()

    def mirrored(self, address: str) -> str:
        """Return the address with the longest matching prefix of ``mirrors`` replaced."""
        return mirrored(address, self.mirrors)

    def url(self, template: str) -> str:
        """Return a release's address for this machine, through the mirror if there is one."""
        return self.mirrored(template.replace("{os}", self.system).replace("{arch}", self.arch))

    def pinned_sha256(self, spec: dict[str, Any]) -> str | None:
        """Return the sha256 that a release's file for this machine must have, None if this version is not pinned for it."""
        return self.sha256.get(f"{spec['name']} {spec['version']}", {}).get(f"{self.system}/{self.arch}")

    def modules(self, spec: dict[str, Any]) -> Path:
        """Return the directory with the go.mod and go.sum that a binary is built from."""
        return Path(spec.get("go_dir") or self.go_dir)


def mirrored(address: str, mirrors: dict[str, str]) -> str:
    """Return the address with the longest matching prefix of ``mirrors`` replaced.

    >>> mirrored("docker.io/library/python:3.13", {"docker.io": "registry.example.org/hub"})
    'registry.example.org/hub/library/python:3.13'
    """
    for prefix in sorted(mirrors, key=len, reverse=True):
        if address == prefix or address.startswith(prefix.rstrip("/") + "/"):
            return mirrors[prefix].rstrip("/") + address[len(prefix.rstrip("/")) :]
    return address


def settings_of(options: dict[str, Any]) -> Settings:
    """Return the settings for the module's options, OPTIONS."""
    names = ("source", "binaries", "images", "sha256", "digests", "wanted", "debian", "mirrors", "probe_timeout")
    return Settings(cache_dir=Path(options["cache_dir"]), go_dir=Path(options["go_dir"] or "."), **{name: options[name] for name in names})


@dataclass
class Plan:
    """What a source provides, and what of it is missing.

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
        """Binaries first, because images are made from them."""
        return self.binaries + self.images

    @property
    def missing(self) -> list[Entry]:
        """What still has to be made."""
        return [entry for entry in self.entries if not entry.complete]

    @property
    def linked(self) -> bool:
        """Whether the directory of links is complete."""
        return all((self.directory / entry.name).exists() for entry in self.binaries)

    @property
    def complete(self) -> bool:
        """Whether there is nothing left to do."""
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
    """Determine where each artifact of one source belongs.

    Raises:
        ArtifactError: ``wanted`` has a name that is neither a binary nor an image.
    """
    binaries: dict[str, Entry] = {}
    recipes = {go_dir: pins(go_dir) for go_dir in {settings.modules(spec) for spec in settings.binaries}} if source == "build" else {}
    for spec in settings.binaries:
        if source == "download" and not spec.get("url"):
            continue  # released as an image only
        recipe = recipes[settings.modules(spec)] if source == "build" else ""
        key = digest_of([settings.arch, recipe, content_of(settings, spec, source)])
        directory = settings.cache_dir / "binaries" / f"{spec['name']}-{spec['version']}-{source}-{key}"
        short = f"{spec['name']} {spec['version']}"
        binaries[spec["name"]] = Entry("binary", spec["name"], short, spec, directory, directory / spec["name"])
    images: dict[str, Entry] = {}
    for spec in settings.images:
        build = spec.get("build") or {}
        if source == "build":
            binary = binaries.get(build.get("binary") or "")
            debian = settings.debian if build.get("packages") else build.get("unpack") and settings.debian.get("suite")
            # An unused option must not change the key, not even by being added to the module.
            used = {name: value for name, value in build.items() if value}
            content: Any = [used, debian, binary.directory.name if binary else ""]
        else:
            content = settings.digests.get(spec["name"])
        key = digest_of([settings.arch, spec["name"], content])
        short = spec["name"].rsplit("/", 1)[-1]
        directory = settings.cache_dir / "images" / f"{short.replace(':', '-')}-{source}-{key}"
        images[spec["short"]] = Entry("image", spec["name"], short, spec, directory, directory / "image.tar")
    unknown = set(settings.wanted) - {spec["name"] for spec in settings.binaries} - set(images)
    if unknown:
        raise ArtifactError(
            f"artifacts_wanted has {', '.join(sorted(unknown))}, not among the binaries and images of this role. "
            f"It has: {', '.join(sorted({*binaries, *images}))}."
        )
    if settings.wanted:
        images = {short: entry for short, entry in images.items() if short in settings.wanted}
        inside = {(entry.spec.get("build") or {}).get("binary") for entry in images.values()}
        needed = set(settings.wanted) | (inside if source == "build" else set())
        binaries = {name: entry for name, entry in binaries.items() if name in needed}
    links = digest_of([entry.directory.name for entry in binaries.values()])
    return Plan(source, reason, list(binaries.values()), list(images.values()), settings.cache_dir / f"bin-{links}")


def pins(go_dir: Path) -> str:
    """Return the checksum of the files that pin the modules of a build, and of the main programs next to them."""
    files = [go_dir / "go.mod", go_dir / "go.sum", *sorted(go_dir.glob("*/*.go"))]
    return digest_of([path.read_text(encoding="utf-8") for path in files], 64)


def content_of(settings: Settings, spec: dict[str, Any], source: str) -> dict[str, Any]:
    """Return what a binary's content depends on, apart from its architecture and its modules.

    An unused option must not change the key of what is in the cache, not even by being added to the module.
    """
    if source == "build":
        content = {name: spec.get(name) for name in ("package", "variables")}
        content |= {name: spec[name] for name in ("cgo", "tags") if spec.get(name)}
        return content | ({} if settings.system == "linux" else {"os": settings.system})
    return {"url": spec["url"].replace("{os}", settings.system), "sha256": settings.pinned_sha256(spec), "member": spec.get("member")}


def make_plan(settings: Settings) -> Plan:
    """Decide where the artifacts come from: a complete cache first, then the source that was asked for, then the one that answers.

    Raises:
        ArtifactError: The machine's architecture has no releases, or a name in ``wanted`` is unknown.
    """
    if settings.arch not in ARCHITECTURES.values():
        raise ArtifactError(f"This machine is {settings.arch}; the artifacts role knows {', '.join(ARCHITECTURES.values())}.")
    if settings.source != "auto":
        return plan_for(settings, settings.source, f"artifacts_source is {settings.source}")
    if plan := whole_plan(settings):
        return plan
    plan = plan_for(settings, "download", "the release hosts answer")
    silent = silent_hosts(settings, plan)
    if silent:
        return plan_for(settings, "build", silent[0])
    return plan


def whole_plan(settings: Settings) -> Plan | None:
    """Return the plan whose artifacts are all in the cache, None if there is none. Asks no host.

    Raises:
        ArtifactError: As for plan_for.
    """
    sources = ("download", "build") if settings.source == "auto" else (settings.source,)
    reason = "everything is in the cache already" if settings.source == "auto" else f"artifacts_source is {settings.source}"
    plans = (plan_for(settings, source, reason) for source in sources)
    return next((plan for plan in plans if plan.complete), None)


def facts(settings: Settings, plan: Plan) -> dict[str, Any]:
    """Return the facts about a plan for other tasks."""
    missing = plan.missing
    return {
        "source": plan.source,
        "reason": plan.reason,
        "directory": str(plan.directory),
        "binaries": {entry.name: str(entry.file) for entry in plan.binaries},
        "images": {entry.name: str(entry.file) for entry in plan.images},
        "refs": {spec["short"]: spec["name"] for spec in settings.images},
        "pullable": {spec["short"]: pullable(settings, spec) for spec in settings.images},
        "present": {entry.name: str(entry.file) for entry in plan.binaries if entry not in missing},
        "missing": [entry.name for entry in missing],
    }


def from_cache(settings: Settings) -> dict[str, Any] | None:
    """Return the module's result if there is nothing left to do, else None.

    Raises:
        ArtifactError: As for plan_for.
    """
    plan = whole_plan(settings)
    return {"changed": False, "made": [], "packages": [], **facts(settings, plan)} if plan else None


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
        # A file: address has no host, so each stands for itself.
        addresses.setdefault(urllib.parse.urlsplit(address).netloc or address, address)
    return addresses


def image_source(settings: Settings, spec: dict[str, Any]) -> tuple[str, bool]:
    """Return where to pull an image from, without its tag, and whether to use plain HTTP."""
    name = settings.mirrored(spec["name"].rsplit(":", 1)[0])
    return name.removeprefix("http://").removeprefix("https://"), name.startswith("http://")


def pullable(settings: Settings, spec: dict[str, Any]) -> str:
    """Return the name by which a node without the image pulls it, with its digest if that is pinned."""
    repository, _ = image_source(settings, spec)
    digest = settings.digests.get(spec["name"])
    return f"{repository}:{spec['name'].rsplit(':', 1)[1]}" + (f"@{digest}" if digest else "")


def silent_hosts(settings: Settings, plan: Plan) -> list[str]:
    """Return a sentence for each release host that cannot be used, within ``probe_timeout`` seconds."""
    answers: dict[str, str] = {}

    def ask(host: str, address: str) -> None:
        try:
            request = urllib.request.Request(address, method="HEAD")
            with urllib.request.urlopen(request, timeout=settings.probe_timeout):
                answers[host] = ""
        except urllib.error.HTTPError as error:
            # A registry answers 401 to a client without a token; 405 comes from a server that does not support HEAD.
            answers[host] = "" if error.code in (401, 405) else f"{host} answers {error.code} to {address}"
        except (OSError, ValueError) as error:
            answers[host] = f"{host} does not answer ({getattr(error, 'reason', None) or error})"

    hosts = probes(settings, plan)
    # A name look-up has no timeout, so these threads are left behind instead of waited for.
    threads = [threading.Thread(target=ask, args=pair, daemon=True) for pair in hosts.items()]
    deadline = time.monotonic() + settings.probe_timeout
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = {host: f"{host} does not answer within {settings.probe_timeout:g} s" for host in hosts if host not in answers}
    return sorted(sentence for sentence in {**answers, **late}.values() if sentence)


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
    binaries = [entry.spec for entry in missing if entry.kind == "binary"]
    for go_dir in {settings.modules(spec) for spec in binaries}:
        if not find_go(go_dir) and (package := go_package(go_dir)) not in packages:
            packages.append(package)
    if any(spec.get("cgo") for spec in binaries) and not which("cc"):
        packages += ["gcc", "libc6-dev"]
    return packages


def which(command: str) -> str | None:
    """Return where a command is, also in directories that a user's PATH lacks."""
    return shutil.which(command, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def version_tuple(text: str) -> tuple[int, ...]:
    """Return the first version in a text as numbers, (0,) if there is none."""
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in match.groups()) if match else (0,)


def wanted_go(go_dir: Path) -> str:
    """Return the Go version that go.mod asks for."""
    match = re.search(r"^go (\S+)", (go_dir / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    return match[1] if match else "0"


def installed_go() -> dict[str, str]:
    """Return the path of each Go on this machine and its version."""
    candidates = [which("go"), *(path for place in GO_PLACES for path in sorted(glob.glob(place)))]
    found: dict[str, str] = {}
    for path in candidates:
        if path and path not in found and os.access(path, os.X_OK):
            # Not in the module's directory: an old Go rejects every command there, even the one for its version.
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
    """Keep other runs out of the cache; the kernel releases the lock when this process ends, however it ends."""
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
                continue  # the run that held it removed the whole cache, including the lock
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield
            return


def adopt(cache_dir: Path) -> None:
    """Mark the directory as this role's, so that the role may remove it later.

    Raises:
        ArtifactError: Something else is in it already.
    """
    mark = cache_dir / "CACHEDIR.TAG"
    if not mark.exists() and {path.name for path in cache_dir.iterdir()} - {"lock"}:
        raise ArtifactError(f"{cache_dir} is not empty and was not made by the artifacts role: set artifacts_cache_dir to another directory.")
    mark.write_text(MARK, encoding="utf-8")
    for name in ("binaries", "images", "downloads", "logs", "tmp"):
        (cache_dir / name).mkdir(exist_ok=True)


def sweep(cache_dir: Path) -> None:
    """Remove what interrupted runs left behind, their tools first. Needs the lock."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + PATIENCE
        for process in left_tools(cache_dir):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, number)
        while left_tools(cache_dir) and time.monotonic() < deadline:
            time.sleep(0.1)
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8") if Path("/proc/self/mounts").exists() else ""
    for path in (cache_dir / "tmp").iterdir():
        # Never cross a mount that a killed root file system build left: it may be the machine's own /dev.
        if f" {path}/" not in mounts:
            shutil.rmtree(path, ignore_errors=True)


def mark_of(cache_dir: Path) -> dict[str, str]:
    """Return the environment variable by which a later run recognizes the tools of this cache."""
    return {"BERTH_ARTIFACTS": str(cache_dir)}


def left_tools(cache_dir: Path) -> list[int]:
    """Return the process ids of tools that still run for this cache. While we hold the lock, nobody needs them."""
    [(name, value)] = mark_of(cache_dir).items()
    mark = f"{name}={value}".encode()
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # another user's, or just ended
            if mark in environment.read_bytes().split(b"\0"):
                found.append(int(environment.parent.name))
    return found


@contextlib.contextmanager
def new_entry(cache_dir: Path, entry: Entry, details: dict[str, Any]) -> Iterator[Path]:
    """Yield the path to write an artifact to; if the block succeeds, the artifact is complete and in its place.

    Args:
        cache_dir: The cache.
        entry: The artifact.
        details: What else to record about it; the block may add to it.
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
    """Make the directory that has every binary by its plain name."""
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
        ArtifactError: The role did not make the directory.
    """
    if not cache_dir.exists():
        return False
    if not (cache_dir / "CACHEDIR.TAG").exists():
        raise ArtifactError(f"{cache_dir} was not made by the artifacts role, so it stays: remove it yourself.")
    if not dry_run:
        with locked(cache_dir):
            shutil.rmtree(cache_dir)
    return True
