"""What of this machine's pip a build's pip is told. pip itself is the judge of what counts."""

from __future__ import annotations

import configparser
import ensurepip
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.image.dockerfile import parse, secret_beside
from ansible_collections.berth.platform.plugins.module_utils.image.pip import (
    addresses,
    authorities,
    configuration_files,
    for_build,
    named_in,
    read_options,
    text_of,
)
from ansible_collections.berth.platform.plugins.module_utils.image.registry import ImageError
from ansible_collections.berth.platform.plugins.modules import image_build

PIP = [*Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl"), *Path("/usr/share/python-wheels").glob("pip-*.whl")]
# Where the files of a case lie below its directory, in pip's order.
PLACES = {"xdg": "xdg/pip/pip.conf", "etc": "etc/pip.conf", "legacy": "home/.pip/pip.conf", "user": "home/.config/pip/pip.conf", "site": "venv/pip.conf"}


def machine(top: Path, files: dict[str, str], variables: dict[str, str]) -> tuple[list[Path], dict[str, str]]:
    """Write configuration files below ``top``; return all that pip would read, and the environment. ``{top}`` stands for the directory."""
    for place, text in files.items():
        path = top / PLACES.get(place, place)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    environment = {"HOME": str(top / "home"), "XDG_CONFIG_DIRS": str(top / "xdg")}
    environment |= {name: value.format(top=top) for name, value in variables.items()}
    return configuration_files(environment, str(top / "venv"), top), environment


def told(top: Path, files: dict[str, str], **variables: str) -> dict[str, dict[str, str]]:
    """Return what a build's pip is told."""
    paths, environment = machine(top, files, variables)
    return for_build(read_options(paths, environment), "")[0]


# --- Which files -------------------------------------------------------------
def test_files_are_read_in_pips_own_order(tmp_path: Path) -> None:
    paths, _ = machine(tmp_path, {}, {})
    assert [str(path.relative_to(tmp_path)) for path in paths] == list(PLACES.values())


@pytest.mark.parametrize(
    ("variables", "files"),
    [
        ({"XDG_CONFIG_DIRS": "/a:/b"}, ["/a/pip/pip.conf", "/b/pip/pip.conf", "etc", "legacy", "user", "site"]),
        ({"XDG_CONFIG_DIRS": " "}, ["{top}/etc/xdg/pip/pip.conf", "etc", "legacy", "user", "site"]),
        ({"XDG_CONFIG_HOME": "/c"}, ["xdg", "etc", "legacy", "/c/pip/pip.conf", "site"]),
        ({"PIP_CONFIG_FILE": "/absent"}, ["xdg", "etc", "legacy", "user", "site", "/absent"]),
        ({"PIP_CONFIG_FILE": "{top}/own.conf"}, ["xdg", "etc", "site", "{top}/own.conf"]),
        ({"PIP_CONFIG_FILE": os.devnull}, []),
    ],
    ids=str,
)
def test_variables_change_which_files_are_read(tmp_path: Path, variables: dict[str, str], files: list[str]) -> None:
    paths, _ = machine(tmp_path, {"own.conf": ""}, variables)
    assert [str(path) for path in paths] == [str(tmp_path / PLACES.get(file, file.format(top=tmp_path))) for file in files]


def test_where_options_lead_pip_is_known_for_each_of_them(tmp_path: Path) -> None:
    text = "[global]\nfind-links =\n  /wheels\n  http://links.example/\n[install]\nindex-url = http://localhost:3141/simple\ntrusted-host = other.example\n"
    paths, environment = machine(tmp_path, {"user": text}, {"PIP_PROXY": "127.0.0.1:3128"})
    assert set(addresses(read_options(paths, environment))) == {
        ("find-links", "http://links.example/"),
        ("index-url", "http://localhost:3141/simple"),
        ("proxy", "127.0.0.1:3128"),
    }


# --- What counts ---------------------------------------------------------------
CASES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "nothing": ({}, {}),
    "a file and a variable": ({"etc": "[global]\ntimeout = 7\n"}, {"PIP_INDEX_URL": "https://one.example/simple"}),
    "each file over the one before": (
        {
            "xdg": "[global]\nindex-url = https://xdg.example\nretries = 1\ntimeout = 1\n",
            "etc": "[global]\nindex-url = https://etc.example\nretries = 2\n",
            "legacy": "[global]\nindex-url = https://legacy.example\nproxy = http://legacy.example\n",
            "user": "[global]\nindex-url = https://user.example\n",
            "site": "[global]\nextra-index-url = https://site.example\n",
        },
        {},
    ),
    "a command's section over the global one": ({"user": "[global]\ntimeout = 1\n", "etc": "[install]\ntimeout = 2\n[download]\ntimeout = 3\n"}, {}),
    "a variable over a command's section": ({"user": "[install]\ntimeout = 1\nindex-url = https://user.example\n"}, {"PIP_TIMEOUT": "9"}),
    "another name of the same option": ({"user": "[global]\ntimeout = 1\n[install]\ntimeout = 2\n"}, {"PIP_DEFAULT_TIMEOUT": "180"}),
    "underscores and capitals": ({"user": "[global]\nEXTRA_INDEX_URL = https://user.example\n--index-url = https://one.example\n"}, {}),
    "several words": ({"user": "[global]\ntrusted-host = a.example\n    b.example\n"}, {"PIP_EXTRA_INDEX_URL": "https://c.example https://d.example"}),
    "an empty value": ({"etc": "[global]\nindex-url = https://etc.example\n", "user": "[global]\nindex-url =\n"}, {"PIP_EXTRA_INDEX_URL": ""}),
    "switches": ({"user": "[global]\nprefer-binary = yes\nno-index = true\npre = 1\n"}, {"PIP_NO_INDEX": "0"}),
    "formats": ({"user": "[install]\nonly-binary = :all:\nno-binary = a,b\n"}, {}),
    "a per cent sign": ({"user": "[global]\nindex-url = https://a:b%40c@user.example/simple\n"}, {}),
    "a file of one's own": ({"user": "[global]\ntimeout = 1\n", "own.conf": "[global]\nretries = 9\n"}, {"PIP_CONFIG_FILE": "{top}/own.conf"}),
    "no file": ({"user": "[global]\ntimeout = 1\n"}, {"PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "8"}),
}
JUDGE = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from pip._internal.commands import create_command
from pip._internal.utils import appdirs
found = []
for case in json.load(sys.stdin):
    os.environ.clear()
    os.environ.update(case["environment"])
    sys.prefix = case["prefix"]
    appdirs.site_config_dirs = lambda name, shared=case["shared"]: shared
    values = vars(create_command("install").parser.get_default_values())
    values["format_control"] = str(values["format_control"])
    found.append({name: value for name, value in values.items() if isinstance(value, (str, int, float, bool, list, type(None)))})
json.dump(found, sys.stdout)
"""


def test_pip_reads_from_the_one_file_of_a_build_what_it_reads_on_this_machine(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = []
    for number, (files, variables) in enumerate(CASES.values()):
        top = tmp_path / str(number)
        paths, environment = machine(top, files, variables)
        asked.append({"environment": environment, "prefix": str(top / "venv"), "shared": [str(top / "xdg/pip"), str(top / "etc")]})
        (top / "build/etc").mkdir(parents=True)
        (top / "build/etc/pip.conf").write_text(text_of(for_build(read_options(paths, environment), "")[0]), encoding="utf-8")
        asked.append({"environment": {"HOME": str(top / "build")}, "prefix": str(top / "build"), "shared": [str(top / "build/etc")]})
    done = subprocess.run([sys.executable, "-c", JUDGE, str(PIP[0])], input=json.dumps(asked), capture_output=True, text=True, check=True)
    answers = json.loads(done.stdout)
    ignored = ("cache_dir",)  # below HOME
    for name, here, there in zip(CASES, answers[::2], answers[1::2], strict=True):
        assert {key: value for key, value in here.items() if key not in ignored} == {key: value for key, value in there.items() if key not in ignored}, name
    assert len({json.dumps(answer, sort_keys=True) for answer in answers[::2]}) > len(CASES) / 2, "the cases are told apart"


def test_one_file_has_each_section_once(tmp_path: Path) -> None:
    paths, environment = machine(tmp_path, {"etc": "[global]\ntimeout = 7\n", "user": "[global]\nretries = 1\n"}, {"PIP_INDEX_URL": "https://one.example"})
    (tmp_path / "pip.conf").write_text(text_of(read_options(paths, environment)), encoding="utf-8")
    assert (tmp_path / "pip.conf").read_text() == "[global]\ntimeout = 7\nretries = 1\nindex-url = https://one.example\n\n"


# --- What a build cannot use -----------------------------------------------------
@pytest.mark.parametrize(
    ("variables", "left", "noted"),
    [
        ({"PIP_FIND_LINKS": "/opt/wheels"}, {}, "pip's find-links is used without /opt/wheels"),
        ({"PIP_FIND_LINKS": "/opt/wheels https://a.example/wheels"}, {"find-links": "https://a.example/wheels"}, "/opt/wheels"),
        ({"PIP_FIND_LINKS": "wheels ~/wheels file:///wheels"}, {}, "wheels, ~/wheels, file:///wheels"),
        ({"PIP_INDEX_URL": "file:///srv/simple"}, {}, "index-url is used without file:///srv/simple"),
        ({"PIP_CONSTRAINT": "/etc/constraints.txt"}, {}, "constraint is used without"),
        ({"PIP_CONSTRAINT": "https://a.example/c.txt"}, {"constraint": "https://a.example/c.txt"}, ""),
        ({"PIP_CLIENT_CERT": "/etc/client.pem"}, {}, "client-cert is used without"),
        ({"PIP_CACHE_DIR": "/var/cache/pip", "PIP_LOG": "/var/log/pip"}, {}, "log is used without"),
        ({"PIP_CERT": "/etc/ssl/own.pem"}, {}, ""),
        ({"PIP_USER": "1", "PIP_REQUIRE_VIRTUALENV": "1"}, {}, ""),
        ({"PIP_NO_BINARY": ":none:", "PIP_PROXY": "http://p:3128"}, {"no-binary": ":none:", "proxy": "http://p:3128"}, ""),
    ],
    ids=str,
)
def test_what_is_a_file_of_this_machine_is_left_out_with_a_note(tmp_path: Path, variables: dict[str, str], left: dict[str, str], noted: str) -> None:
    paths, environment = machine(tmp_path, {}, variables)
    kept, notes = for_build(read_options(paths, environment), "")
    assert kept == ({"global": left} if left else {})
    assert noted in "\n".join(notes) and bool(notes) == bool(noted)


def test_a_note_says_nothing_of_what_is_kept(tmp_path: Path) -> None:
    paths, environment = machine(tmp_path, {}, {"PIP_EXTRA_INDEX_URL": "https://me:s3cret@a.example /srv/simple"})
    _, [note] = for_build(read_options(paths, environment), "")
    assert "s3cret" not in note


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[global]\na = 1\n[global]\nb = https://me:s3cret@a.example\n", 3),
        ("index-url = https://me:s3cret@a.example\n", 1),
        ("[global]\ntimeout = 1\ns3cret\n", 3),
        ("[global]\na = 1\nA = https://me:s3cret@a.example\n", 3),
    ],
)
def test_a_file_that_pip_refuses_is_named_with_its_line_and_without_its_text(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(ImageError) as refused:
        told(tmp_path, {"user": text})
    assert str(refused.value).startswith(f"{tmp_path / PLACES['user']}, line {line}: pip cannot read this file (")
    assert "s3cret" not in str(refused.value)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/pip.conf").write_bytes(b"[global]\nproxy = http://\xff\n")
    with pytest.raises(ImageError, match=r"etc/pip\.conf is not UTF-8"):
        told(tmp_path, {})


# --- Authorities -------------------------------------------------------------
@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        ("requirements.txt", "-i https://index.example/simple\nDjango==5.2\n", 1),
        ("requirements/base.txt", "# all\n--index-url=https://index.example/simple # ours\n", 2),
        ("requirements.in", "--index-url https://index.example/simple\n", 1),
        ("requirements.txt", "--extra-index-url https://index.example/simple\n", 0),
        ("requirements.txt", "-i https://index.example/simple/more\n", 0),
        ("notes.md", "-i https://index.example/simple\n", 0),
    ],
)
def test_the_line_of_the_requirements_that_names_an_index_is_found(tmp_path: Path, file: str, text: str, line: int) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text, encoding="utf-8")
    assert named_in(tmp_path, "https://index.example/simple", "RUN pip install .") == (f"line {line} of {tmp_path / file}" if line else "")


@pytest.mark.parametrize(
    ("run", "files"),
    [
        ("COPY requirements.txt /app/\nRUN pip install -r requirements.txt", ["requirements.txt"]),
        ("COPY . .\nRUN pip install -r ./requirements.txt", ["requirements.txt"]),
        ("COPY . .\nRUN pip install -r all.txt", ["docs/requirements.txt", "requirements.txt"]),  # it may include any of them
    ],
)
def test_of_several_files_that_name_an_index_those_are_told_that_the_dockerfile_names(tmp_path: Path, run: str, files: list[str]) -> None:
    (tmp_path / "docs").mkdir()
    for file in ("requirements.txt", "docs/requirements.txt"):
        (tmp_path / file).write_text("-i https://index.example/simple\n", encoding="utf-8")
    told = named_in(tmp_path, "https://index.example/simple", f"FROM a\n{run}\n")
    assert told == " and ".join(f"line 1 of {tmp_path / file}" for file in files)


def certificate(letter: str) -> str:
    """Return what looks like a certificate."""
    return f"-----BEGIN CERTIFICATE-----\n{letter}\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("variable", ["PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_build_trusts_what_the_system_trusts_and_what_a_variable_names(tmp_path: Path, variable: str) -> None:
    (tmp_path / "system.crt").write_text(f"# one\n{certificate('A')}{certificate('B')}")
    (tmp_path / "own.pem").write_text(certificate("B") + certificate("C") + "-----BEGIN PRIVATE KEY-----\nK\n-----END PRIVATE KEY-----\n")
    trusted, notes = authorities({}, {variable: str(tmp_path / "own.pem")}, ("/absent", str(tmp_path / "system.crt")))
    assert trusted == certificate("A") + certificate("B") + certificate("C") and notes == []


def test_a_build_trusts_what_pips_files_name(tmp_path: Path) -> None:
    (tmp_path / "own.pem").write_text(certificate("C"))
    assert authorities({"install": {"cert": str(tmp_path / "own.pem")}}, {}, ())[0] == certificate("C")


def test_a_directory_of_authorities_is_read_whole(tmp_path: Path) -> None:
    for letter in "AB":
        (tmp_path / f"{letter}.0").write_text(certificate(letter))
    assert authorities({}, {"REQUESTS_CA_BUNDLE": str(tmp_path)}, ())[0] == certificate("A") + certificate("B")


def test_authorities_that_are_not_there_are_noted_and_no_reason_to_fail(tmp_path: Path) -> None:
    trusted, [note] = authorities({}, {"SSL_CERT_FILE": str(tmp_path / "absent")}, ())
    assert trusted == "" and re.search("absent, which names certificate authorities, cannot be read: No such file", note)


def test_pip_is_told_where_the_authorities_are_where_an_instruction_gets_both() -> None:
    both = "RUN --mount=type=secret,id=pip_conf,target=/etc/pip.conf --mount=type=secret,id=ca_bundle{} pip install x"
    assert secret_beside(parse(both.format(",target=/ca.pem")), "pip_conf", "ca_bundle") == "/ca.pem"
    assert secret_beside(parse(both.format("")), "pip_conf", "ca_bundle") == "/run/secrets/ca_bundle"
    assert secret_beside(parse("RUN --mount=type=secret,id=ca_bundle,target=/ca.pem x\nRUN --mount=type=secret,id=pip_conf x"), "pip_conf", "ca_bundle") == ""
    assert for_build({"global": {"cert": "/here"}}, "/ca.pem")[0] == {"global": {"cert": "/ca.pem"}}


# --- The build ---------------------------------------------------------------
def test_a_build_gets_both_as_files_that_only_its_user_reads_and_its_log_has_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, environment = machine(tmp_path, {}, {"PIP_INDEX_URL": "https://me:s3cret@a.example", "PIP_FIND_LINKS": "/opt/wheels"})
    monkeypatch.setattr(image_build.pip, "configuration_files", lambda _: paths)
    monkeypatch.setattr(image_build.pip, "authorities", lambda *_: (certificate("A"), ["a note"]))
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "Dockerfile").write_text("RUN --mount=type=secret,id=pip_conf,target=/p --mount=type=secret,id=ca_bundle,target=/c pip install x")
    options = {"log": tmp_path / "log", "source": tmp_path, "dockerfile": tmp_path / "Dockerfile", "ref": "x", "storage": tmp_path / "storage"}
    monkeypatch.setattr(image_build.build_settings, "machine", lambda _: {"npmrc": "//npm.example/:_authToken=s3cret"})
    with image_build.Build(options).secrets("") as given:
        assert {name: oct(Path(file).stat().st_mode)[-3:] for name, file in given.items()} == {"pip_conf": "600", "ca_bundle": "600", "npmrc": "600"}
        parser = configparser.RawConfigParser()
        parser.read(given["pip_conf"])
        assert dict(parser["global"]) == {"index-url": "https://me:s3cret@a.example", "cert": "/c"}
        assert Path(given["ca_bundle"]).read_text() == certificate("A")
    assert list((tmp_path / "storage").iterdir()) == []
    assert (tmp_path / "log").read_text() == (
        "note: a note\nnote: pip's find-links is used without /opt/wheels: a build has no access to files of this machine.\n"
    )
