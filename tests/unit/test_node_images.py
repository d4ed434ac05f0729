"""Images of Berth's own that an environment has besides, such as the cache's, on their way to the nodes."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import ansible_fork
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("provider", "refused"), [("kubeadm", True), ("minikube", True), ("existing", False), ("eks", False)])
def test_an_image_that_no_run_has_made_yet_is_refused_with_the_run_that_makes_it(tmp_path: Path, provider: str, refused: bool) -> None:
    (tmp_path / "there.tar").touch()
    images = {"r/valkey:8": str(tmp_path / "there.tar"), "r/nginx:1": str(tmp_path / "absent.tar")}
    facts = {"refs": {"valkey": "r/valkey:8", "nginx": "r/nginx:1"}, "images": images}
    task = {"ansible.builtin.include_role": {"name": "berth.platform.cluster", "tasks_from": "images"}}
    (tmp_path / "play.yml").write_text(json.dumps([{"hosts": "dev", "gather_facts": False, "tasks": [task]}]), encoding="utf-8")
    given = {
        "ansible_python_interpreter": sys.executable,
        "artifacts_facts": facts,
        "cluster_facts": {"provider": provider},
        "cluster_images": ["valkey", "nginx"],
        "berth_kubeconfig": str(tmp_path / "kubeconfig"),
    }
    command = ["ansible-playbook", "-i", "dev,", "-c", "berth.platform.forked", str(tmp_path / "play.yml"), "-e", json.dumps(given)]
    done = ansible_fork.run(command, cwd=ROOT, env=os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")})
    words = " ".join((done.stdout + done.stderr).split())
    assert (done.returncode != 0) == refused, words
    assert ("missing: r/nginx:1." in words and "To provide them, run ansible-playbook site.yml -i inventories/dev" in words) == refused
    assert "r/valkey:8 is" not in words and "Traceback" not in words
