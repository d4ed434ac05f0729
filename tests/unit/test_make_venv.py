"""How .venv is made: whole or not at all, whatever breaks it off, by what this machine and pip are set up with, and with words that help."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
specification = importlib.util.spec_from_file_location("make_venv", SCRIPTS / "make_venv.py")
assert specification and specification.loader
make_venv = importlib.util.module_from_spec(specification)
specification.loader.exec_module(make_venv)

# Stands in for uv and for the Python that it brings. At the step AT it does what DO says.
UV = r"""#!/bin/sh
case "$1 $2" in
"python list") step=list ;; "python install") step=install ;; "python find") step=find ;;
"venv --quiet") step=venv ;; "pip sync") step=sync ;; *) step=python ;;
esac
echo "$step $UV_PYTHON_INSTALL_MIRROR" >>"$CALLS"
if [ "$step" = "$AT" ]; then
    case $DO in
    kill) kill -9 $PPID ;;
    orphan) kill -9 $PPID; until [ -e go ]; do sleep 0.02; done; echo ended >>"$CALLS" ;;
    slow) until [ -e go ]; do sleep 0.02; done ;;
    interrupt) kill -2 $PPID; sleep 5 ;;
    *) echo "$DO"; exit 2 ;;
    esac
fi
for last; do :; done
case $step in
list) echo "[$RELEASES]" ;;
find) echo /managed/python3 ;;
venv) mkdir -p "$last/bin" "$last/site" && cp "$0" "$last/bin/python" ;;
sync) : >"$(dirname "$(dirname "$0")")/../.venv.new/synced" ;;
python) echo "$(dirname "$(dirname "$0")")/site" ;;
esac
"""
# Runs the script with the uv above in place of the one that pip would bring.
DRIVER = """
import os, sys
sys.path.insert(0, os.path.join(os.getcwd(), "scripts"))
import make_venv
def get_uv(environment, keep):
    (make_venv.TOOLS / "bin").mkdir(parents=True)
    (make_venv.TOOLS / "bin" / "uv").write_text(open("uv").read())
    (make_venv.TOOLS / "bin" / "uv").chmod(0o755)
    return environment
