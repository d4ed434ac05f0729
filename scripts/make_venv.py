"""Make .venv whole, or leave it as it was. scripts/bootstrap calls this with any Python from 3.9 on.

    make_venv.py MADE_FROM [PYTHON]

MADE_FROM is noted in .venv/.made-from, PYTHON (3.12 or newer) is the interpreter of .venv; without one, uv brings it.
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
NEW = PROJECT / ".venv.new"  # the environment that is being made
OLD = PROJECT / ".venv.old"  # the one of before, on its way out
TOOLS = PROJECT / ".venv.tools"  # pip, and uv that pip brings
LOCK = PROJECT / ".venv.guard"
LOG = PROJECT / ".venv.log"
REQUIREMENTS = PROJECT / "requirements.txt"
BROUGHT = PROJECT / ".cache" / "python"  # where a Python that somebody carried here is looked for
VERSION = "3.13"  # of the Python that uv brings; which release of it, uv's own version says
PYPI = "PyPI"  # what pip and uv ask where nothing is set
MIRROR = "UV_PYTHON_INSTALL_MIRROR"  # uv's own variable (docs.astral.sh/uv/reference/environment)
RELEASES = "https://github.com/astral-sh/python-build-standalone/releases/download"

BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
# Settings of pip that uv has too, under another name; uv reads neither pip's files nor its variables.
SAME = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "proxy": "ALL_PROXY",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
}
# What makes pip install elsewhere than into the environment that it is called from, or Python look elsewhere.
ASTRAY = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PYTHONHOME", "PYTHONPATH")
# What pip or uv says of a failure, what that means, and what to do about it.
CAUSES = (
    (
        r"No space left on device|os error 28|Disk quota exceeded|os error 122",
        "there is no room on the disk",
        f"Make room in {PROJECT} and for temporary files, then",
    ),
    (
        r"certificate verify failed|CERTIFICATE_VERIFY_FAILED|UnknownIssuer|invalid peer certificate|self-signed certificate",
        "its certificate is from an authority that this machine does not trust",
        "Add the authority to this machine's (as a .crt file in /usr/local/share/ca-certificates, then update-ca-certificates), "
        "or name a file that holds it with SSL_CERT_FILE, then",
    ),
    (
        r"DO NOT MATCH THE HASHES|[Hh]ash mismatch|Hashes did not match",
        "what arrived has another checksum than it must have",
        "See what that address, or a proxy on the way to it, delivers, then",
    ),
    (r"\b407\b|[Pp]roxy [Aa]uthentication", "the proxy wants a login", "Give it in HTTPS_PROXY (http://user:password@host:port), then"),
    (r"\b40[13]\b", "the index does not let us in", "Give the user and password in ~/.netrc, then"),
    (
        r"Name or service not known|name resolution|failed to lookup address|dns error|No address associated",
        "no name server knows its host",
        "Check the address and the name servers of this machine, then",
    ),
    (
        r"Connection refused|[Tt]imed? ?out|unreachable|reset by peer|Connection broken|error sending request|RemoteDisconnected",
        "it does not answer",
        "Check the network, and HTTPS_PROXY where this machine needs a proxy, then",
    ),
)


class Failure(Exception):
    """The environment cannot be made; the text is for the user."""


def without_passwords(words: str) -> str:
    """Return text without the credentials of its addresses."""
    return re.sub(r"://[^/@\s]+@", "://***@", words)


def explain(what: str, source: str, said: str) -> str:
    """Return one sentence on what did not arrive, from where and why, and one on what to do.

    Args:
        what: What was to be fetched, and
        source: from which address, where the tool does not say it; both may be empty.
        said: All that pip or uv printed.
    """
    package = re.search(r"/simple/([A-Za-z0-9._-]+)|Failed to (?:download|fetch|extract|install)[:\w ]*`([^`/]+)`", said)
    name = next((group for group in package.groups() if group), what) if package else what
    index = re.search(r"https?://[^/\s'\"`),]+", said)
    address = index.group(0) if index else without_passwords(source)
    where = f" from {address}" if address else ""
    errors = [line.strip() for line in said.splitlines() if re.match(r"\s*(error|ERROR|cause)\b", line)]
    last = (errors or said.strip().splitlines() or ["no reason was given"])[-1].strip().rstrip(".")
    known = [(cause, advice) for pattern, cause, advice in CAUSES if re.search(pattern, said)]
    cause, advice = (*known, (last, "Mend that, then"))[0]
    return f"{name} did not arrive{where}: {cause}. {advice} run the same command again. All that was said is in {LOG}"


def run(what: str, source: str, *command: str | Path, environment: dict[str, str], keep: int) -> str:
    """Run a command and return what it printed.

    Args:
        what: What it fetches, and
        source: from where, for the message.
        keep: A file descriptor that it keeps open: it holds the lock as long as the command runs, even if this process is killed.

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
    """Return the environment for pip and uv: they trust the authorities that this machine trusts, unless it says otherwise."""
    environment = {name: value for name, value in given.items() if name not in ASTRAY}
    bundle = given.get("SSL_CERT_FILE") or next((path for path in BUNDLES if os.path.isfile(path)), "")
    if bundle:
        # Older pips know only the authorities that they bring; the setting `cert` of pip's own still wins over this one.
        environment.setdefault("REQUESTS_CA_BUNDLE", given.get("CURL_CA_BUNDLE") or bundle)
        environment.setdefault("UV_SYSTEM_CERTS", "true")
    return environment


