"""Another Debian on this machine: as it comes, in a directory of its own; booted with systemd as PID 1, or only entered.

What is made lies in the user's cache: the trees as Debian makes them, and copies of them while tests run. A booted one has a
network, control groups and processes of its own. It stands in for a machine as far as a container can: the kernel is this one's.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
WORK = CACHE / "berth" / "tests" / "machines"
PROJECT = "/root/berth"  # in the other system
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
NEEDED = {"mmdebstrap": "mmdebstrap", "systemd-nspawn": "systemd-container", "iptables": "iptables", "rsync": "rsync", "patchelf": "patchelf"}
# What a server has that Debian's installer made, as far as it matters here; beside it make and git, to begin with the README.
PACKAGES = ("ca-certificates", "dbus", "git", "iproute2", "locales", "make", "procps", "python3", "systemd", "systemd-sysv")
CONTROL_GROUPS = Path("/sys/fs/cgroup")
NETWORK = "192.168.213"  # .1 is this machine's end, .2 the other system's
PASSED = re.compile(r"PIP_.*INDEX_URL|UV_.*INDEX.*|(HTTPS?|NO)_PROXY", re.IGNORECASE)  # how packages are reached, where this machine needs it
ENVIRONMENT = {"HOME": "/root", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "dumb"}
# As kind does for its nodes: nspawn's container has no kernel log, mounts the control groups read-only, and shows this machine's links in /sys.
INIT = """
mount --make-rprivate /
for each in /sys/fs/cgroup/*/; do mount -o remount,rw,bind "$each"; done
mkdir -p /run/groups && mount --rbind /sys/fs/cgroup /run/groups
mount -t sysfs sysfs /sys && mount --rbind /run/groups /sys/fs/cgroup && umount -l /run/groups
mknod -m 644 /dev/kmsg c 1 11
exec /usr/lib/systemd/systemd systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1
"""


def run(*command: str | Path, **options: object) -> str:
    """Run a command of this machine; return what it printed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-3000:]}"
    return done.stdout


def install() -> None:
    """Install what these tests need on this machine."""
    missing = [package for command, package in NEEDED.items() if not shutil.which(command)]
    if missing:
        run("apt-get", "update", "-qq")
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})


def mirror() -> str:
    """Return where this machine's own Debian packages come from."""
    listed = run("apt-get", "indextargets", "--format", "$(REPO_URI) $(LABEL)", "Created-By: Packages")
    found = re.search(r"^(https?://\S+) Debian$", listed, re.MULTILINE)
    assert found, "apt of this machine names no mirror of Debian"
    return found[1]


def own_authorities() -> list[str]:
    """Return the authorities (PEM) that were added to this machine's store, such as that of a company's proxy."""
    pattern = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", re.DOTALL)
    shipped = "".join(path.read_text() for path in Path("/usr/share/ca-certificates").rglob("*.crt"))
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    found = pattern.findall(bundle.read_text()) if bundle.exists() else []
    known = {"".join(block.split()) for block in pattern.findall(shipped)}
    return [block for block in found if "".join(block.split()) not in known]


def tree(suite: str) -> Path:
    """Return a tree of this Debian as it comes, made once; it trusts whom this machine trusts."""
    kind = hashlib.sha256(" ".join([suite, *PACKAGES, *own_authorities()]).encode()).hexdigest()[:10]
    whole = WORK / f"{suite}-{kind}"
    if whole.exists():
        return whole
    half = whole.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    WORK.mkdir(parents=True, exist_ok=True)
    source = f"deb [signed-by={KEYRING}] {mirror()} {suite} main"
    run("mmdebstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", suite, half, source, env=os.environ | {"TMPDIR": str(WORK)})
    for number, authority in enumerate(own_authorities()):
        (half / "usr/local/share/ca-certificates" / f"own-{number}.crt").write_text(authority)
    run("chroot", half, "update-ca-certificates")
    half.rename(whole)
    return whole


class System:
    """One Debian, fresh, with a clone of the project.

    Args:
        suite: Its name, such as ``trixie``.
    """

    def __init__(self, suite: str) -> None:
        self.name = f"berth-{suite}"
        self.place = WORK / "run" / suite
        self.process: subprocess.Popen[bytes] | None = None
        self.remove()  # what tests left that were killed
        self.place.parent.mkdir(parents=True, exist_ok=True)
        run("cp", "-a", tree(suite), self.place)
        listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines()
        project = self.place / PROJECT[1:]
        project.mkdir()
        run("rsync", "-a", "--files-from=-", ROOT, project, input="\n".join(name for name in listed if (ROOT / name).exists()))

    # -- Without booting ------------------------------------------------------------------------------------------
    def chroot(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a shell script in the tree, in the project's directory, with mounts and processes of its own."""
        mounts = 'mount --bind "$0" "$0" && cd "$0" && mount -t proc proc proc && mount --rbind /dev dev && cp -L /etc/resolv.conf etc/resolv.conf'
        enter = f'{mounts} && exec chroot . "$@"'
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", enter, str(self.place), *self._shell(script, environment)]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=600)

    @staticmethod
    def _shell(script: str, environment: dict[str, str]) -> list[str]:
        passed = {name: value for name, value in os.environ.items() if PASSED.fullmatch(name)}
        variables = [f"{name}={value}" for name, value in (ENVIRONMENT | passed | environment).items()]
        return ["env", "-i", *variables, "sh", "-c", f"cd {PROJECT} && {script}"]

    # -- Booted ---------------------------------------------------------------------------------------------------
    def boot(self) -> None:
        """Boot it, as a machine that was off: nothing of its memory, links and control groups is left. Does not wait for anything."""
        self._forget()
        self._network()
        for hierarchy in hierarchies():
            group = hierarchy / self.name
            group.mkdir()
            if (group / "cpuset.cpus").exists():
                for setting in ("cpuset.cpus", "cpuset.mems"):
                    (group / setting).write_text((hierarchy / setting).read_text())
                (group / "cgroup.clone_children").write_text("1")
        join = " && ".join(f"echo $$ >{hierarchy / self.name}/cgroup.procs" for hierarchy in hierarchies())
        binds = {"uv": "/root/.cache/uv", "berth/tests/machines/archives": "/var/cache/apt/archives"}  # so that nothing is fetched twice
        for name, inside in binds.items():
            (CACHE / name / "partial").mkdir(parents=True, exist_ok=True)
            (self.place / inside[1:]).mkdir(parents=True, exist_ok=True)
        command = [
            "systemd-nspawn",
            "--quiet",
            f"--directory={self.place}",
            f"--machine={self.name}",
            "--keep-unit",
            "--register=no",
            "--console=pipe",
            "--capability=all",
            "--system-call-filter=@keyring bpf",
            f"--network-namespace-path=/run/netns/{self.name}",
            "--resolv-conf=copy-host",
            *(f"--bind={CACHE / name}:{inside}" for name, inside in binds.items()),
            "/bin/sh",
            "-c",
            INIT,
        ]
        self.process = subprocess.Popen(
            ["sh", "-c", f'{join} && exec "$@"', "sh", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "0", "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "yes"},
        )

    def wait_for_systemd(self) -> None:
        """Wait until systemd has started what it starts at boot."""
        end = time.monotonic() + 60
        while (state := self.run("systemctl is-system-running", check=False).stdout.strip()) not in ("running", "degraded"):
            assert time.monotonic() < end, state
            time.sleep(0.2)

    def run(self, script: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a shell script in the booted system, in the project's directory, as root who just logged in."""
        command = ["nsenter", "--target", str(self.init()), "--all", *self._shell(script, environment)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=900)
        assert done.returncode == 0 or not check, f"{script}: {done.stdout[-6000:]}{done.stderr[-3000:]}"
        return done

    def init(self) -> int:
        """Return the process id of its PID 1."""
        assert self.process
        end = time.monotonic() + 20
        while True:
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            if children and Path(f"/proc/{children[0]}/comm").read_text().strip() == "systemd":
                return int(children[0])
            assert time.monotonic() < end, "the other system did not boot"
            time.sleep(0.05)

    def page(self, path: str, seconds: float) -> float:
        """Wait until the site answers with a page at ``path``; return how long that took."""
        began = time.monotonic()
        url = f"http://127.0.0.1:30080{path}"
        while subprocess.run(["ip", "netns", "exec", self.name, "curl", "-sfL", "-m", "2", "-o", "/dev/null", url], check=False).returncode:
            assert time.monotonic() - began < seconds, f"no page at {path} {seconds:.0f} s after the boot"
            time.sleep(0.2)
        return time.monotonic() - began

    def off(self, how: str = "systemctl poweroff") -> None:
        """Switch it off: asked to shut down, or (``how`` is ``cut``) as when the power goes."""
        if not self.process:
            return
        if how == "cut":
            os.kill(self.init(), signal.SIGKILL)
        else:
            self.run(how, check=False)
        try:
            self.process.wait(90)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        self._forget()

    def _network(self) -> None:
        # Pods and services of a cluster of this machine's have the same addresses: they must not be reached.
        for line in f"""
            ip netns add {self.name}
            ip link add {self.name[:13]}-h type veth peer name host0 netns {self.name}
            ip address add {NETWORK}.1/30 dev {self.name[:13]}-h
            ip link set {self.name[:13]}-h up
            ip -n {self.name} address add {NETWORK}.2/30 dev host0
            ip -n {self.name} link set host0 up
            ip -n {self.name} link set lo up
            ip -n {self.name} route add default via {NETWORK}.1
            ip -n {self.name} route add unreachable 10.244.0.0/15 metric 9999
            iptables -t nat -A POSTROUTING -s {NETWORK}.0/30 -m comment --comment {self.name} -j MASQUERADE
        """.split("\n"):
            if line.strip():
                run(*line.split())

    def _forget(self) -> None:
        """End what still runs in it, and remove what of a booted system lies on this machine, besides its tree."""
        for processes in [path for hierarchy in hierarchies() for path in (hierarchy / self.name).rglob("cgroup.procs")]:
            for pid in processes.read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
        rule = ["iptables", "-t", "nat", "-D", "POSTROUTING", "-s", f"{NETWORK}.0/30", "-m", "comment", "--comment", self.name, "-j", "MASQUERADE"]
        while subprocess.run(rule, capture_output=True, check=False).returncode == 0:
            pass
        subprocess.run(["ip", "netns", "delete", self.name], capture_output=True, check=False)
        subprocess.run(["ip", "link", "delete", f"{self.name[:13]}-h"], capture_output=True, check=False)
        for hierarchy in hierarchies():
            end = time.monotonic() + 20
            while (hierarchy / self.name).exists() and time.monotonic() < end:
                for directory, _, _ in os.walk(hierarchy / self.name, topdown=False):
                    with contextlib.suppress(OSError):
                        os.rmdir(directory)
                time.sleep(0.05)

    def remove(self) -> None:
        """Leave nothing of it on this machine."""
        if self.process:
            self.off("cut")
        self._forget()
        remove(self.place)


def hierarchies() -> list[Path]:
    """Return this machine's hierarchies of control groups, of version 1."""
    return sorted(path for path in CONTROL_GROUPS.iterdir() if (path / "cgroup.procs").exists() and not path.is_symlink())


def version_1() -> bool:
    """Whether this machine's control groups are of version 1, and mounted."""
    return bool(hierarchies()) and not (CONTROL_GROUPS / "cgroup.controllers").exists()


def remove(place: Path) -> None:
    """Remove a tree."""
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    assert not [point for point in mounted if point.startswith(f"{place}/")], f"something is mounted in {place}"
    if place.exists():
        shutil.rmtree(place)


@contextlib.contextmanager
def settings_of_the_kernel() -> Iterator[None]:
    """Put back what a kubelet in the other system set for the whole machine, unless a cluster of this machine's needs the same."""
    names = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes")
    before = {name: Path("/proc/sys", name).read_text() for name in names}
    forwards = Path("/proc/sys/net/ipv4/ip_forward")
    forwarded = forwards.read_text()
    forwards.write_text("1")
    try:
        yield
    finally:
        for name, value in before.items():
            Path("/proc/sys", name).write_text(value)
        if not Path("/var/lib/berth/cluster.json").exists():
            forwards.write_text(forwarded)
