"""How a build is tagged, what a registry is asked, and what builds."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.image import registry as registries
from ansible_collections.berth.platform.plugins.module_utils.image.claims import Claims
from ansible_collections.berth.platform.plugins.module_utils.image.context import content_hash
from ansible_collections.berth.platform.plugins.module_utils.image.registry import ImageError, Registry, version
from ansible_collections.berth.platform.plugins.modules import image_build, image_info
from module_run import plugin, run


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a build context with a Dockerfile and a program."""
    for name, text in {"Dockerfile": "FROM scratch\n", "app/manage.py": "print(1)\n", "app/static/style.css": "a {}\n"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def hashed(source: Path, **inputs: str) -> str:
    """Return the content hash of ``source``."""
    return content_hash(source, source / "Dockerfile", inputs)


# --- The release's tag -----------------------------------------------------
@pytest.fixture
def repository(source: Path) -> Path:
    """Return a context with one commit in git."""
    git(source, "init", "--quiet", "--initial-branch=main")
    git(source, "add", ".")
    git(source, "commit", "--quiet", "--message=first")
    return source


def git(source: Path, *arguments: str) -> str:
    """Run git as somebody, without this machine's configuration."""
    somebody = {f"GIT_{who}_{what}": "tests@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = os.environ | somebody | {"GIT_CONFIG_GLOBAL": "/dev/null"}
    return subprocess.run(["git", "-C", str(source), *arguments], check=True, capture_output=True, text=True, env=environment).stdout.strip()


def test_a_clean_tree_is_tagged_with_its_commit(repository: Path) -> None:
    assert version(repository, "0123456789abcdef") == git(repository, "rev-parse", "--short", "HEAD")


def test_a_tagged_commit_is_called_by_its_tag(repository: Path) -> None:
    git(repository, "tag", "v1.2.0")
    assert version(repository, "0123456789abcdef") == "v1.2.0"


def test_a_tag_that_a_registry_would_refuse_is_made_one_that_it_takes(repository: Path) -> None:
    git(repository, "tag", "release/1.2+rc1")
    assert version(repository, "0123456789abcdef") == "release-1.2-rc1"


@pytest.mark.parametrize("name", ["app/manage.py", "app/untracked.py"])
def test_a_dirty_tree_gets_the_contents_hash_too(repository: Path, name: str) -> None:
    git(repository, "tag", "v1.2.0")
    (repository / name).write_text("changed\n")
    assert version(repository, "0123456789abcdef") == "v1.2.0-0123456789ab"


def test_a_name_that_is_no_utf_8_makes_it_dirty_too(repository: Path) -> None:
    git(repository, "config", "core.quotepath", "false")
    (repository / os.fsdecode(b"app/caf\xe9.py")).touch()
    assert version(repository, "0123456789abcdef").endswith("-0123456789ab")


def test_asking_git_leaves_its_directory_as_it_is_for_it_may_go_into_the_image(repository: Path) -> None:
    before = hashed(repository)
    os.utime(repository / "app/manage.py", (1, 1))  # git would note the new time
    version(repository, before)
    assert hashed(repository) == before


def test_a_change_outside_of_the_source_does_not_make_it_dirty(repository: Path) -> None:
    git(repository, "tag", "v1.2.0")
    (repository / "README.md").touch()
    assert version(repository / "app", "0123456789abcdef") == "v1.2.0"


def test_without_git_the_content_names_the_release(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(source.parent))
    assert version(source, "0123456789abcdef") == "content-0123456789abcdef"
    monkeypatch.setenv("PATH", str(source))
    assert version(source, "0123456789abcdef") == "content-0123456789abcdef"


def test_a_repository_without_a_commit_is_named_by_its_content(source: Path) -> None:
    git(source, "init", "--quiet")
    assert version(source, "0123456789abcdef") == "content-0123456789abcdef"


# --- Somebody else's checkout ------------------------------------------------
FOREIGN = 54321
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="Only root can give files to somebody else.")
# For each program that a checkout's configuration can have git run, how it gets there; {} is the program.
PROGRAMS: dict[str, Callable[[Path, str], None]] = {
    "a watcher of files": lambda source, program: own_config(source, "core.fsmonitor", program),
    "a filter": lambda source, program: (
        own_config(source, "filter.mine.clean", program),
        (source / ".git/info/attributes").write_text("* filter=mine\n"),
        (source / "app/manage.py").write_text("print(2)\n"),
    )[0],
    "a configuration included from another file": lambda source, program: (
        (source / "included").write_text(f"[core]\n\tfsmonitor = {program}\n"),
        own_config(source, "include.path", str(source / "included")),
    )[0],
    "a directory of git's that .git leads to": lambda source, program: (
        own_config(source, "core.fsmonitor", program),
        (source / ".git").rename(source / "elsewhere"),
        (source / ".git").write_text(f"gitdir: {source}/elsewhere\n"),
    )[0],
    "a link to git's directory": lambda source, program: (
        own_config(source, "core.fsmonitor", program),
        (source / ".git").rename(source / "elsewhere"),
        (source / ".git").symlink_to(source / "elsewhere"),
    )[0],
    "a submodule": lambda source, program: (
        git(source, "clone", "--quiet", str(source), "app/module"),
        git(source, "add", "app/module"),
        own_config(source / "app/module", "core.fsmonitor", program),
    )[0],
}


def own_config(source: Path, name: str, value: str) -> None:
    """Write into a checkout's configuration."""
    git(source, "config", name, value)


def give(path: Path, uid: int) -> None:
    """Give a file, or all of a directory, to a user."""
    for found in [path, *(path.rglob("*") if path.is_dir() and not path.is_symlink() else [])]:
        os.chown(found, uid, uid, follow_symlinks=False)


@pytest.fixture
def foreign(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a checkout that everybody reaches, for another user to own, and a variable that is only ours."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        shutil.copytree(repository, source := Path(directory, "source"), symlinks=True)
        monkeypatch.setenv("BERTH_SECRET", "s3cret")
        yield source


def ran(source: Path) -> str:
    """Return as whom, and with which secret, the program of a checkout ran."""
    return "".join(sorted({file.read_text() for file in (source / "notes").iterdir()}))


@as_root
@pytest.mark.parametrize("sudo", [None, str(FOREIGN)], ids=["root", "sudo"])
@pytest.mark.parametrize("owned", ["all of it", "all but .git", ".git alone"])
@pytest.mark.parametrize("way", PROGRAMS)
def test_nothing_that_somebody_elses_checkout_names_runs_as_root(
    foreign: Path, monkeypatch: pytest.MonkeyPatch, way: str, owned: str, sudo: str | None
) -> None:
    program = foreign.parent / "program"
    program.write_text(f'#!/bin/sh\necho "$(id -u):$(id -G):$BERTH_SECRET" >{foreign}/notes/$$\ncat\n')
    program.chmod(0o755)
    (foreign / "notes").mkdir()
    (foreign / "notes").chmod(0o777)
    PROGRAMS[way](foreign, str(program))
    give(foreign, FOREIGN)
    if owned != "all of it":
        for path in [foreign, *foreign.iterdir()]:
            if (path.name == ".git") == (owned == "all but .git"):
                give(path, 0) if path != foreign else os.chown(path, 0, 0)
    if sudo:
        monkeypatch.setenv("SUDO_UID", sudo)
    version(foreign, "0123456789abcdef")
    assert ran(foreign) in ("", f"{FOREIGN}:{FOREIGN}:\n")


@as_root
def test_a_filter_of_somebody_elses_checkout_runs_as_its_owner_so_the_tag_is_what_the_owner_gets(foreign: Path) -> None:
    git(foreign, "tag", "v1.2.0")
    own_config(foreign, "filter.mine.clean", f"cat; id -u >{foreign}/notes")
    (foreign / ".git/info/attributes").write_text("* filter=mine\n")
    (foreign / ".git/info/exclude").write_text("notes\n")
    (foreign / "app/manage.py").write_text("print(2)\n")
    give(foreign, FOREIGN)
    assert version(foreign, "0123456789abcdef") == "v1.2.0-0123456789ab"
    assert (foreign / "notes").read_text() == f"{FOREIGN}\n"


@as_root
def test_somebody_elses_checkout_is_tagged_as_its_own(foreign: Path) -> None:
    git(foreign, "tag", "v1.2.0")
    give(foreign, FOREIGN)
    assert version(foreign / "app", "0123456789abcdef") == "v1.2.0"


def test_a_directory_that_only_looks_like_gits_own_is_not_asked(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("bare") / "bare.git"
    git(repository, "clone", "--quiet", "--bare", ".", str(place))
    assert version(place, "0123456789abcdef") == "content-0123456789abcdef"


def test_a_tree_that_git_cannot_compare_counts_as_dirty(repository: Path) -> None:
    git(repository, "tag", "v1.2.0")
    (repository / ".git/index").write_bytes(b"no index")
    assert version(repository, "0123456789abcdef") == "v1.2.0-0123456789ab"


# --- The registry ----------------------------------------------------------
BASIC = "Basic " + base64.b64encode(b"robot:secret").decode()


class FakeRegistry(http.server.BaseHTTPRequestHandler):
    """The part of a registry's API that is used; knows the tag ``first``."""

    manifests: dict[str, bytes]
    asked: list[str]
    status = 0  # what to answer to everything, 0: what is right
    lets_in = ""  # the Authorization header that it wants
    challenge = ""  # how it asks for it; {port} is its own

    def _manifest(self) -> None:
        self.asked.append(f"{self.command} {self.path}")
        if self.path.startswith("/token"):
            right = self.headers["Authorization"] == BASIC
            body = json.dumps({"token": "t-1"}).encode()
            self.send_response(200 if right else 401)
            self.send_header("Content-Length", str(len(body) if right else 0))
            self.end_headers()
            self.wfile.write(body if right else b"")
            return
        if self.lets_in and self.headers["Authorization"] != self.lets_in:
            self.send_response(401)
            self.send_header("WWW-Authenticate", self.challenge.format(port=self.server.server_port))
            self.end_headers()
            return
        body = self.manifests.get(self.path.rpartition("/")[2])
        if self.status or body is None:
            self.send_response(self.status or 404)
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.oci.image.manifest.v1+json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Docker-Content-Digest", f"sha256:{body.decode()}")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET = _manifest

    def do_PUT(self) -> None:
        """Keep a manifest under a tag."""
        self.manifests[self.path.rpartition("/")[2]] = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201 if self.headers["Content-Type"].startswith("application/vnd.oci") else 400)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def fake() -> Iterator[tuple[Registry, type[FakeRegistry]]]:
    """Yield a client and the registry that it talks to."""
    handler = type("Handler", (FakeRegistry,), {"manifests": {"first": b"one"}, "asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield Registry(f"localhost:{server.server_port}", timeout=1), handler
        server.shutdown()
        thread.join()


Fake = tuple[Registry, type[FakeRegistry]]


def test_a_known_tag_gives_its_digest(fake: Fake) -> None:
    assert fake[0].digest("polls", "first") == "sha256:one"


def test_an_unknown_tag_gives_none(fake: Fake) -> None:
    assert fake[0].digest("polls", "second") is None


def test_a_second_tag_leads_to_the_same_digest(fake: Fake) -> None:
    fake[0].tag("polls", "first", "second")
    assert fake[0].digest("polls", "second") == "sha256:one"


def test_tagging_what_is_not_there_says_so(fake: Fake) -> None:
    with pytest.raises(ImageError, match=r"localhost:\d+ answers 404 when polls:third is tagged second\."):
        fake[0].tag("polls", "third", "second")


def test_a_registry_that_refuses_is_quoted(fake: Fake) -> None:
    fake[1].status = 500
    with pytest.raises(ImageError, match=r"localhost:\d+ answers 500 for polls:first\."):
        fake[0].digest("polls", "first")


def test_a_registry_that_lets_nobody_in_names_the_variables(fake: Fake) -> None:
    fake[1].status = 401
    with pytest.raises(ImageError, match=r"answers 401: it requires a login: set berth_registry_username and berth_registry_password"):
        fake[0].digest("polls", "first")


BEARER = 'Bearer realm="http://127.0.0.1:{port}/token",service="registry",scope="repository:polls:pull,push"'


@pytest.mark.parametrize(("lets_in", "challenge"), [(BASIC, 'Basic realm="r"'), ("Bearer t-1", BEARER)])
def test_a_registry_that_asks_for_a_login_gets_the_password_or_a_token_for_it(fake: Fake, lets_in: str, challenge: str) -> None:
    fake[1].lets_in, fake[1].challenge = lets_in, challenge
    registry = Registry(fake[0].host, username="robot", password="secret")
    assert registry.digest("polls", "first") == "sha256:one"
    assert registry.digest("polls", "second") is None
    tokens = [asked for asked in fake[1].asked if "token" in asked]
    assert tokens == (["GET /token?service=registry&scope=repository%3Apolls%3Apull%2Cpush"] if "Bearer" in lets_in else [])


@pytest.mark.parametrize(("lets_in", "challenge"), [(BASIC, 'Basic realm="r"'), ("Bearer t-1", BEARER)])
def test_a_wrong_password_names_the_user_and_shows_no_password(fake: Fake, lets_in: str, challenge: str) -> None:
    fake[1].lets_in, fake[1].challenge = lets_in, challenge
    with pytest.raises(ImageError, match="denies access to the user robot") as caught:
        Registry(fake[0].host, username="robot", password="wrong").digest("polls", "first")
    assert "wrong" not in str(caught.value)


ADDRESSES = [
    ("localhost:5001", "http://127.0.0.1:5001/v2/", "localhost:5001"),
    ("localhost/acme", "http://127.0.0.1/v2/", "localhost"),
    ("localhost.example.org", "https://localhost.example.org/v2/", "localhost.example.org"),
    ("registry.example.org:5000", "https://registry.example.org:5000/v2/", "registry.example.org:5000"),
    ("ghcr.io/acme", "https://ghcr.io/v2/", "ghcr.io"),
    ("registry.example.org:5000/a/b", "https://registry.example.org:5000/v2/", "registry.example.org:5000"),
    ("docker.io/acme", "https://registry-1.docker.io/v2/", "https://index.docker.io/v1/"),
]


@pytest.mark.parametrize(("registry", "address", "key"), ADDRESSES)
def test_a_registry_is_asked_at_its_host_and_its_logins_have_their_names(registry: str, address: str, key: str) -> None:
    assert (registries.api_root(registry), registries.login_key(registry)) == (address, key)


def test_images_lie_below_the_path_of_a_registry(fake: Fake, repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry = f"{fake[0].host}/acme/team"
    content = content_hash(repository, repository / "Dockerfile", {})
    fake[1].manifests[f"content-{content}"] = b"built"
    answer = run(image_info, capsys, source=str(repository), dockerfile=str(repository / "Dockerfile"), registry=registry, repository="polls")
    assert answer["ref"] == f"{registry}/polls@sha256:built"
    Registry(registry, timeout=1).tag("polls", f"content-{content}", "v1")
    assert {asked.split("?")[0].rpartition("/")[0] for asked in fake[1].asked} <= {"HEAD /v2/acme/team/polls/manifests", "GET /v2/acme/team/polls/manifests"}
    assert fake[1].manifests["v1"] == b"built"


def test_a_registry_that_is_not_there_is_named_with_the_reason() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(ImageError, match=rf"The registry {host} does not answer: .*Connection refused\."):
            Registry(host, timeout=1).digest("polls", "first")


@pytest.mark.parametrize(("answer", "reason"), [(b"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0"), (b"", "Remote end closed"), (None, "timed out")])
def test_a_port_on_which_something_else_answers_is_not_taken_for_a_registry(answer: bytes | None, reason: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = threading.Event()

        def speak() -> None:
            connection, _ = server.accept()
            with connection:
                if answer is None:
                    done.wait(5)
                else:
                    connection.recv(4096)
                    connection.sendall(answer)

        thread = threading.Thread(target=speak)
        thread.start()
        with pytest.raises(ImageError, match=f"does not answer: .*{reason}"):
            Registry(f"127.0.0.1:{server.getsockname()[1]}", timeout=0.3).digest("polls", "first")
        done.set()
        thread.join()


# --- The module ------------------------------------------------------------
def test_unchanged_content_needs_no_engine_and_names_the_digest(fake: Fake, repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake[1].manifests = {f"content-{hashed(repository)}": b"one", git(repository, "rev-parse", "--short", "HEAD"): b"one"}
    answer = run(image_info, capsys, source=str(repository), dockerfile=str(repository / "Dockerfile"), registry=fake[0].host, repository="polls")
    assert answer["ref"] == f"{fake[0].host}/polls@sha256:one"
    assert answer["tagged"] and answer["engine"] == "" and not answer["changed"]


def test_a_releases_tag_never_moves_to_another_digest(fake: Fake, repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit = git(repository, "rev-parse", "--short", "HEAD")
    fake[1].manifests = {f"content-{hashed(repository)}": b"two", commit: b"one"}
    answer = run(image_info, capsys, source=str(repository), dockerfile=str(repository / "Dockerfile"), registry=fake[0].host, repository="polls")
    assert answer["version"] == f"{commit}-{hashed(repository)[:12]}"
    assert answer["digest"] == "sha256:two" and not answer["tagged"]


def test_a_release_whose_tag_is_taken_by_other_content_is_named_before_it_is_built(fake: Fake, repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit = git(repository, "rev-parse", "--short", "HEAD")
    fake[1].manifests = {commit: b"one"}
    answer = run(image_info, capsys, source=str(repository), dockerfile=str(repository / "Dockerfile"), registry=fake[0].host, repository="polls")
    assert answer["version"] == f"{commit}-{hashed(repository)[:12]}", "so that the build leaves nothing to tag for the next run"
    assert not answer["complete"]


@pytest.mark.parametrize("check", [True, False])
def test_without_a_registry_only_check_mode_goes_on(repository: Path, capsys: pytest.CaptureFixture[str], check: bool) -> None:
    answer = run(image_info, capsys, check, source=str(repository), dockerfile=str(repository / "Dockerfile"), registry="127.0.0.1:1", repository="polls")
    if check:
        assert not answer["registry_answers"] and answer["ref"] == f"127.0.0.1:1/polls:content-{hashed(repository)}"
    else:
        assert answer["failed"] and "127.0.0.1:1 does not answer" in json.dumps(answer["msg"])


def test_an_environment_claims_what_another_has_built_before_it_is_done(
    fake: Fake, repository: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path_factory.mktemp("registry")
    content = f"content-{hashed(repository)}"
    fake[1].manifests = {content: b"one", "sha256:one": b"one", git(repository, "rev-parse", "--short", "HEAD"): b"one"}
    Claims(directory, "polls", "staging").note(content, "sha256:one")
    place = {"registry": fake[0].host, "repository": "polls", "directory": str(directory), "environment": "dev"}
    asked = {"source": str(repository), "dockerfile": str(repository / "Dockerfile"), **place}
    answer = run(image_info, capsys, **asked)
    assert answer["tagged"] and not answer["complete"] and answer["engine"] == ""
    built = run(image_build, capsys, **asked, digest=answer["digest"], tags=[content], storage=str(directory), log=str(directory / "log"))
    assert built["changed"] and built["engine"] == ""
    assert Claims(directory, "polls", "dev").own().keys() == {"sha256:one"} and not (directory / "log").exists()
    assert run(image_info, capsys, **asked)["complete"]
    assert not run(image_info, capsys, **{**asked, "environment": "staging"})["complete"]


def test_a_tag_of_the_loopback_registry_that_somebody_let_lead_elsewhere_is_not_believed(
    fake: Fake, repository: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path_factory.mktemp("registry")
    content = f"content-{hashed(repository)}"
    fake[1].manifests = {content: b"foreign", git(repository, "rev-parse", "--short", "HEAD"): b"foreign"}
    asked = {"source": str(repository), "dockerfile": str(repository / "Dockerfile"), "registry": fake[0].host, "repository": "polls"}
    asked |= {"directory": str(directory), "environment": "dev"}
    found = run(image_info, capsys, **asked)
    assert found["digest"] == "" and not found["complete"], "nobody has noted that Berth built it"
    Claims(directory, "polls", "dev").note(content, "sha256:ours")
    assert run(image_info, capsys, **asked)["digest"] == "", "what was built is gone"
    fake[1].manifests["sha256:ours"] = b"ours"
    assert run(image_info, capsys, **asked)["digest"] == "sha256:ours"


def test_of_two_environments_that_build_the_same_content_at_once_the_second_takes_the_image_of_the_first(
    fake: Fake, repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, content = tmp_path_factory.mktemp("registry"), f"content-{hashed(repository)}"
    first_builds, second_is_there, images = threading.Event(), threading.Event(), iter((b"first", b"second"))

    def make(build: image_build.Build) -> None:
        first_builds.set()
        second_is_there.wait(60)
        image = next(images)
        fake[1].manifests |= {content: image, f"sha256:{image.decode()}": image}

    monkeypatch.setattr(image_build, "find_engine", lambda _wanted: "buildah")
    monkeypatch.setattr(image_build.Build, "buildah", make)
    parameters = {
        "registry": fake[0].host,
        "repository": "polls",
        "directory": str(directory),
        "username": "",
        "password": "",
        "archive": None,
        "ref": None,
        "digest": "",
        "tags": [content],
        "engine": "auto",
        "storage": str(directory),
        "log": str(directory / "log"),
        "source": "",
        "dockerfile": "",
    }
    first, second = (image_build.Build({**parameters, "environment": name}) for name in ("dev", "staging"))
    with ThreadPoolExecutor(2) as runs:
        beginning = runs.submit(first.make)
        assert first_builds.wait(60)
        waiting = runs.submit(second.make)
        second_is_there.set()
        assert (beginning.result(60), waiting.result(60)) == ("buildah", "")
    assert Claims(directory, "polls", "dev").own().keys() == Claims(directory, "polls", "staging").own().keys() == {"sha256:first"}


# --- Docker as the builder ---------------------------------------------------
DOCKER = """#!/bin/sh
echo "$@" >>"$ASKED"
case "$1 $2" in
"info --format") [ -e "$ASKED.down" ] && exit 1; echo 29.0 ;;
"image ls") [ "$4" = here ] && echo sha256:1 ;;
"build --progress") [ -e "$ASKED.fails" ] && cat "$ASKED.fails" && exit 1 ;;
"save --output") echo archive >"$3" ;;
push*) cat "$DOCKER_CONFIG/config.json" >"$ASKED.config"; stat -c %a "$DOCKER_CONFIG/config.json" >"$ASKED.mode"; echo "$DOCKER_CONFIG" >"$ASKED.place" ;;
esac
exit 0
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put an engine on the PATH that notes what it is asked, in the file that this returns."""
    beside = dict.fromkeys(("ip", "iptables-restore", "nsenter", "runc"), "#!/bin/sh\n")  # without which buildah is not taken
    for name, text in {"docker": DOCKER, "buildah": "#!/bin/sh\necho buildah version 1.28.2\n", **beside}.items():
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(text, encoding="utf-8")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    return tmp_path / "asked"


def docker(tmp_path: Path, **options: Any) -> None:
    """Build with Docker."""
    parameters = {
        "source": "src",
        "dockerfile": "src/Dockerfile",
        "arguments": {"PYTHON_IMAGE": "here"},
        "bases": {"here": "here.tar", "absent": "absent.tar"},
        "registry": "registry.example",
        "repository": "polls",
        "tags": ["1"],
        "archive": None,
        "ref": None,
        "username": "",
        "password": "",
    }
    image_build.Build({**parameters, "log": str(tmp_path / "log"), "storage": str(tmp_path / "storage"), **options}).docker()


def test_docker_loads_the_base_images_that_it_lacks_builds_and_pushes(asked: Path, tmp_path: Path) -> None:
    docker(tmp_path)
    commands = [line for line in asked.read_text(encoding="utf-8").splitlines() if not line.startswith("image ls")]
    assert commands[0] == "load --quiet --input absent.tar"
    assert commands[1].startswith("build --progress plain ") and "--network" not in commands[1]
    assert re.search(r"--build-arg PYTHON_IMAGE=here --file /\S+/Dockerfile --tag registry.example/polls:1 src\Z", commands[1])
    assert commands[2:] == ["push --quiet registry.example/polls:1"]


def test_docker_tells_each_step_and_why_one_failed(asked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_PROGRESS", str(tmp_path / "progress"))
    step = "curl --output x https://x"
    lines = ["#5 [1/2] FROM docker.io/library/python:3.13-slim", f"#6 [2/2] RUN {step}", "#6 0.215 /bin/sh: 1: curl: not found"]
    lines += ["#6 ERROR: exit code: 127", f'ERROR: failed to solve: process "/bin/sh -c {step}" did not complete successfully: exit code: 127']
    Path(f"{asked}.fails").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ImageError, match="the base image has no command curl"):
        docker(tmp_path)
    assert Path(tmp_path / "progress").read_text(encoding="utf-8").splitlines() == [line.removeprefix("#5 ").removeprefix("#6 ") for line in lines[:2]]


def test_docker_logs_in_by_a_file_of_its_own_for_the_push_alone(asked: Path, tmp_path: Path) -> None:
    docker(tmp_path, username="robot", password="s3cret-of-the-robot")
    assert "s3cret" not in asked.read_text(encoding="utf-8")
    auth = json.loads(Path(f"{asked}.config").read_text(encoding="utf-8"))["auths"]["registry.example"]["auth"]
    assert base64.b64decode(auth) == b"robot:s3cret-of-the-robot"
    assert Path(f"{asked}.mode").read_text(encoding="utf-8") == "600\n"
    assert not Path(Path(f"{asked}.place").read_text(encoding="utf-8").strip()).exists()


def test_docker_keeps_an_image_as_an_archive_where_nothing_is_pushed(asked: Path, tmp_path: Path) -> None:
    docker(tmp_path, registry=None, ref="local/polls:1", archive=str(tmp_path / "kept" / "polls-1.tar"))
    assert (tmp_path / "kept" / "polls-1.tar").read_text(encoding="utf-8") == "archive\n"
    assert "push" not in asked.read_text(encoding="utf-8")


def test_docker_builds_where_its_engine_answers_and_buildah_elsewhere(asked: Path) -> None:
    assert [registries.engine(wanted) for wanted in ("auto", "docker", "buildah")] == ["docker", "docker", "buildah"]
    Path(f"{asked}.down").touch()
    assert [registries.engine(wanted) for wanted in ("auto", "docker", "buildah")] == ["buildah", "", "buildah"]


@pytest.mark.parametrize(
    ("says", "helper", "works"),
    [
        ("buildah version 1.28.2 (image-spec 1.1.0-rc2, runtime-spec 1.0.2-dev)", False, True),
        ("buildah version 1.33.7 (image-spec 1.1.0-rc.5, runtime-spec 1.1.0)", False, True),
        ("buildah version 1.39.3 (image-spec 1.1.0, runtime-spec 1.2.0)", False, False),
        ("buildah version 1.39.3 (image-spec 1.1.0, runtime-spec 1.2.0)", True, True),
        ("buildah version 2.0.0", False, False),
    ],
)
def test_a_buildah_that_would_ask_for_a_network_helper_in_vain_cannot_build(
    asked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, helper: bool, works: bool
) -> None:
    (tmp_path / "bin" / "buildah").write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
    monkeypatch.setattr(registries, "HELPERS", (str(tmp_path / "podman"),))
    if helper:
        (tmp_path / "podman").mkdir()
        (tmp_path / "podman" / "netavark").touch()
    assert registries.engine("buildah") == ("buildah" if works else "")


def test_docker_gets_the_proxies_of_this_machine_for_the_build_and_their_passwords_are_in_no_command(
    asked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in image_build.PROXIES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://me:s3cret@proxy.example:3128")
    monkeypatch.setenv("no_proxy", "localhost")
    docker(tmp_path)
    [build] = [line for line in asked.read_text(encoding="utf-8").splitlines() if line.startswith("build")]
    assert re.findall(r"--build-arg (\S+)", build) == ["HTTPS_PROXY", "no_proxy", "PYTHON_IMAGE=here"]
    assert "s3cret" not in asked.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("variables", "arguments", "said"),
    [
        ({"PIP_INDEX_URL": "http://me:s3cret@localhost:3141/simple"}, {}, "pip's index-url names localhost:3141"),
        ({"https_proxy": "127.0.0.1:3128"}, {}, "https_proxy names 127.0.0.1:3128"),
        ({}, {"INDEX": "http://[::1]:3141/"}, "the build argument INDEX names ::1:3141"),
        ({"HTTPS_PROXY": "http://192.0.2.9:3128", "NO_PROXY": "127.0.0.1", "PIP_TRUSTED_HOST": "127.0.0.1"}, {"HOST": "127.0.0.1"}, ""),
    ],
)
def test_settings_that_lead_a_build_in_docker_to_this_machines_loopback_are_refused_before_it(
    asked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], arguments: dict[str, str], said: str
) -> None:
    for name in [*image_build.PROXIES, *(name for name in os.environ if name.startswith("PIP_"))]:
        monkeypatch.delenv(name, raising=False)
    for name, value in {"PIP_CONFIG_FILE": os.devnull, **variables}.items():
        monkeypatch.setenv(name, value)
    if not said:
        docker(tmp_path, arguments=arguments)
        return
    with pytest.raises(ImageError, match=rf"\A{re.escape(said)}, .* or set image_engine: buildah\.\Z"):
        docker(tmp_path, arguments=arguments)
    assert not asked.exists()


@pytest.mark.parametrize("missing", ["buildah", "ip", "iptables-restore", "nsenter", "runc"])
def test_a_buildah_without_what_keeps_a_build_from_this_machine_cannot_build(asked: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    assert registries.engine("buildah") == "buildah"
    monkeypatch.setattr(registries, "tool", lambda name: "" if name in (missing, "crun") else f"/usr/bin/{name}")
    assert registries.engine("buildah") == ""


# --- Images that a Dockerfile names --------------------------------------------
BUILDAH = """#!/bin/sh
echo "$@" >>"$ASKED"
while [ "${1#--}" != "$1" ]; do case "$1" in --version) echo "buildah version 1.28.2 (image-spec)"; exit 0;; esac; shift 2; done
case "$1 $2" in
"images --quiet") [ "$3" = docker.io/library/here:1 ] && echo 0a ;;
"pull --quiet") case "$*" in *denied*) echo "Error: reading manifest: denied"; exit 125;; *authfile*) sed s/^/login:/ "$4" >>"$ASKED";; esac ;;
esac
exit 0
"""


def buildah(tmp_path: Path, dockerfile: str, monkeypatch: pytest.MonkeyPatch, silent: str = "", **options: Any) -> list[str]:
    """Build with a buildah that notes what it is asked, and return that; ``silent`` is why no registry answers."""
    monkeypatch.setattr(image_build, "silence", lambda host, scheme: silent)
    monkeypatch.setattr(image_build, "network", lambda reach: contextlib.nullcontext([]))
    (tmp_path / "src").mkdir()
    (tmp_path / "src/Dockerfile").write_text(dockerfile)
    parameters = {
        "source": str(tmp_path / "src"),
        "dockerfile": str(tmp_path / "src/Dockerfile"),
        "arguments": {"PYTHON_IMAGE": "docker.io/library/base:1"},
        "bases": {"docker.io/library/base:1": "base.tar"},
        "registry": "localhost:5001",
        "repository": "polls",
        "tags": ["1"],
        "archive": None,
        "ref": None,
        "username": "",
        "password": "",
        "mirrors": {},
        "storage": str(tmp_path / "storage"),
    }
    try:
        image_build.Build({**parameters, "log": str(tmp_path / "log"), **options}).buildah()
    finally:
        asked = re.sub(r"--root \S+ --runroot \S+ --storage-driver \S+ ", "", (tmp_path / "asked").read_text())
    return asked.splitlines()


@pytest.fixture
def building(asked: Path, tmp_path: Path) -> Path:
    """Have a buildah that notes what it is asked."""
    (tmp_path / "bin/buildah").write_text(BUILDAH)
    asked.touch()
    return asked


@pytest.mark.parametrize(
    ("dockerfile", "pulled"),
    [
        ("ARG PYTHON_IMAGE\nFROM ${PYTHON_IMAGE}", []),
        ("FROM base:1", []),
        ("FROM here:1", []),
        ("FROM python:3.12-slim", ["pull --quiet docker://docker.io/library/python:3.12-slim"]),
        ("FROM base:1\nCOPY --from=ghcr.io/a/uv:0.8 /uv /bin/", ["pull --quiet docker://ghcr.io/a/uv:0.8"]),
        ("FROM localhost:5001/base:1", ["pull --quiet --tls-verify=false docker://localhost:5001/base:1"]),
        ("FROM mirrored.example/a:1", ["pull --quiet --tls-verify=false docker://mirror:80/m/a:1", "tag mirror:80/m/a:1 mirrored.example/a:1"]),
    ],
)
def test_buildah_pulls_the_images_that_it_lacks_and_never_our_own_base(
    building: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dockerfile: str, pulled: list[str]
) -> None:
    lines = buildah(tmp_path, dockerfile, monkeypatch, mirrors={"mirrored.example": "http://mirror:80/m"})
    assert [line for line in lines if line.startswith(("pull", "tag")) and "archive" not in line] == pulled
    assert [line for line in lines if line.startswith("bud") and "--pull-never" in line], "what the build needs is there"


@pytest.mark.parametrize(
    ("dockerfile", "pulled"),
    [
        ("ARG PYTHON_IMAGE\nFROM ${PYTHON_IMAGE}", []),
        ("FROM here:1", ["pull --quiet --policy always docker://docker.io/library/here:1"]),
        (f"FROM here:1@sha256:{'a' * 64}", []),
        ("FROM scratch", []),
    ],
)
def test_an_image_without_a_digest_is_pulled_anew_once_in_a_period(
    building: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dockerfile: str, pulled: list[str]
) -> None:
    (tmp_path / "bin/buildah").write_text(BUILDAH.replace('[ "$3" = docker.io/library/here:1 ]', "true"))
    counts = []
    for period in ("2026-10-14", "2026-10-14", "2026-11-13", ""):
        building.write_text("")
        shutil.rmtree(tmp_path / "src", ignore_errors=True)
        lines = buildah(tmp_path, dockerfile, monkeypatch, period=period)
        found = [line for line in lines if line.startswith("pull") and "archive" not in line]
        assert found in ([], pulled)
        counts.append(len(found))
    assert counts == [len(pulled), 0, len(pulled), 0]


@pytest.mark.parametrize("silent", ["", "timed out"])
def test_an_image_that_cannot_be_had_anew_is_used_as_it_is_and_asked_for_again_next_time(
    building: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    (tmp_path / "bin/buildah").write_text(BUILDAH.replace('[ "$3" = docker.io/library/here:1 ]', "true"))
    for _ in range(2):
        building.write_text("")
        shutil.rmtree(tmp_path / "src", ignore_errors=True)
        lines = buildah(tmp_path, "FROM ghcr.io/denied:1", monkeypatch, silent, period="2026-11-13")
        assert [line for line in lines if line.startswith("bud")]
        assert "note: ghcr.io/denied:1: the existing copy is used: " in (tmp_path / "log").read_text(encoding="utf-8")
        (tmp_path / "log").unlink()


def test_docker_pulls_anew_what_it_has_of_an_earlier_period_and_leaves_what_it_lacks_to_itself(asked: Path, tmp_path: Path) -> None:
    (tmp_path / "bin/docker").write_text(DOCKER.replace('"$4" = here', '"$4" = docker.io/library/here:1'))
    (tmp_path / "Dockerfile").write_text("FROM here:1\nCOPY --from=absent:1 a b\n")
    for period, pulls in {"2026-10-14": 1, "2026-11-13": 1}.items():
        for times in (pulls, 0):
            asked.write_text("")
            docker(tmp_path, dockerfile=str(tmp_path / "Dockerfile"), bases={}, mirrors={}, storage=str(tmp_path / "storage"), period=period)
            lines = asked.read_text(encoding="utf-8").splitlines()
            assert [line for line in lines if line.startswith("pull")] == ["pull --quiet docker.io/library/here:1"] * times
            assert ("--no-cache" in next(line for line in lines if line.startswith("build"))) == bool(times)


@pytest.mark.parametrize(
    ("days", "today", "begins"),
    [
        (30, date(2026, 10, 30), "2026-10-01"),
        (30, date(2026, 10, 31), "2026-10-31"),
        (30, date(2026, 11, 28), "2026-10-31"),
        (30, date(2026, 11, 29), "2026-10-31"),
        (30, date(2026, 11, 30), "2026-11-30"),
        ("1", date(2026, 12, 13), "2026-12-13"),
        (0, date(2026, 12, 13), ""),
        ("0", date(2026, 12, 13), ""),
    ],
)
def test_a_period_begins_on_the_same_day_for_everybody(days: int | str, today: date, begins: str) -> None:
    assert plugin("filter/image.py").image_period(days, today) == begins


def test_the_registry_that_images_go_to_is_logged_in_to_for_a_base_from_it_and_no_other_is(
    building: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "FROM registry.example/base:1\nCOPY --from=other.example/a:1 a b"
    lines = buildah(tmp_path, text, monkeypatch, registry="registry.example", username="robot", password="s3cret")
    pulls = [line for line in lines if line.startswith("pull --quiet") and "archive:" not in line]
    assert ["--authfile" in line for line in pulls] == [True, False] and "s3cret" not in "".join(pulls)
    assert [line for line in lines if line.startswith("login:") and "registry.example" in line]


def test_an_image_whose_registry_does_not_answer_is_said_with_its_line_before_anything_is_built(
    building: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ImageError, match=r"src/Dockerfile, line 2: the image ghcr\.io/a/uv:0\.8 is not .*ghcr\.io does not answer \(timed out\)"):
        buildah(tmp_path, "FROM base:1\nCOPY --from=ghcr.io/a/uv:0.8 /uv /bin/", monkeypatch, silent="timed out")
    assert "bud" not in building.read_text()


def test_an_image_that_its_registry_does_not_give_is_said_with_the_registrys_words(building: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImageError, match=r"(?s)line 1: the image ghcr\.io/denied:1 cannot be pulled\. .*reading manifest: denied"):
        buildah(tmp_path, "FROM ghcr.io/denied:1", monkeypatch)


def test_a_here_document_is_refused_before_anything_is_built(building: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImageError, match=r"line 2: buildah 1\.28\.2 does not support the here-document <<EOF"):
        buildah(tmp_path, "FROM base:1\nRUN <<EOF\nx\nEOF", monkeypatch)
    assert "bud" not in building.read_text()


def test_a_registry_that_buildah_is_told_to_find_elsewhere_is_not_asked_first(building: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "registries.conf").write_text('[[registry]]\nprefix = "docker.io"\nlocation = "mirror.example/hub"\n')
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(tmp_path / "registries.conf"))
    assert [line for line in buildah(tmp_path, "FROM python:3", monkeypatch, silent="timed out") if line.startswith("bud")]


def test_docker_gets_from_a_mirror_what_it_would_not_find_itself(asked: Path, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python:3\nCOPY --from=ghcr.io/a/uv:1 a b\n")
    docker(tmp_path, dockerfile=str(tmp_path / "Dockerfile"), bases={}, mirrors={"ghcr.io": "https://mirror.example/ghcr"})
    commands = [line for line in asked.read_text(encoding="utf-8").splitlines() if line.startswith(("pull", "tag"))]
    assert commands == ["pull --quiet mirror.example/ghcr/a/uv:1", "tag mirror.example/ghcr/a/uv:1 ghcr.io/a/uv:1"]


@pytest.mark.parametrize(
    ("version", "may", "kept"),
    [((1, 39), False, True), ((1, 38), False, True), ((1, 39), True, False), ((1, 37), False, False), ((1, 28), False, False)],
)
def test_a_build_keeps_the_limits_that_nobody_may_raise_where_buildah_would(
    building: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int], may: bool, kept: bool
) -> None:
    """An earlier one lowers them first, and could not raise them again."""
    monkeypatch.setattr(registries, "has_sys_resource", lambda: may)
    monkeypatch.setattr(registries, "buildah_version", lambda: version)
    monkeypatch.setattr(registries.resource, "getrlimit", lambda which: (1024, 20000) if which == registries.resource.RLIMIT_NOFILE else (500, 500))
    build = next(line for line in buildah(tmp_path, "FROM base:1", monkeypatch) if line.startswith("bud"))
    assert (" --ulimit nofile=1024:20000 --ulimit nproc=500:500 " in build) == kept


@pytest.mark.parametrize("status", [200, 401, 404, 500])
def test_a_registry_that_answers_anything_is_there(fake: Fake, status: int) -> None:
    fake[1].status = status
    assert registries.silence(fake[0].host, "http") == ""


def test_a_registry_that_does_not_answer_is_told_from_one_that_does() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert "Connection refused" in registries.silence(f"127.0.0.1:{closed.getsockname()[1]}", "http")


def test_a_name_that_nobody_looks_up_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(60) and [])
    monkeypatch.setattr(threading.Thread, "join", lambda self, timeout=None: None)
    assert registries.silence("registry.example", "https", timeout=5) == "no answer within 5 s"
    over.set()


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY"])
def test_a_registry_on_this_machine_is_never_asked_through_a_proxy(fake: Fake, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert fake[0].digest("polls", "first") == "sha256:one"
    assert registries.silence(fake[0].host, "http") == ""
