"""Builds with the real buildah, in a storage of its own, from a shell and nothing else: a second each."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import image_build
import pytest
from ansible.module_utils.berth_image import ImageError

# Copies with what a shell has in itself.
TAKE = 'while read -r line; do echo "$line"; done <{} >{}'


class Project:
    """A source with a shell, and its builds."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.source = directory, directory / "source"
        shell = shutil.which("dash") or "/bin/sh"
        libraries = re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", shell], capture_output=True, text=True, check=True).stdout)
        for path, target in [(shell, "/bin/sh"), *((library, library) for library in libraries)]:
            (self.source / "root" / target.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, self.source / "root" / target.lstrip("/"))

    def write(self, **files: str) -> None:
        """Write files of the source; ``_`` in a name is a dot."""
        for name, text in files.items():
            (self.source / name.replace("_", ".")).write_text(text)

    def build(self, **options: object) -> dict[str, str]:
        """Build, and return the files in the image's last layers that are not in the shell's, by name."""
        parameters = {
            "source": str(self.source), "dockerfile": str(self.source / "Dockerfile"), "arguments": {}, "bases": {}, "mirrors": {}, "registry": None,
            "repository": None, "tags": None, "username": "", "password": "", "ref": "localhost/project:1", "archive": str(self.directory / "a-1.tar"),
            "storage": str(self.directory / "storage"), "log": str(self.directory / "log"),
        }  # fmt: skip
        (self.directory / "log").write_text("")
        image_build.Build({**parameters, **options}).buildah()
        found = {}
        with tarfile.open(self.directory / "a-1.tar") as archive:
            [manifest] = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
            for layer in manifest["Layers"]:
                with tarfile.open(fileobj=archive.extractfile(layer)) as files:
                    for member in files:
                        if member.isfile() and not member.name.startswith(("bin/", "etc/", "lib", "usr/")):
                            found[member.name] = files.extractfile(member).read().decode()  # type: ignore[union-attr]
        return found


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project."""
    return Project(tmp_path)


def test_what_a_build_mounts_is_what_it_is_now_whatever_lies_in_the_cache(project: Project) -> None:
    project.write(
        Dockerfile=(
            "FROM scratch AS shell\nCOPY root/ /\n"
            f"FROM shell AS made\nCOPY stage /\nRUN {TAKE.format('/stage', '/made')}\n"
            "FROM shell\nCOPY code /code\n"
            f"RUN --mount=from=made,source=/,target=/mnt {TAKE.format('/mnt/made', '/from-stage')}\n"
            f"RUN --mount=type=bind,source=context,target=/context {TAKE.format('/context', '/from-context')}\n"
        ),
        stage="stage 1\n", context="context 1\n", code="code 1\n",
    )  # fmt: skip
    first = {"code": "code 1\n", "from-stage": "stage 1\n", "from-context": "context 1\n"}
    assert project.build() == first
    for name, key in {"code": "code", "stage": "from-stage", "context": "from-context"}.items():
        project.write(**{name: f"{name} 2\n"})
        assert project.build() == (first := {**first, key: f"{name} 2\n"}), f"{name} was changed"
    project.write(stage="stage 1\n")
    assert project.build()["from-stage"] == "stage 1\n", "it was changed back"
    assert project.build() == {**first, "from-stage": "stage 1\n"}
    assert (project.directory / "log").read_text().count("Using cache") >= 5, "what is as it was comes from the cache"


def test_layers_of_an_earlier_period_are_made_anew_and_those_of_this_one_are_not(project: Project) -> None:
    project.write(Dockerfile=f"FROM scratch\nCOPY root/ /\nRUN {TAKE.format('/proc/sys/kernel/random/uuid', '/made')}\n")
    made: list[str] = []
    for period in ("", "2026-10-01", "2026-10-01", "2026-10-31", "2026-10-31"):
        made.append(project.build(period=period, repository="polls")["made"])
    first, renewed, again, anew, once_more = made
    assert renewed != first, "nobody knows how old the layers are"
    assert again == renewed
    assert anew not in (first, renewed)
    assert once_more == anew


def test_every_stage_of_a_period_is_made_anew(project: Project) -> None:
    run = f"RUN {TAKE.format('/proc/sys/kernel/random/uuid', '/made')}\n"
    project.write(Dockerfile=f"FROM scratch AS shell\nCOPY root/ /\nFROM shell \\\n  AS first\n{run}FROM shell\nCOPY --from=first /made /taken\n{run}")
    before = project.build(period="2026-10-01", repository="polls")
    after = project.build(period="2026-10-31", repository="polls")
    assert set(before.items()) & set(after.items()) == set()
    assert project.build(period="2026-10-31", repository="polls") == after


def test_the_source_is_not_written_to_by_a_build_that_mounts_it(project: Project) -> None:
    project.write(Dockerfile="FROM scratch\nCOPY root/ /\nRUN --mount=source=file,target=/file,rw echo changed >/file\n", file="as it was\n")
    project.build()
    assert (project.source / "file").read_text() == "as it was\n"


def test_what_is_ignored_is_in_no_mount(project: Project) -> None:
    project.write(
        Dockerfile='FROM scratch\nCOPY root/ /\nRUN --mount=target=/mnt echo /mnt/* >/names\n', _dockerignore="secret\n.dockerignore\nroot\n!root\n", secret="",
    )  # fmt: skip
    assert project.build()["names"] == "/mnt/Dockerfile /mnt/root\n"


def test_what_run_runs_gets_the_proxies_of_this_machine_and_no_layer_does(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:s3cret@127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "internal.example")
    project.write(Dockerfile='FROM scratch\nCOPY root/ /\nRUN echo "${HTTPS_PROXY#*@} $no_proxy" >/seen\n')
    assert project.build() == {"seen": "127.0.0.1:9 internal.example\n"}
    assert b"s3cret" not in (project.directory / "a-1.tar").read_bytes()


def test_a_shell_that_the_dockerfile_names_runs_its_commands_and_a_flag_of_buildkits_is_no_obstacle(project: Project) -> None:
    text = 'FROM scratch\nCOPY --link root/ /\nSHELL ["/bin/sh", "{}"]\nRUN (exit 1); echo went on >/seen\n'
    project.write(Dockerfile=text.format("-c"))
    assert project.build() == {"seen": "went on\n"}
    project.write(Dockerfile=text.format("-ec"))
    with pytest.raises(ImageError, match="buildah failed"):
        project.build()


def test_an_image_that_only_a_stage_without_use_names_is_not_needed(project: Project) -> None:
    project.write(Dockerfile="FROM absent.example/debug AS debug\nFROM scratch\nCOPY root/ /\nCOPY code /code\n", code="code\n")
    assert project.build() == {"code": "code\n"}


def test_a_build_that_fails_leaves_no_container_no_mount_and_no_context(project: Project) -> None:
    project.write(Dockerfile="FROM scratch\nCOPY root/ /\nRUN exit 3\n")
    with pytest.raises(ImageError, match="buildah failed"):
        project.build()
    storage = project.directory / "storage"
    assert sorted(path.name for path in storage.iterdir()) == ["lock", "root", "run"]
    assert str(storage) not in Path("/proc/mounts").read_text()
    buildah = ["buildah", "--root", str(storage / "root"), "--runroot", str(storage / "run"), "--storage-driver", "overlay"]
    assert subprocess.run([*buildah, "containers", "--quiet"], capture_output=True, text=True, check=True).stdout == ""
