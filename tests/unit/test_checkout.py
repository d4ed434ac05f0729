"""A source that is a Git repository: what is fetched of it, when, and what is said where it cannot be."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import ansible_fork
import pytest
from ansible_collections.berth.platform.plugins.module_utils.image import checkout
from ansible_collections.berth.platform.plugins.module_utils.image.checkout import Checkout
from ansible_collections.berth.platform.plugins.module_utils.image.project import ProjectError
from ansible_collections.berth.platform.plugins.module_utils.image.registry import version as release
from ansible_collections.berth.platform.plugins.modules import git_checkout
from module_run import run

PROJECT = Path(__file__).resolve().parents[2]
SOMEBODY = {f"GIT_{who}_{what}": "tests@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


class Repository:
    """A repository that others fetch from."""

    def __init__(self, place: Path) -> None:
        self.place, self.url = place, f"file://{place}"
        place.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit(manage="1")

    def git(self, *arguments: str) -> str:
        """Run git in it."""
        environment = os.environ | SOMEBODY | {"GIT_CONFIG_GLOBAL": "/dev/null"}
        done = subprocess.run(["git", "-C", str(self.place), *arguments], check=True, capture_output=True, text=True, env=environment)
        return done.stdout.strip()

    def commit(self, **files: str) -> str:
        """Add a commit with some files, and return its number."""
        for name, text in files.items():
            (self.place / f"{name}.py").write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=more")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """Return a repository with one commit, for a user without a configuration of git's."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Repository(tmp_path / "shop.git")


def fetched(repository: Repository, version: str = "") -> Path:
    """Fetch it, and return the checkout."""
    place = Path(checkout.directory(repository.url, "dev"))
    Checkout(repository.url, version, place).update()
    return place


def seen(place: Path) -> str:
    """Return what a file of the checkout says."""
    return (place / "manage.py").read_text()


VERSIONS: dict[str, Callable[[Repository, str], str]] = {
    "the default branch": lambda repository, first: "",
    "a branch": lambda repository, first: "main",
    "a tag": lambda repository, first: "v1",
    "a tag with a message": lambda repository, first: "v1.0/a",
    "another branch": lambda repository, first: "feature/x",
    "a commit": lambda repository, first: first,
}
NEWEST = ("the default branch", "a branch")


@pytest.mark.parametrize("kind", VERSIONS)
def test_a_branch_a_tag_or_a_commit_is_fetched_without_its_history(repository: Repository, kind: str) -> None:
    first = repository.git("rev-parse", "HEAD")
    for command in (["tag", "v1"], ["tag", "--annotate", "--message=x", "v1.0/a"], ["branch", "feature/x"]):
        repository.git(*command)
    last = repository.commit(manage="2")
    place = fetched(repository, VERSIONS[kind](repository, first))
    assert seen(place) == ("2" if kind in NEWEST else "1")
    assert place.name == "shop"
    history = subprocess.run(["git", "-C", place, "rev-list", "HEAD"], check=True, capture_output=True, text=True).stdout.split()
    assert history == [last if kind in NEWEST else first]


def test_it_is_fetched_again_only_where_the_branch_has_moved(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    place = fetched(repository, "main")
    asked = []
    git = Checkout.git
    monkeypatch.setattr(Checkout, "git", lambda self, *words: (asked.append([one for one in words if one in ("ls-remote", "fetch")]), git(self, *words))[1])
    fetched(repository, "main")
    assert asked == [["ls-remote"]]
    (repository.place / "manage.py").unlink()
    (place / "left.py").touch()
    repository.commit(other="2")
    fetched(repository, "main")
    assert sorted(path.name for path in place.iterdir()) == [".git", "other.py"]


def test_a_commit_is_known_without_asking(repository: Repository, tmp_path: Path) -> None:
    commit = repository.git("rev-parse", "HEAD")
    fetched(repository, commit)
    repository.place.rename(tmp_path / "gone")
    assert seen(fetched(repository, commit)) == "1"


def test_a_commit_is_found_on_a_server_that_gives_out_branches_alone(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.commit(manage="2")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "protocol.version")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "0")
    assert seen(fetched(repository, first)) == "1"


@pytest.mark.parametrize("broken", ["note", "files", "git"])
def test_a_checkout_that_is_not_whole_is_made_again(repository: Repository, broken: str) -> None:
    place = fetched(repository, "main")
    made = Checkout(repository.url, "main", place)
    {"note": made.note.unlink, "files": lambda: place.rename(place.with_name("moved")), "git": (made.git_directory / "HEAD").unlink}[broken]()
    (made.git_directory / "index.lock").touch()
    assert seen(fetched(repository, "main")) == "1"


