"""A source that is a Git repository: its checkout in the cache, at a branch, a tag or a commit.

Berth writes a checkout's configuration: a repository brings none, and its hooks are not run. Its attributes can name filters, which are programs
only if this user's own configuration says so.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from functools import cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from .claims import lock
from .project import ProjectError

SCHEMES = ("https", "ssh", "file")
SHORT = re.compile(r"[\w.-]+@[\w.-]+:(?!//)\S+")  # as SSH's own programs write it
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
REFERENCE = re.compile(r"(?!-)[\w./@+#-]+")
SOURCE, VERSION = "berth_app_source", "berth_app_ref"
# git-scm.com/docs/git-rev-parse, --local-env-vars: they name another repository, such as one whose hook runs Berth
ELSEWHERE = ("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_DIR", "GIT_INDEX_FILE", "GIT_NAMESPACE", "GIT_OBJECT_DIRECTORY", "GIT_WORK_TREE")
# No file watcher, which would be left running; no hooks, such as those of a template directory; and no advice.
OPTIONS = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false", "-c", "gc.auto=0")
SLOW = {"GIT_HTTP_LOW_SPEED_LIMIT": "1000", "GIT_HTTP_LOW_SPEED_TIME": "60"}  # bytes per second, seconds: then git gives up


# --- What the inventory says -----------------------------------------------------
def is_repository(source: str) -> bool:
    """Whether a source is a repository's address rather than a directory.

    >>> is_repository("git@example.com:acme/shop.git"), is_repository("../shop")
    (True, False)
    """
    return "://" in source or SHORT.fullmatch(source) is not None


def source_problem(source: str) -> str:
    """Return what is wrong with a source, "" if nothing obvious is. A password in it is not quoted."""
    if not is_repository(source) or SHORT.fullmatch(source):
        return ""
    try:
        parts = urlsplit(source)
        login = parts.password is not None or (parts.username is not None and parts.scheme != "ssh")
    except ValueError:
        return "is not the address of a repository; write it like https://git.example.com/acme/shop.git"
    if login:
        way = "remove it, and store it in git's credential helper, or give this machine a deploy key and write git@git.example.com:acme/shop.git"
        return f"contains a login, which would be visible in files and process lists; {way}"
    if parts.scheme not in SCHEMES:
        return f"starts with {parts.scheme}://, which is not supported; {', '.join(f'{one}://' for one in SCHEMES)} and git@host:path are"
    return "" if parts.path.strip("/") else "names no repository; write it like https://git.example.com/acme/shop.git"


def version_problem(version: str) -> str:
    """Return what is wrong with the name of a branch, a tag or a commit."""
    return "" if REFERENCE.fullmatch(version) else f"{version!r} is not a valid name of a branch, a tag or a commit"


def directory(source: str, environment: str) -> str:
    """Return where a source is: the directory itself, or the checkout of a repository. Each environment has its own, so none changes under another."""
    if not is_repository(source):
        return source
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "berth/sources"
    name = re.sub(r"[^\w.-]", "-", PurePosixPath(re.split(r"[/:]", source.rstrip("/"))[-1]).name.removesuffix(".git")).strip(".-") or "source"
    return str(cache / hashlib.sha256(f"{environment}\0{source}".encode()).hexdigest()[:16] / name)


# --- Fetching --------------------------------------------------------------------
class Failed(Exception):
    """What git says when it fails: its last lines."""


class Checkout:
    """A checkout of a repository.

    Next to the files are git's own directory and a note of the commit and the reference that it came from. The note exists while the checkout is complete.
    """

    def __init__(self, source: str, version: str, place: Path) -> None:
        self.source, self.version, self.files = source, version, place
        self.git_directory, self.note = place.with_name(f"{place.name}.git"), place.with_name(f"{place.name}.commit")

    def update(self, commit: str = "") -> str:
        """Check out the files of the reference, and return the commit; files that are up to date are left alone.

        Args:
            commit: The commit that the run has looked at, wherever the reference points by now. If its files are already here, the server is not asked.

        Raises:
            ProjectError: The checkout fails.
        """
        if wrong := source_problem(self.source):
            raise ProjectError(SOURCE, wrong)
        if self.version and (wrong := version_problem(self.version)):
            raise ProjectError(VERSION, wrong)
        if not shutil.which("git"):
            raise ProjectError(SOURCE, f"{self.source} is a repository, but this machine has no git; apt-get install git")
        self.files.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with lock(self.files.with_name(f"{self.files.name}.lock"), alone=True, wait=True):
            whole = self.note.is_file() and (self.files / ".git").is_file() and (self.git_directory / "HEAD").is_file()
            known = self.note.read_text(encoding="utf-8") if whole else ""
            if commit and known.startswith(f"{commit} "):
                return commit
            exact = commit or (self.version if COMMIT.fullmatch(self.version) else "")
            reference, commit = (exact, exact) if exact else self.remote()
            if known != f"{commit} {reference}":
                try:
                    commit = self.check_out(reference, whole)
                except Failed as error:
                    raise self.unreadable(error) from error
        return commit

    def remote(self) -> tuple[str, str]:
        """Return the full name of the reference that the version means, and its commit. A tag takes precedence over a branch: gitrevisions(7)."""
        wanted = [f"refs/tags/{self.version}", f"refs/heads/{self.version}", self.version] if self.version else ["HEAD"]
        try:
            answer = self.git("ls-remote", "--", self.source, *wanted, *(f"{name}^{{}}" for name in wanted))
        except Failed as error:
            raise self.unreadable(error) from error
        found = {name: commit for commit, _, name in (line.partition("\t") for line in answer.splitlines())}
        for name in wanted:
            if name in found:
                return name, found.get(f"{name}^{{}}", found[name])
        if not self.version:
            raise ProjectError(SOURCE, f"{self.source} has no commit; push one, or name a branch in {VERSION}")
        if re.fullmatch(r"[0-9a-f]{7,39}", self.version):
            way = f"write the full commit hash, as git rev-parse {self.version} shows it"
            raise ProjectError(VERSION, f"{self.source} has no branch or tag {self.version}, which looks like an abbreviated commit hash; {way}")
        raise ProjectError(VERSION, f"{self.source} has no branch or tag {self.version}; git ls-remote {self.source} lists them")

    def check_out(self, reference: str, whole: bool) -> str:
        """Fetch a reference, check out its files and return the commit; ``whole`` is whether the previous checkout can be reused."""
        self.note.unlink(missing_ok=True)
        if not whole:
            for place in (self.files, self.git_directory):
                shutil.rmtree(place, ignore_errors=True)
            self.git("init", "--quiet", "--separate-git-dir", str(self.git_directory), str(self.files))
            # If a builder sees it, it is the same on every machine.
            (self.files / ".git").write_text(f"gitdir: ../{self.git_directory.name}\n", encoding="utf-8")
            self.within("remote", "add", "origin", self.source)
        name = f":{reference}" if reference.startswith("refs/tags/") else ""  # the release is named after it
        try:
            self.within("fetch", "--quiet", "--no-tags", "--depth", "1", "origin", f"+{reference}{name}")
            commit = self.within("rev-parse", "FETCH_HEAD^{commit}").strip()
        except Failed:
            if not COMMIT.fullmatch(reference):
                raise
            # Older servers do not serve single commits.
            every = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
            self.within("fetch", "--quiet", "--no-tags", *(["--unshallow"] if self.is_shallow() else []), "origin", *every)
            commit = self.commit(reference)
        self.within("checkout", "--quiet", "--force", "--detach", commit)
        self.within("clean", "--quiet", "-ffdx")
        if (self.files / ".gitmodules").is_file():
            self.within("submodule", "--quiet", "sync", "--recursive")
            self.within("submodule", "--quiet", "update", "--init", "--recursive", "--force")
        self.note.write_text(f"{commit} {reference}", encoding="utf-8")
        return commit

    def is_shallow(self) -> bool:
        """Whether git's directory has no history."""
        return (self.git_directory / "shallow").exists()

    def commit(self, reference: str) -> str:
        """Return a commit that was fetched.

        Raises:
            ProjectError: It is not there.
        """
        try:
            return self.within("rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}").strip()
        except Failed as error:
            raise ProjectError(VERSION, f"{self.source} has no commit {reference} on any branch or tag; push it, or name another") from error

    def unreadable(self, error: Failed) -> ProjectError:
        """Return what to say when git fails, with a remedy."""
        way = "store its login in git's credential helper, or give this machine a deploy key and write git@host:path"
        if SHORT.fullmatch(self.source) or self.source.startswith("ssh://"):
            way = "give this user a key in ~/.ssh that the repository accepts, and add its host to ~/.ssh/known_hosts"
        elif self.source.startswith("file://"):
            way = "name a repository that this user may read"
        return ProjectError(SOURCE, f"{self.source} cannot be read: {error}; {way}, until git ls-remote {self.source} works without a prompt")

    @cached_property
    def own_ssh(self) -> bool:
        """Whether this user's git configuration says how to call SSH."""
        return subprocess.run(["git", "config", "--global", "core.sshCommand"], capture_output=True, check=False).returncode == 0

    def within(self, *arguments: str) -> str:
        """Run git in the checkout."""
        return self.git("-C", str(self.files), *arguments)

    def git(self, *arguments: str) -> str:
        """Run git and return what it prints. It asks nothing, and its files have the same modes on every machine.

        Raises:
            Failed: It fails.
        """
        environment = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
        environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **SLOW}
        environment.pop("SSH_ASKPASS", None)  # would open a window that nobody sees
        if not {"GIT_SSH", "GIT_SSH_COMMAND"} & environment.keys() and not self.own_ssh:
            environment["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes -o ConnectTimeout=20"
        done = subprocess.run(
            ["git", *OPTIONS, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            umask=0o022,
            check=False,
        )
        if done.returncode:
            lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            told = [line for line in lines if line.startswith(("fatal:", "error:", "ERROR:")) or "denied" in line or "verification failed" in line]
            raise Failed(re.sub(r"\A(?:fatal|error|ERROR): ", "", (told or lines or ["git printed nothing"])[0]).rstrip("."))
        return done.stdout
