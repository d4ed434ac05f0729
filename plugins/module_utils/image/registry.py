"""How an image is named, what can build it, and what a registry has of it."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import pwd
import re
import resource
import shutil
import subprocess
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..machine import proxies
from ..machine.kubeadm import has_sys_resource

MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
# Docker Hub's API and the name of its logins: https://docs.docker.com/reference/cli/docker/login/
HUB, HUB_API, HUB_KEY = "docker.io", "registry-1.docker.io", "https://index.docker.io/v1/"

HELPERS = ("/usr/local/libexec/podman", "/usr/local/lib/podman", "/usr/libexec/podman", "/usr/lib/podman")
"""Where buildah looks for its helpers (containers.conf(5), helper_binaries_dir)."""


class ImageError(Exception):
    """What is wrong with the source or the registry; the text is for the user."""


def version(source: Path, content: str) -> str:
    """Return the tag of a build: ``git describe``, with the content's hash if the tree below ``source`` is dirty or git does not know it."""

    def git(*arguments: str) -> str | None:
        # Git's own directory may go into the image, so it must not change. A file watcher would be left running, and write there.
        command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "safe.bareRepository=explicit", "-C", str(source), *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, **as_owner(source))
        except OSError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    described = git("describe", "--tags", "--always")
    if not described:
        return f"content-{content}"
    described = re.sub(r"[^A-Za-z0-9_.-]", "-", described)[:100]
    return described if git("status", "--porcelain", "--", ".") == "" else f"{described}-{content[:12]}"


def as_owner(source: Path) -> dict[str, Any]:
    """Return how :func:`subprocess.run` runs git in ``source``: as the owner of the checkout if root asks.

    A checkout's configuration names programs that git runs: core.fsmonitor, filters, and those from included files. So they run as the user
    who could run them anyway, and see nothing of root's environment. If several users own parts of a checkout, git itself refuses it; root
    loses the exception that git makes for the user who called sudo (git-scm.com/docs/git-config, safe.directory).
    """
    if os.geteuid() != 0:
        return {}
    owner = next((uid for uid in owners(source.resolve()) if uid), 0)
    if not owner:
        return {"env": {name: value for name, value in os.environ.items() if name != "SUDO_UID"}}
    try:
        account = pwd.getpwuid(owner)
        group, home = account.pw_gid, account.pw_dir
    except KeyError:
        group, home = owner, "/nonexistent"
    kept = {name: os.environ[name] for name in ("PATH", "GIT_CEILING_DIRECTORIES") if name in os.environ}
    return {"user": owner, "group": group, "extra_groups": [], "env": {**kept, "HOME": home, "LC_ALL": "C"}}


def owners(source: Path) -> list[int]:
    """Return the user ids that own a checkout: of its top directory, its ``.git``, and the directory that ``.git`` points to."""
    for directory in (source, *source.parents):
        found = directory / ".git"
        if os.path.lexists(found):
            return [directory.stat().st_uid, found.lstat().st_uid, *([found.stat().st_uid] if found.exists() else [])]
    return []


