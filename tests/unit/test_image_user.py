"""Which user an image runs as, and as whom the app's pods are not run."""

from __future__ import annotations

import contextlib
import gzip
import http.server
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

import pytest
import yaml
from ansible_collections.berth.platform.plugins.module_utils.image import user
from ansible_collections.berth.platform.plugins.module_utils.image.context import content_hash
from ansible_collections.berth.platform.plugins.module_utils.image.registry import ImageError, Registry
from ansible_collections.berth.platform.plugins.module_utils.image.user import Contents
from ansible_collections.berth.platform.plugins.modules import image_info
from module_run import run

PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:100:101::/srv:/bin/sh\ntoor:x:0:0::/:/bin/sh\nbroken\n"
GROUP = "root:x:0:\napp:x:101:\nwww:x:33:app\n"
USERS = {"etc/passwd": PASSWD, "etc/group": GROUP}


def packed(files: dict[str, str | bytes]) -> bytes:
    """Return an archive of some files."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, text in files.items():
            content = text if isinstance(text, bytes) else text.encode()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


class Layers:
    """An image's layers, which note which of them are read."""

    def __init__(self, *layers: dict[str, str | bytes]) -> None:
        self.layers, self.read = layers, []

    def contents(self, named: str) -> Contents:
        """Return an image that names a user."""

        def layer(number: int) -> AbstractContextManager[IO[bytes]]:
            self.read.append(number)
            return contextlib.closing(io.BytesIO(packed(self.layers[number])))

        return Contents({"config": {"User": named}}, [lambda number=number: layer(number) for number in range(len(self.layers))])


def test_a_list_that_an_upper_layer_removes_is_not_believed() -> None:
    layers = Layers(USERS, {"etc/.wh.passwd": ""})
    with pytest.raises(ImageError, match="its /etc/passwd is removed or a link. Name the user by its number"):
        user.of("shop", lambda: layers.contents("app"))


@pytest.mark.parametrize(
    ("named", "numbers"),
    [
        ("", "0:0"),
        ("root", "0:0"),
        ("root:app", "0:0"),
        ("0", "0:0"),
        ("toor", "0:0"),
        ("1000", "1000:1000"),
        ("1000:0", "1000:0"),
        ("app", "100:101"),
        ("app:www", "100:33"),
        ("app:5", "100:5"),
        ("1000:www", "1000:33"),
    ],
)
def test_the_numbers_of_an_images_user_are_those_that_it_names_or_has_for_the_name(named: str, numbers: str) -> None:
    assert user.numbers(Layers(dict(USERS)).contents(named)) == numbers


def test_no_layer_is_read_for_a_number_and_no_more_than_needed_for_a_name() -> None:
    layers = Layers({"etc/passwd": PASSWD}, {"./etc/passwd": PASSWD.replace("100:101", "7:7")}, {"srv/app/manage.py": ""})
    assert (user.numbers(layers.contents("1000:1000")), layers.read) == ("1000:1000", [])
    assert (user.numbers(layers.contents("app")), layers.read) == ("7:7", [2, 1])


@pytest.mark.parametrize(
    ("contents", "why"),
    [
        (Layers({"x": ""}).contents("app"), "app is not in its /etc/passwd"),
        (Layers(dict(USERS)).contents("app:nobody"), "nobody is not in its /etc/group"),
        (Contents({"config": {"User": "app"}}, [lambda: contextlib.closing(io.BytesIO(b"\x28\xb5\x2f\xfd of zstd"))]), "header"),
    ],
)
def test_a_user_that_cannot_be_found_out_leads_to_the_variable(contents: Contents, why: str) -> None:
    with pytest.raises(ImageError, match=rf"Berth cannot tell which user polls runs as: .*{why}.*USER 1000, or set berth_app_user"):
        user.of("polls", lambda: contents)


@pytest.mark.parametrize(("number", "refused"), [("0:0", True), (0, True), ("1000", False), ("10001:0", False), (65534, False), ("", False)])
def test_an_image_that_runs_as_root_is_refused_with_the_way(number: int | str, refused: bool) -> None:
    said = user.problem(number, "shop", "inventories/dev/group_vars/all/main.yml")
    assert bool(said) is refused
    assert not refused or all(words in said for words in ("USER 1000", "berth_app_user: 1000", "inventories/dev/group_vars/all/main.yml", "chmod -R a+rX"))


