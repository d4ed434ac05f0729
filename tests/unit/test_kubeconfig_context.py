"""A context in the user's kubeconfig: only the one that was asked for, and only Berth's own."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.berth.platform.plugins.modules import kubeconfig_context
from module_run import run

OTHERS = """\
# my clusters
apiVersion: v1
kind: Config
current-context: work
preferences: {}
clusters:
- name: work
  cluster: {server: "https://work.example:6443", insecure-skip-tls-verify: true}
contexts:
- name: work
  context: {cluster: work, user: me}
users:
- name: me
  user: {token: "0123", expiry: 2026-01-02T03:04:05Z}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a directory with the environment's kubeconfig and the user's."""
    own = {
        "clusters": [{"name": "berth", "cluster": {"server": "https://10.245.0.1:6443", "certificate-authority": "ca.crt"}}],
        "users": [{"name": "admin", "user": {"client-key-data": "a2V5"}}],
        "contexts": [{"name": "admin@berth", "context": {"cluster": "berth", "user": "admin"}}],
        "current-context": "admin@berth",
    }
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "kubeconfig").write_text(yaml.safe_dump(own))
    (tmp_path / "config").write_text(OTHERS)
    (tmp_path / "config").chmod(0o600)
    return tmp_path


def context(home: Path, capsys: pytest.CaptureFixture[str], state: str = "present", **options: Any) -> dict[str, Any]:
    """Return what the module answers."""
    defaults = {"path": str(home / "config"), "name": "polls", "environment": "dev", "source": str(home / "own/kubeconfig"), "namespace": "polls-dev"}
    return run(kubeconfig_context, capsys, state=state, **(defaults | options))


def read(home: Path) -> dict[str, Any]:
    """Return the user's kubeconfig as data."""
    return yaml.load((home / "config").read_text(), Loader=kubeconfig_context.Loader)


def test_a_merged_context_leads_to_the_environment_and_all_else_is_as_it_was(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = read(home)
    answer = context(home, capsys)
    after = read(home)
    assert answer["changed"]
    assert after["current-context"] == "work"
    for kind in ("clusters", "users", "contexts"):
        assert after[kind][:-1] == before[kind]
        assert after[kind][-1]["name"] == "polls"
    assert after["clusters"][-1]["cluster"] == {"server": "https://10.245.0.1:6443", "certificate-authority": str(home / "own/ca.crt")}
    assert after["contexts"][-1]["context"]["namespace"] == "polls-dev"
    # Times and numbers that are text stay text.
    assert after["users"][0]["user"] == {"token": "0123", "expiry": "2026-01-02T03:04:05Z"}


def test_the_file_stays_its_owners_alone_and_a_backup_holds_what_it_was(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = context(home, capsys)
    assert (home / "config").stat().st_mode & 0o777 == 0o600
    assert Path(answer["backup"]).read_text() == OTHERS
    assert Path(answer["backup"]).stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in home.iterdir()) == sorted(["config", "own", Path(answer["backup"]).name])


def test_a_file_that_others_could_read_gets_no_key_before_it_is_closed_to_them(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "config").chmod(0o644)
    context(home, capsys)
    assert (home / "config").stat().st_mode & 0o777 == 0o600


def test_the_second_merge_changes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    context(home, capsys)
    before = (home / "config").read_bytes()
    answer = context(home, capsys)
    assert (answer["changed"], answer["backup"]) == (False, "")
    assert (home / "config").read_bytes() == before


def test_a_cluster_that_was_made_anew_is_taken_over(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    context(home, capsys)
    own = home / "own/kubeconfig"
    own.write_text(own.read_text().replace("a2V5", "bmV3"))
    assert context(home, capsys)["changed"]
    assert read(home)["users"][-1]["user"] == {"client-key-data": "bmV3"}
    assert len(read(home)["users"]) == 2


def test_taken_out_it_leaves_what_was_before(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = read(home)
    context(home, capsys)
    assert context(home, capsys, "absent")["changed"]
    assert read(home) == before
    assert not context(home, capsys, "absent")["changed"]


def test_a_context_that_is_taken_out_while_it_is_the_current_one_is_said(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    context(home, capsys)
    (home / "config").write_text((home / "config").read_text().replace("current-context: work", "current-context: polls"))
    assert context(home, capsys, "absent")["was_current"]
    assert read(home)["current-context"] == "polls"


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_context_of_that_name_that_is_the_users_own_is_refused(home: Path, capsys: pytest.CaptureFixture[str], state: str) -> None:
    answer = context(home, capsys, state, name="work")
    assert answer["msg"] == f"{home}/config has a context work that Berth did not write, so it is left as it is. Choose another name."
    assert (home / "config").read_text() == OTHERS


@pytest.mark.parametrize("state", ["present", "absent"])
def test_another_environments_context_is_refused(home: Path, capsys: pytest.CaptureFixture[str], state: str) -> None:
    context(home, capsys)
    before = (home / "config").read_bytes()
    assert "is that of the environment dev" in context(home, capsys, state, environment="prod")["msg"]
    assert (home / "config").read_bytes() == before


def test_a_user_of_that_name_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "user me" in context(home, capsys, name="me")["msg"]
    assert (home / "config").read_text() == OTHERS


def test_an_entry_that_another_context_has_come_to_use_is_left_alone(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    context(home, capsys)
    config = read(home)
    config["contexts"].append({"name": "mine", "context": {"cluster": "polls", "user": "me"}})
    (home / "config").write_text(yaml.safe_dump(config))
    assert "is used by the context mine too" in context(home, capsys, "absent")["msg"]
    assert read(home) == config


def test_without_a_file_one_is_made_that_has_no_current_context(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = home / "new" / "config"
    answer = context(home, capsys, path=str(path))
    assert (answer["changed"], answer["backup"]) == (True, "")
    assert "current-context" not in yaml.safe_load(path.read_text())
    assert path.stat().st_mode & 0o777 == 0o600


def test_taking_out_of_a_file_that_is_not_there_makes_none(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not context(home, capsys, "absent", path=str(home / "new" / "config"))["changed"]
    assert not (home / "new").exists()


def test_a_link_stays_a_link(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "link").symlink_to(home / "config")
    assert context(home, capsys, path=str(home / "link"))["path"] == str(home / "config")
    assert (home / "link").is_symlink()


@pytest.mark.parametrize("text", ["{", "- a list", "clusters: text"])
def test_what_is_no_kubeconfig_is_left_as_it_is(home: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    (home / "config").write_text(text)
    assert "so it is left as it is" in context(home, capsys)["msg"]
    assert (home / "config").read_text() == text


def test_before_the_first_run_there_is_nothing_to_name(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "own/kubeconfig").unlink()
    assert context(home, capsys)["msg"] == f"There is no kubeconfig {home}/own/kubeconfig, so there is no cluster to name yet. Run site.yml."


def test_check_mode_says_what_would_change_and_changes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert context(home, capsys, check=True)["changed"]
    assert (home / "config").read_text() == OTHERS
    assert sorted(os.listdir(home)) == ["config", "own"]


def test_a_file_that_kubectl_holds_is_waited_for(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = home / "config.lock"
    held.touch()
    threading.Timer(0.3, held.unlink).start()
    assert context(home, capsys)["changed"]


def test_a_lock_that_nobody_releases_is_named(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubeconfig_context, "LOCK_TIMEOUT", 0.2)
    (home / "config.lock").touch()
    assert context(home, capsys)["msg"] == f"Another program holds {home}/config.lock. Remove that file if none is at work."
    assert (home / "config").read_text() == OTHERS
