"""Build an image and push it."""

from __future__ import annotations

DOCUMENTATION = """
module: image_build
short_description: Build an image from a Dockerfile and push it, or keep it as an archive
description:
  - Builds with Docker if its engine answers, else with buildah in its own storage.
  - Passes pip's configuration on this machine, from its files and the environment, and the CAs that pip and the machine trust, to the
    build as the secrets C(pip_conf) and C(ca_bundle), never in a layer. Settings that name a file on this machine are omitted, with a note in the log.
  - Sets C(HTTP_PROXY) and the like from the environment for C(RUN), but in no layer.
  - The first build in a O(period) reuses no earlier layers, and pulls the images again that the Dockerfile names without a digest.
    If that fails, it uses the existing copy and says so in the log.
  - With O(sbom), writes a bill of materials before the image is pushed.
  - Concurrent runs never build images of the same repository; the second one reuses what the first has built from the same content.
  - C(RUN) runs in containers whose network reaches other machines, but not this one, its loopback or cloud metadata.
    On this machine it reaches only what the pip and npm configuration, those variables and the build arguments name. Docker cannot reach its loopback.
options:
  source: {description: The build context., type: path, required: true}
  dockerfile: {description: The Dockerfile., type: path, required: true}
  arguments: {description: Build arguments., type: dict, default: {}}
  bases: {description: "Base images as archives, by image name; loaded if they are missing.", type: dict, default: {}}
  mirrors: {description: "Mirrors, by prefix, for other images in the Dockerfile.", type: dict, default: {}}
  registry: {description: "The registry, C(host[:port][/path]).", type: str}
  username: {description: The user name for the registry., type: str, default: ""}
  password: {description: The password for the registry., type: str, default: ""}
  repository: {description: The repository in the registry., type: str}
  tags: {description: "The tags to push, at least one.", type: list, elements: str}
  archive: {description: "The archive to write instead of pushing. Earlier archives of the same image next to it are removed.", type: path}
  ref: {description: The image's name in the archive., type: str}
  directory: {description: "Where a loopback registry keeps its images, for the claim that image_prune respects.", type: str, default: ""}
  environment: {description: The environment that claims the image., type: str, default: ""}
  digest: {description: "A digest that is already in the registry. Nothing is built then, only tagged.", type: str, default: ""}
  engine: {description: The engine., type: str, choices: [auto, buildah, docker], default: auto}
  period: {description: "The day since which layers and images count as new, from image_period; empty for any age.", type: str, default: ""}
  storage: {description: Where buildah keeps layers between builds., type: path, required: true}
  log: {description: The build's log., type: path, required: true}
  sbom: {description: "The file for the image's bill of materials (CycloneDX), C(*.cdx.json).", type: path}
attributes:
  check_mode: {support: full, description: "Says that it would build, but does nothing."}
"""

EXAMPLES = """
- name: Build the image
  berth.platform.image_build:
    source: .
    dockerfile: ./Dockerfile
    registry: localhost:5001
    repository: polls
    tags: ["1.0"]
    storage: ~/.cache/berth/buildah
    log: ~/.cache/berth/logs/polls.log
"""

RETURN = """
engine: {description: "The engine that built it; empty if nothing was built.", type: str, returned: always}
seconds: {description: How long it took., type: int, returned: always}
"""

import contextlib
import datetime
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.image import build_settings, failures, pip, sbom
from ..module_utils.image import dockerfile as dockerfiles
from ..module_utils.image.build_network import Place, Reach, addresses, network, place
from ..module_utils.image.claims import Claims, built, lock
from ..module_utils.image.context import context, hash_at, lay_out
from ..module_utils.image.registry import ImageError, Registry, local, login, own_limits, silence
from ..module_utils.image.registry import engine as find_engine
from ..module_utils.machine import disk
from ..module_utils.machine.artifacts import mirrored
from ..module_utils.machine.artifacts_make import apt_sources
from ..module_utils.progress import report
from ..module_utils.rollout import symptoms

# The proxy variables that a build gets, for RUN only. docs.docker.com/build/building/variables, "Pre-defined build arguments"
PROXIES = tuple(name for word in ("HTTP", "HTTPS", "FTP", "NO", "ALL") for name in (f"{word}_PROXY", f"{word.lower()}_proxy"))
# Where buildah finds mirrors of registries. github.com/containers/image/blob/main/docs/containers-registries.conf.5.md
REGISTRIES = ("/etc/containers/registries.conf", "~/.config/containers/registries.conf")


