"""What a user has and does: a copy of the project, environments in it, runs of its playbooks, and a look at what they made."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
KUBECTL = "/var/lib/berth/bin/kubectl"
SMALL = {"cpu": "25m"}
"""What the tests' pods request, half of the default: five environments are released at the same time, and the control plane has almost half of two cores."""


@dataclass(frozen=True)
class Ran:
    """One run of a playbook."""

    code: int
    text: str

    @property
    def changed(self) -> dict[str, str]:
        """What each task that changed something printed before it said so: its diff."""
        tasks = re.split(r"^TASK \[(.+?)\] \*+$", self.text.partition("PLAY RECAP")[0], flags=re.MULTILINE)[1:]
        said = zip(tasks[::2], tasks[1::2], strict=True)
        return {name: text for name, text in said if re.search(r"^changed: ", text, re.MULTILINE)}

    @property
    def lines(self) -> set[str]:
        """The lines that diffs take away or add, without their indentation."""
        diffs = "\n".join(self.changed.values())
        found = re.findall(r"^[-+](?!\+\+ |-- )(.*)$", diffs, re.MULTILINE)
        return {line.strip() for line in found if line.strip()}

    @property
    def words(self) -> str:
        """All that was said, without line breaks."""
        return " ".join(self.text.split())


class Environment:
    """An environment of the user's: a directory below inventories/ of the project's copy."""

    def __init__(self, project: Path, name: str, namespace: str) -> None:
        self.project, self.name, self.namespace = project, name, namespace
        self.inventory = project / "inventories" / name
        self.url = ""

    def start(self, *arguments: str, playbook: str = "site.yml") -> subprocess.Popen[str]:
        """Begin to run a playbook with the environment's inventory, in the project's directory, as its user does."""
        return begin(self.project, playbook, "-i", f"inventories/{self.name}", *arguments)

    def finish(self, process: subprocess.Popen[str], refused: bool = False) -> Ran:
        """Wait for a run's end."""
        text, _ = process.communicate()
        assert (process.returncode != 0) == refused, text
        if found := re.search(r"answers at (http://\S+)", text):
            self.url = found[1]
        return Ran(process.returncode, text)

    def run(self, *arguments: str, playbook: str = "site.yml", refused: bool = False) -> Ran:
        """Run a playbook to its end."""
        return self.finish(self.start(*arguments, playbook=playbook), refused)

    @property
    def exists(self) -> bool:
        """Whether a run has begun to make it."""
        return (self.project / ".cache" / self.name / "kubeconfig").exists()

    def destroy(self) -> subprocess.Popen[str]:
        """Begin to take the environment and its data away."""
        return self.start("-e", f"berth_confirm={self.name}", "-e", "berth_purge=true", playbook="playbooks/destroy.yml")

    def kubectl(self, *arguments: str) -> str:
        """Return what kubectl prints."""
        kubeconfig = self.project / ".cache" / self.name / "kubeconfig"
        command = [KUBECTL, "--kubeconfig", str(kubeconfig), "--namespace", self.namespace, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def page(self, path: str = "") -> str:
        """Return a page of the site."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return answer.read().decode()


def begin(project: Path, playbook: str, *arguments: str) -> subprocess.Popen[str]:
    """Begin to run a playbook of a copy of the project, with a cache of the copy's own."""
    command = [str(Path(sys.executable).with_name("ansible-playbook")), playbook, *arguments]
    # Molecule's own settings, and that another run of Berth is under way around this one, are not the user's.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MOLECULE_", "BERTH_"))}
    environment = kept | {"XDG_CACHE_HOME": str(project.parent / "cache"), "ANSIBLE_NOCOLOR": "true"}
    environment |= {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"}  # which names each task, and prints its diff below
    return subprocess.Popen(command, cwd=project, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def copy_project(home: Path) -> Path:
    """Return a copy of the project below a directory, with what git knows of it and nothing else, and a cache of its own that has the binaries only."""
    place = home / "project"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (PROJECT / name).exists():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, place / name, follow_symlinks=False)
    cache = home / "cache" / "berth"
    cache.mkdir(parents=True)
    (cache / "artifacts").symlink_to(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "berth", "artifacts"))
    return place


def edit(path: Path, old: str, new: str) -> None:
    """Replace the first occurrence of a text in a file."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
