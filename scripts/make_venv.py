"""Create .venv completely, or leave the old one in place. scripts/bootstrap calls this with Python 3.9 or newer.

    make_venv.py MADE_FROM [PYTHON]

MADE_FROM is recorded in .venv/.made-from. PYTHON (3.12 or newer) is the interpreter of .venv; without one, uv downloads one.
What is made lies beside .venv until it is whole; what an earlier run left there when it was killed is removed.
"""

from __future__ import annotations

import ast
import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, unquote

PROJECT = Path(__file__).resolve().parents[1]
VENV = PROJECT / ".venv"
NEW = PROJECT / ".venv.new"  # the environment that is being created
OLD = PROJECT / ".venv.old"  # the previous one, until it is deleted
TOOLS = PROJECT / ".venv.tools"  # pip, and uv, which pip installs
LOCK = PROJECT / ".venv.guard"
LOG = PROJECT / ".venv.log"
REQUIREMENTS = PROJECT / "requirements.txt"
BROUGHT = PROJECT / ".cache" / "python"  # where to look for a Python that was copied here by hand
VERSION = "3.13"  # of the Python that uv downloads; the patch release depends on uv's version
PYPI = "PyPI"  # the default index of pip and uv
MIRROR = "UV_PYTHON_INSTALL_MIRROR"  # uv's own variable (docs.astral.sh/uv/reference/environment)
RELEASES = "https://github.com/astral-sh/python-build-standalone/releases/download"

BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
# pip settings that uv also has, under other names. uv reads neither pip's files nor its variables.
SAME = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "proxy": "ALL_PROXY",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
}
# Variables that make pip install outside the environment it runs in, or Python look elsewhere.
ASTRAY = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PYTHONHOME", "PYTHONPATH")
# Error messages of pip and uv, their cause, and what to do.
CAUSES = (
    (
        r"No space left on device|os error 28|Disk quota exceeded|os error 122",
        "the disk is full",
        f"Free some space in {PROJECT} and for temporary files, then",
    ),
    (
        r"certificate verify failed|CERTIFICATE_VERIFY_FAILED|UnknownIssuer|invalid peer certificate|self-signed certificate",
        "its certificate is from an authority that this machine does not trust",
        "Add the authority's certificate to this machine (as a .crt file in /usr/local/share/ca-certificates, then update-ca-certificates), "
        "or set SSL_CERT_FILE to a file that contains it, then",
    ),
    (
        r"DO NOT MATCH THE HASHES|[Hh]ash mismatch|Hashes did not match",
        "the download has the wrong checksum",
        "Check what that address, or a proxy in front of it, delivers, then",
    ),
    (r"\b407\b|[Pp]roxy [Aa]uthentication", "the proxy requires a login", "Set it in HTTPS_PROXY (http://user:password@host:port), then"),
    (r"\b40[13]\b", "the index denies access", "Put the user and password into ~/.netrc, then"),
    (
        r"Name or service not known|name resolution|failed to lookup address|dns error|No address associated",
        "its host name cannot be resolved",
        "Check the address and this machine's name servers, then",
    ),
    (
        r"Connection refused|[Tt]imed? ?out|unreachable|reset by peer|Connection broken|error sending request|RemoteDisconnected",
        "it does not answer",
        "Check the network, and HTTPS_PROXY if this machine needs a proxy, then",
    ),
)


class Failure(Exception):
    """The environment cannot be created. The text is for the user."""


def without_passwords(words: str) -> str:
    """Return text without the credentials in its URLs."""
    return re.sub(r"://[^/@\s]+@", "://***@", words)


def explain(what: str, source: str, said: str) -> str:
    """Return one sentence on what could not be fetched, from where and why, and one on what to do.

    Args:
        what: What was to be fetched. May be empty.
        source: Its address, if the tool does not print it. May be empty.
        said: The full output of pip or uv.
    """
    package = re.search(r"/simple/([A-Za-z0-9._-]+)|Failed to (?:download|fetch|extract|install)[:\w ]*`([^`/]+)`", said)
    name = next((group for group in package.groups() if group), what) if package else what
    index = re.search(r"https?://[^/\s'\"`),]+", said)
    address = index.group(0) if index else without_passwords(source)
    where = f" from {address}" if address else ""
    errors = [line.strip() for line in said.splitlines() if re.match(r"\s*(error|ERROR|cause)\b", line)]
    last = (errors or said.strip().splitlines() or ["no reason was given"])[-1].strip().rstrip(".")
    known = [(cause, advice) for pattern, cause, advice in CAUSES if re.search(pattern, said)]
    cause, advice = (*known, (last, "Fix that, then"))[0]
    return f"{name} could not be fetched{where}: {cause}. {advice} run the same command again. The full output is in {LOG}"