def test_root_is_refused_before_anything_of_a_release_is_changed() -> None:
    tasks = yaml.safe_load((Path(__file__).resolve().parents[2] / "roles/app/tasks/main.yml").read_text(encoding="utf-8"))
    assert "ansible.builtin.assert" in tasks[0] and "user_problem" in str(tasks[0]["vars"])


# --- Where an image lies -----------------------------------------------------
CONFIG = {"config": {"User": "app"}}


class Images(http.server.BaseHTTPRequestHandler):
    """A registry with an index, whose blobs lie elsewhere."""

    asked: list[str]

    def do_GET(self) -> None:
        """Answer as registries in a cloud do: what stores the blobs refuses a login."""
        self.asked.append(self.path)
        last = self.path.rpartition("/")[2]
        stored = self.path.startswith("/stored/")
        if stored == ("Authorization" in self.headers):
            self.send_response(400 if stored else 401)
            self.send_header("WWW-Authenticate", "Basic")
            self.end_headers()
            return
        platforms = [{"digest": "sha256:proof", "platform": {"os": "unknown"}}, {"digest": "sha256:one", "platform": {"os": "linux"}}]
        found: dict[str, bytes] = {
            "sha256:index": json.dumps({"manifests": platforms}).encode(),
            "sha256:one": json.dumps({"config": {"digest": "config"}, "layers": [{"digest": "first"}, {"digest": "last"}]}).encode(),
            "config": json.dumps(CONFIG).encode(),
            "last": gzip.compress(packed(dict(USERS))),
        }
        blob = "/blobs/" in self.path
        self.send_response(307 if blob else 200)
        self.send_header(*(("Location", f"/stored/{last}") if blob else ("Docker-Content-Digest", last)))
        self.end_headers()
        self.wfile.write(b"" if blob or self.command == "HEAD" else found[last])

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def images() -> Iterator[tuple[str, list[str]]]:
    """Yield a registry's address, and what it was asked."""
    handler = type("Handler", (Images,), {"asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"localhost:{server.server_port}", handler.asked
        server.shutdown()
        thread.join()


def test_an_image_in_a_registry_is_looked_into_wherever_its_layers_are_stored(images: tuple[str, list[str]]) -> None:
    registry = Registry(images[0], timeout=1, username="robot", password="secret")
    assert user.numbers(user.of_registry(registry, "polls", "sha256:index")) == "100:101"
    assert "/stored/first" not in images[1]


def archive(path: Path) -> None:
    """Write an image as an archive."""
    manifest = json.dumps([{"Config": "c.json", "Layers": ["1/layer.tar", "2/layer.tar"]}])
    path.write_bytes(packed({"manifest.json": manifest, "1/layer.tar": packed(dict(USERS)), "2/layer.tar": packed({"x": ""}), "c.json": json.dumps(CONFIG)}))


# --- What image_info says ----------------------------------------------------
def test_an_image_is_looked_into_once_and_one_that_is_not_built_yet_counts_as_the_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, archives, users = tmp_path / "source", tmp_path / "archives", tmp_path / "users/polls.json"
    source.mkdir()
    archives.mkdir()
    (source / "Dockerfile").write_text("FROM scratch\n")

    def told(**options: Any) -> str:
        arguments = {"source": source, "dockerfile": source / "Dockerfile", "archives": archives, "repository": "polls", "engine": "buildah", "users": users}
        answer = run(image_info, capsys, **{name: str(value) for name, value in (arguments | options).items()})
        return str(answer["user"])

    assert told() == ""
    built = archives / f"polls-content-{content_hash(source, source / 'Dockerfile', {})}.tar"
    archive(built)
    assert told(users="") == ""
    assert told() == "100:101"
    built.write_bytes(b"no archive")
    assert told() == "100:101"
    (source / "Dockerfile").write_text("FROM scratch\nUSER 7\n")
    assert told() == "100:101"


def test_no_more_images_are_remembered_than_are_of_use(tmp_path: Path) -> None:
    known = user.Known(tmp_path / "polls.json")
    for number in range(user.KEPT + 5):
        known.get(str(number), lambda number=number: f"{number}:1")
    assert (len(known.all()), known.last(), "4" in known.all()) == (user.KEPT, f"{user.KEPT + 4}:1", False)
