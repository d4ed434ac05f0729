"""Run kubeadm init, with its progress and with the reason when it fails."""

from __future__ import annotations

DOCUMENTATION = """
module: kubeadm_init
short_description: Make the control plane with C(kubeadm init)
description:
  - Reports kubeadm's phases as they begin, and ends with kubeadm's and the kubelet's own last words when it fails.
  - Leaves a mark when all of it is done. Where the mark is, nothing is done.
options:
  config: {description: kubeadm's configuration file., type: path, required: true}
  ignore: {description: Preflight checks of kubeadm that may fail., type: list, elements: str, default: []}
  timeout: {description: Seconds after which it has failed., type: int, default: 300}
attributes:
  check_mode: {support: full, description: Says whether it would run.}
"""

EXAMPLES = """
- name: Make the control plane
  kubeadm_init:
    config: /var/lib/berth/kubeadm/init.yaml
"""

RETURN = """
seconds: {description: How long it took., type: int, returned: always}
"""

import os
import subprocess
import threading
import time
from pathlib import Path

from ansible.module_utils import berth_kubeadm as cluster
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.berth_progress import report


def tail(path: Path, lines: int, only: str = "") -> str:
    """Return the last ``lines`` lines of a log that contain ``only``, without kubeadm's coloured list of kernel features."""
    try:
        found = [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if only in line and "\x1b" not in line]
    except OSError:
        return "(none)"
    return "\n".join(found[-lines:]) or "(none)"


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "config": {"type": "path", "required": True},
            "ignore": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    if cluster.INITIALIZED.exists() or module.check_mode:
        module.exit_json(changed=not cluster.INITIALIZED.exists(), seconds=0)
    log = cluster.LOGS / "kubeadm-init.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [
        str(cluster.DIRECTORY / "bin" / "kubeadm"), "init", "--config", module.params["config"],
        "--ignore-preflight-errors", ",".join(module.params["ignore"]), "--skip-token-print",
    ]  # fmt: skip
    started = time.monotonic()
    environment = {**os.environ, "PATH": f"{cluster.DIRECTORY / 'bin'}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        timer = threading.Timer(module.params["timeout"], process.kill)
        timer.start()
        for line in process.stdout or ():
            output.write(line)
            output.flush()
            if line.startswith("[") and "] " in line and not line.startswith("[certs]"):
                report(f"kubeadm: {line.strip()}")
        code = process.wait()
        timer.cancel()
    seconds = int(time.monotonic() - started)
    if code:
        module.fail_json(
            msg=f"kubeadm init failed after {seconds} s. Its last words ({log}):\n{tail(log, 15)}\n"
            f"The kubelet's last errors ({cluster.LOGS / 'kubelet' / 'current'}, or journalctl -u berth-kubelet):\n"
            f"{tail(cluster.LOGS / 'kubelet' / 'current', 8, ' E')}\n"
            "Run the same command again after mending the cause: it begins the cluster anew."
        )
    cluster.INITIALIZED.write_text("", encoding="utf-8")
    module.exit_json(changed=True, seconds=seconds)


if __name__ == "__main__":
    main()