def run(what: str, source: str, *command: str | Path, environment: dict[str, str], keep: int) -> str:
    """Run a command and return what it printed.

    Args:
        what: What it fetches, for the message.
        source: Where it fetches it from, for the message.
        keep: A file descriptor to keep open. It holds the lock while the command runs, even if this process is killed.

    Raises:
        Failure: The command failed.
    """
    done = subprocess.run(
        [str(word) for word in command],
        cwd=PROJECT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=(keep,),
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = without_passwords(done.stdout)
        with contextlib.suppress(OSError):
            LOG.write_text(said, encoding="utf-8")
        raise Failure(explain(what, source, said))
    return done.stdout


def trusting(given: dict[str, str]) -> dict[str, str]:
    """Return the environment for pip and uv. They trust this machine's CA certificates unless the environment sets others."""
    environment = {name: value for name, value in given.items() if name not in ASTRAY}
    bundle = given.get("SSL_CERT_FILE") or next((path for path in BUNDLES if os.path.isfile(path)), "")
    if bundle:
        # Older versions of pip trust only the CA certificates that they ship with. pip's own setting `cert` still takes precedence.
        environment.setdefault("REQUESTS_CA_BUNDLE", given.get("CURL_CA_BUNDLE") or bundle)
        environment.setdefault("UV_SYSTEM_CERTS", "true")
    return environment


def as_pip(listed: str, given: dict[str, str]) -> dict[str, str]:
    """Return the environment for uv, including pip's settings.

    Args:
        listed: The output of ``pip config list``, one ``SECTION.NAME='VALUE'`` per line.
        given: The environment. Its settings for uv take precedence.
    """
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for section, name, value in re.findall(r"^(global|install|:env:)\.([\w-]+)=(.*)$", listed, flags=re.MULTILINE):
        sections[section][name] = str(ast.literal_eval(value))
    settings = {**sections["global"], **sections["install"], **sections[":env:"]}  # in pip's order: the last one wins
    environment = dict(given)
    for name, variable in SAME.items():
        words = settings.get(name, "").split()
        if name == "find-links":  # uv fails if one does not exist, and separates them with commas
            words = [word for word in words if "://" in word or os.path.exists(word)]
        if words and not environment.get(variable):
            environment[variable] = ("," if name == "find-links" else " ").join(words)
    if settings.get("extra-index-url"):
        # requirements.txt has the hash of every file, so any index is safe.
        environment.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return environment


def pinned(name: str) -> str:
    """Return the lines of requirements.txt for one package, with its hashes, as a requirements file of its own."""
    found = re.search(rf"^{name}==(?:.*\\\n)*.*\n", REQUIREMENTS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if not found:
        raise Failure(f"{REQUIREMENTS} does not name {name}.")
    return found.group(0)


def get_uv(environment: dict[str, str], keep: int) -> dict[str, str]:
    """Install uv with pip, into its own environment. Return the environment variables for uv."""
    run("the venv module", "", sys.executable, "-m", "venv", "--clear", TOOLS, environment=environment, keep=keep)
    pip = [TOOLS / "bin" / "python", "-m", "pip"]
    for_uv = as_pip(run("pip", "", *pip, "config", "list", environment=environment, keep=keep), environment)
    wanted, lines = pinned("uv"), TOOLS / "uv.txt"
    lines.write_text(wanted, encoding="utf-8")
    run(
        wanted.split()[0],
        for_uv.get("UV_DEFAULT_INDEX", PYPI),
        *pip,
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--no-user",
        "--require-hashes",
        "--requirement",
        lines,
        environment=environment,
        keep=keep,
    )
    return for_uv


def get_python(uv: Path, environment: dict[str, str], keep: int) -> str:
    """Install a Python with uv, from a file that was copied here by hand if there is one. Return its path.

    Raises:
        Failure: It could not be fetched. The text names the file and where to put it.
    """
    listed = run("uv", "", uv, "python", "list", VERSION, "--only-downloads", "--output-format", "json", environment=environment, keep=keep)
    release = next((each for each in json.loads(listed) if each["implementation"] == "cpython" and each["variant"] == "default"), None)
    if release is None:
        raise Failure(f"uv has no Python {VERSION} for this machine. Install one and set its path: BERTH_PYTHON=/path/to/python3 make dev")
    tag, file = unquote(release["url"]).split("/")[-2:]
    brought = BROUGHT / tag / file
    if brought.is_file() and not environment.get(MIRROR):
        environment = {**environment, MIRROR: BROUGHT.as_uri()}
    name = f"Python {release['version']}"
    print(f"bootstrap: no Python 3.12 or newer found; uv fetches {name}", flush=True)
    try:
        source = environment.get(MIRROR) or release["url"]
        run(name, source, uv, "python", "install", "--no-bin", "--reinstall", release["key"], environment=environment, keep=keep)
        return run(name, "", uv, "python", "find", "--managed-python", "--system", "--no-project", VERSION, environment=environment, keep=keep).strip()
    except Failure as failure:
        raise Failure(
            f"{failure}\nOr do one of the following:\n"
            f"  download {RELEASES}/{tag}/{quote(file)} elsewhere, copy it to {brought} and run the same command again\n"
            f"  use a mirror of {RELEASES}: {MIRROR}=https://mirror.example/path make dev\n"
            "  use a Python 3.12 or newer that is on this machine: BERTH_PYTHON=/path/to/python3 make dev"
        ) from None


def make(made_from: str, base: str, keep: int) -> None:
    """Create the environment and move it into place."""
    print(f"bootstrap: creating .venv{f' with {base}' if base else ''} (once; about a minute)", flush=True)
    uv = TOOLS / "bin" / "uv"
    environment = get_uv(trusting(dict(os.environ)), keep)
    base = base or get_python(uv, environment, keep)
    # Relocatable, because it is created under another name, and because people move directories.
    run("Python", "", uv, "venv", "--quiet", "--relocatable", "--prompt", PROJECT.name, "--python", base, NEW, environment=environment, keep=keep)
    python = NEW / "bin" / "python"
    run(
        "a package of requirements.txt",
        environment.get("UV_DEFAULT_INDEX", PYPI),
        uv,
        "pip",
        "sync",
        "--compile-bytecode",
        "--require-hashes",
        "--python",
        python,
        REQUIREMENTS,
        environment=environment,
        keep=keep,
    )
    place = run("Python", "", python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", environment=environment, keep=keep).strip()
    shutil.copy(PROJECT / "scripts" / "berth_start.py", place)
    Path(place, "berth.pth").write_text("import berth_start\n", encoding="utf-8")
    # The project is a collection, which Ansible and editors find here without any setting.
    collection = Path(place, "ansible_collections", "berth", "platform")
    collection.parent.mkdir(parents=True)
    collection.symlink_to(os.path.relpath(PROJECT, collection.parent))
    (NEW / ".made-from").write_text(f"{made_from}\n", encoding="utf-8")
    put_in_place()


def put_in_place() -> None:
    """Replace the previous environment, which may be a link to another one, with the new one."""
    if VENV.is_symlink():
        VENV.unlink()
    elif VENV.exists():
        VENV.rename(OLD)
    NEW.rename(VENV)


def clear() -> None:
    """Remove everything but .venv itself."""
    for path in (NEW, OLD, TOOLS):
        shutil.rmtree(path, ignore_errors=True)


def main(made_from: str, base: str = "") -> int:
    """Create .venv unless another run has done so in the meantime. Return the exit status."""
    try:
        with LOCK.open("w", encoding="utf-8") as guard:
            try:
                fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("bootstrap: another run is creating .venv; waiting for it", flush=True)
                fcntl.flock(guard, fcntl.LOCK_EX)
            if subprocess.run([str(PROJECT / "scripts" / "bootstrap"), "--check"], check=False).returncode == 0:
                return 0
            clear()
            try:
                make(made_from, base, guard.fileno())
                LOG.unlink(missing_ok=True)
            finally:
                clear()
    except Failure as failure:
        print(f"bootstrap: {failure}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"bootstrap: {error.filename or PROJECT}: {error.strerror}. Fix that, then run the same command again.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bootstrap: interrupted. Run the same command to start again.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
