"""Load-test a page of the app, and watch its pods."""

from __future__ import annotations

DOCUMENTATION = """
module: load_test
short_description: Load-test a page of the app, and watch its pods
description:
  - Simulates visitors who request a page about once a second each, and reads every 2 s how many pods are ready and how many the autoscaler wants.
  - Plots requests per second, latency and pods over time.
  - Uses Locust (U(https://locust.io)). The first run installs it and the plotting library in a separate virtual environment.
  - Changes nothing in the cluster. Refuses more load than a test needs, and pages of other sites.
options:
  kubeconfig: {description: The kubeconfig., type: path, required: true}
  namespace: {description: The app's namespace., type: str, required: true}
  name: {description: The name of the app's Deployment., type: str, required: true}
  url: {description: The page., type: str, required: true}
  address: {description: "Where the app answers, from M(berth.platform.app_url); the page must be on it.", type: str, required: true}
  users: {description: "The number of concurrent visitors, 1 to 100.", type: int, default: 20}
  seconds: {description: "The duration in seconds, 10 to 600.", type: int, default: 60}
  program: {description: "The directory with locustfile.py, plot.py and requirements.txt (playbooks/ops/files/loadtest).", type: path, required: true}
  environment: {description: The directory of the virtual environment., type: path, required: true}
  plot: {description: The PNG file to write., type: path, required: true}
attributes:
  check_mode: {support: full, description: Checks the options, but does not load the page.}
  diff_mode: {support: none, description: Nothing to show.}
"""

EXAMPLES = """
- name: Load the site
  berth.platform.load_test:
    kubeconfig: .cache/dev/kubeconfig
    namespace: polls-dev
    name: polls
    url: http://127.0.0.1:30080/polls/
    address: http://127.0.0.1:30080/
    program: playbooks/ops/files/loadtest
    environment: ~/.cache/berth/loadtest
    plot: .cache/dev/loadtest.png
  register: __load
"""

RETURN = """
text: {description: The summary for people., type: str, returned: always}
requests: {description: How many there were., type: int, returned: when the page was loaded}
failures: {description: How many of them failed., type: int, returned: when the page was loaded}
rate: {description: Requests a second., type: float, returned: when the page was loaded}
p50: {description: "Milliseconds within which half of the answers came, null for none.", type: int, returned: when the page was loaded}
p95: {description: "Those within which 95 of 100 came, null for none.", type: int, returned: when the page was loaded}
errors: {description: "What was wrong (C(error)) and how often (C(times)).", type: list, elements: dict, returned: when the page was loaded}
pods_from: {description: Ready pods at the beginning., type: int, returned: when the page was loaded}
pods_to: {description: Ready pods at the end., type: int, returned: when the page was loaded}
pods_wanted: {description: Pods that were wanted at the end., type: int, returned: when the page was loaded}
"""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils import loadtest
from ..module_utils.kube import access, client
from ..module_utils.kube.client import Cluster, KubeError, NotFound, Unreachable
from ..module_utils.loadtest import Look
from ..module_utils.machine import environment
from ..module_utils.progress import report

EACH = 2.0  # seconds between two polls of the pods
END = 120.0  # extra seconds for the visitors to start, and for the last answers; each waits 30 at most
ASK = 10.0  # seconds for the page to answer before the test


class Failed(Exception):
    """The page was not loaded; the text is for the user."""


def pods(cluster: Cluster, namespace: str, name: str, second: float) -> Look:
    """Return how many pods the app has.

    Raises:
        KubeError: The Deployment cannot be read.
    """
    deployment = cluster.get("Deployment", namespace, name)
    try:
        autoscaler = cluster.get("HorizontalPodAutoscaler", namespace, name)
    except NotFound:
        autoscaler = None
    return loadtest.look(second, deployment, autoscaler)


def command(python: Path, program: Path, url: str, users: int, seconds: int) -> list[str]:
    """Return the command of Locust's. All visitors are there after five seconds, or one more each second."""
    return [
        *(str(python), "-m", "locust", "--locustfile", str(program / "locustfile.py"), "--headless", "--host", url),
        *("--users", str(users), "--spawn-rate", str(max(1.0, users / 5)), "--run-time", f"{seconds}s", "--stop-timeout", "30"),
        *("--exit-code-on-error", "0", "--only-summary", "--loglevel", "WARNING"),
    ]