def as_pip(listed: str, given: dict[str, str]) -> dict[str, str]:
    """Return the environment for uv with pip's settings in it.

    Args:
        listed: What ``pip config list`` prints, one ``SECTION.NAME='VALUE'`` a line.
        given: The environment; what it says of uv itself wins.
    """
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for section, name, value in re.findall(r"^(global|install|:env:)\.([\w-]+)=(.*)$", listed, flags=re.MULTILINE):
        sections[section][name] = str(ast.literal_eval(value))
    settings = {**sections["global"], **sections["install"], **sections[":env:"]}  # pip's own order, the last one wins
    environment = dict(given)
    for name, variable in SAME.items():
        words = settings.get(name, "").split()
        if name == "find-links":  # uv ends where one is not there, and separates them with commas
            words = [word for word in words if "://" in word or os.path.exists(word)]
        if words and not environment.get(variable):
            environment[variable] = ("," if name == "find-links" else " ").join(words)
    if settings.get("extra-index-url"):
        # Every file has its hash in requirements.txt, so it does not matter which index it comes from.
        environment.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return environment


def pinned(name: str) -> str:
    """Return the lines of requirements.txt about one package: a requirements file by itself, with its hashes."""
    found = re.search(rf"^{name}==(?:.*\\\n)*.*\n", REQUIREMENTS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if not found:
        raise Failure(f"{REQUIREMENTS} does not name {name}.")
    return found.group(0)


def get_uv(environment: dict[str, str], keep: int) -> dict[str, str]:
    """Have pip bring uv into an environment of its own; return the environment variables for uv."""
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
    """Have uv bring a Python, from a file that somebody carried here where there is one; return its path.

    Raises:
        Failure: It did not arrive; the text names the file and where to put it.
    """
    listed = run("uv", "", uv, "python", "list", VERSION, "--only-downloads", "--output-format", "json", environment=environment, keep=keep)
    release = next((each for each in json.loads(listed) if each["implementation"] == "cpython" and each["variant"] == "default"), None)
    if release is None:
        raise Failure(f"uv knows no Python {VERSION} for this machine. Install one, and name it: BERTH_PYTHON=/path/to/python3 make dev")
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
            f"{failure}\nOr do one of these:\n"
            f"  fetch {RELEASES}/{tag}/{quote(file)} elsewhere, put it here as {brought} and run the same command again\n"
            f"  name a mirror of {RELEASES}: {MIRROR}=https://mirror.example/path make dev\n"
            "  name a Python 3.12 or newer that is on this machine: BERTH_PYTHON=/path/to/python3 make dev"
        ) from None


def make(made_from: str, base: str, keep: int) -> None:
    """Make the environment and put it in its place."""
    print(f"bootstrap: making .venv{f' with {base}' if base else ''} (once; about a minute)", flush=True)
    uv = TOOLS / "bin" / "uv"
    environment = get_uv(trusting(dict(os.environ)), keep)
    base = base or get_python(uv, environment, keep)
    # Relocatable, because it is made under another name, and because people move directories.
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
    # The project is a collection, and found as such from here. Ansible needs no setting for it, nor do editors.
    collection = Path(place, "ansible_collections", "berth", "platform")
    collection.parent.mkdir(parents=True)
    collection.symlink_to(os.path.relpath(PROJECT, collection.parent))
    (NEW / ".made-from").write_text(f"{made_from}\n", encoding="utf-8")
    put_in_place()


def put_in_place() -> None:
    """Let the new environment take the place of the one of before, which may be a link to somebody else's."""
    if VENV.is_symlink():
        VENV.unlink()
    elif VENV.exists():
        VENV.rename(OLD)
    NEW.rename(VENV)


def clear() -> None:
    """Remove what is not .venv itself."""
    for path in (NEW, OLD, TOOLS):
        shutil.rmtree(path, ignore_errors=True)


def main(made_from: str, base: str = "") -> int:
    """Make .venv unless another run has done it meanwhile; return the exit status."""
    try:
        with LOCK.open("w", encoding="utf-8") as guard:
            try:
                fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("bootstrap: another run is making .venv; waiting for it", flush=True)
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
        print(f"bootstrap: {error.filename or PROJECT}: {error.strerror}. Mend that, then run the same command again.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bootstrap: interrupted. The same command begins again.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
