"""Volumes of the app: where they are mounted, what they are made as, and what is refused."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import ansible_fork
import fake_api
import pytest
from ansible_collections.berth.platform.plugins.module_utils.image import dockerfile as dockerfiles
from ansible_collections.berth.platform.plugins.module_utils.kube import app_volumes as volumes
from ansible_collections.berth.platform.plugins.module_utils.kube import fixed
from ansible_collections.berth.platform.plugins.plugin_utils.inventory import variables

FILES = Path(__file__).resolve().parents[2] / "roles" / "app" / "files"
Json = dict[str, Any]
MEDIA: Json = {"path": "/code/media", "size": "5Gi"}
LABELS = {"app.kubernetes.io/managed-by": "berth"}


def node(name: str, **spec: Any) -> Json:
    return {"kind": "Node", "metadata": {"name": name}, "spec": spec}


def storage_class(name: str, provisioner: str, default: bool = False) -> Json:
    return {"kind": "StorageClass", "metadata": {"name": name, "annotations": {volumes.DEFAULT: "true"} if default else {}}, "provisioner": provisioner}


def claim(mode: str, name: str = "shop-media") -> Json:
    return {"kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": {"accessModes": [mode], "storageClassName": "gp3"}}


GP3, EFS = storage_class("gp3", "ebs.csi.aws.com", True), storage_class("efs", "efs.csi.aws.com")
NODES = [node("a"), node("b")]


# --- What is made of them ---------------------------------------------------------------------------------------------
def test_each_volume_has_a_claim_that_a_release_neither_renames_nor_moves() -> None:
    (one,) = volumes.claims({"media": MEDIA}, "shop", LABELS, [])
    assert (one["kind"], one["metadata"]) == ("PersistentVolumeClaim", {"name": "shop-media", "labels": LABELS})
    assert one["spec"] == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}}


@pytest.mark.parametrize(
    ("differs", "there", "mode"),
    [
        ({}, [GP3, EFS], "ReadWriteOnce"),
        ({"storage_class": "efs"}, [GP3, EFS], "ReadWriteMany"),
        ({}, [storage_class("nfs", "nfs.csi.k8s.io", True)], "ReadWriteMany"),
        ({"storage_class": "unknown"}, [], "ReadWriteOnce"),
        ({"storage_class": "gp3", "shared": True}, [GP3], "ReadWriteMany"),
        ({"storage_class": "efs", "shared": "false"}, [EFS], "ReadWriteOnce"),
        ({"storage_class": "efs", "shared": True}, [EFS, claim("ReadWriteOnce")], "ReadWriteOnce"),  # it cannot be changed
        ({}, [GP3, claim("ReadWriteMany", "shop-other")], "ReadWriteOnce"),
    ],
)
def test_a_claim_is_for_as_many_nodes_as_its_class(differs: Json, there: list[Json], mode: str) -> None:
    (one,) = volumes.claims({"media": MEDIA | differs}, "shop", LABELS, there)
    assert one["spec"]["accessModes"] == [mode]
    assert one["spec"].get("storageClassName") == differs.get("storage_class")


def test_a_volume_and_a_writable_directory_never_have_the_same_name_in_a_pod() -> None:
    assert {one["name"] for one in volumes.mounts({"tmp": MEDIA, "code-media": MEDIA})} == {"volume--tmp", "volume--code-media"}
    assert [one["name"] for one in volumes.pod_volumes({"tmp": MEDIA}, "shop")] == [one["name"] for one in volumes.mounts({"tmp": MEDIA})]


@pytest.mark.parametrize("user", [1000, "1000", "1000:1000"])
def test_the_user_of_the_app_can_write_to_its_volumes(user: int | str) -> None:
    found = volumes.security(user, {"media": MEDIA})
    assert (found["runAsUser"], found["runAsGroup"], found["fsGroup"], found["runAsNonRoot"]) == (1000, 1000, 1000, True)
    assert volumes.user({"spec": {"template": {"spec": {"securityContext": found}}}}) == "1000:1000"
    assert "fsGroup" not in volumes.security(user, {})  # or an upgrade would replace the pods of every app


def test_the_group_of_the_app_can_write_to_its_volumes_where_it_has_another_number() -> None:
    found = volumes.security("100:101", {"media": MEDIA})
    assert (found["runAsUser"], found["runAsGroup"], found["fsGroup"]) == (100, 101, 101)


def test_pods_whose_user_the_image_alone_decides_are_copied_without_one() -> None:
    found = volumes.security("", {"media": MEDIA})
    assert found == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert volumes.user({"spec": {"template": {"spec": {"securityContext": found}}}}) == ""


# --- Several nodes ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("differs", "there", "said"),
    [
        ({}, [node("a"), GP3], []),
        ({}, [node("a"), node("b", unschedulable=True), GP3], []),
        ({}, [GP3], []),  # who may not read nodes is not stopped
        ({"storage_class": "efs"}, [*NODES, GP3, EFS], []),
        ({"shared": True}, [*NODES, GP3], []),
        ({}, [*NODES, GP3, EFS], ["media: the cluster has 2 nodes", "storage class gp3", "storage_class to a class that can be shared (efs)"]),
        ({}, [*NODES, GP3], ["the cluster has none that Berth knows", "EFS"]),
        ({"storage_class": "efs"}, [*NODES, GP3, EFS, claim("ReadWriteOnce")], ["storage class cannot be changed", "volume with another name", "(efs)"]),
    ],
)
def test_pods_on_several_nodes_need_a_class_that_can_be_shared(differs: Json, there: list[Json], said: list[str]) -> None:
    found = volumes.unshared({"media": MEDIA | differs}, "shop", there)
    assert bool(found) is bool(said)
    assert all(words in found for words in said)


# --- Another user ------------------------------------------------------------------------------------------------------
LOCAL = storage_class("gp3", "rancher.io/local-path", True)  # the class that the claims of these tests name
RUNS: Json = {
    "kind": "Deployment",
    "metadata": {"name": "shop"},
    "spec": {"template": {"spec": {"securityContext": {"runAsUser": 10001, "runAsGroup": 10001}}}},
}


@pytest.mark.parametrize(
    ("image", "there", "refused"),
    [
        ("1000:1000", [LOCAL, claim("ReadWriteOnce"), RUNS], True),
        ("1000:1000", [EFS, claim("ReadWriteMany"), RUNS], True),
        ("1000:1000", [claim("ReadWriteOnce"), RUNS], True),  # whose classes may not be read
        ("1000:1000", [GP3, claim("ReadWriteOnce"), RUNS], False),  # the kubelet gives its files to the new group
        ("10001:0", [LOCAL, claim("ReadWriteOnce"), RUNS], False),
        ("1000:1000", [LOCAL, RUNS], False),  # the volume is yet to be made
        ("1000:1000", [LOCAL, claim("ReadWriteOnce"), RUNS | {"metadata": {"name": "shop-worker"}}], False),
        ("", [LOCAL, claim("ReadWriteOnce"), RUNS], False),
    ],
)
def test_an_image_with_another_user_is_refused_where_the_files_of_a_volume_would_stay_the_old_ones(image: str, there: list[Json], refused: bool) -> None:
    found = volumes.stranded(image, {"media": MEDIA}, "shop", there, "inventories/dev/group_vars/all/main.yml")
    assert bool(found) is refused
    assert not refused or all(
        words in found
        for words in ("runs as user 10001", "names 1000", "berth_app_volumes.media", "berth_app_user: 10001 in inventories/dev/", "-e berth_app_user=1000.")
    )


@pytest.mark.parametrize("chosen", [None, 1000, 10001])
def test_a_release_goes_over_to_the_images_user_only_where_the_inventory_says_so(tmp_path: Path, chosen: int | None) -> None:
    tasks = [{"name": "Look", "ansible.builtin.include_role": {"name": "app", "tasks_from": "volumes"}}]
    (tmp_path / "play.yml").write_text(json.dumps([{"hosts": "berth", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
    host = {"ansible_connection": "berth.platform.forked", "ansible_python_interpreter": sys.executable}
    (tmp_path / "hosts.yml").write_text(json.dumps({"berth": {"hosts": {"dev": host}}}), encoding="utf-8")
    objects = {"storage.k8s.io/v1/storageclasses": LOCAL, "v1/namespaces/shop/persistentvolumeclaims": claim("ReadWriteOnce"),
               "apps/v1/namespaces/shop/deployments": RUNS}  # fmt: skip
    with fake_api.running(fake_api.Api()) as api:
        api.answers = {f"/api{'' if path.startswith('v1/') else 's'}/{path}": (200, {"items": [thing]}) for path, thing in objects.items()}
        given = {"berth_kubeconfig": fake_api.kubeconfig(tmp_path, api.url), "berth_namespace": "shop", "berth_app_name": "shop"}
        given |= {"berth_app_volumes": {"media": MEDIA}, "image_facts": {"user": "1000:1000"}, "cluster_facts": {"provider": "kubeadm"}}
        given |= {"berth_app_user": chosen} if chosen else {}
        command = ["ansible-playbook", "play.yml", "-i", "hosts.yml", "--check", "-e", json.dumps(given)]
        settings = {"ANSIBLE_ROLES_PATH": str(FILES.parents[1]), "ANSIBLE_PIPELINING": "true"}
        done = ansible_fork.run(command, cwd=tmp_path, env=os.environ | settings)
    assert ("Nothing was released. shop runs as user 10001" in done.stdout + done.stderr) == (chosen is None), done.stdout + done.stderr
    assert ("Expand them" in done.stdout) == (chosen is not None)


# --- What an inventory may say ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "writable", "place", "words"),
    [
        ({"media": MEDIA}, {}, "", ""),
        ({"media": MEDIA, "files": {"path": "/code/media2", "size": "1Gi"}}, {"/code/cache": "1Gi"}, "", ""),
        ({"media": MEDIA, "files": {"path": "/code/media", "size": "1Gi"}}, {}, "berth_app_volumes.files.path", "is also in berth_app_volumes.media"),
        ({"media": MEDIA, "files": {"path": "/code/media/x", "size": "1Gi"}}, {}, "berth_app_volumes.files.path", "is inside /code/media"),
        ({"media": MEDIA, "files": {"path": "/code", "size": "1Gi"}}, {}, "berth_app_volumes.files.path", "contains /code/media (berth_app_volumes.media)"),
        ({"media": MEDIA}, {"/code/media/cache": "1Gi"}, "berth_app_volumes.media.path", "contains /code/media/cache (berth_app_writable)"),
        ({"media": MEDIA | {"path": "/tmp/media"}}, {}, "berth_app_volumes.media.path", "is inside /tmp (berth_app_writable)"),
        ({"media": MEDIA | {"path": "code/media"}}, {}, "berth_app_volumes.media.path", "is not the path of a directory"),
        ({"media": MEDIA | {"path": "/code/media/"}}, {}, "berth_app_volumes.media.path", "is not the path of a directory"),
        ({"media": MEDIA | {"path": "/usr/lib/x"}}, {}, "berth_app_volumes.media.path", "overlaps with the container's /usr/lib"),
        ({"media": MEDIA | {"path": "/opt"}}, {}, "berth_app_volumes.media.path", "overlaps with the container's /opt/venv"),
        ({"media": MEDIA | {"path": "/usr/src/app/media"}}, {}, "", ""),
        ({"media": MEDIA | {"size": "5 GB"}}, {}, "berth_app_volumes.media.size", "quantity"),
        ({"my media": MEDIA}, {}, "berth_app_volumes.my media", "illegal characters"),
        ({"m" * 41: MEDIA}, {}, "berth_app_volumes." + "m" * 41, "at most 40"),
        ({"media": {}}, {}, "berth_app_volumes.media.path", "is missing"),
    ],
)
def test_a_volume_is_a_directory_of_its_own(given: Json, writable: Json, place: str, words: str) -> None:
    found = variables.volumes(given, writable, "kubeadm")
    assert [problem.name for problem in found][:1] == ([place] if place else [])
    assert not found or words in found[0].text


def test_on_eks_a_volume_names_a_class_that_can_be_shared() -> None:
    (found,) = variables.volumes({"media": MEDIA}, {}, "eks")
    assert (found.name, "efs.csi.aws.com" in found.text) == ("berth_app_volumes.media.storage_class", True)
    assert variables.volumes({"media": MEDIA | {"storage_class": "efs"}}, {}, "eks") == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/code", "where the app's code is"),
        ("/", "where the app's code is"),
        ("/code/shop", "has code of the app"),
        ("/code/sub/deep", "has code of the app"),
        ("/code/media", ""),
        ("/code/shop/media", ""),
        ("/code2", ""),
        ("/data", ""),
    ],
)
def test_a_volume_does_not_hide_the_code(tmp_path: Path, path: str, words: str) -> None:
    for file in ("shop/settings.py", "sub/deep/er/models.py", "media/picture.png", "shop/media/.keep"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    found = volumes.in_the_way(path.rstrip("/"), ["/code"], [tmp_path])
    assert words in found if words else not found


@pytest.mark.parametrize(
    ("dockerfile", "expected"),
    [
        ("FROM a\nWORKDIR /code\nCOPY . .", ["/code"]),
        ("FROM a\nWORKDIR /code\nWORKDIR src", ["/code/src", "/code"]),
        ("FROM a AS base\nWORKDIR /code\nFROM b AS other\nWORKDIR /build\nFROM base", ["/code"]),
        ('FROM a\nWORKDIR "/my code/"', ["/my code"]),
        ("FROM a\nWORKDIR $HOME/x", []),
        ("FROM a\nARG APP_HOME=/app\nWORKDIR ${APP_HOME}\nWORKDIR src", ["/app/src", "/app"]),
        ("ARG HOME_OF=/srv\nFROM a\nARG HOME_OF\nENV APP $HOME_OF/app\nWORKDIR $APP", ["/srv/app"]),
        ("ARG HOME_OF=/srv\nFROM a\nWORKDIR $HOME_OF", []),
        ("FROM a AS base\nENV APP=/app OTHER=/x\nFROM base\nARG APP=/not\nWORKDIR $APP", ["/app"]),
        ("ARG FROM_STAGE=base\nFROM a AS base\nWORKDIR /app\nFROM $FROM_STAGE", ["/app"]),
        ("FROM a", []),
        ("", []),
    ],
)
def test_the_directories_of_an_image_are_read_from_its_dockerfile(dockerfile: str, expected: list[str]) -> None:
    assert dockerfiles.work_directories(dockerfiles.parse(dockerfile)) == expected


def test_what_cannot_be_changed_is_looked_up_where_the_volume_is_set() -> None:
    problem = fixed.Problem("berth_app_volumes.media.size", "5Gi", "is 1Gi, but the volume shop-media has 5Gi and cannot shrink")
    said = fixed.message([problem], lambda *path: ":".join(path))
    assert "(berth_app_volumes:media:size)" in said and "set berth_app_volumes.media.size: 5Gi again" in said


# --- Backup and restore -----------------------------------------------------------------------------------------------
def pod(name: str, ready: str = "True", claim_of: str = "shop-media", path: str = "/code/media", **metadata: Any) -> Json:
    """Return a live pod whose web container has a volume."""
    web = {"name": "web", "volumeMounts": [{"name": "volume--media", "mountPath": path}]}
    return {
        "metadata": {"name": name, **metadata},
        "spec": {"volumes": [{"name": "volume--media", "persistentVolumeClaim": {"claimName": claim_of}}], "containers": [web]},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ([pod("a"), pod("b")], ("a", "/code/media")),
        ([pod("a", "False"), pod("b")], ("b", "/code/media")),
        ([pod("a", deletionTimestamp="2026-01-01T00:00:00Z"), pod("b")], ("b", "/code/media")),
        ([pod("a", path="/old/media")], ("a", "/old/media")),  # a release that was gone back to
        ([pod("a", claim_of="shop-other")], None),
        ([], None),
    ],
)
def test_a_volume_is_copied_through_a_pod_that_is_ready_and_has_it(there: list[Json], expected: tuple[str, str] | None) -> None:
    found = volumes.pods({"media": MEDIA}, "shop", there)
    assert [(each["pod"], each["path"]) for each in found] == ([expected] if expected else [])


def test_a_backup_has_the_volumes_whose_files_are_beside_it(tmp_path: Path) -> None:
    (tmp_path / "shop.dump.media.tar").touch()
    found = [{"volume": "media"}, {"volume": "other"}]
    assert volumes.with_backup(found, str(tmp_path / "shop.dump")) == [{"volume": "media"}]


def script(name: str, directory: Path, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a script as a pod of the app does."""
    command = [sys.executable, "-c", (FILES / name).read_text(encoding="utf-8"), str(directory)]
    return subprocess.run(command, input=given, capture_output=True, check=False, timeout=60)