make_venv.get_uv = get_uv
sys.exit(make_venv.main("of this test", *sys.argv[1:]))
"""
RELEASE = (
    '{"implementation": "cpython", "variant": "default", "version": "3.13.9", "key": "cpython-3.13.9-linux", '
    '"url": "https://releases.example/download/20261110/cpython-3.13.9%2B20261110-x86_64.tar.gz"}'
)
FILE = "20261110/cpython-3.13.9+20261110-x86_64.tar.gz"
STEPS = ("venv", "sync", "python")


class Project:
    """A project's directory, with a script that takes the environment for up to date when the driver made it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "scripts").mkdir()
        shutil.copy(SCRIPTS / "make_venv.py", root / "scripts")
        shutil.copy(SCRIPTS / "berth_start.py", root / "scripts")
        (root / "scripts" / "bootstrap").write_text('#!/bin/sh\n[ "$(cat .venv/.made-from 2>/dev/null)" = "of this test" ]\n', encoding="utf-8")
        (root / "scripts" / "bootstrap").chmod(0o755)
        (root / "driver.py").write_text(DRIVER, encoding="utf-8")
        (root / "uv").write_text(UV, encoding="utf-8")

    def start(self, *arguments: str, at: str = "", do: str = "", **environment: str) -> subprocess.Popen[str]:
        """Start the script in a process group of its own."""
        own = {"CALLS": str(self.root / "calls"), "AT": at, "DO": do, "RELEASES": RELEASE, "UV_PYTHON_INSTALL_MIRROR": ""}
        return subprocess.Popen(
            # Whoever is started in the background, as these tests are, does not hear of an interruption.
            ["env", "--default-signal=INT", sys.executable, "driver.py", *arguments],
            cwd=self.root,
            env=os.environ | own | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, at: str = "", do: str = "", **environment: str) -> tuple[int, str, str]:
        """Run the script; return its exit status, what it printed, and what it complained about."""
        process = self.start(*arguments, at=at, do=do, **environment)
        printed, complaint = process.communicate(timeout=30)
        return process.returncode, printed, complaint

    def calls(self) -> list[str]:
        """Return what was asked of uv so far, a word a call, with the mirror where one was given."""
        path = self.root / "calls"
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def whole(self) -> bool:
        """Whether the environment is complete, and nothing of its making is left beside it."""
        venv = self.root / ".venv"
        return (
            (venv / "synced").exists()
            and (venv / "site" / "berth.pth").read_text(encoding="utf-8") == "import berth_start\n"
            and (venv / "site" / "berth_start.py").exists()
            and (venv / "site" / "ansible_collections" / "berth" / "platform").samefile(self.root)
            and (venv / ".made-from").read_text(encoding="utf-8") == "of this test\n"
            and {path.name for path in self.root.glob(".venv*")} == {".venv", ".venv.guard"}
        )


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Return a project without an environment."""
    yield Project(tmp_path)


def earlier(project: Project) -> None:
    """Give the project an environment of earlier requirements."""
    (project.root / ".venv").mkdir()
    (project.root / ".venv" / ".made-from").write_text("of before\n", encoding="utf-8")


# --- Whole or not at all ---------------------------------------------------
@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("at", STEPS)
def test_a_run_that_is_killed_leaves_what_was_and_the_next_one_does_its_work(project: Project, at: str, before: bool) -> None:
    if before:
        earlier(project)
    assert project.run("/a/python3", at=at, do="kill")[0] == -signal.SIGKILL
    assert (project.root / ".venv").exists() == before
    assert not before or (project.root / ".venv" / ".made-from").read_text(encoding="utf-8") == "of before\n"
    assert project.run("/a/python3") == (0, "bootstrap: creating .venv with /a/python3 (once; about a minute)\n", "")
    assert project.whole()


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("at", STEPS)
def test_a_step_that_fails_is_told_in_words_and_leaves_what_was(project: Project, at: str, before: bool) -> None:
    if before:
        earlier(project)
    status, _, complaint = project.run("/a/python3", at=at, do="write error: No space left on device (os error 28)")
    assert status == 1
    assert "the disk is full. Free some space in " in complaint and "Traceback" not in complaint
    assert {path.name for path in project.root.glob(".venv*")} == {".venv.guard", ".venv.log"} | ({".venv"} if before else set())
    assert project.run("/a/python3")[0] == 0
    assert project.whole()


@pytest.mark.parametrize("leftover", [".venv.new", ".venv.old", ".venv.tools"])
def test_what_an_earlier_run_left_is_no_hindrance(project: Project, leftover: str) -> None:
    (project.root / leftover / "bin").mkdir(parents=True)
    assert project.run("/a/python3")[0] == 0
    assert project.whole()


def test_an_environment_that_was_put_away_just_before_a_kill_is_made_again(project: Project) -> None:
    earlier(project)
    (project.root / ".venv").rename(project.root / ".venv.old")
    assert project.run("/a/python3")[0] == 0
    assert project.whole()


def test_a_link_to_another_projects_environment_is_replaced_and_that_one_stays(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / ".made-from").write_text("of another", encoding="utf-8")
    (project.root / ".venv").symlink_to(other)
    assert project.run("/a/python3")[0] == 0
    assert project.whole() and not (project.root / ".venv").is_symlink()
    assert (other / ".made-from").read_text(encoding="utf-8") == "of another"


WAITS = "bootstrap: another run is creating .venv; waiting for it\n"


def released(project: Project, process: subprocess.Popen[str]) -> str:
    """Let the step that waits go on once this process says that it waits too; return what else this one printed."""
    assert process.stdout and process.stdout.readline() == WAITS
    (project.root / "go").touch()
    return process.communicate(timeout=30)[0]


def test_of_two_at_once_one_makes_it_and_the_other_waits(project: Project) -> None:
    first = project.start("/a/python3", at="sync", do="slow")
    assert first.stdout and first.stdout.readline() == "bootstrap: creating .venv with /a/python3 (once; about a minute)\n"
    second = project.start("/a/python3")
    assert released(project, second) == ""
    first.communicate(timeout=30)
    assert (first.returncode, second.returncode) == (0, 0)
    assert project.calls() == [*STEPS]
    assert project.whole()


def test_what_a_killed_run_had_begun_is_waited_for(project: Project) -> None:
    first = project.start("/a/python3", at="sync", do="orphan")
    first.wait(timeout=30)
    second = project.start("/a/python3")
    released(project, second)
    assert (first.returncode, second.returncode) == (-signal.SIGKILL, 0)
    assert project.calls() == ["venv", "sync", "ended", *STEPS]
    assert project.whole()


def test_an_interruption_is_no_traceback(project: Project) -> None:
    status, _, complaint = project.run("/a/python3", at="venv", do="interrupt")
    assert (status, complaint) == (130, "bootstrap: interrupted. Run the same command to start again.\n")
    assert [path.name for path in project.root.glob(".venv*")] == [".venv.guard"]


def test_a_second_run_makes_nothing(project: Project) -> None:
    assert project.run("/a/python3")[0] == 0
    assert project.run("/a/python3") == (0, "", "")
    assert project.calls() == [*STEPS]


def test_a_directory_that_cannot_be_written_is_named(project: Project) -> None:
    (project.root / ".venv.guard").mkdir()
    assert project.run() == (1, "", f"bootstrap: {project.root}/.venv.guard: Is a directory. Fix that, then run the same command again.\n")


# --- A Python where there is none ------------------------------------------
def test_without_a_new_enough_python_uv_brings_one(project: Project) -> None:
    status, printed, _ = project.run()
    assert status == 0 and project.whole()
    assert printed.splitlines()[1] == "bootstrap: no Python 3.12 or newer found; uv fetches Python 3.13.9"
    assert project.calls() == ["list", "install", "find", *STEPS]


def test_a_python_that_cannot_be_fetched_names_the_file_its_place_and_the_other_ways(project: Project) -> None:
    status, _, complaint = project.run(at="install", do="error: Request failed\n  cause: tcp connect error\n  cause: Connection refused (os error 111)")
    assert status == 1
    assert complaint == (
        "bootstrap: Python 3.13.9 could not be fetched from "
        "https://releases.example/download/20261110/cpython-3.13.9%2B20261110-x86_64.tar.gz: it does not answer. "
        "Check the network, and HTTPS_PROXY if this machine needs a proxy, then run the same command again. "
        f"The full output is in {project.root}/.venv.log\n"
        "Or do one of the following:\n"
        "  download https://github.com/astral-sh/python-build-standalone/releases/download/20261110/cpython-3.13.9%2B20261110-x86_64.tar.gz elsewhere, "
        f"copy it to {project.root}/.cache/python/{FILE} and run the same command again\n"
        "  use a mirror of https://github.com/astral-sh/python-build-standalone/releases/download: "
        "UV_PYTHON_INSTALL_MIRROR=https://mirror.example/path make dev\n"
        "  use a Python 3.12 or newer that is on this machine: BERTH_PYTHON=/path/to/python3 make dev\n"
    )


@pytest.mark.parametrize(
    ("brought", "named", "used"),
    [
        (FILE, "", "file://{root}/.cache/python"),
        (FILE, "https://mirror.example/x", "https://mirror.example/x"),
        ("20250101/cpython-3.13.1+20250101-x86_64.tar.gz", "", ""),  # of an earlier release: it would not be found there
        ("", "", ""),
    ],
)
def test_a_file_that_was_put_where_the_message_says_is_taken(project: Project, brought: str, named: str, used: str) -> None:
    if brought:
        place = project.root / ".cache" / "python" / brought
        place.parent.mkdir(parents=True)
        place.touch()
    assert project.run(UV_PYTHON_INSTALL_MIRROR=named)[0] == 0
    assert f"install {used.format(root=project.root)}".strip() in project.calls()


def test_a_machine_for_which_there_is_no_python_is_told_so(project: Project) -> None:
    status, _, complaint = project.run(RELEASES='{"implementation": "graalpy", "variant": "default"}')
    assert (status, "uv has no Python 3.13 for this machine." in complaint) == (1, True)


# --- The words -------------------------------------------------------------
PIP_REFUSED = """WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection broken by \
'NewConnectionError('<pip._vendor.urllib3.connection.HTTPConnection object at 0x7f>: Failed to establish a new connection: [Errno 111] \
Connection refused')': /simple/uv/
ERROR: Could not find a version that satisfies the requirement uv==0.13.9 (from versions: none)
ERROR: No matching distribution found for uv==0.13.9
"""
PIP_TRACEBACK = """ERROR: Exception:
Traceback (most recent call last):
  File "/x/pip/_vendor/urllib3/response.py", line 438, in _error_catcher
    yield