def test_the_release_is_called_by_its_tag(repository: Repository) -> None:
    fetched(repository, "main")
    repository.git("tag", "v1.2.0")
    assert release(fetched(repository, "v1.2.0"), "0123456789abcdef") == "v1.2.0"
    repository.commit(manage="2")
    assert release(fetched(repository, "main"), "0123456789abcdef") == repository.git("rev-parse", "--short", "HEAD")


def test_submodules_are_there(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Repository(tmp_path / "library.git")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "protocol.file.allow")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "always")
    repository.git("submodule", "--quiet", "add", "../library.git", "library")
    repository.commit()
    assert (fetched(repository) / "library/manage.py").read_text() == "1"
    other.commit(manage="2")
    repository.git("-C", "library", "pull", "--quiet", "origin", "main")
    repository.commit()
    assert (fetched(repository) / "library/manage.py").read_text() == "2"


def test_nothing_that_the_repository_or_a_template_brings_is_run(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, ran = tmp_path / "program", tmp_path / "ran"
    program.write_text(f"#!/bin/sh\ntouch {ran}\ncat\n")
    program.chmod(0o755)
    (tmp_path / "template/hooks").mkdir(parents=True)
    (tmp_path / "template/hooks/post-checkout").symlink_to(program)
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(tmp_path / "template"))
    (repository.place / ".gitattributes").write_text("* filter=mine\n")
    (repository.place / ".gitconfig").write_text(f'[filter "mine"]\n\tsmudge = {program}\n[core]\n\tfsmonitor = {program}\n')
    (repository.place / ".githooks").mkdir()
    (repository.place / ".githooks/post-checkout").symlink_to(program)
    repository.commit(manage="2")
    place = fetched(repository)
    release(place, "0123456789abcdef")
    assert not ran.exists()


def test_what_a_builder_sees_is_the_same_on_every_machine(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.umask(0o077)
    try:
        place = fetched(repository)
    finally:
        os.umask(before)
    assert (place / ".git").read_text() == "gitdir: ../shop.git\n"
    assert (place / "manage.py").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("name", ["lock", "commit"])
def test_a_repository_may_be_called_as_what_lies_beside_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert seen(fetched(Repository(tmp_path / f"{name}.git"))) == "1"


@pytest.mark.parametrize("tag", ["20261129", "refs/tags/20261129"])
def test_a_tag_of_digits_is_none_that_is_fetched_in_each_run(repository: Repository, monkeypatch: pytest.MonkeyPatch, tag: str) -> None:
    repository.git("-c", "user.name=x", "-c", "user.email=x@example.com", "tag", "--annotate", "--message=x", "20261129")
    fetched(repository, tag)
    monkeypatch.setattr(Checkout, "check_out", lambda *_: pytest.fail("it is fetched again"))
    fetched(repository, tag)


@pytest.mark.parametrize("moved", [False, True], ids=["as it was left", "after another run"])
def test_what_was_looked_at_stays_though_the_branch_moves(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], moved: bool
) -> None:
    place = fetched(repository, "main")
    commit = repository.git("rev-parse", "HEAD")
    repository.commit(manage="2")
    if moved:
        assert seen(fetched(repository, "main")) == "2"
    else:
        monkeypatch.setattr(Checkout, "remote", lambda _: pytest.fail("the repository is asked"))
    answer = run(git_checkout, capsys, repository=repository.url, version="main", commit=commit, directory=str(place))
    assert (answer["commit"], seen(place)) == (commit, "1")


def test_environments_do_not_share_a_checkout() -> None:
    assert checkout.directory("https://x/y.git", "dev") != checkout.directory("https://x/y.git", "prod")


