"""Helpers for the benchmarks."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KUBECTL = "/var/lib/berth/bin/kubectl --kubeconfig /etc/kubernetes/admin.conf --namespace polls-dev"


def playbook(name: str, options: str = "", inventory: str = "molecule") -> str:
    """Return the command that runs a playbook."""
    return f"{ROOT}/.venv/bin/ansible-playbook {name} -i inventories/{inventory} {options}"


def seconds(command: str) -> float:
    """Run a shell command and return how long it took. Exit with its output if it fails."""
    return run(command)[0]


def run(command: str) -> tuple[float, str]:
    """Run a shell command as ``seconds`` does, and also return its output."""
    started = time.monotonic()
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command}\nfailed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return time.monotonic() - started, done.stdout


def medians(times: dict[str, list[float]]) -> None:
    """Print each median with its spread, the ratio of the first to each of the others, and the machine."""
    ours, *others = times
    for words, taken in times.items():
        print(f"{words}: median {statistics.median(taken):.1f} s of {len(taken)} ({min(taken):.1f} to {max(taken):.1f})")
    for other in others:
        print(f"ratio to {other}: {statistics.median(times[ours]) / statistics.median(times[other]):.2f}")
    machine()


def machine() -> None:
    """Print the machine that the times were measured on."""
    print(f"machine: {os.cpu_count()} cores, {platform.freedesktop_os_release()['PRETTY_NAME']}, load {os.getloadavg()[0]:.1f}")