pip._vendor.urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool(host='files.example', port=443): Read timed out.
"""
UV_CERTIFICATE = """error: Failed to fetch: https://pypi.example/simple/distro/
  cause: error sending request for url (https://pypi.example/simple/distro/)
  cause: client error (Connect)
  cause: invalid peer certificate: UnknownIssuer
"""
UV_NAME = """error: Failed to download `ansible==14.5.0`
  cause: Request failed after 3 retries
  cause: error sending request for url (https://files.example/packages/ansible-14.5.0.whl)
  cause: dns error
  cause: failed to lookup address information: Name or service not known
"""


@pytest.mark.parametrize(
    ("said", "name", "where", "cause"),
    [
        (PIP_REFUSED, "uv", "https://index.example/simple", "it does not answer"),
        (PIP_TRACEBACK, "uv==1", "https://index.example/simple", "it does not answer"),
        (UV_CERTIFICATE, "distro", "https://pypi.example", "its certificate is from an authority that this machine does not trust"),
        (UV_NAME, "ansible==14.5.0", "https://files.example", "its host name cannot be resolved"),
        (
            "error: Failed to fetch: `https://i.example/simple/a/`\n  cause: HTTP status client error (401 Unauthorized)",
            "a",
            "https://i.example",
            "the index denies access",
        ),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
            "uv==1",
            "https://index.example/simple",
            "the download has the wrong checksum",
        ),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "uv==1",
            "https://index.example/simple",
            "the disk is full",
        ),
        (
            "ProxyError('Unable to connect to proxy', OSError('Tunnel connection failed: 407 Proxy Authentication Required'))",
            "uv==1",
            "https://index.example/simple",
            "the proxy requires a login",
        ),
        ("error: one thing\n  cause: another thing.\n", "uv==1", "https://index.example/simple", "cause: another thing"),
        ("what nobody has thought of\n", "uv==1", "https://index.example/simple", "what nobody has thought of"),
        ("", "uv==1", "https://index.example/simple", "no reason was given"),
    ],
)
def test_what_did_not_arrive_from_where_and_why_is_one_sentence(said: str, name: str, where: str, cause: str) -> None:
    first, _, rest = make_venv.explain("uv==1", "https://index.example/simple", said).partition(f": {cause}. ")
    assert first == f"{name} could not be fetched from {where}"
    assert rest.endswith(f" then run the same command again. The full output is in {make_venv.LOG}")
    assert "Traceback" not in rest


def test_an_address_is_told_without_its_password() -> None:
    assert "s3cret" not in make_venv.explain("uv==1", "https://me:s3cret@index.example/simple", "error")
    assert make_venv.without_passwords("x https://me:s3cret@a.example/simple/ y http://b@c/") == "x https://***@a.example/simple/ y http://***@c/"


# --- Whom and what pip and uv heed -----------------------------------------
@pytest.mark.parametrize(
    ("given", "bundle", "expected"),
    [
        ({}, True, {"REQUESTS_CA_BUNDLE": "{bundle}", "UV_SYSTEM_CERTS": "true"}),
        ({}, False, {}),  # then those that pip and uv bring
        ({"SSL_CERT_FILE": "/own.pem"}, True, {"SSL_CERT_FILE": "/own.pem", "REQUESTS_CA_BUNDLE": "/own.pem", "UV_SYSTEM_CERTS": "true"}),
        ({"CURL_CA_BUNDLE": "/curl.pem"}, True, {"CURL_CA_BUNDLE": "/curl.pem", "REQUESTS_CA_BUNDLE": "/curl.pem", "UV_SYSTEM_CERTS": "true"}),
        ({"REQUESTS_CA_BUNDLE": "/own.pem", "UV_SYSTEM_CERTS": "false"}, True, {"REQUESTS_CA_BUNDLE": "/own.pem", "UV_SYSTEM_CERTS": "false"}),
        ({"PIP_TARGET": "/x", "PIP_USER": "1", "PYTHONPATH": "/y", "PYTHONHOME": "/z", "HOME": "/h"}, False, {"HOME": "/h"}),
    ],
)
def test_what_this_machine_trusts_is_trusted_unless_the_environment_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], bundle: bool, expected: dict[str, str]
) -> None:
    file = tmp_path / "ca-certificates.crt"
    if bundle:
        file.touch()
    monkeypatch.setattr(make_venv, "BUNDLES", ("/nowhere.crt", str(file)))
    assert make_venv.trusting(given) == {name: value.format(bundle=file) for name, value in expected.items()}


@pytest.mark.parametrize(
    ("listed", "given", "expected"),
    [
        ("", {}, {}),
        ("global.index-url='https://a.example/simple'\n", {}, {"UV_DEFAULT_INDEX": "https://a.example/simple"}),
        ("global.index-url='https://a'\ninstall.index-url='https://b'\n", {}, {"UV_DEFAULT_INDEX": "https://b"}),
        (":env:.index-url='https://c'\nglobal.index-url='https://a'\ninstall.index-url='https://b'\n", {}, {"UV_DEFAULT_INDEX": "https://c"}),
        ("global.index-url='https://a'\n", {"UV_DEFAULT_INDEX": "https://own"}, {"UV_DEFAULT_INDEX": "https://own"}),
        ("global.extra-index-url='\\nhttps://a\\nhttps://b'\n", {}, {"UV_INDEX": "https://a https://b", "UV_INDEX_STRATEGY": "unsafe-best-match"}),
        ("global.trusted-host='a b:1'\n", {}, {"UV_INSECURE_HOST": "a b:1"}),
        ("global.proxy='http://p:3128'\n", {}, {"ALL_PROXY": "http://p:3128"}),
        ("global.cert='/c.pem'\nglobal.client-cert='/d.pem'\n", {}, {"SSL_CERT_FILE": "/c.pem", "SSL_CLIENT_CERT": "/d.pem"}),
        (":env:.cert='/c.pem'\n", {"SSL_CERT_FILE": "/own.pem"}, {"SSL_CERT_FILE": "/own.pem"}),
        (":env:.find-links='/nowhere'\n", {}, {}),
        (":env:.find-links='/nowhere / https://w.example/'\n", {}, {"UV_FIND_LINKS": "/,https://w.example/"}),
        ("download.index-url='https://x'\nglobal.timeout='60'\n:env:.disable-pip-version-check='1'\n", {}, {}),
        ('global.index-url="https://it\'s"\n', {}, {"UV_DEFAULT_INDEX": "https://it's"}),
    ],
)
def test_uv_is_told_what_pip_is_set_up_with(listed: str, given: dict[str, str], expected: dict[str, str]) -> None:
    assert make_venv.as_pip(listed, given) == expected


def test_uv_itself_is_taken_by_the_hashes_of_the_requirements() -> None:
    lines = make_venv.pinned("uv").splitlines()
    assert lines[0].startswith("uv==") and lines[0].endswith("\\")
    assert len(lines) > 10 and all(line.strip().startswith("--hash=sha256:") for line in lines[1:] if "#" not in line)
    assert not lines[-1].endswith("\\")


def test_requirements_without_uv_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_venv, "REQUIREMENTS", tmp_path / "requirements.txt")
    (tmp_path / "requirements.txt").write_text("uvicorn==1 \\\n    --hash=sha256:1\n", encoding="utf-8")
    with pytest.raises(make_venv.Failure, match=r"requirements\.txt does not name uv\."):
        make_venv.pinned("uv")
