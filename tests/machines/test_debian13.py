"""Debian 13 as it comes, with systemd as PID 1: the README's commands, reboots, the end of certificates, and the way back.

The tests build on each other, in this order.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator

import other_system
import pytest
from other_system import System

# Votes as a browser does; prints how many votes the question has then.
VOTE = r"""
import http.cookiejar, re, urllib.parse, urllib.request
opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
site = "http://127.0.0.1:30080/polls/1/"
page = opener.open(site, timeout=10).read().decode()
token = re.search('name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
form = {"csrfmiddlewaretoken": token, "choice": re.search('name="choice"[^>]*value="([0-9]+)"', page)[1]}
results = opener.open(site + "vote/", urllib.parse.urlencode(form).encode(), timeout=10).read().decode()
print(re.search("([0-9]+) votes? so far", results)[1])
"""
SECONDS = 60  # from the boot to the page

RENEWED = r"^  kubeadm : Change \| Renew expiring certificates +[\d.]+ s$"  # the line of a task that changed something
pytestmark = pytest.mark.skipif(not other_system.version_1(), reason="the other system is made for control groups of version 1")


@pytest.fixture(scope="module")
def debian() -> Iterator[System]:
    """Yield a booted Debian 13 with this machine's artifacts, so that nothing is compiled."""
    other_system.install()
    machine = System("trixie")
    shutil.copytree(other_system.CACHE / "berth" / "artifacts", machine.place / "root/.cache/berth/artifacts", symlinks=True)
    try:
        with other_system.settings_of_the_kernel():
            machine.boot()
            machine.wait_for_systemd()
            yield machine
            machine.off("cut")
    finally:
        machine.remove()


def votes(debian: System) -> int:
    """Vote once; return how many votes there are."""
    return int(debian.run(f".venv/bin/python - <<'END'\n{VOTE}\nEND").stdout)


def changes(printed: str) -> int:
    """Return how many tasks changed something, by Ansible's own count."""
    return sum(map(int, re.findall(r"^\S+ +: .*changed=(\d+)", printed, flags=re.MULTILINE)))


def say(capsys: pytest.CaptureFixture[str], words: str) -> None:
    """Print to whoever watches the tests."""
    with capsys.disabled():
        print(f"\n  {words}", flush=True)


def test_a_kubelet_that_cannot_start_is_told_at_once_with_the_journals_errors(debian: System) -> None:
    debian.run("mv /dev/kmsg /dev/kmsg.not")
    done = debian.run("make dev", check=False)
    debian.run("mv /dev/kmsg.not /dev/kmsg")
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    ended = re.search(r"The kubelet ends again and again, so kubeadm init was ended after (\d+) s\.", done.stdout)
    assert ended and int(ended[1]) < 60, done.stdout[-3000:]
    assert "Last errors of kubelet (journalctl --unit berth-kubelet.service):" in done.stdout
    assert "open /dev/kmsg: no such file or directory" in done.stdout


def test_the_same_command_makes_the_site_whatever_the_locale_and_the_directory(debian: System, capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    done = debian.run(f"cd / && make -C {other_system.PROJECT} dev", LC_ALL="C")
    assert "polls answers at http://127.0.0.1:30080/" in done.stdout
    say(capsys, f"make dev: {time.monotonic() - began:.0f} s")
    assert votes(debian) == 1
    again = debian.run(f"cd / && {other_system.PROJECT}/.venv/bin/ansible-playbook {other_system.PROJECT}/site.yml", LC_ALL="de_DE.UTF-8")
    assert changes(again.stdout) == 0
    assert "failed" not in debian.run("systemctl is-failed 'berth-*'", check=False).stdout


def test_after_a_reboot_the_site_answers_by_itself_even_where_the_kubelets_certificate_ended_meanwhile(
    debian: System, capsys: pytest.CaptureFixture[str]
) -> None:
    debian.run(".venv/bin/python tests/machines/age.py -1 kubelet-client")
    debian.off()
    debian.boot()
    say(capsys, f"from the boot to the page: {debian.page('/polls/1/', SECONDS):.1f} s")
    assert votes(debian) == 2


def test_certificates_that_ended_while_the_power_was_off_are_renewed_by_the_next_run(debian: System, capsys: pytest.CaptureFixture[str]) -> None:
    debian.run(".venv/bin/python tests/machines/age.py 30")
    told = debian.run(".venv/bin/ansible-playbook playbooks/ops/status.yml").stdout
    assert re.search(r"control plane +\S+ +29 d", told) and "renews it" in told
    checked = debian.run(".venv/bin/ansible-playbook site.yml --check").stdout
    assert re.search(RENEWED, checked, re.MULTILINE)
    debian.run(".venv/bin/python tests/machines/age.py -1")
    debian.off("cut")
    debian.boot()
    debian.wait_for_systemd()
    began = time.monotonic()
    healed = debian.run(".venv/bin/ansible-playbook site.yml").stdout
    say(capsys, f"site.yml with certificates that ended: {time.monotonic() - began:.0f} s")
    assert re.search(RENEWED, healed, re.MULTILINE)
    assert votes(debian) == 3
    assert changes(debian.run(".venv/bin/ansible-playbook site.yml").stdout) == 0
    assert "problem" not in debian.run(".venv/bin/ansible-playbook playbooks/ops/status.yml").stdout


def test_the_way_back_leaves_nothing(debian: System) -> None:
    assert "kept: /var/lib/berth/volumes" in debian.run("make down").stdout
    left = debian.run(".venv/bin/python tests/system/leftovers.py", check=False)
    assert (left.returncode, left.stdout) == (0, "")
    assert debian.run("systemctl list-units --all --no-legend 'berth-*' 'kubepods*'").stdout == ""
    assert debian.run("find /run/containerd /run/nri /opt/containerd /run/systemd/transient -mindepth 1 2>/dev/null || true").stdout == ""
    debian.run("make down PURGE=yes")
    assert debian.run("ls -d /var/lib/berth /var/log/berth /etc/kubernetes /var/lib/kubelet 2>/dev/null || true").stdout == ""
