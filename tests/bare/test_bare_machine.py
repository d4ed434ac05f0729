"""From a bare machine to an app and back, with everything that goes wrong on the way.

These tests make and remove the machine's cluster, so they run only where there is none; they build on each other, in this order.
"""

from __future__ import annotations

import contextlib
import http.cookiejar
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest
from ansible_collections.berth.platform.plugins.module_utils.machine import kubeadm

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "molecule"
RECORD = Path("/var/lib/berth/cluster.json")
NAMESPACE = "polls-bare"
OURS = ("/run/berth/", "/var/lib/kubelet/", "/var/lib/berth/")
ENVIRONMENT = os.environ | {"MOLECULE_SCENARIO_NAME": "bare", "ANSIBLE_NOCOLOR": "1"}
INVENTORY = ["-i", "inventories/molecule"]


def start(*arguments: str, output: int | TextIO = subprocess.PIPE, **environment: str) -> subprocess.Popen[str]:
    """Start ansible-playbook in a session of its own, with more environment variables; ``output`` is where it prints."""
    return subprocess.Popen(
        ["ansible-playbook", *arguments, *INVENTORY],
        cwd=ROOT,
        env=ENVIRONMENT | environment,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(*arguments: str, **environment: str) -> str:
    """Run ansible-playbook to its end, with more environment variables, and return what it printed."""
    process = start(*arguments, **environment)
    printed, _ = process.communicate(timeout=900)
    assert process.returncode == 0, printed[-6000:]
    return printed


def changes(printed: str) -> int:
    """Return how many tasks changed something, by Ansible's own count."""
    return sum(map(int, re.findall(r"^\S+ +: .*changed=(\d+)", printed, flags=re.MULTILINE)))


def kubectl(*arguments: str) -> str:
    """Run kubectl against the environment's cluster, as its administrator."""
    command = ["/var/lib/berth/bin/kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "--namespace", NAMESPACE, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def site() -> str:
    """Return the address at which the app answers."""
    return f"http://127.0.0.1:{kubectl('get', 'service', 'polls', '--output', 'jsonpath={.spec.ports[0].nodePort}')}"


def vote(question: int) -> None:
    """Vote for the first choice of a poll, as a browser does."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    page = opener.open(f"{site()}/polls/{question}/", timeout=10).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    choice = re.search(r'name="choice"[^>]*value="(\d+)"', page)
    assert token and choice, page
    form = urllib.parse.urlencode({"csrfmiddlewaretoken": token[1], "choice": choice[1]}).encode()
    assert opener.open(f"{site()}/polls/{question}/vote/", form, timeout=10).status == 200


def votes() -> int:
    """Return how many votes the database holds."""
    query = "SELECT sum(votes) FROM polls_choice"
    return int(kubectl("exec", "database-0", "-c", "postgresql", "--", "psql", "-U", "postgres", "-d", "polls", "-Atc", query))


def secrets() -> list[str]:
    """Return the values that nobody may see."""
    return [path.read_text(encoding="utf-8").strip() for path in (CACHE / "secrets").iterdir()]


def leftovers() -> str:
    """Return what of the cluster is still on the machine, a line each."""
    return subprocess.run([sys.executable, str(ROOT / "tests" / "system" / "leftovers.py")], capture_output=True, text=True, check=False).stdout


@pytest.fixture(scope="module", autouse=True)
def _clean() -> Iterator[None]:
    """Take away what these tests made, also after a failure."""
    assert not RECORD.exists(), "this machine carries a cluster of Berth's: run make down first"
    yield
    if RECORD.exists():
        run("playbooks/destroy.yml", "-e", "berth_confirm=molecule", "-e", "berth_purge=true")
    shutil.rmtree("/var/lib/berth/volumes/" + NAMESPACE, ignore_errors=True)


def without_packages(directory: Path) -> str:
    """Return a PATH without the programs of the packages that Berth installs, which earlier runs may have left on this machine."""
    hidden: set[str] = set()
    for package in ("buildah", "conntrack", "iptables", "mmdebstrap", "runc", "runit", "skopeo"):
        listed = subprocess.run(["dpkg", "-L", package], capture_output=True, text=True, check=False).stdout
        hidden |= {Path(line).name for line in listed.splitlines() if re.search(r"/s?bin/", line)}
    own = str(Path(sys.executable).parent)
    for place in os.environ["PATH"].split(":"):
        for program in Path(place).glob("*") if place != own else []:
            if program.name not in hidden and not (directory / program.name).is_symlink():
                (directory / program.name).symlink_to(program)
    return f"{own}:{directory}"


def test_a_phase_says_which_one_comes_first() -> None:
    process = start("site.yml", "--tags", "app")
    printed, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "There is no cluster. To create it, run ansible-playbook site.yml -i inventories/molecule" in printed
    assert "Traceback" not in printed


def test_a_check_of_a_bare_machine_succeeds_and_changes_nothing(tmp_path: Path) -> None:
    shutil.rmtree(CACHE, ignore_errors=True)
    printed = run("site.yml", "--check", "--diff", PATH=without_packages(tmp_path))
    assert "Deployment polls" in printed
    assert not RECORD.exists()
    assert not CACHE.exists()
    assert leftovers() == ""


# What a run says, or a file that it makes, in their order: a run that goes on where the one before was killed comes to the next one. It is killed with its
# workers and the modules that they run, or alone, where those go on for a while.
@pytest.mark.parametrize(
    ("moment", "alone"),
    [
        ("Check the inventory's hosts", True),
        ("Create | Write the node's files", False),
        ("/etc/kubernetes/pki/ca.crt", False),  # in the midst of what kubeadm does
        ("/etc/kubernetes/manifests/kube-apiserver.yaml", True),  # while kubeadm waits for the control plane
        ("Create | Apply the add-ons", False),
        ("Keep the registry running", True),  # before the image is built and pushed
        ("Apply its limits and policies", False),
        ("Job | Apply the release's Job", True),
        ("app : Apply the objects", False),
    ],
)
def test_a_run_that_is_killed_leaves_nothing_that_the_next_one_cannot_mend(moment: str, alone: bool, tmp_path: Path) -> None:
    output = tmp_path / "output"
    with output.open("w") as file:
        process = start("site.yml", output=file)
    while not (Path(moment).exists() if moment.startswith("/") else moment in output.read_text(encoding="utf-8")):
        assert process.poll() is None, output.read_text(encoding="utf-8")[-6000:]
        time.sleep(0.05)
    if alone:
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_the_run_after_the_killed_ones_converges_and_the_next_changes_nothing() -> None:
    assert "answers at http://127.0.0.1:" in run("site.yml")
    assert changes(run("site.yml")) == 0
    vote(1)
    assert votes() == 1


@pytest.mark.parametrize("phase", ["cluster", "image", "database", "config", "app"])
def test_each_phase_can_be_run_by_itself_by_its_tag_or_as_a_playbook(phase: str) -> None:
    # The second waits for the first with its beginning done.
    for process in [start("site.yml", "--tags", phase), start(f"playbooks/{phase}.yml")]:
        printed, _ = process.communicate(timeout=300)
        assert process.returncode == 0 and changes(printed) == 0, printed[-6000:]
        assert ("answers at http://127.0.0.1:" in printed) == (phase == "app")


def test_what_has_not_been_built_is_not_released(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "app", tmp_path / "app")
    shutil.copy(ROOT / "Dockerfile", tmp_path)
    (tmp_path / "app" / "new.txt").write_text("not in any image", encoding="utf-8")
    before = kubectl("get", "deployment", "polls", "--output", "jsonpath={.metadata.resourceVersion}")
    process = start("site.yml", "--tags", "app", "-e", f"berth_app_source={tmp_path}")
    printed, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert f"Nothing was released: the current source of polls in {tmp_path} has not been built yet." in printed
    assert "To build and release it, run ansible-playbook site.yml" in printed and "--tags image,app" in printed
    assert before == kubectl("get", "deployment", "polls", "--output", "jsonpath={.metadata.resourceVersion}")


def test_a_check_of_a_running_environment_changes_nothing_and_shows_no_secret() -> None:
    before = kubectl("get", "all,configmap,secret,networkpolicy", "--output", "jsonpath={.items[*].metadata.resourceVersion}")
    printed = run("site.yml", "--check", "--diff", "-e", json.dumps({"berth_app_settings": {"DJANGO_LOG_LEVEL": "DEBUG"}}))
    assert "+  DJANGO_LOG_LEVEL: DEBUG" in printed
    assert not [secret for secret in secrets() if secret in printed]
    assert before == kubectl("get", "all,configmap,secret,networkpolicy", "--output", "jsonpath={.items[*].metadata.resourceVersion}")


def test_no_secret_is_in_the_output_the_process_list_or_a_file_that_others_can_read() -> None:
    # Another setting makes the run apply the ConfigMap and roll the app out; with -vvv it tells all it knows.
    setting = json.dumps({"berth_app_settings": {"DJANGO_LOG_LEVEL": "WARNING"}})
    command = ["ansible-playbook", "site.yml", "-vvv", "-e", setting, *INVENTORY]
    seen = set[str]()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=output, stderr=subprocess.STDOUT)
        while process.poll() is None:
            seen.update(commands())
            time.sleep(0.05)
        output.seek(0)
        printed = output.read()
    assert process.returncode == 0, printed[-3000:]
    assert changes(printed) > 0
    for secret in secrets():
        assert secret not in printed
        assert not [line for line in seen if secret in line]
    found = []
    # What is older than the secrets cannot hold them; caches have many such files.
    oldest = min(path.stat().st_mtime for path in (CACHE / "secrets").iterdir())
    for top in (ROOT / ".cache", Path("/var/lib/berth"), Path("/run/berth"), Path("/var/log/berth"), Path("/tmp")):
        for path in top.rglob("*"):
            try:
                file = path.lstat()
                if file.st_mtime < oldest or not stat.S_ISREG(file.st_mode) or not file.st_mode & stat.S_IROTH:
                    continue
                if file.st_size > 2_000_000 or not reachable(path):
                    continue
                content = path.read_bytes()
            except OSError:
                continue
            found += [str(path) for secret in secrets() if secret.encode() in content]
    assert found == []


def reachable(path: Path) -> bool:
    """Whether another user gets to the file: every directory above it lets others through."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents)


def test_after_a_reboot_the_same_command_starts_everything_and_the_data_are_there(tmp_path: Path) -> None:
    """Also what somebody has deleted from the cluster."""
    deleted = ["deployment/coredns", "deployment/metrics-server", "daemonset/kube-proxy", "daemonset/kube-router"]
    kubectl("--namespace", "kube-system", "delete", *deleted)
    reboot()
    # Some sudo leaves the HOME of the user who called it.
    caches = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    assert "answers at http://127.0.0.1:" in run("site.yml", HOME=str(tmp_path), XDG_CACHE_HOME=caches)
    assert votes() == 1


def reboot() -> None:
    """Leave what a reboot leaves: the files on disk, but no process, mount, interface or file of /run."""
    processes = [int(line) for line in subprocess.run(["pgrep", "-x", "runsv"], capture_output=True, text=True, check=False).stdout.split()]
    mine = [pid for pid in processes if "/var/lib/berth/services" in Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")]
    victims = mine + [child for pid in [*mine, *kubeadm.shims()] for child in kubeadm.descendants(pid)] + kubeadm.shims()
    for pid in victims:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    time.sleep(1)
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]
    for point in sorted(points, key=len, reverse=True):
        if point.startswith(OURS):
            subprocess.run(["umount", "--lazy", point], check=False)
    for link in kubeadm.LINKS:
        subprocess.run(["ip", "link", "delete", link], capture_output=True, check=False)
    shutil.rmtree("/run/berth", ignore_errors=True)


def test_a_cluster_that_others_use_is_not_stopped() -> None:
    known = RECORD.read_text(encoding="utf-8")
    RECORD.write_text(json.dumps(json.loads(known) | {"environments": ["molecule", "dev"]}), encoding="utf-8")
    try:
        process = start("playbooks/ops/stop.yml")
        printed, _ = process.communicate(timeout=120)
    finally:
        RECORD.write_text(known, encoding="utf-8")
    assert process.returncode != 0
    assert "Nothing was stopped: the cluster is also used by dev." in printed
    assert votes() == 1


def test_a_stopped_cluster_starts_again_with_its_votes() -> None:
    assert changes(run("playbooks/ops/stop.yml")) > 0
    assert kubeadm.shims() == []
    assert not [line for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines() if line.split()[4].startswith(OURS)]
    assert not [command for command in commands() if "/var/lib/berth" in command]
    assert "molecule: the cluster is stopped" in run("playbooks/ops/status.yml")
    assert changes(run("playbooks/ops/stop.yml")) == 0
    assert "answers at http://127.0.0.1:" in run("playbooks/ops/start.yml")
    assert votes() == 1
    assert changes(run("playbooks/ops/start.yml")) == 0
    assert changes(run("site.yml")) == 0


def commands() -> Iterator[str]:
    """Yield the command line of each process."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield entry.read_bytes().decode(errors="replace")


def test_the_data_outlive_the_cluster_and_the_cluster_leaves_nothing_else() -> None:
    printed = run("playbooks/destroy.yml", "-e", "berth_confirm=molecule")
    assert "kept: /var/lib/berth/volumes" in printed
    assert leftovers() == ""
    run("site.yml")
    assert votes() == 1


def test_the_wrong_name_removes_nothing() -> None:
    process = start("playbooks/destroy.yml", "-e", "berth_confirm=prod")
    printed, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "is not the environment's name" in printed
    assert votes() == 1


def test_a_purge_takes_the_data_too_and_not_those_of_an_environment_that_was_destroyed_before() -> None:
    volumes = Path("/var/lib/berth/volumes")
    earlier = volumes / "earlier"
    earlier.joinpath("data").mkdir(parents=True)
    others = {path.name for path in volumes.iterdir()} - {NAMESPACE}
    try:
        printed = run("playbooks/destroy.yml", "-e", "berth_confirm=molecule", "-e", "berth_purge=true")
        assert leftovers() == ""
        assert {path.name for path in volumes.iterdir()} == others
        assert f"kept: {', '.join(sorted(str(volumes / name) for name in others))}" in printed
    finally:
        shutil.rmtree(earlier)
        with contextlib.suppress(OSError):  # a developer's own data stay
            volumes.rmdir()
            volumes.parent.rmdir()
    assert volumes.parent.exists() == (len(others) > 1)
