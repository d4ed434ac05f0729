"""Make artifacts: transfers and pulls, Go and Debian builds, with progress and error messages."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
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
from pathlib import Path
from typing import Any

from ..progress import report
from . import artifacts as cache
from .artifacts import ArtifactError, Entry, Plan, Settings

ATTEMPTS = 3  # of an interrupted transfer
TAIL = 12  # lines of a tool's output that a message quotes
PATH_IN_IMAGE = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
EPOCH = "1970-01-01T00:00:00Z"  # the same content gives the same image digest
# How Go, apt and skopeo name a host that they could not reach.
UNREACHED = re.compile(
    r"(?:dial tcp: lookup|Could not resolve|Temporary failure resolving|Get \"https?://|Could not connect to)"
    r" ?'?([\w.-]+\.[\w-]+)"
)
# The settings that apt on this machine needs to reach its mirror; an image must not get the rest of its configuration.
APT_OPTIONS = re.compile(r"^Acquire::(https?::|Check-Valid-Until|Check-Date|Retries|ForceIPv[46])")


# Tools and progress


class Work:
    """The steps of one run: reports their progress, runs their tools, and ends those with the run."""

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
        """Report a step's start, its end, and every ten seconds in between.

        Args:
            what: Such as ``binary 3 of 15: kubelet v1.36.3``.
            doing: Such as ``building``.
            done: Such as ``built``.
            detail: Returns more to say while the step runs, or nothing.
        """
        start = time.monotonic()
        over = threading.Event()

        def beat() -> None:
            while not over.wait(cache.HEARTBEAT):
                words = [doing, *filter(None, [detail()])]
                report(f"{what}, {', '.join(words)} ({time.monotonic() - start:.0f} s)")

        report(f"{what}, {doing}")
        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        except ArtifactError as error:
            raise ArtifactError(f"{what}: {error}") from error
        finally:
            over.set()
            thread.join()
        report(f"{what}, {done} in {time.monotonic() - start:.0f} s")

    def run(self, command: list[str], log: Path, env: dict[str, str], cwd: Path | None = None) -> None:
        """Run a tool with its output in a log.

        Raises:
            ArtifactError: The tool fails; the message has the last lines of its output, and where the rest is.
        """
        # If this run is killed, the kernel ends its tool too, and the next run ends whatever the tool leaves behind: nothing may
        # go on writing without the lock.
        guard = ["setpriv", "--pdeathsig", "TERM"] if cache.which("setpriv") else []
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*guard, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **env, **cache.mark_of(self.settings.cache_dir)},
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
        """End every tool that is still running."""
        self.stopped = True
        for process in list(self.running):
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a tool and everything that it started; it may clean up first."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(cache.PATIENCE)


def tool_message(tool: str, status: int, log: Path, cache_dir: Path) -> str:
    """Return what a failed tool said, where the rest is, and what to do about it."""
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    text = "\n".join(lines)
    host = UNREACHED.search(text)
    if "no space left on device" in text.lower():
        advice = full_disk(cache_dir)
    elif "manifest unknown" in text:
        advice = (
            "The registry does not have that image: correct its name or its digest in `__artifacts_digests` (roles/artifacts/vars/main.yml), or "
            "set berth_artifacts_source: build."
        )
    elif host:
        advice = f"{host[1]} could not be reached: check the network and the proxy settings, then run again; everything that is finished is kept."
    else:
        advice = "Run again once the cause is fixed; everything that is finished is kept."
    return f"{tool} failed with status {status}:\n" + "\n".join(lines[-TAIL:]) + f"\nThe full log is {log}.\n{advice}"


def full_disk(cache_dir: Path) -> str:
    """Return what to say about a full disk."""
    free = shutil.disk_usage(cache_dir).free / 1e9
    return (
        f"No space is left: {free:.1f} GB are free at {cache_dir}. Downloading takes about 2 GB, building about 14 GB "
        "with Go's own caches. Free some space, or set artifacts_cache_dir (and GOCACHE and GOMODCACHE) to another disk."
    )


# Downloads


def fetch(settings: Settings, address: str, say: Callable[[str], None]) -> Path:
    """Download a file into the cache, resuming an interrupted transfer.

    Args:
        settings: What the caller asks for.
        address: Its URL.
        say: Takes the progress, such as ``31 of 74 MB``.

    Raises:
        ArtifactError: The host does not answer, or refuses.
    """
    name = f"{cache.digest_of(address)}-{address.rsplit('/', 1)[-1]}"
    target = settings.cache_dir / "downloads" / name
    if target.exists():
        return target
    partial = target.with_name(name + ".part")
    host = urllib.parse.urlsplit(address).netloc or "the file"
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
                cache.fsync(partial)
                partial.rename(target)
                return target
            problem = f"{host} closed the connection after {partial.stat().st_size} of {whole} bytes"
        except urllib.error.HTTPError as error:
            if error.code == 416:  # the part is as long as the file, or longer: it cannot be resumed
                partial.unlink(missing_ok=True)
            problem = f"{host} answers {error.code} {error.reason}"
            if error.code in (403, 404, 410):
                break
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            reason = getattr(error, "reason", None) or error
            if address.startswith("file:"):
                problem = f"the file cannot be read ({reason})"
                break
            problem = f"{host} does not answer ({reason})"
        except (ValueError, http.client.HTTPException) as error:
            problem = f"{host} closed the connection ({error})"
    raise ArtifactError(
        f"{address} could not be downloaded: {problem}. Check the network and the proxy settings and run again (the part that "
        "was received is kept), name a mirror or a directory with the files (file:///...) in berth_artifacts_mirrors, or set "
        "berth_artifacts_source: build."
    )


def published_checksum(text: str, name: str) -> str:
    """Return the sha256 of a file from a published list, or from a file that contains only one.

    Raises:
        ArtifactError: The list does not name the file.
    """
    found = re.findall(r"^\\?([0-9a-fA-F]{64})(?:\s+\*?(\S+))?\s*$", text, re.MULTILINE)
    for checksum, listed in found:
        if listed.rsplit("/", 1)[-1] == name or (not listed and len(found) == 1):
            return checksum.lower()
    raise ArtifactError(f"The published checksums do not name {name}: correct its `checksum` in the role's vars.")


def published_where(settings: Settings, spec: dict[str, Any]) -> str:
    """Return the host, or the file, that gives the sha256 of a release."""
    address = settings.url(spec["checksum"])
    return urllib.parse.urlsplit(address).netloc or address


def download_binary(work: Work, entry: Entry, what: str) -> None:
    """Download a released binary and put it into the cache if its checksum is right.

    Raises:
        ArtifactError: The transfer fails, the checksum is wrong, or the archive lacks the binary.
    """
    settings, spec = work.settings, entry.spec
    address = settings.url(spec["url"])
    state = [""]
    wanted, whose = settings.pinned_sha256(spec), "`__artifacts_sha256` in roles/artifacts/vars/main.yml"
    done = "downloaded and found as pinned" if wanted else f"downloaded, not pinned: {published_where(settings, spec)} vouches for it"
    with work.step(what, "downloading", done, lambda: state[0]):
        file = fetch(settings, address, lambda words: state.__setitem__(0, words))
        name = address.rsplit("/", 1)[-1]
        if not wanted:
            published = settings.url(spec["checksum"])
            listing = fetch(settings, published, lambda words: None)
            whose = published
            wanted = published_checksum(listing.read_text(encoding="utf-8", errors="replace"), name)
            listing.unlink()  # the next run downloads it again: only files that it verified are kept
        got = cache.sha256_of(file)
        if got != wanted:
            file.unlink()
            raise ArtifactError(
                f"{address} has the sha256 {got}, but {whose} says {wanted}. The file was removed. A proxy "
                "that alters the download can cause this, and so can a mirror with another release: check "
                "berth_artifacts_mirrors, or set berth_artifacts_source: build."
            )
        with cache.new_entry(settings.cache_dir, entry, {"url": address, "archive_sha256": got, "sha256_from": whose}) as target:
            if spec.get("member"):
                member = spec["member"].replace("{os}", settings.system).replace("{arch}", settings.arch)
                with tarfile.open(file) as archive:
                    try:
                        content = archive.extractfile(member)
                    except KeyError:
                        content = None
                    if content is None:
                        raise ArtifactError(f"{address} contains no {member}: correct `member` in the role's vars.")
                    with target.open("wb") as output:
                        shutil.copyfileobj(content, output, 1 << 20)
            else:
                shutil.copyfile(file, target)
            target.chmod(0o755)


def download_image(work: Work, entry: Entry, what: str) -> None:
    """Pull an image by digest. A digest that is not pinned is looked up first, and recorded.

    Raises:
        ArtifactError: skopeo fails.
    """
    settings = work.settings
    repository, insecure = cache.image_source(settings, entry.spec)
    log = settings.cache_dir / "logs" / f"{entry.directory.name}.log"
    digest = settings.digests.get(entry.name)
    details = {"digest_from": "the role's vars" if digest else "the registry, at the first pull"}
    done = "pulled as pinned" if digest else f"pulled, not pinned: {repository.partition('/')[0]} says what its tag is"
    # A signature policy would add nothing to a digest.
    skopeo = ["skopeo", "--insecure-policy", f"--override-arch={settings.arch}", "--override-os=linux"]
    with work.step(what, "pulling", done):
        if not digest:
            tag = entry.name.rsplit(":", 1)[1]
            query = [*skopeo, "inspect", "--format={{.Digest}}", *(["--tls-verify=false"] if insecure else [])]
            work.run([*query, f"docker://{repository}:{tag}"], log, {})
            answer = re.findall(r"^sha256:[0-9a-f]{64}$", log.read_text(encoding="utf-8"), re.MULTILINE)
            if not answer:
                raise ArtifactError(f"skopeo reports no digest for {repository}:{tag}; its output is in {log}.")
            digest = answer[-1]
        with cache.new_entry(settings.cache_dir, entry, details) as target:
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
    env = {"GOFLAGS": "-mod=readonly", "GOWORK": "off", "GOTOOLCHAIN": "local", "CGO_ENABLED": "1" if spec.get("cgo") else "0"}
    # A tenth of the time is the compiler's and linker's garbage collection (measured on two cores). So collect less often, but never at memory's expense.
    env |= {"GOGC": "400", "GOMEMLIMIT": "1GiB"}
    tags = ["-tags", ",".join(spec["tags"])] if spec.get("tags") else []

    def detail() -> str:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        fetched = sum(line.startswith("go: downloading") for line in lines)
        compiled = len(lines) - fetched
        return f"{compiled} packages compiled" if compiled else f"{fetched} modules fetched" if fetched else ""

    with work.step(what, "building", "built", detail):
        details = {"package": spec["package"], "go": cache.installed_go().get(go, "")}
        with cache.new_entry(settings.cache_dir, entry, details) as target:
            command = [go, "build", "-v", "-trimpath", "-buildvcs=false", *tags, "-ldflags", linker, "-o", str(target)]
            work.run([*command, spec["package"]], log, env, settings.modules(spec))
            target.chmod(0o755)


def apt_sources(suite: str) -> list[str]:
    """Return the lines of sources.list for a Debian release such as ``trixie``: this machine's own mirrors if it runs Debian.

    Empty elsewhere: mmdebstrap (mmdebstrap(1), MIRROR) knows Debian's own.
    """
    if not cache.which("apt-get"):
        return []
    query = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(LABEL)", "Created-By: Packages"]
    answer = subprocess.run(query, capture_output=True, text=True, check=False)
    own = {label: uri for uri, label in re.findall(r"^(https?://\S+) Debian (\S+)$", answer.stdout, re.MULTILINE)}
    if not {"Debian", "Debian-Security"} <= own.keys():
        return []
    return [
        f"deb {own['Debian']} {suite} main",
        f"deb {own['Debian']} {suite}-updates main",
        f"deb {own['Debian-Security']} {suite}-security main",
    ]


def apt_options() -> list[str]:
    """Return this machine's apt settings that may be needed to reach a mirror, as options of mmdebstrap."""
    if not cache.which("apt-config"):
        return []
    answer = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False)
    options = [f"--aptopt={line.rstrip(';')}" for line in answer.stdout.splitlines() if APT_OPTIONS.match(line) and not line.endswith(' "";')]
    for option, path in (("Dir::Etc::netrc", "/etc/apt/auth.conf"), ("Dir::Etc::netrcparts", "/etc/apt/auth.conf.d")):
        if os.path.exists(path):
            options.append(f'--aptopt={option} "{path}"')
    return options