def engine(wanted: str = "auto") -> str:
    """Return what can build on this machine, ``docker`` or ``buildah``; empty if nothing can. ``wanted`` narrows the choice."""
    if wanted in ("auto", "docker") and shutil.which("docker"):
        done = subprocess.run(["docker", "info", "--format", "{{.ServerVersion}}"], capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip():
            return "docker"
    return "buildah" if wanted in ("auto", "buildah") and buildah_works() else ""


def tool(name: str) -> str:
    """Return where a program is, "" if it is not installed. The PATH after su(1) lacks the directories with root's programs."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])) or ""


def buildah_works() -> bool:
    """Whether buildah is installed with everything that it needs here; one that somebody else installed may lack something.

    It needs a container runtime, the tools for its network, and the network helper that releases from 1.35 on require
    (github.com/containers/common, libnetwork/network), which Debian only recommends.
    """
    if not all(map(tool, ("buildah", "ip", "iptables-restore", "nsenter"))) or not any(map(tool, ("crun", "runc"))):
        return False
    if any(Path(directory, "netavark").exists() for directory in HELPERS):
        return True
    return (0, 0) < buildah_version() < (1, 35)


def buildah_version() -> tuple[int, int]:
    """Return the version of this machine's buildah, (0, 0) if it does not say."""
    done = subprocess.run(["buildah", "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"version (\d+)\.(\d+)", done.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def own_limits() -> list[str]:
    """Return buildah's options that keep this process's limits for a build, if it needs them.

    From 1.38 on it otherwise raises both to 1048576 (github.com/containers/buildah, run_common.go), which needs CAP_SYS_RESOURCE. Earlier
    releases lower them first, and could not raise them again.
    """
    if has_sys_resource() or buildah_version() < (1, 38):
        return []
    limits = {"nofile": resource.getrlimit(resource.RLIMIT_NOFILE), "nproc": resource.getrlimit(resource.RLIMIT_NPROC)}
    return [word for name, (soft, hard) in limits.items() for word in ("--ulimit", f"{name}={soft}:{hard}")]


def local(registry: str) -> bool:
    """Whether a registry (``host[:port][/path]``) is on this machine, and so accessed without TLS."""
    return re.match(r"(localhost|127\.0\.0\.1)(:|/|\Z)", registry) is not None


def api_root(registry: str) -> str:
    """Return the address of the API of a registry (``host[:port][/path]``).

    >>> api_root("docker.io/acme")
    'https://registry-1.docker.io/v2/'
    """
    host = registry.partition("/")[0]
    if local(registry):
        return f"http://{host.replace('localhost', '127.0.0.1')}/v2/"
    return f"https://{HUB_API if host == HUB else host}/v2/"


def login_key(registry: str) -> str:
    """Return the name under which Docker, buildah and the kubelet look up the credentials for a registry (``host[:port][/path]``).

    >>> login_key("ghcr.io/acme")
    'ghcr.io'
    """
    host = registry.partition("/")[0]
    return HUB_KEY if host == HUB else host


@contextlib.contextmanager
def login(registry: str, username: str, password: str) -> Iterator[str]:
    """Yield a directory whose config.json has the credentials for a registry, until the block ends; "" if there are none."""
    if not username:
        yield ""
        return
    credentials = base64.b64encode(f"{username}:{password}".encode()).decode()
    with tempfile.TemporaryDirectory(prefix="berth-login-") as directory:
        file = Path(directory, "config.json")
        file.touch(0o600)
        file.write_text(json.dumps({"auths": {login_key(registry): {"auth": credentials}}}), encoding="utf-8")
        yield directory


def opener(host: str) -> urllib.request.OpenerDirector:
    """Return an opener for a host: through this machine's proxy, unless the host is this machine."""
    return proxies.direct() if local(host) else urllib.request.build_opener()


def silence(host: str, scheme: str, timeout: float = 5) -> str:
    """Return why a registry gives no answer of any kind within ``timeout`` seconds, "" if it gives one."""
    answers: list[str] = []

    def ask() -> None:
        server = "registry-1.docker.io" if host == "docker.io" else host
        try:
            opener(host).open(f"{scheme}://{server}/v2/", timeout=timeout).close()
            answers.append("")
        except urllib.error.HTTPError as error:
            error.close()
            answers.append("")
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            answers.append(str(getattr(reason, "strerror", None) or reason or type(error).__name__))

    # A name look-up has no timeout, so it runs in a thread that may be left behind.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout + 1)
    return answers[0] if answers else f"no answer within {timeout:g} s"


@dataclass
class Registry:
    """A registry's HTTP API (distribution.github.io/distribution/spec/api).

    ``host`` is ``host[:port][/path]``; repository names are relative to the path.
    With ``username`` and ``password`` it logs in when the registry asks for it: with them, or with a token that
    it gets for them (distribution.github.io/distribution/spec/auth/token).
    """

    host: str
    timeout: float = 10
    username: str = ""
    password: str = ""
    _authorization: str = ""

    def _request(self, method: str, path: str, body: bytes | None = None, content_type: str = "") -> tuple[int, dict[str, str], bytes]:
        headers = {"Accept": ", ".join(MANIFESTS)} | ({"Content-Type": content_type} if content_type else {})
        url = self._url(path)
        answer = self._ask(url, method, body, headers)
        if answer[0] == 401 and self.username:
            self._authorization = self._log_in(answer[1].get("www-authenticate", ""))
            answer = self._ask(url, method, body, headers)
        if answer[0] in (401, 403):
            if self.username:
                raise ImageError(f"The registry {self.host} answers {answer[0]}: it denies access to the user {self.username}.")
            way = "set berth_registry_username and berth_registry_password"
            raise ImageError(f"The registry {self.host} answers {answer[0]}: it requires a login: {way}.")
        return answer

    def _url(self, path: str) -> str:
        below = self.host.partition("/")[2]
        return f"{api_root(self.host)}{f'{below}/' if below else ''}{path}"

    def _ask(self, url: str, method: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        with self._open(url, method, body, headers) as answer:
            failed = isinstance(answer, urllib.error.HTTPError)
            return answer.status or 0, {k.lower(): v for k, v in answer.headers.items()}, b"" if failed else answer.read()

    @contextlib.contextmanager
    def _open(self, url: str, method: str, body: bytes | None, headers: dict[str, str]) -> Iterator[http.client.HTTPResponse | urllib.error.HTTPError]:
        """Yield the answer to a request, even if it is an error."""
        request = urllib.request.Request(url, data=body, method=method, headers=headers)
        if self._authorization:
            request.add_unredirected_header("Authorization", self._authorization)  # storage that a blob is redirected to rejects a second login
        try:
            try:
                answer = opener(self.host).open(request, timeout=self.timeout)
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                yield answer
        except (OSError, urllib.error.URLError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error) or type(error).__name__
            raise ImageError(f"The registry {self.host} does not answer: {reason}.") from error

    def _log_in(self, challenge: str) -> str:
        """Return the Authorization header that a registry's challenge asks for."""
        basic = f"Basic {base64.b64encode(f'{self.username}:{self.password}'.encode()).decode()}"
        fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        if not challenge.lower().startswith("bearer") or "realm" not in fields:
            return basic
        query = urllib.parse.urlencode({name: fields[name] for name in ("service", "scope") if name in fields})
        self._authorization = basic
        status, _, answer = self._ask(f"{fields['realm']}?{query}", "GET", None, {})
        token = json.loads(answer) if status == 200 else {}
        return f"Bearer {token.get('token') or token.get('access_token') or ''}"

    def digest(self, repository: str, tag: str) -> str | None:
        """Return the digest that ``tag`` points to, None if there is no such tag."""
        status, headers, _ = self._request("HEAD", f"{repository}/manifests/{tag}")
        if status == 404:
            return None
        if status != 200 or "docker-content-digest" not in headers:
            raise ImageError(f"The registry {self.host} answers {status} for {repository}:{tag}.")
        return headers["docker-content-digest"]

    def has_signature(self, repository: str, digest: str) -> bool:
        """Whether an image has a cosign signature: a tag of its own, or a manifest that refers to the digest.

        Sources: docs.sigstore.dev/cosign/signing/signing_with_containers;
        github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers.
        """
        number = digest.replace(":", "-")
        if any(self.digest(repository, tag) for tag in (f"{number}.sig", number)):
            return True
        status, _, body = self._request("GET", f"{repository}/referrers/{digest}")
        try:
            return status == 200 and bool(json.loads(body).get("manifests"))
        except (ValueError, AttributeError):
            return False

    def manifest(self, repository: str, digest: str) -> dict[str, Any]:
        """Return an image's manifest; for an index, that of the first image in it, because everything else in an index is about the build.

        Source: github.com/opencontainers/image-spec/blob/main/image-index.md.
        """
        status, _, body = self._request("GET", f"{repository}/manifests/{digest}")
        if status != 200:
            raise ImageError(f"The registry {self.host} answers {status} for {repository}@{digest}.")
        found = json.loads(body)
        images = [one for one in found.get("manifests", []) if (one.get("platform") or {}).get("os") != "unknown"]
        return self.manifest(repository, images[0]["digest"]) if images else found

    @contextlib.contextmanager
    def blob(self, repository: str, digest: str) -> Iterator[IO[bytes]]:
        """Yield a layer, or the configuration of an image, for reading. Fetching its manifest first has logged in already."""
        with self._open(self._url(f"{repository}/blobs/{digest}"), "GET", None, {}) as answer:
            if answer.status != 200:
                raise ImageError(f"The registry {self.host} answers {answer.status} for the blob {digest} of {repository}.")
            yield answer  # type: ignore[misc]

    def tag(self, repository: str, existing: str, tag: str) -> None:
        """Point ``tag`` to the image that ``existing`` (a tag or digest) points to."""
        status, headers, manifest = self._request("GET", f"{repository}/manifests/{existing}")
        if status == 200:
            status, _, _ = self._request("PUT", f"{repository}/manifests/{tag}", manifest, headers["content-type"])
        if status not in (200, 201):
            raise ImageError(f"The registry {self.host} answers {status} when {repository}:{existing} is tagged {tag}.")
