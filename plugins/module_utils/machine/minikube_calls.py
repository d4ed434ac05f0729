"""Call minikube: with our own environment, with progress, and with its own reasons if it fails."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

import yaml

from ..progress import report
from .minikube import (
    DEFAULT_ADDONS,
    MinikubeError,
    Observed,
    Plan,
    Refusal,
    Wanted,
    addon_steps,
    checksum,
    classify,
    directory_of,
    enabled_addons,
    given,
    probe,
    start_arguments,
    status_of,
    taken,
)

READ_TIMEOUT = 60  # seconds; a query takes less than one
PATIENCE = 10  # seconds that minikube has to end when it is asked to
TAIL = 12  # lines that minikube quotes from other programs

# What to set if minikube gives one of these reasons (pkg/minikube/reason/reason.go); the first matching prefix counts.
ADVICE = {
    "DRV_AS_ROOT": "Run as another user who may use the driver, or set minikube_force: true.",
    "DRV_": "Set minikube_driver to one that works on this machine.",
    "PROVIDER_": "Set minikube_driver to one that works on this machine.",
    "PR_": "Set minikube_driver to one that works on this machine.",
    "GUEST_DRIVER_MISMATCH": "Change minikube_driver back, or remove the cluster with playbooks/destroy.yml.",
    "RSRC_INSUFFICIENT_CORES": "Set minikube_cpus.",
    "RSRC_INSUFFICIENT_STORAGE": "Free some space, or set minikube_disk.",
    "RSRC_": "Set minikube_memory, or stop other programs.",
    "K8S_OLD_": "Set minikube_kubernetes_version.",
    "K8S_NEW_": "Set minikube_kubernetes_version.",
    "K8S_DOWNGRADE_": "Set minikube_kubernetes_version.",
    "K8S_FAIL_CONNECT": "Set minikube_proxies or minikube_registry_mirrors.",
    "K8S_INSTALL_FAILED_CONTAINER_RUNTIME_": "Set minikube_container_runtime.",
    "RUNTIME_": "Set minikube_container_runtime.",
    "INET_": "Set minikube_proxies or minikube_registry_mirrors.",
    "MK_ADDON_": "Set minikube_addons, or check the addon's pods.",
}

# The options of every minikube module.
PROFILE_OPTIONS: dict[str, dict[str, Any]] = {
    "binary": {"type": "path", "required": True},
    "home": {"type": "path", "default": "~/.cache/berth/minikube"},
    "profile": {"type": "str", "required": True},
}


class Minikube:
    """The program, for one profile in one home.

    The user's own ``~/.minikube`` and ``~/.kube/config`` are left alone, because the environment of every call names other places for both.
    """

    def __init__(self, binary: Path, home: Path, profile: str, kubeconfig: Path | None = None, proxies: dict[str, str] | None = None) -> None:
        """Set the program, its home and the profile; changes nothing.

        Args:
            binary: The program.
            home: MINIKUBE_HOME.
            profile: The profile.
            kubeconfig: The file that minikube writes its context to.
            proxies: ``http_proxy``, ``https_proxy`` and ``no_proxy`` for the node.
        """
        self.binary = binary
        self.home = home
        self.directory = directory_of(home)
        self.profile = profile
        self.kubeconfig = kubeconfig
        self.record_file = self.directory / "berth" / f"{profile}.json"
        self.owner_file = self.record_file.with_suffix(".owner")
        # A user's MINIKUBE_DRIVER and the like would be options of every call.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MINIKUBE_")}
        self.environment = {
            **kept,
            "MINIKUBE_HOME": str(home),
            "MINIKUBE_IN_STYLE": "false",
            "MINIKUBE_WANTUPDATENOTIFICATION": "false",
            # Also for calls that should not write one: in no case may it be the user's.
            "KUBECONFIG": str(kubeconfig or self.directory / "berth" / f"{profile}.kubeconfig"),
        }
        for name, value in (proxies or {}).items():
            self.environment |= {name: value, name.upper(): value}

    @classmethod
    def of(cls, options: dict[str, Any], proxies: dict[str, str] | None = None) -> Minikube:
        """Return the program for a module's options: PROFILE_OPTIONS and possibly ``kubeconfig``."""
        kubeconfig = options.get("kubeconfig")
        return cls(Path(options["binary"]), Path(options["home"]), options["profile"], Path(kubeconfig) if kubeconfig else None, proxies)

    # --- Calls -------------------------------------------------------------------

    def command(self, *words: str) -> list[str]:
        """Return a complete command line."""
        return [str(self.binary), *words, f"--profile={self.profile}"]

    def read(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a query that changes nothing, and return the answer whatever its exit code.

        Raises:
            MinikubeError: The program cannot be run, or does not answer.
        """
        try:
            return subprocess.run(
                self.command(*words),
                capture_output=True,
                text=True,
                timeout=READ_TIMEOUT,
                check=False,
                stdin=subprocess.DEVNULL,
                env=self.environment,
            )
        except subprocess.TimeoutExpired:
            raise MinikubeError(
                f"minikube {' '.join(words)} does not answer within {READ_TIMEOUT} s. Check whether the driver does: docker ps, virsh list."
            ) from None
        except OSError as error:
            raise self.unusable(error) from error

    def unusable(self, error: OSError) -> MinikubeError:
        """Return an error for a program that cannot be run, with a remedy if it is missing: its pin may have moved since the last run."""
        advice = " Run playbooks/cluster.yml, which provides it, then run this again." if isinstance(error, FileNotFoundError) else ""
        return MinikubeError(f"{self.binary} cannot be run: {error.strerror}.{advice}")

    def answer(self, *words: str) -> Any:
        """Return the JSON that minikube answers with.

        Raises:
            MinikubeError: The answer is not JSON.
        """
        done = self.read(*words)
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise MinikubeError(f"minikube {' '.join(words)} failed: {failure(done.stdout, done.stderr, done.returncode)}") from None

    def act(self, *words: str, timeout: float) -> None:
        """Run a command that changes something, with progress.

        Raises:
            MinikubeError: It fails, with minikube's own reason and advice, or takes too long.
        """
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            # A shell starts background jobs with this signal ignored. minikube would inherit that, and could not be shut down cleanly.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
            try:
                process = subprocess.Popen(
                    self.command(*words),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    errors="replace",
                    env=self.environment,
                    start_new_session=True,
                )
            except OSError as error:
                raise self.unusable(error) from error
            late = threading.Event()

            def give_up() -> None:
                late.set()
                end(process)

            timer = threading.Timer(timeout, give_up)
            timer.daemon = True
            timer.start()
            lines: list[str] = []
            step = ""
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    lines.append(line)
                    step = progress(line) or step
                process.wait()
            finally:
                timer.cancel()
                end(process)
            errors.seek(0)
            said = errors.read()
        name = " ".join(word for word in words if not word.startswith("-"))
        if late.is_set():
            raise MinikubeError(
                f"minikube {name} took longer than {timeout:g} s{f', at «{step}»' if step else ''}. Run again to continue; if the network is "
                "slow, set minikube_timeout to more."
            )
        if process.returncode:
            raise MinikubeError(f"minikube {name} failed: {failure(''.join(lines), said, process.returncode)}")

    # --- What is there -------------------------------------------------------------

    def record(self) -> dict[str, Any] | None:
        """Return what an earlier run recorded about the profile; None if there is no record."""
        try:
            return json.loads(self.record_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:
            return {}

    def write_record(self, record: dict[str, Any]) -> None:
        """Record what later runs need to know about the profile. A profile with a record is ours."""
        self.record_file.parent.mkdir(parents=True, exist_ok=True)
        half = self.record_file.with_suffix(".half")
        half.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        half.replace(self.record_file)

    def other_owner(self) -> str:
        """Return the kubeconfig that the profile was made for, "" if it is ours or nobody's: the home is the user's, a profile one environment's."""
        try:
            owner = self.owner_file.read_text(encoding="utf-8").strip()
        except OSError:
            return ""
        return owner if self.kubeconfig and owner != os.path.realpath(self.kubeconfig) else ""

    def note_owner(self) -> None:
        """Record whose profile it is: earlier versions did not, and a project may have been moved."""
        if self.kubeconfig and not self.owner_file.exists():
            self.owner_file.parent.mkdir(parents=True, exist_ok=True)
            self.owner_file.write_text(f"{os.path.realpath(self.kubeconfig)}\n", encoding="utf-8")

    def exists(self) -> bool:
        """Whether the home has the profile, complete or not.

        A start that fails early leaves the directory without the configuration, which minikube writes before it makes anything. Deleting such a
        profile is dangerous: minikube then goes by the name, and also removes what another minikube made under it.
        """
        return (self.directory / "profiles" / self.profile / "config.json").exists()

    def stored_config(self) -> dict[str, Any]:
        """Return the profile's configuration as stored in the home, which is what minikube shows; {} if it cannot be read."""
        try:
            content = json.loads((self.directory / "profiles" / self.profile / "config.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def observe(self, wanted: Wanted, certificates: dict[str, str] | None = None) -> Observed:
        """Return what is there. Without the profile, minikube is not asked at all, because it would fill the home with directories.

        Args:
            wanted: Determines what to look at.
            certificates: The contents of the authorities that the node has to trust, by file name.

        Raises:
            MinikubeError: minikube does not answer.
        """
        record = self.record()
        found: dict[str, Any] = {"record": record}
        if wanted.state == "started":
            found |= self.kubeconfig_state()
        if not self.exists():
            reason = taken(self.profile, wanted.driver) if wanted.state == "started" else ""
            return Observed("foreign" if reason else "absent", reason, **found)
        if owner := self.other_owner():
            remedy = f"if that project was moved or is gone, remove {self.owner_file}, and run again"
            reason = f"the minikube profile {self.profile} belongs to the environment whose kubeconfig is {owner}"
            return Observed("foreign", reason, remedy=remedy, **found)
        if not self.binary.exists():
            if record is None:
                return Observed("foreign", f"minikube has a profile {self.profile} that Berth did not create", **found)
            noted = frozenset(record.get("addons", DEFAULT_ADDONS))
            return Observed("unready", f"{self.binary} does not exist yet, so its state is unknown", config=self.stored_config(), addons=noted, **found)
        profiles = self.answer("profile", "list", "--output=json")
        config = next((item.get("Config") or {} for item in profiles.get("valid") or [] if item.get("Name") == self.profile), {})
        status = self.status(config)
        state, reason, silent = classify(profiles, self.profile, status, record)
        if state == "lost" and config and (problem := probe(config["Driver"])):  # an engine that is down shows no containers either
            raise MinikubeError(f"The driver {config['Driver']} of the minikube profile {self.profile} does not answer: {problem}. Start it, and run again.")
        if wanted.state == "started" and state not in ("foreign", "lost"):
            addons = self.answer("addons", "list", "--output=json")
            found |= {"addons": enabled_addons(addons), "known_addons": frozenset(addons)}
        if state == "running" and found.get("kubeconfig_current"):
            found["kubeconfig_current"] = all(node.get("Kubeconfig") in ("Configured", "Irrelevant", "") for node in status_of(status))
        return Observed(state, reason, silent=silent, config=config, certificates_current=self.certificates_current(certificates or {}, record or {}), **found)

    def status(self, config: dict[str, Any]) -> str:
        """Return the output of ``status -o json``. If one node is gone, that is ``null`` for all, so each of several nodes is then queried separately."""
        text = self.read("status", "--output=json").stdout
        nodes = config.get("Nodes") or []
        if status_of(text) or len(nodes) < 2:
            return text
        # minikube's name of a node's machine: MachineName in pkg/minikube/config.
        names = [f"{self.profile}-{node['Name']}" if node.get("Name") else self.profile for node in nodes]
        return json.dumps([node for name in names for node in status_of(self.read("status", "--output=json", f"--node={name}").stdout)])

    def kubeconfig_state(self) -> dict[str, bool]:
        """Return whether the kubeconfig points to the profile, and whether it points elsewhere."""
        if not self.kubeconfig or not self.kubeconfig.exists():
            return {"kubeconfig_current": False, "kubeconfig_foreign": False}
        try:
            content: Any = yaml.safe_load(self.kubeconfig.read_text(encoding="utf-8")) or {}
            clusters = [item["name"] for item in content.get("clusters") or []]
        except (OSError, ValueError, AttributeError, TypeError, KeyError, yaml.YAMLError):
            return {"kubeconfig_current": False, "kubeconfig_foreign": True}
        return {
            "kubeconfig_current": clusters == [self.profile] and content.get("current-context") == self.profile,
            "kubeconfig_foreign": any(name != self.profile for name in clusters),
        }

    def endpoint(self) -> str:
        """Return the API server's address in the kubeconfig, "" if there is none."""
        with contextlib.suppress(OSError, AttributeError, TypeError, KeyError, yaml.YAMLError):
            content = yaml.safe_load(self.kubeconfig.read_text(encoding="utf-8")) if self.kubeconfig else {}
            return next((item["cluster"]["server"] for item in content["clusters"] if item["name"] == self.profile), "")
        return ""

    # --- Certificate authorities -------------------------------------------------------

    def certificates_current(self, wanted: dict[str, str], record: dict[str, Any]) -> bool:
        """Whether the authorities are where a start of minikube looks for them (collectCACerts in pkg/minikube/bootstrapper/certs.go)."""
        directory = self.directory / "certs"
        return sorted(wanted) == record.get("certificates", []) and all(
            (directory / name).exists() and (directory / name).read_text(encoding="utf-8") == content for name, content in wanted.items()
        )

    def write_certificates(self, wanted: dict[str, str], record: dict[str, Any]) -> None:
        """Put the authorities where minikube looks for them, and remove those that an earlier run put there."""
        directory = self.directory / "certs"
        for name in set(record.get("certificates", [])) - set(wanted):
            (directory / name).unlink(missing_ok=True)
        if wanted:
            directory.mkdir(parents=True, exist_ok=True)
        for name, content in wanted.items():
            (directory / name).write_text(content, encoding="utf-8")

    # --- Steps -----------------------------------------------------------------------

    def carry_out(self, plan: Plan, observed: Observed, wanted: Wanted, certificates: dict[str, str], timeout: float) -> None:
        """Carry out a plan.

        Raises:
            MinikubeError: A step failed.
        """
        if plan.steps and not self.binary.exists():
            raise self.unusable(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
        steps = [step for step in plan.steps if " " not in step]
        try:
            self.steps(steps, wanted, certificates, timeout)
        except MinikubeError as error:
            if wanted.state != "started" or observed.state in ("absent", "lost"):
                raise
            if not plan.recreate:
                advice = f"If it cannot be repaired, minikube_recreate: true in {wanted.inventory} deletes and recreates it."
                raise MinikubeError(f"{error} {advice}") from error
            report(f"minikube: {self.profile} does not come up and is recreated: {error}")
            self.steps(["delete", "start"], wanted, certificates, timeout)
        if wanted.state == "started":
            self.addons(observed, wanted, again=bool(steps), timeout=timeout)

    def steps(self, names: list[str], wanted: Wanted, certificates: dict[str, str], timeout: float) -> None:
        """Do ``delete``, ``unpause``, ``stop`` and ``start`` in the given order, record them, and check at the end whether the cluster runs."""
        for name in names:
            report(f"minikube: {name} {self.profile}")
            if name == "start":
                self.before_start(wanted, certificates)
                self.act("start", *start_arguments(wanted, exists=self.exists()), timeout=timeout)
                self.tidy_kubeconfig()
            else:
                self.act(name, "--output=json", timeout=timeout)
            if name == "delete":
                self.forget()
        if names and wanted.state == "started":
            self.verify(wanted)

    def before_start(self, wanted: Wanted, certificates: dict[str, str]) -> None:
        """Record whose profile it is before it exists, so that an interrupted start is ours as well."""
        record = self.record() or {}
        self.write_certificates(certificates, record)
        if not self.exists():  # then the record is of a start that made nothing
            record = given(wanted)
            self.owner_file.unlink(missing_ok=True)
        self.note_owner()
        made = {"made": record.get("made", False), "container_runtime": record.get("container_runtime") or wanted.container_runtime}
        self.write_record(record | made | {"certificates": sorted(certificates), "extra_config": sorted(wanted.extra_config)})

    def verify(self, wanted: Wanted) -> None:
        """Check whether the cluster runs, and record that it was made.

        Raises:
            MinikubeError: It does not run although minikube says so.
        """
        self.write_record((self.record() or {}) | {"made": True, "extra_arguments": checksum(wanted.extra_arguments)})
        seen = self.observe(wanted)
        if seen.state != "running":
            raise MinikubeError(f"minikube reports that {self.profile} has started, but it is {seen.state}: {seen.reason}.")

    def addons(self, observed: Observed, wanted: Wanted, again: bool, timeout: float) -> None:
        """Enable the wanted addons and disable those that are no longer wanted; ``again`` looks up what a start has enabled."""
        enabled = enabled_addons(self.answer("addons", "list", "--output=json")) if again else observed.addons
        for step in addon_steps(enabled, observed, wanted):
            verb, _, name = step.partition(" ")
            report(f"minikube: {step}")
            self.act("addons", verb, name, timeout=timeout)

    def note(self, wanted: Wanted) -> None:
        """Record the wanted addons, so that a later run knows which are no longer wanted, and what earlier versions did not record."""
        record = self.record() or {}
        known = given(wanted) | {"extra_arguments": checksum(wanted.extra_arguments)} | record | {"addons": sorted(wanted.addons)}
        if known != record:
            self.write_record(known)

    def forget(self) -> None:
        """Remove the records about a profile that is gone, and the kubeconfig that pointed to it."""
        directory = self.directory / "certs"
        for name in (self.record() or {}).get("certificates", []):
            (directory / name).unlink(missing_ok=True)
        for path in self.record_file.parent.glob(f"{self.profile}.*"):
            path.unlink()
        if self.kubeconfig and self.kubeconfig.exists() and not self.kubeconfig_state()["kubeconfig_foreign"]:
            self.kubeconfig.unlink()

    def tidy_kubeconfig(self) -> None:
        """Make the kubeconfig readable only by the user."""
        if self.kubeconfig and self.kubeconfig.exists() and self.kubeconfig.stat().st_mode & 0o777 != 0o600:
            self.kubeconfig.chmod(0o600)


def end(process: subprocess.Popen[str]) -> None:
    """End minikube and everything that it started; first with a terminal's signal, which lets it clean up."""
    for number in (signal.SIGINT, signal.SIGKILL):
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)


def certificates_of(paths: list[str], profile: str) -> dict[str, str]:
    """Return the contents of certificate files by the names under which minikube looks for them.

    Raises:
        Refusal: One is missing or not a certificate.
    """
    found = {}
    for path in map(Path, paths):
        try:
            content = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Refusal(f"minikube_certificates: {path} cannot be read: {getattr(error, 'strerror', None) or 'it is not a PEM file'}") from error
        if "-----BEGIN CERTIFICATE-----" not in content:
            raise Refusal(f"minikube_certificates: {path} contains no PEM certificate")
        name = f"berth-{profile}-{path.stem}.pem"
        if name in found:
            raise Refusal(f"minikube_certificates: two files are named {path.stem}; rename one")
        found[name] = content
    return found


def manifest_of(cni: str) -> str:
    """Return a checksum of the manifest if ``minikube_cni`` is a path, "" for the name of a plugin.

    Raises:
        Refusal: It cannot be read.
    """
    if "/" not in cni:
        return ""
    try:
        return checksum(Path(cni).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(f"minikube_cni: {cni} cannot be read: {getattr(error, 'strerror', None) or 'it is not a text file'}") from error


# --- What minikube says ----------------------------------------------------------


def event(line: str) -> tuple[str, dict[str, Any]]:
    """Return the kind (``step``, ``info``, ``warning``, ``error``) and the data of a line of ``-o json``; ("", {}) for any other line.

    The lines are CloudEvents: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
    """
    try:
        content = json.loads(line)
        return content["type"].rpartition(".")[2], content["data"]
    except (ValueError, TypeError, KeyError, AttributeError):
        return "", {}


def progress(line: str) -> str:
    """Report a step that minikube has reached, and return it; "" for any other line."""
    kind, data = event(line)
    if kind != "step":
        return ""
    message = data.get("message", "").rstrip(". ")
    report(f"minikube: [{data.get('currentstep')}/{data.get('totalsteps')}] {message}")
    return message


def failure(output: str, errors: str, status: int) -> str:
    """Return why a call failed: minikube's message, reason id, exit code and advice, and what to set.

    Without --output=json the reason is a line like ``X Exiting due to MK_USAGE: ...`` (pkg/minikube/out/out_reason.go).
    """
    events = [data for kind, data in map(event, output.splitlines()) if kind == "error"]
    named = [data for data in events if data.get("name")]
    if named:
        last = named[-1]
        reason, message, status = last["name"], last.get("message", ""), last.get("exitcode", status)
    elif found := re.search(r"Exiting due to (\w+): (.*)", errors + output):
        reason, message = found.groups()
    else:
        plain = [line.lstrip("*!X ") for line in (errors + output).splitlines() if line.strip() and not event(line)[0]]
        reason, message = "", "\n".join([data.get("message", "") for data in events] or plain or ["it printed nothing"])
    code = f"{reason}, exit code {status}" if reason else f"exit code {status}"
    # With --force it continues after an error, so the first one may be the cause of the last.
    earlier = list({data["name"]: data for data in named if data["name"] != reason}.values())
    parts = [f"{shortened(message)} ({code}).", *(f"Before that: {shortened(data.get('message', ''))} ({data['name']})." for data in earlier)]
    for data in [*earlier, *named[-1:]]:
        advice = data.get("advice", "").strip().rstrip(".")
        parts += [f"{advice}." if advice and "{{" not in advice else ""]  # some are templates that minikube did not fill in
        parts += [f"Known issues: {data['issues']}" if data.get("issues") else ""]
    reasons = [*(data["name"] for data in earlier), reason]
    parts += [next((words for name in reasons for prefix, words in ADVICE.items() if name.startswith(prefix)), "")]
    return " ".join(" ".join(part.split()) if number else part for number, part in enumerate(parts) if part)


def shortened(message: str) -> str:
    """Return a message without its full stop; if it is long, only its beginning and end."""
    lines = [line for line in message.splitlines() if line.strip()]
    if len(lines) > TAIL + 2:
        lines = [lines[0], "...", *lines[-TAIL:]]
    return "\n".join(lines).rstrip(".")
