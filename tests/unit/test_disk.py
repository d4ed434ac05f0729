"""A full disk is called one, whatever failed for it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.image.registry import ImageError
from ansible_collections.berth.platform.plugins.module_utils.machine import disk
from ansible_collections.berth.platform.plugins.modules import image_build

MIB = 2**20


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that sets how many MiB are free, by the directory's name."""

    def have(**amounts: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=amounts.get(path.name, 9000) * MIB))

    return have


def test_what_a_program_says_counts_more_than_what_is_free_afterwards(free: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    free(a=119)
    said = disk.shortage("writing blob: No space left on device", [tmp_path / "a", tmp_path / "b/not/there"])
    assert said == f"No space is left on this machine: 119 MiB are free at {tmp_path}/a, 9000 MiB are free at {tmp_path}/b/not/there"


def test_a_full_disk_is_found_if_a_program_does_not_name_it(free: Callable[..., None], tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    free(a=3)
    words, places = "received unexpected HTTP status: 500 Internal Server Error", [tmp_path / "a", tmp_path / "b"]
    assert disk.shortage(words, places) == f"The disk is full: 3 MiB are free at {tmp_path}/a"
    free(a=disk.LITTLE)
    assert disk.shortage(words, places) == ""


def test_a_build_that_fails_for_a_full_disk_says_so_first(free: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "buildah").mkdir()
    (tmp_path / "Dockerfile").write_text("FROM base:1\nRUN python manage.py collectstatic\n", encoding="utf-8")
    free(buildah=4)
    parameters: dict[str, Any] = {"log": tmp_path / "log", "source": tmp_path, "dockerfile": tmp_path / "Dockerfile", "ref": "polls:1"}
    build = image_build.Build(parameters | {"storage": tmp_path / "buildah", "directory": str(tmp_path / "registry")})
    with pytest.raises(ImageError) as raised:
        build.run("sh", "-c", "echo 'building at STEP \"RUN python manage.py collectstatic\": exit 1'; exit 1")
    assert str(raised.value).splitlines()[:2] == [
        f"The disk is full: 4 MiB are free at {tmp_path}/buildah. Free some space. "
        f"{tmp_path}/buildah may be removed: the next build only takes longer. XDG_CACHE_HOME moves it to another disk.",
        f"sh failed. Its last lines ({tmp_path}/log):",
    ]