def files(directory: Path) -> dict[str, bytes | None]:
    """Return what is in a directory: of files their content."""
    return {str(path.relative_to(directory)): path.read_bytes() if path.is_file() else None for path in sorted(directory.rglob("*"))}


def test_a_volume_is_after_a_restore_what_it_was_at_its_backup(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for file, content in {"a/b/picture.png": b"\x00\xff" * 5000, "with space \u00e9.txt": b"", "top.txt": b"top"}.items():
        (one / file).parent.mkdir(parents=True, exist_ok=True)
        (one / file).write_bytes(content)
    (one / "empty").mkdir()
    os.link(one / "top.txt", one / "a" / "same.txt")
    (one / "a" / "private").write_bytes(b"x")
    (one / "a" / "private").chmod(0o640)
    before = files(one)
    (one / "lost+found").mkdir()
    (one / ".berth-before").mkdir()
    (one / ".berth-before" / "old").touch()
    other.mkdir()
    (other / "gone.txt").write_text("gone")
    (other / "lost+found").mkdir()

    done = script("volume_restore.py", other, script("volume_backup.py", one).stdout)

    assert (done.returncode, done.stderr) == (0, b"")
    assert files(other) == before | {"lost+found": None}
    assert (other / "a" / "private").stat().st_mode & 0o777 == 0o640
    assert (other / "top.txt").stat().st_mtime == (one / "top.txt").stat().st_mtime


def archive(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    """Return a tar archive with one member."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, link
        tar.addfile(member)
    return written.getvalue()


@pytest.mark.parametrize(
    "given",
    [
        b"no archive",
        b"",
        archive("good.txt")[:700],
        archive("good.txt"),  # whole, and not made by a backup
        archive("../escaped"),
        archive("link", tarfile.SYMTYPE, "/etc/passwd"),
        archive("device", tarfile.CHRTYPE),
    ],
    ids=["text", "empty", "cut", "another", "outside", "link", "device"],
)
def test_an_archive_that_is_no_good_leaves_the_volume_as_it_was(tmp_path: Path, given: bytes) -> None:
    (tmp_path / "kept.txt").write_text("kept")
    done = script("volume_restore.py", tmp_path, given)
    assert (done.returncode, b"Traceback" in done.stderr, len(done.stderr.splitlines())) == (1, False, 1)
    assert files(tmp_path) == {"kept.txt": b"kept"}


def test_a_backup_that_cannot_read_a_directory_fails_and_names_it(tmp_path: Path) -> None:
    done = script("volume_backup.py", tmp_path / "missing")
    assert (done.returncode, b"Traceback" in done.stderr) == (1, False)
    assert done.stderr.decode().strip() == f"{tmp_path / 'missing'}: No such file or directory"