def debian_root(work: Work, build: dict[str, Any], target: Path, log: Path) -> None:
    """Make a Debian root file system as a tar file.

    Args:
        work: The run.
        build: ``packages`` to install, ``prepare`` and ``setup``: shell lines before and after, with the root as $1;
            or ``unpack``: packages to unpack but not to install.
        target: The tar file.
        log: Where mmdebstrap's output goes.
    """
    debian = work.settings.debian
    command = [
        "mmdebstrap",
        f"--architectures={work.settings.arch}",
        f"--keyring={cache.KEYRING}",
        "--skip=output/dev,cleanup/run",
    ]
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
        env["TMPDIR"] = str(target.parent)  # removed with the rest if this run is interrupted
    work.run([*command, debian["suite"], str(target), *apt_sources(work.settings.debian["suite"])], log, env)


def build_image(work: Work, entry: Entry, what: str, binaries: dict[str, Entry]) -> None:
    """Assemble an image from Debian's packages, one of our binaries, or both.

    Raises:
        ArtifactError: mmdebstrap fails, or a package lacks a file.
    """
    settings, build = work.settings, entry.spec["build"]
    log = settings.cache_dir / "logs" / f"{entry.directory.name}.log"
    details: dict[str, Any] = {}
    with work.step(what, "building", "built"), cache.new_entry(settings.cache_dir, entry, details) as target:
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
    """Take files out of unpacked packages, and name the links that belong with them.

    Returns:
        Path in the image to a file here, or to the path that a link points to.
    """
    files: dict[str, Path | str] = {}
    with tarfile.open(root) as archive:
        for place, source in build["files"].items():
            members = [name for name in archive.getnames() if name.removeprefix("./") == source.lstrip("/")]
            content = archive.extractfile(members[0]) if members else None
            if content is None:
                raise ArtifactError(f"{', '.join(build['unpack'])} contains no {source}: correct `files` in the role's vars.")
            copy = workspace / source.strip("/").replace("/", "_")
            with copy.open("wb") as output:
                shutil.copyfileobj(content, output, 1 << 20)
            copy.chmod(0o755)
            files[place] = copy
    if build.get("applets"):
        # The name that busybox is called by decides what it does.
        command, program = ["busybox", "--list"], str(files[build["applets"]])
        names = subprocess.run(command, executable=program, capture_output=True, text=True, check=True).stdout.split()
        directory = os.path.dirname(build["applets"])
        files |= {f"{directory}/{name}": build["applets"] for name in names if f"{directory}/{name}" not in files}
    return files


