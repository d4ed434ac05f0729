"""Find the URL at which an app answers; start a port-forward if there is none."""

from __future__ import annotations

DOCUMENTATION = """
module: app_url
short_description: Find the URL at which the app answers from this machine
description:
  - Requests the page from the app's addresses (Ingress, load balancer, node port) and returns the first one that answers with a page.
  - If none does, starts a process that forwards a port on the loopback address. It outlives Ansible, and the next run finds it again.
  - The process ends with C(state=closed), or by itself when the kubeconfig is removed.
options:
  state: {description: "C(open) to get a URL, C(closed) to end the port-forward.", type: str, choices: [open, closed], default: open}
  kubeconfig: {description: The kubeconfig., type: path, required: true}
  namespace: {description: The app's namespace., type: str, required: true}
  name: {description: The name of the app's Service., type: str, required: true}
  path: {description: The path of the page to request., type: str, default: /}
  forwarder: {description: The port-forward program (playbooks/ops/files/port_forward.py)., type: path, required: true}
  directory: {description: Where the port-forward's record and log are kept., type: path, required: true}
  timeout: {description: "Seconds to wait for an answer, for example from a release that has only just started to serve.", type: int, default: 20}
attributes:
  check_mode: {support: full, description: Requests the page, but starts or ends no port-forward.}
  diff_mode: {support: none, description: Nothing to show.}
"""

EXAMPLES = """
- name: Find the app's URL
  berth.platform.app_url:
    kubeconfig: .cache/dev/kubeconfig
    namespace: polls-dev
    name: polls
    forwarder: playbooks/ops/files/port_forward.py
    directory: .cache/dev
  register: __app_url
"""

RETURN = """
url: {description: "The URL; empty when closed.", type: str, returned: always}
answer: {description: "What it answered, e.g. C(200 in 12 ms).", type: str, returned: always}
via: {description: "C(direct) or C(forward); empty when closed.", type: str, returned: always}
pid: {description: "The port-forward's process ID, 0 if there is none.", type: int, returned: always}
tried: {description: "Addresses that did not answer with a page, each with its answer.", type: list, elements: str, returned: always}
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils.kube import access, client
from ..module_utils.kube.access import Answer
from ..module_utils.kube.client import Cluster, Forbidden, KubeError, NotFound

ASK = 2.0  # seconds to wait for one address
START = 10.0  # seconds for a port-forward to start listening


class Failed(Exception):
    """There is no URL; the text is for the user."""


class Forward:
    """The port-forward of one app.

    Args:
        parameters: The module's.
    """

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        directory = Path(parameters["directory"])
        self.record, self.log, self.ready = (directory / f"port-forward.{end}" for end in ("json", "log", "port"))
        self.program = parameters["forwarder"]
        self.target = [os.path.abspath(parameters["kubeconfig"]), parameters["namespace"], parameters["name"]]

    def running(self) -> dict[str, Any] | None:
        """Return the record of the running process, None if none is running."""
        try:
            known = json.loads(self.record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        # Another program may have the process ID by now.
        done = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(known["pid"])], capture_output=True, text=True, check=False)
        return known if all(word in done.stdout for word in (Path(self.program).name, *known["target"])) else None

    def start(self, port: int) -> dict[str, Any]:
        """Start the process and return its record.

        Raises:
            Failed: It did not start to listen.
        """
        self.record.parent.mkdir(parents=True, exist_ok=True)
        self.ready.unlink(missing_ok=True)
        with self.log.open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, self.program, *self.target, str(port), str(self.ready)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )
        end = time.monotonic() + START
        # The file is empty for a moment after it is created.
        while not (listens := self.ready.read_text(encoding="ascii") if self.ready.exists() else ""):
            if process.poll() is not None or time.monotonic() > end:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                raise Failed(f"The port-forward did not start: {self.last_words()}")
            time.sleep(0.05)
        known = {"pid": process.pid, "port": int(listens), "target": self.target}
        self.ready.unlink()
        self.record.write_text(json.dumps(known), encoding="utf-8")
        return known

    def stop(self) -> bool:
        """End the process; return whether one was running."""
        known = self.running()
        if known:
            with contextlib.suppress(ProcessLookupError):
                os.kill(known["pid"], signal.SIGTERM)
        self.record.unlink(missing_ok=True)
        return bool(known)

    def last_words(self) -> str:
        """Return the last line of the process's log."""
        try:
            return (self.log.read_text(encoding="utf-8").strip().splitlines() or ["its log is empty"])[-1]
        except OSError:
            return "it has no log"