def variables(given: Mapping[str, str], home: str, url: str, record: Path) -> dict[str, str]:
    """Return the environment for Locust: without settings of its user's, and past any proxy, for cluster addresses are not beyond it."""
    kept = {name: value for name, value in given.items() if not name.startswith("LOCUST_") and not name.lower().endswith("_proxy")}
    return {**kept, "HOME": home, "NO_PROXY": "*", "no_proxy": "*", "BERTH_LOAD_URL": url, "BERTH_LOAD_RECORD": str(record)}


def watched(process: subprocess.Popen[bytes], cluster: Cluster, namespace: str, name: str, seconds: int) -> list[Look]:
    """Return how many pods there were while a process ran.

    Raises:
        Failed: It does not end.
        KubeError: The pods cannot be read. An API server that has no time meanwhile is asked again.
    """
    began, found = time.monotonic(), []
    while True:
        second = time.monotonic() - began
        try:
            found.append(pods(cluster, namespace, name, second))
            report(f"{second:.0f} of {seconds} s: {found[-1].ready} pods are ready, {found[-1].wanted} are wanted")
        except Unreachable:
            pass
        try:
            process.wait(EACH)
        except subprocess.TimeoutExpired:
            if second > seconds + END:
                raise Failed(f"The visitors did not end, {END:.0f} s after their time was over.") from None
        else:
            return found


def load(python: Path, url: str, cluster: Cluster, given: Mapping[str, Any]) -> dict[str, Any]:
    """Load a page; return what came of it, and write its drawing.

    Raises:
        Failed, KubeError: As for watched().
    """
    program, seconds = Path(given["program"]), given["seconds"]
    with tempfile.TemporaryDirectory(prefix="berth.") as home:
        record, log = Path(home, "record"), Path(home, "log")
        began = time.time()
        with log.open("wb") as output:
            process = subprocess.Popen(
                command(python, program, url, given["users"], seconds),
                cwd=home,
                env=variables(os.environ, home, url, record),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
            try:
                looks = watched(process, cluster, given["namespace"], given["name"], seconds)
            finally:
                process.kill()
                process.wait()
        answers = loadtest.read(record.read_text(encoding="utf-8"), began) if record.exists() else []
        if process.returncode or not answers:
            said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it says nothing"]
            raise Failed(f"Locust ended with exit code {process.returncode} and made {len(answers)} requests: {said[-1]}")
        found = loadtest.summary(answers, looks)
        text = loadtest.text(found, url, given["users"], seconds, given["plot"])
        draw(python, program, loadtest.drawing(answers, looks, f"{url}, {given['users']} visitors"), Path(given["plot"]), home)
    return {**found, "text": text}


def draw(python: Path, program: Path, drawing: Mapping[str, Any], plot: Path, home: str) -> None:
    """Write a drawing; a file of that name is replaced by a whole one.

    Raises:
        Failed: It cannot be drawn.
    """
    plot.parent.mkdir(parents=True, exist_ok=True)
    new = plot.with_name(f".{plot.name}.new")
    done = subprocess.run(
        [str(python), str(program / "plot.py"), str(new)],
        input=json.dumps(drawing),
        env={**os.environ, "MPLCONFIGDIR": home},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failed(f"The plot cannot be drawn: {(done.stderr.strip().splitlines() or ['no reason was given'])[-1]}")
    new.replace(plot)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "kubeconfig": {"type": "path", "required": True},
            "namespace": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "url": {"type": "str", "required": True},
            "address": {"type": "str", "required": True},
            "users": {"type": "int", "default": 20},
            "seconds": {"type": "int", "default": 60},
            "program": {"type": "path", "required": True},
            "environment": {"type": "path", "required": True},
            "plot": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    if client.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("kubernetes"))
    given = module.params
    if refusal := loadtest.refusal(given["users"], given["seconds"], given["url"], given["address"]):
        module.fail_json(msg=f"Nothing was loaded: {refusal}")
    if module.check_mode:
        module.exit_json(changed=False, text=f"Would let {given['users']} visitors ask for {given['url']} for {given['seconds']} s")
    try:
        page = access.ask(given["url"], ASK)
        if not 200 <= page.status < 300 or loadtest.origin(page.url) != loadtest.origin(given["address"]):
            module.fail_json(msg=f"Nothing was loaded: {given['url']} is no page that can be: it answers {page.text}. Name another with ops_url.")
        python = environment.provide(Path(given["environment"]), Path(given["program"]) / "requirements.txt", "a load test", os.environ)
        module.exit_json(changed=False, **load(python, page.url, Cluster(given["kubeconfig"], None), given))
    except (Failed, environment.NotMade, KubeError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