def write_layer(target: Path, files: dict[str, Path | str]) -> Path:
    """Write a layer with executables, links, and the directories above them, all owned by root."""
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
        arch: As Go calls it. containerd silently skips an image without it.

    The format: https://github.com/moby/docker-image-spec/blob/main/spec.md
    """
    checksums = [cache.sha256_of(layer) for layer in layers]
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
    manifest = [{"Config": f"{digest}.json", "RepoTags": [name], "Layers": [f"{checksum}.tar" for checksum in checksums]}]
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
    target.chmod(0o644)
    return f"sha256:{digest}"


# All of it


def make(settings: Settings, plan: Plan) -> list[str]:
    """Make what the plan lacks, and return the names of what was made.

    Raises:
        ArtifactError: Something cannot be made. Finished artifacts stay, and the next run continues from there.
    """
    work = Work(settings)
    previous = signal.signal(signal.SIGTERM, interrupted)
    made: list[str] = []
    try:
        with cache.locked(settings.cache_dir):
            cache.adopt(settings.cache_dir)
            cache.sweep(settings.cache_dir)
            made += make_binaries(work, plan)
            made += make_images(work, plan)
            cache.link(plan)
            shutil.rmtree(settings.cache_dir / "downloads")
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise ArtifactError(full_disk(settings.cache_dir)) from error
        raise ArtifactError(f"{error.filename or settings.cache_dir}: {error.strerror or error}") from error
    except (tarfile.TarError, subprocess.SubprocessError) as error:
        raise ArtifactError(f"{error}. Nothing of it was kept; run again to create it again.") from error
    finally:
        work.stop()
        signal.signal(signal.SIGTERM, previous)
    return made


def interrupted(number: int, frame: Any) -> None:
    """Shut down cleanly when somebody ends the run."""
    raise ArtifactError("The run was terminated from outside. Run again: it continues where it stopped.")


def make_binaries(work: Work, plan: Plan) -> list[str]:
    """Make the binaries one after another: each reuses the packages that those before it compiled.

    Returns:
        The names of those that were missing.
    """
    made = []
    for number, entry in enumerate(plan.binaries, 1):
        if entry.complete:  # perhaps only since the plan was made, by the run that this one waited for
            continue
        what = f"binary {number} of {len(plan.binaries)}: {entry.short}"
        if plan.source == "download":
            download_binary(work, entry, what)
        else:
            go_dir = work.settings.modules(entry.spec)
            go = cache.find_go(go_dir)
            if not go:
                raise ArtifactError(f"Go {cache.wanted_go(go_dir)} or newer is needed: see https://go.dev/dl/.")
            build_binary(work, entry, what, go)
        made.append(entry.name)
    return made


def make_images(work: Work, plan: Plan) -> list[str]:
    """Make the images two at a time, because a root file system spends about half of its time waiting for its mirror.

    Returns:
        The names of those that were missing.
    """
    binaries = {entry.name: entry for entry in plan.binaries}
    todo = [(number, entry) for number, entry in enumerate(plan.images, 1) if not entry.complete]
    # Root file systems take longest, so do not leave one for last.
    todo.sort(key=lambda pair: (not (pair[1].spec.get("build") or {}).get("packages"), -pair[0]))

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
