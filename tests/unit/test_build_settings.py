"""A Dockerfile that says nothing of this machine's network gets its settings in each RUN."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest
from ansible_collections.berth.platform.plugins.module_utils.image import build_settings
from ansible_collections.berth.platform.plugins.module_utils.image.build_settings import told
from ansible_collections.berth.platform.plugins.module_utils.image.dockerfile import mounts, parse, stages

OURS = ["docker.io/library/python:3.13-slim"]
ALL = sorted(build_settings.IDS)
PLAIN = "FROM python:3.13-slim\nRUN apt-get update\nUSER 1000\nRUN pip install django\n"


def ids(text: str) -> list[list[str]]:
    """Return the secrets of each RUN."""
    return [sorted(mount.id for mount in mounts(one) if mount.kind == "secret") for one in parse(text) if one.keyword == "RUN"]


def test_every_run_gets_what_is_there_and_nothing_else() -> None:
    assert ids(told(PLAIN, ["pip_conf", "ca_bundle"], [], {})) == [["ca_bundle", "pip_conf"]] * 2
    assert ids(told(PLAIN, [], [], {})) == [[], []]


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("RUN pip install x", "pip install x"),
        ("run pip install x", "pip install x"),
        ("  RUN\tpip install x", "pip install x"),
        ('RUN ["pip", "install", "x"]', '["pip", "install", "x"]'),
        ("RUN pip \\\n  install \\\n  x", "pip   install   x"),
        ("RUN --network=none pip install x", "pip install x"),
        ("RUN --mount=type=cache,target=/root/.cache pip install x", "pip install x"),
        ("RUN <<EOF\npip install x\nRUN y\nEOF", "<<EOF"),
        ("RUN \\\n  pip install x", "pip install x"),
        ("RUN --mount=from=made,target=/a \\\n  # why\n  --mount=target=/b \\\n  pip install x", "pip install x"),
        ("RUN --mount=type=bind,target=/a \\\n\n  --network=none pip --version", "pip --version"),
    ],
)
def test_a_run_in_any_form_does_what_it_did(run: str, words: str) -> None:
    [before] = parse(run)
    [after] = [one for one in parse(told(f"FROM x\n{run}\n", ["pip_conf"], [], {})) if one.keyword == "RUN"]
    assert after.words() == words == before.words()
    assert [mount.id for mount in mounts(after)] == [*(mount.id for mount in mounts(before)), "pip_conf"]
    assert after.documents == before.documents


def test_variables_lead_to_the_settings_in_each_stage_and_stay_out_of_the_image() -> None:
    made = parse(told("FROM a AS one\nRUN x\nFROM one\nENV PIP_CONFIG_FILE=/mine\nRUN y\n", ["pip_conf", "ca_bundle"], [], {}))
    for stage in stages(made):
        [argument] = [one for one in stage.instructions if one.keyword == "ARG"]
        assert "PIP_CONFIG_FILE=/run/secrets/pip_conf" in argument.text and "SSL_CERT_FILE=/run/secrets/ca_bundle" in argument.text
        assert stage.instructions.index(argument) == 1  # so that the project's own ENV counts more
    assert not any("secrets" in one.text for one in made if one.keyword == "ENV")


@pytest.mark.parametrize("mount", ["id=pip_conf,target=/etc/pip.conf", "id=ca_bundle", "id=apt_sources,target=/run/apt_sources"])
def test_a_dockerfile_that_takes_them_itself_gets_them_there_alone(mount: str) -> None:
    text = f"FROM python:3.13-slim\nRUN --mount=type=secret,{mount} pip install x\nRUN y\n"
    there = ALL if "apt" in mount else [name for name in ALL if name != "apt_sources"]
    assert told(text, there, OURS, {}) == told(text, [], [], {})
    assert ids(told(text, there, OURS, {})) == ids(text)


def test_apts_sources_are_there_also_where_a_dockerfile_takes_other_settings_itself() -> None:
    text = "FROM python:3.13-slim\nRUN --mount=type=secret,id=pip_conf pip install x\nRUN apt-get update\n"
    assert ids(told(text, ALL, OURS, {})) == [["apt_sources", "pip_conf"], ["apt_sources"]]
    assert ids(told(text, ALL, [], {})) == ids(text), "an image of somebody else has its own"


@pytest.mark.parametrize("there", [[], ["pip_conf"]])
def test_bytecode_stays_valid_in_each_stage_unless_the_project_sets_another_time(tmp_path: Path, there: list[str]) -> None:
    made = parse(told("FROM a AS one\nRUN x\nFROM one\nENV SOURCE_DATE_EPOCH=1700000000\nRUN y\n", there, [], {}))
    for stage in stages(made):
        [argument] = [one for one in stage.instructions if one.keyword == "ARG"]
        assert build_settings.REPRODUCIBLE in argument.text
        assert stage.instructions.index(argument) == 1
    # What that means to the Python of a RUN: the bytecode of a source fits when the source has another time in the image.
    source, name, _, value = tmp_path / "module.py", *build_settings.REPRODUCIBLE.partition("=")
    source.write_text("X = 1\n", encoding="utf-8")
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(source)], env={name: value}, check=True)
    os.utime(source, (0, 0))
    said = subprocess.run([sys.executable, "-v", "-c", "import module"], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True)
    assert f"code object from '{cache_from_source(str(source))}'" in said.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM python:3.13-slim\nRUN x", [True]),
        ("FROM docker.io/library/python:3.13-slim\nRUN x", [True]),
        ("ARG PYTHON_IMAGE\nFROM ${PYTHON_IMAGE} AS a\nRUN x\nFROM a\nRUN y", [True, True]),
        ("FROM node:22 AS assets\nRUN x\nFROM python:3.13-slim\nRUN y", [False, True]),
        ("FROM python:3.13-slim AS a\nRUN x\nFROM python:3.13\nRUN y", [True, False]),
        ("FROM $UNKNOWN\nRUN x", [False]),
        ("FROM scratch\nRUN x", [False]),
    ],
)
def test_apts_sources_go_to_the_stages_that_start_from_an_image_without_any(text: str, expected: list[bool]) -> None:
    given = {"PYTHON_IMAGE": "docker.io/library/python:3.13-slim"}
    assert ["apt_sources" in found for found in ids(told(text, ALL, OURS, given))] == expected


# --- npm and uv ------------------------------------------------------------------
def test_npm_is_told_the_users_registry_and_nothing_that_is_a_file_here(tmp_path: Path) -> None:
    (tmp_path / ".npmrc").write_text("registry=https://npm.example/\n//npm.example/:_authToken=abc\ncafile=/etc/ca.pem\nprefix = /opt/npm\nnodedir=/usr\n")
    assert build_settings.npmrc({"HOME": str(tmp_path)}) == "registry=https://npm.example/\n//npm.example/:_authToken=abc\n"
    assert build_settings.npmrc({"HOME": str(tmp_path), "NPM_CONFIG_REGISTRY": "https://b.example/"}).endswith("registry=https://b.example/\n")
    assert build_settings.npmrc({"HOME": str(tmp_path / "other")}) == ""


@pytest.mark.parametrize(
    ("own", "variables", "expected"),
    [
        (None, {}, ""),
        (None, {"UV_DEFAULT_INDEX": "https://a.example/simple"}, 'index-url = "https://a.example/simple"\n'),
        (None, {"UV_INDEX_URL": "https://a.example/simple"}, 'index-url = "https://a.example/simple"\n'),
        ("offline = true\n[pip]\nno-cache = true\n", {}, "offline = true\n[pip]\nno-cache = true\n"),
        ("[pip]\nno-cache = true\n", {"UV_DEFAULT_INDEX": "https://a"}, 'index-url = "https://a"\n[pip]\nno-cache = true\n'),
        ('index-url = "https://b"\n', {"UV_DEFAULT_INDEX": "https://a"}, 'index-url = "https://a"\n'),
        ('[[index]]\nurl = "https://b"\ndefault = true\n', {"UV_DEFAULT_INDEX": "https://a"}, '[[index]]\nurl = "https://b"\ndefault = true\n'),
    ],
)
def test_uv_is_told_the_users_index(tmp_path: Path, own: str | None, variables: dict[str, str], expected: str) -> None:
    if own is not None:
        (tmp_path / ".config/uv").mkdir(parents=True)
        (tmp_path / ".config/uv/uv.toml").write_text(own)
    assert build_settings.uv_toml({"HOME": str(tmp_path), **variables}, tmp_path / "none") == expected


def test_what_an_engine_says_is_told_in_the_words_of_the_dockerfile() -> None:
    written = "RUN --mount=type=secret,id=mine,target=/x --mount=type=cache,target=/root/.cache pip install x"
    made = told(f"FROM python:3.13-slim\n{written}", ALL, OURS, {}).split("\n")[-1]
    assert made != written
    assert build_settings.as_written(f'Error: building at STEP "{made}"') == f'Error: building at STEP "{written}"'