def look(cluster: Cluster, namespace: str, name: str, path: str = "/") -> tuple[dict[str, Any], list[str]]:
    """Return the app's Service and the URLs at which it may answer.

    Raises:
        Failed: There is no such Service.
        KubeError: The API server does not answer.
    """
    try:
        service = cluster.get("Service", namespace, name)
    except NotFound as error:
        raise Failed(f"There is no Service {name} in the namespace {namespace}, so nothing is released. Run site.yml.") from error
    others = {}
    for kind in ("Ingress", "Node"):
        try:
            others[kind] = cluster.items(kind, namespace)
        except Forbidden:
            others[kind] = []
    return service, access.candidates(service, others["Ingress"], others["Node"], path)


def direct(urls: list[str], timeout: float) -> tuple[str, Answer | None, dict[str, Answer]]:
    """Request the URLs until one returns a page or the time is up; return that URL, its answer and all answers.

    Of the addresses that do not answer, only this machine's own are retried: its cluster may only just have started.
    """
    end = time.monotonic() + timeout
    while True:
        answers = {}
        for url in urls:
            answers[url] = access.ask(url, ASK)
            if answers[url].good:
                return url, answers[url], answers
        coming = any(answer.status >= 500 or urlsplit(url).hostname == "127.0.0.1" for url, answer in answers.items())
        if time.monotonic() > end or not coming:
            return "", None, answers
        time.sleep(0.5)


def opened(module: AnsibleModule, forward: Forward) -> dict[str, Any]:
    """Return what the module returns for C(open).

    Raises:
        Failed: There is no URL.
        KubeError: The API server does not answer.
    """
    namespace, name, path, timeout = (module.params[key] for key in ("namespace", "name", "path", "timeout"))
    service, urls = look(Cluster(module.params["kubeconfig"], None), namespace, name, path)
    known = forward.running()
    url, answer, answers = direct(urls, 0 if known else timeout)
    tried = [f"{each}: {answers[each].text}" for each in answers if each != url]
    if answer:
        return {"changed": False, "url": url, "answer": answer.text, "via": "direct", "pid": known["pid"] if known else 0, "tried": tried}
    if any(each.status >= 500 for each in answers.values()):
        raise Failed(f"The app answers with an error: {'; '.join(tried)}. Look at its log: playbooks/ops/logs.yml.")
    started = not known or known["target"] != forward.target
    if started and module.check_mode:
        return {"changed": True, "url": "", "answer": "", "via": "forward", "pid": 0, "tried": tried}
    if started or not known:
        forward.stop()
        known = forward.start(service["spec"]["ports"][0].get("nodePort") or 0)
    url = f"http://127.0.0.1:{known['port']}{path}"
    end = time.monotonic() + timeout
    while not (heard := access.ask(url, max(ASK, timeout / 2))).good and time.monotonic() < end:
        time.sleep(0.5)
    if not heard.good:
        if started:
            forward.stop()
        said = f"{heard.text}; {forward.last_words()}"
        raise Failed(f"The app does not answer through a port-forward either ({said}). playbooks/ops/status.yml shows the state of its pods.")
    return {"changed": started, "url": url, "answer": heard.text, "via": "forward", "pid": known["pid"], "tried": tried}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["open", "closed"], "default": "open"},
            "kubeconfig": {"type": "path", "required": True},
            "namespace": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "path": {"type": "str", "default": "/"},
            "forwarder": {"type": "path", "required": True},
            "directory": {"type": "path", "required": True},
            "timeout": {"type": "int", "default": 20},
        },
        supports_check_mode=True,
    )
    if client.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("kubernetes"))
    forward = Forward(module.params)
    if module.params["state"] == "closed":
        changed = bool(forward.running()) if module.check_mode else forward.stop()
        module.exit_json(changed=changed, url="", answer="", via="", pid=0, tried=[])
    try:
        module.exit_json(**opened(module, forward))
    except (Failed, KubeError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