def own_registries() -> bool:
    """Whether buildah is configured here to use other registries than the image names say."""
    places = [Path(os.environ.get("CONTAINERS_REGISTRIES_CONF") or place).expanduser() for place in REGISTRIES]
    files = [file for place in places for file in (place, *Path(f"{place}.d").glob("*.conf")) if file.is_file()]
    return any(re.search(r"^\s*location\s*=", file.read_text(encoding="utf-8", errors="replace"), re.MULTILINE) for file in files)


def secret_options(secrets: dict[str, Path]) -> list[str]:
    """Return the options that pass secrets to a build."""
    return [word for name, file in secrets.items() for word in ("--secret", f"id={name},src={file}")]


SHOWN = 15  # of the last lines of a failed build
KEPT = 200  # lines to search: pip prints the reason first, and then a lot about what failed
# What BuildKit's plain progress puts before each line of a step: github.com/moby/buildkit, util/progress/progressui
OF_STEP = re.compile(r"^#\d+ (?:\d+\.\d+ )?")


class Build:
    """One build; the output of its commands goes to ``log``."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        self.parameters = parameters
        self.log = Path(parameters["log"])
        self.source = Path(parameters["source"])
        self.dockerfile = Path(parameters["dockerfile"])
        self.ref = parameters["ref"] or f"{parameters['registry']}/{parameters['repository']}:{parameters['tags'][0]}"

    @property
    def own(self) -> bool:
        """Whether the Dockerfile is the project's own."""
        return self.dockerfile.is_relative_to(self.source)

    @cached_property
    def text(self) -> str:
        """The Dockerfile's text, empty if it is not text: the engine will say so."""
        return dockerfiles.read(self.dockerfile) if self.dockerfile.is_file() else ""

    @cached_property
    def instructions(self) -> list[dockerfiles.Instruction]:
        """The Dockerfile's instructions."""
        return dockerfiles.parse(self.text)

    def note(self, *lines: str) -> None:
        """Add lines to the log."""
        with self.log.open("a", encoding="utf-8") as log:
            log.writelines(f"note: {line}\n" for line in lines)

    def run(self, *command: str, within: list[str] | None = None, **environment: str) -> None:
        """Run a command with more environment variables, reporting the build's steps; raise :class:`ImageError` with its last lines.

        Args:
            within: A command to run it with, if any.
        """
        tail: list[str] = []
        with self.log.open("a", buffering=1, encoding="utf-8") as log:
            process = subprocess.Popen(
                [*(within or []), *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env=os.environ | environment,
            )
            for line in map(build_settings.as_written, process.stdout or ()):
                log.write(line)
                said = OF_STEP.sub("", line.rstrip())
                tail = [*tail[-KEPT:], said]
                if said.startswith(("STEP ", "[")):
                    report(said[:120])
        if process.wait():
            words = "\n".join(tail)
            why = self.full_disk(words) or self.explained(words, tail)
            last = "\n".join(tail[-SHOWN:])
            raise ImageError(f"{why}{Path(command[0]).name} failed. Its last lines ({self.log}):\n{last}")

    def explained(self, words: str, lines: list[str]) -> str:
        """Return what the Dockerfile or the project has to do with a builder's last words, which are also given as lines; "" for nothing known."""
        return failures.explain(failures.Failure(words, self.dockerfile, self.text, self.source, self.own, symptoms.of_build(lines, self.own)))

    def full_disk(self, words: str) -> str:
        """Return a sentence, and a line break, if a full disk may be why a build failed with these words; "" otherwise."""
        storage, registry = Path(self.parameters["storage"]), self.parameters.get("directory")
        found = disk.shortage(words, [storage, Path("/var/tmp"), *([Path(registry)] if registry else [])])
        way = f"Free some space. {storage} may be removed: the next build only takes longer. XDG_CACHE_HOME moves it to another disk"
        return f"{found}. {way}.\n" if found else ""

    def output(self, *command: str) -> str:
        """Return the output of a read-only command, empty if it fails."""
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    @cached_property
    def pip_options(self) -> pip.Options:
        """This machine's pip configuration."""
        return pip.read_options(pip.configuration_files(os.environ), os.environ)

    def named(self) -> Iterator[tuple[str, Place]]:
        """Yield the places that this machine's settings point a build to, each with the setting's name."""
        found = [(f"pip's {name}", word) for name, word in pip.addresses(self.pip_options)]
        if re.search(r"\b(?:p?npm|yarn)\b", self.text):
            found += [("npm's registry", word) for word in build_settings.registries(build_settings.npmrc(os.environ))]
        found += [(name, os.environ[name]) for name in PROXIES if name.upper() != "NO_PROXY" and os.environ.get(name)]
        found += [(f"the build argument {name}", value) for name, value in self.parameters["arguments"].items() if "://" in str(value)]
        for name, word in found:
            if where := place(str(word)):
                yield name, where

    @contextlib.contextmanager
    def secrets(self, suite: str) -> Iterator[dict[str, Path]]:
        """Yield the network settings of this machine for the build, as a file for each secret's ID.

        Args:
            suite: The Debian release for apt's sources, "" for no sources.
        """
        options = self.pip_options
        certificates, notes = pip.authorities(options, os.environ)
        kept, more = pip.for_build(options, dockerfiles.secret_beside(self.instructions, "pip_conf", "ca_bundle") if certificates else "")
        self.note(*notes, *more)
        texts = {"pip_conf": pip.text_of(kept), "ca_bundle": certificates, **build_settings.machine(os.environ)}
        if suite:
            texts["apt_sources"] = "".join(f"{line}\n" for line in apt_sources(suite))
        storage = Path(self.parameters["storage"])
        storage.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Not in a place where it would stay after a run that was killed.
        with tempfile.TemporaryDirectory(prefix="secrets-", dir=storage) as directory:
            files = {name: Path(directory, name) for name, text in texts.items() if text}
            for name, file in files.items():
                file.touch(0o600)
                file.write_text(texts[name], encoding="utf-8")
            yield files

    def told(self, text: str, secrets: dict[str, Path]) -> str:
        """Return a Dockerfile's text with the secrets added to its RUN instructions."""
        return build_settings.told(text, secrets, self.parameters["bases"], self.parameters["arguments"])

    def suite(self, buildah: list[str]) -> str:
        """Return the Debian release whose package sources the build needs, "" if every image brings its own.

        Args:
            buildah: Buildah's command; empty for an engine without Berth's images.
        """
        if build_settings.APT.id in build_settings.taken(self.instructions):
            return "SUITE"  # for the Dockerfile to replace
        ours = build_settings.from_ours(self.instructions, self.parameters["bases"], self.parameters["arguments"])
        if not buildah or not any(ours) or not re.search(r"\bapt", self.text):
            return ""
        return sbom.system(self.files_of_buildah(buildah, next(iter(self.parameters["bases"])))).get("VERSION_CODENAME", "")

    @contextlib.contextmanager
    def login(self, host: str) -> Iterator[str]:
        """Yield a directory whose config.json has the credentials for a host, for one push or pull; "" if there are none."""
        with login(host, self.parameters["username"] if host == self.parameters["registry"] else "", self.parameters["password"]) as directory:
            yield directory

    def keep(self, write: Callable[[Path], None]) -> None:
        """Write the image's archive atomically, and remove earlier ones of the same image."""
        archive = Path(self.parameters["archive"])
        report(f"writing {archive.name}")
        archive.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = archive.with_suffix(".new")
        temporary.unlink(missing_ok=True)  # buildah adds to an existing archive
        write(temporary)
        for earlier in archive.parent.glob(archive.name.rpartition("-")[0] + "-*.tar"):
            earlier.unlink()
        temporary.rename(archive)

    def unpruned(self) -> contextlib.AbstractContextManager[None]:
        """Return a context in which other runs do not prune the registry."""
        directory = self.parameters.get("directory")
        return lock(Path(directory, "berth/lock"), alone=False) if directory else contextlib.nullcontext()

    def mark(self, what: str) -> Path:
        """Return the file that records the period of something."""
        return Path(self.parameters["storage"], f"{re.sub(r'[^A-Za-z0-9.-]', '_', what)}.period")

    def outdated(self, what: str) -> bool:
        """Whether something is from an earlier or an unknown period."""
        period = self.parameters.get("period")
        return bool(period) and not (self.mark(what).exists() and self.mark(what).read_text(encoding="utf-8") == period)

    def renewed(self, what: str) -> None:
        """Record that something is now from this period."""
        if period := self.parameters.get("period"):
            self.mark(what).parent.mkdir(parents=True, exist_ok=True)
            self.mark(what).write_text(period, encoding="utf-8")

    @contextlib.contextmanager
    def cache(self) -> Iterator[list[str]]:
        """Yield Docker's option to rebuild layers of an earlier period, if needed, and record it once the block has succeeded."""
        layers = f"layers of {self.parameters['repository']}"
        if not self.outdated(layers):
            yield []
            return
        if self.mark(layers).exists():
            when = f"from before {self.parameters['period']}"
            report(f"{self.parameters['repository']} is rebuilt: its layers are {when}, and berth_image_max_age wants newer ones")
        yield ["--no-cache"]
        self.renewed(layers)

    def arguments(self) -> list[str]:
        """Return the options of the build arguments."""
        return [word for name, value in self.parameters["arguments"].items() for word in ("--build-arg", f"{name}={value}")]

    def missing(self, there: Callable[[str], str]) -> Iterator[tuple[dockerfiles.Image, str]]:
        """Yield the Dockerfile's images that the engine lacks or has from an earlier period, each with the address to pull it from.

        Args:
            there: Returns the ID of an image in the engine, "" if it is not there.
        """
        for image in dockerfiles.images(self.instructions, self.parameters["arguments"]):
            if image.name in self.parameters["bases"]:
                continue
            if not there(image.name) or ("@" not in image.name and self.outdated(image.name)):
                yield image, mirrored(image.name, self.parameters["mirrors"])

    def renew(self, image: dockerfiles.Image, there: bool, pull: Callable[[], None]) -> None:
        """Pull an image. If a copy is here and the registry does not answer, the copy is used: that is no reason not to release."""
        try:
            pull()
        except ImageError as error:
            if not there:
                raise
            report(f"{image.name} cannot be pulled again, so the existing copy is used")
            self.note(f"{image.name}: the existing copy is used: {error}")
        else:
            self.renewed(image.name)

    def pull(self, buildah: list[str], image: dockerfiles.Image, address: str) -> None:
        """Pull a missing image. The error distinguishes a registry that does not answer from an image that does not exist."""
        reference = re.sub(r"\Ahttps?://", "", address)
        host = reference.partition("/")[0]
        plain = address.startswith("http://") or local(host)
        if not own_registries() and (reason := silence(host, "http" if plain else "https")):
            source = self.source if self.own else None
            raise ImageError(dockerfiles.unreachable(self.dockerfile, image, host, reason, self.parameters["bases"], source))
        report(f"pulling {image.name}")
        options = ["--policy", "always"] if self.parameters.get("period") else []
        options += ["--tls-verify=false"] if plain else []
        with self.login(host) as directory:
            options += ["--authfile", f"{directory}/config.json"] if directory else []
            try:
                self.run(*buildah, "pull", "--quiet", *options, f"docker://{reference}")
            except ImageError as error:
                raise ImageError(f"{self.dockerfile}, line {image.line}: the image {image.written} cannot be pulled. {error}") from error
        if reference != image.name:
            self.run(*buildah, "tag", reference, image.name)

    @contextlib.contextmanager
    def laid_out(self, storage: Path, secrets: dict[str, Path]) -> Iterator[list[str]]:
        """Yield buildah's options and context: exactly what the content's hash covers, however this buildah reads the ignore file."""
        entries = list(context(self.source, self.dockerfile, "buildah"))
        known = dockerfiles.for_buildah(self.text)
        text = dockerfiles.of_period(self.told(known, secrets), self.parameters.get("period") or "")
        if any(dockerfiles.binds(instruction) for instruction in self.instructions):
            beside = json.dumps(self.parameters["bases"], sort_keys=True)
            text = dockerfiles.with_mounts_seen(text, lambda path: hash_at(self.source, entries, path), self.parameters["arguments"], beside)
        with tempfile.TemporaryDirectory(prefix="context-", dir=storage) as directory:
            place, dockerfile, ignore = Path(directory, "context"), Path(directory, self.dockerfile.name), Path(directory, "ignore")
            place.mkdir()
            lay_out(entries, self.source, place)
            dockerfile.write_bytes(text.encode("utf-8", "surrogateescape"))
            ignore.touch()
            yield ["--file", str(dockerfile), "--ignorefile", str(ignore), str(place)]

    def buildah(self) -> None:
        """Build and push with buildah, with its own storage, which is not pruned meanwhile."""
        storage = Path(self.parameters["storage"])
        with lock(storage / "lock", alone=False):
            self.build_with_buildah(storage)

    @contextlib.contextmanager
    def blaming(self, reach: Reach) -> Iterator[None]:
        """Report what a build could not reach, in the log and in the failure."""
        try:
            yield
        except ImageError as error:
            words = "".join(f"The build did not reach {where}: {why}.\n" for where, why in list(reach.problems.items())[:5])
            if any(why.startswith("refused") for why in reach.problems.values()):
                words += "On this machine, a build reaches only what the pip and npm configuration, HTTP_PROXY and the like, or a build argument names.\n"
            raise ImageError(f"{words}{error}") from error
        finally:
            self.note(*(f"the build did not reach {where}: {why}." for where, why in reach.problems.items()))

    def refuse_loopback(self) -> None:
        """Refuse settings that point a build in Docker to this machine's loopback, which it cannot reach.

        Raises:
            ImageError: There are some.
        """
        for name, (host, port) in self.named():
            found = addresses(host, port)
            if found and all(address.is_loopback for address in found):
                raise ImageError(
                    f"{name} names {host}:{port}, which is on this machine's loopback, but a build in Docker has its own loopback. "
                    "Set it to an address of this machine that containers can reach, and have the server listen there, or set image_engine: buildah."
                )

    def build_with_buildah(self, storage: Path) -> None:
        """Build and push with buildah."""
        buildah = ["buildah", "--root", str(storage / "root"), "--runroot", str(storage / "run"), "--storage-driver", "overlay"]
        if any(instruction.documents for instruction in self.instructions):
            dockerfiles.refuse_documents(self.dockerfile, self.instructions, self.output("buildah", "--version").split()[2])
        for image, archive in self.parameters["bases"].items():
            # A base image that was rebuilt has another archive, and its name must point to that one.
            mark = storage / f"{image.replace('/', '_')}.archive"
            known = mark.read_text(encoding="utf-8") if mark.exists() else ""
            if known != archive or not self.output(*buildah, "images", "--quiet", image):
                report(f"loading {image}")
                self.run(*buildah, "pull", "--quiet", f"docker-archive:{archive}")
                mark.write_text(archive, encoding="utf-8")

        def there(name: str) -> str:
            return self.output(*buildah, "images", "--quiet", name)

        for needed, address in self.missing(there):
            self.renew(needed, bool(there(needed.name)), partial(self.pull, buildah, needed, address))
        reach = Reach([where for _, where in self.named()])
        with (
            self.secrets(self.suite(buildah)) as secrets,
            self.laid_out(storage, secrets) as files,
            self.cache(),
            network(reach) as within,
            self.blaming(reach),
        ):
            # The host's network is the one that this process runs in, whatever the Dockerfile requests.
            # Missing images have just been pulled by name; --pull differs between versions. Only Docker's format supports SHELL.
            shell = any(instruction.keyword == "SHELL" for instruction in self.instructions)
            self.run(
                *buildah,
                "bud",
                "--isolation",
                "oci",
                "--network",
                "host",
                "--layers",
                "--force-rm",
                "--pull-never",
                "--format",
                "docker" if shell else "oci",
                "--timestamp",
                "0",
                *own_limits(),
                *secret_options(secrets),
                *self.arguments(),
                "--tag",
                self.ref,
                *files,
                within=within,
            )
        self.itemize(partial(self.files_of_buildah, buildah, self.ref), self.output(*buildah, "images", "--quiet", "--no-trunc", self.ref))
        if self.parameters["archive"]:
            self.keep(lambda path: self.run(*buildah, "push", "--quiet", self.ref, f"docker-archive:{path}:{self.ref}"))
            return
        report(f"pushing {self.ref}")
        with self.unpruned(), self.login(self.parameters["registry"]) as directory:
            options = ["--tls-verify=false"] if local(self.parameters["registry"]) else []
            options += ["--authfile", f"{directory}/config.json"] if directory else []
            self.run(*buildah, "push", "--quiet", *options, self.ref, f"docker://{self.ref}")

    def itemize(self, files: Callable[[], dict[str, bytes]], identity: str) -> None:
        """Write the image's bill of materials. A failure is logged, but does not fail the build.

        Args:
            files: Returns the files that list what is installed.
            identity: The builder's ID of the image.
        """
        if not self.parameters.get("sbom"):
            return
        path = Path(self.parameters["sbom"])
        path.unlink(missing_ok=True)  # from an earlier build of this content
        try:
            bill = sbom.document(files(), self.parameters["repository"], path.name.removesuffix(".cdx.json"), identity, datetime.datetime.now(datetime.UTC))
            sbom.write(bill, path)
        except (OSError, ImageError, tarfile.TarError) as error:
            report("what is in the image could not be listed; the log says why")
            self.note(f"{path} is not written: {error}")
        else:
            self.note(f"{path} lists what is in the image.")

    def container(self, *command: str) -> str:
        """Create a container without running anything in it, and return its ID.

        Raises:
            ImageError: There is none.
        """
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode:
            raise ImageError(done.stderr.strip())
        return done.stdout.strip()

    def files_of_buildah(self, buildah: list[str], image: str) -> dict[str, bytes]:
        """Return the files of an image in buildah's storage that list what is installed."""
        container = self.container(*buildah, "from", "--pull-never", "--quiet", image)
        try:
            return sbom.read_tree(Path(self.container(*buildah, "mount", container)))
        finally:
            self.output(*buildah, "rm", container)

    def files_of_docker(self) -> dict[str, bytes]:
        """Return the files of the image in Docker's engine that list what is installed."""
        container = self.container("docker", "create", self.ref, "none")
        try:
            with subprocess.Popen(["docker", "export", container], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
                return sbom.read_tar(process.stdout)  # type: ignore[arg-type]
        finally:
            self.output("docker", "rm", container)

    def docker(self) -> None:
        """Build and push with Docker's engine."""
        with lock(Path(self.parameters["storage"], "lock"), alone=False):
            self.build_with_docker()

    def build_with_docker(self) -> None:
        """Build and push with Docker's engine, while nothing prunes its cache."""
        self.refuse_loopback()
        for image, archive in self.parameters["bases"].items():
            if not self.output("docker", "image", "ls", "--quiet", image):
                self.run("docker", "load", "--quiet", "--input", archive)

        def there(name: str) -> str:
            return self.output("docker", "image", "ls", "--quiet", name)

        def pull(name: str, address: str) -> None:
            reference = re.sub(r"\Ahttps?://", "", address)
            self.run("docker", "pull", "--quiet", reference)
            if reference != name:
                self.run("docker", "tag", reference, name)

        for needed, address in self.missing(there):
            present = bool(there(needed.name))
            if present or address != needed.name:
                self.renew(needed, present, partial(pull, needed.name, address))
            else:
                self.renewed(needed.name)  # the engine itself contacts the image's own registry
        # By name, because the value may contain a password.
        proxies = [word for name in PROXIES if os.environ.get(name) for word in ("--build-arg", name)]
        with (
            self.secrets(self.suite([])) as secrets,
            self.cache() as cache,
            tempfile.TemporaryDirectory(prefix="context-", dir=self.parameters["storage"]) as directory,
        ):
            # The ignore file next to the Dockerfile takes precedence over the one in the source. docs.docker.com/build/concepts/context
            dockerfile = Path(directory, self.dockerfile.name)
            dockerfile.write_bytes(self.told(self.text, secrets).encode("utf-8", "surrogateescape"))
            if (ignore := Path(f"{self.dockerfile}.dockerignore")).is_file():
                shutil.copy(ignore, directory)
            self.run(
                "docker",
                "build",
                "--progress",
                "plain",
                *cache,
                *secret_options(secrets),
                *proxies,
                *self.arguments(),
                "--file",
                str(dockerfile),
                "--tag",
                self.ref,
                self.parameters["source"],
            )
        self.itemize(self.files_of_docker, self.output("docker", "image", "ls", "--quiet", "--no-trunc", self.ref))
        if self.parameters["archive"]:
            self.keep(lambda path: self.run("docker", "save", "--output", str(path), self.ref))
            return
        report(f"pushing {self.ref}")
        with self.unpruned(), self.login(self.parameters["registry"]) as directory:
            environment: dict[str, Any] = {"DOCKER_CONFIG": directory} if directory else {}
            self.run("docker", "push", "--quiet", self.ref, **environment)

    def made_meanwhile(self) -> str:
        """Return what to tag if another run has built an image of this content in the meantime, "" otherwise."""
        parameters = self.parameters
        if parameters["archive"]:
            return parameters["archive"] if Path(parameters["archive"]).is_file() else ""
        registry = Registry(parameters["registry"], username=parameters["username"], password=parameters["password"])
        return built(registry, parameters["repository"], parameters["tags"][0], self.claims)

    @cached_property
    def claims(self) -> Claims | None:
        """The claims of this machine's environments on images, None for a shared registry."""
        directory = self.parameters["directory"]
        return Claims(Path(directory), self.parameters["repository"], self.parameters["environment"]) if directory else None

    def name(self, existing: str) -> None:
        """Point every tag to the image of ``existing``, a tag or digest, and claim it for the environment."""
        parameters = self.parameters
        registry = Registry(parameters["registry"], username=parameters["username"], password=parameters["password"])
        with self.unpruned():
            for tag in parameters["tags"]:
                if tag != existing and registry.digest(parameters["repository"], tag) is None:
                    registry.tag(parameters["repository"], existing, tag)
            digest = registry.digest(parameters["repository"], existing)
            if self.claims and digest:
                self.claims.add(digest)
                self.claims.note(parameters["tags"][0], digest)

    def make(self) -> str:
        """Build the image if it does not exist, tag it, and return the engine that built it, "" if it existed.

        One run at a time: two that build the same content would each point the same tags to their own image.

        Raises:
            ImageError: It cannot be built, pushed or tagged.
        """
        parameters = self.parameters
        with lock(self.mark(f"builds of {parameters['repository'] or self.ref}").with_suffix(".lock"), alone=True, wait=True):
            existing, engine = parameters["digest"] or self.made_meanwhile(), ""
            if not existing:
                self.log.parent.mkdir(parents=True, exist_ok=True)
                self.log.write_text("", encoding="utf-8")
                engine = find_engine(parameters["engine"])
                if not engine:
                    raise ImageError(f"No engine to build with (image_engine: {parameters['engine']}). Install buildah, or start Docker.")
                {"docker": self.docker, "buildah": self.buildah}[engine]()
                existing = parameters["archive"] or parameters["tags"][0]
            if parameters["registry"]:
                self.name(existing)
        return engine


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "path", "required": True},
            "dockerfile": {"type": "path", "required": True},
            "arguments": {"type": "dict", "default": {}},
            "bases": {"type": "dict", "default": {}},
            "mirrors": {"type": "dict", "default": {}},
            "registry": {"type": "str"},
            "username": {"type": "str", "default": ""},
            "password": {"type": "str", "default": "", "no_log": True},
            "repository": {"type": "str"},
            "tags": {"type": "list", "elements": "str"},
            "archive": {"type": "path"},
            "ref": {"type": "str"},
            "directory": {"type": "str", "default": ""},
            "environment": {"type": "str", "default": ""},
            "digest": {"type": "str", "default": ""},
            "engine": {"type": "str", "choices": ["auto", "buildah", "docker"], "default": "auto"},
            "period": {"type": "str", "default": ""},
            "storage": {"type": "path", "required": True},
            "log": {"type": "path", "required": True},
            "sbom": {"type": "path"},
        },
        mutually_exclusive=[("registry", "archive")],
        required_one_of=[("registry", "archive")],
        required_by={"registry": ("repository", "tags"), "archive": ("ref",)},
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=True, engine="", seconds=0)
    started = time.monotonic()
    build = Build(module.params)
    try:
        engine = build.make()
    except ImageError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{build.full_disk(str(error))}{error}")
    module.exit_json(changed=True, engine=engine, seconds=int(time.monotonic() - started))


if __name__ == "__main__":
    main()