# --- What is said ------------------------------------------------------------
@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("../shop", ""),
        ("/srv/user@host", ""),
        ("https://git.example.com/acme/shop.git", ""),
        ("git@git.example.com:acme/shop.git", ""),
        ("ssh://git@git.example.com:2222/acme/shop", ""),
        ("https://robot:hunter2@git.example.com/acme/shop.git", "contains a login"),
        ("https://hunter2@git.example.com/acme/shop.git", "contains a login"),
        ("ssh://git:hunter2@git.example.com/acme/shop", "contains a login"),
        ("http://git.example.com/acme/shop.git", "starts with http://"),
        ("ext::sh -c hunter2://x", "starts with"),
        ("https://git.example.com/", "names no repository"),
        ("https://[git/x", "is not the address"),
    ],
)
def test_an_address_that_cannot_be_fetched_from_is_refused_and_no_login_is_quoted(source: str, wrong: str) -> None:
    said = checkout.source_problem(source)
    assert said.startswith(wrong) and bool(said) is bool(wrong)
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("version", "wrong"),
    [("main", ""), ("v1.0+a", ""), ("a" * 40, ""), ("20261129", ""), ("--upload-pack=x", "is not a valid name"), ("a b", "is not a valid name")],
)
def test_a_version_is_a_name_or_a_whole_commit(version: str, wrong: str) -> None:
    said = checkout.version_problem(version)
    assert wrong in said and bool(said) is bool(wrong)


@pytest.mark.parametrize(
    ("version", "variable", "words"),
    [
        ("v9", "berth_app_ref", "has no branch or tag v9; git ls-remote"),
        ("0a1b2c3", "berth_app_ref", "looks like an abbreviated commit hash; write the full commit hash"),
        ("f" * 40, "berth_app_ref", f"has no commit {'f' * 40} on any branch or tag"),
    ],
)
def test_a_version_that_is_not_there_is_named(repository: Repository, version: str, variable: str, words: str) -> None:
    with pytest.raises(ProjectError, match=words) as caught:
        fetched(repository, version)
    assert caught.value.variable == variable


def test_a_repository_that_cannot_be_read_is_named_with_gits_reason_and_the_way(repository: Repository, tmp_path: Path) -> None:
    repository.place.rename(tmp_path / "elsewhere")
    with pytest.raises(
        ProjectError, match=r"file://\S+shop.git cannot be read: '\S+' does not appear to be a git repository; name a repository that this"
    ) as caught:
        fetched(repository)
    assert caught.value.variable == "berth_app_source"


@pytest.mark.parametrize(("url", "way"), [("https://127.0.0.1:1/x.git", "credential helper"), ("ssh://git@127.0.0.1:1/x.git", "a key in ~/.ssh")])
def test_the_way_in_is_said_for_each_kind_of_address(tmp_path: Path, url: str, way: str) -> None:
    with pytest.raises(ProjectError, match=way):
        Checkout(url, "", tmp_path / "x/shop").update()


def test_without_git_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProjectError, match="this machine has no git; apt-get install git"):
        Checkout("https://git.example.com/acme/shop.git", "", tmp_path / "x/shop").update()


def test_an_empty_repository_is_told(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", "--bare", str(tmp_path / "empty.git")], check=True)
    with pytest.raises(ProjectError, match="has no commit; push one"):
        Checkout(f"file://{tmp_path}/empty.git", "", tmp_path / "x/shop").update()


@pytest.mark.parametrize("check", [False, True])
def test_the_module_fetches_in_check_mode_too_for_what_is_checked_is_in_it(repository: Repository, capsys: pytest.CaptureFixture[str], check: bool) -> None:
    place = checkout.directory(repository.url, "dev")
    answer = run(git_checkout, capsys, check, repository=repository.url, directory=place)
    assert (answer["changed"], answer["commit"], seen(Path(place))) == (False, repository.git("rev-parse", "HEAD"), "1")


def test_a_new_inventory_names_the_repository_and_says_what_its_files_say(repository: Repository, tmp_path: Path) -> None:
    (repository.place / "shop").mkdir()
    (repository.place / "shop/settings.py").write_text("STRIPE = os.environ['STRIPE_API_KEY']\n")
    repository.commit(manage="os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')  # django")
    (repository.place / "requirements.txt").write_text("django\n")
    repository.commit()
    words = ["-e", f"source={repository.url}", "-e", "env=shop-dev", "-e", f"inventories={tmp_path}/inventories"]
    environment = os.environ | {"ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    done = ansible_fork.run(["ansible-playbook", "playbooks/new.yml", *words], cwd=PROJECT, env=environment, stderr=subprocess.STDOUT, timeout=60)
    assert done.returncode == 0, done.stdout
    text = (tmp_path / "inventories/shop-dev/group_vars/all/main.yml").read_text()
    assert f"berth_app_source: {repository.url}\n" in text
    assert "berth_app_name: shop\n" in text and "STRIPE_API_KEY" in text
