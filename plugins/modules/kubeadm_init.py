"""Run kubeadm init, with progress, and with the reason if it fails."""

from __future__ import annotations

DOCUMENTATION = """
module: kubeadm_init
short_description: Create the control plane with C(kubeadm init)
description:
  - Reports kubeadm's phases as they start. If it fails, the message ends with the last lines of kubeadm and the kubelet.
  - Stops as soon as it is certain that the kubelet will not come up. kubeadm itself would wait until its timeout.
  - Leaves a marker file when everything is done, and does nothing if the file exists.
options:
  config: {description: kubeadm's configuration file., type: path, required: true}
  ignore: {description: kubeadm preflight checks to ignore., type: list, elements: str, default: []}
  timeout: {description: Seconds after which it fails., type: int, default: 300}
attributes:
  check_mode: {support: full, description: Says whether it would run.}
"""

EXAMPLES = """
- name: Create the control plane
  berth.platform.kubeadm_init:
    config: /var/lib/berth/kubeadm/init.yaml
"""

RETURN = """
seconds: {description: How long it took., type: int, returned: always}
"""

import base64
import json
import os
import subprocess
import threading
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.machine import kubeadm as cluster
from ..module_utils.machine import proxies
from ..module_utils.machine.service import LOOK, Runit, Systemd, Watch, backend, last_words, private_directory
from ..module_utils.progress import report


def tail(path: Path, lines: int) -> str:
    """Return the last ``lines`` lines of a log, without kubeadm's coloured list of kernel features."""
    try:
        found = [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if "\x1b" not in line]
    except OSError:
        return "(none)"
    return "\n".join(found[-lines:]) or "(none)"


def end_with_the_kubelet(process: subprocess.Popen[str], machine: Systemd | Runit, ended: threading.Event) -> None:
    """Stop kubeadm once it is certain that the kubelet, which it waits for, will not come up; set ``ended`` then."""
    watch = None
    while process.poll() is None:
        if (cluster.KUBELET / "config.yaml").exists():  # until kubeadm has written it, the service only waits for it
            watch = watch or Watch(machine, "kubelet")
            if watch.hopeless():
                ended.set()
                process.kill()
        time.sleep(LOOK)


def generate_encryption_key() -> None:
    """Create the key with which the API server encrypts secrets in etcd, unless it exists: the data in etcd cannot be read with another key.

    kubernetes.io/docs/tasks/administer-cluster/encrypt-data
    """
    file = cluster.DIRECTORY / "kubeadm" / "apiserver" / "encryption.yaml"
    if file.exists():
        return
    key = {"name": "berth", "secret": base64.b64encode(os.urandom(32)).decode()}
    resources = [{"resources": ["secrets"], "providers": [{"secretbox": {"keys": [key]}}, {"identity": {}}]}]
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_name(".encryption.half")
    half.unlink(missing_ok=True)
    half.touch(0o600)
    half.write_text(json.dumps({"apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration", "resources": resources}), encoding="utf-8")
    half.replace(file)


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
    generate_encryption_key()
    log = cluster.LOGS / "kubeadm-init.log"
    private_directory(log.parent)  # the kubelet's pod logs are there too
    command = [
        str(cluster.DIRECTORY / "bin" / "kubeadm"),
        "init",
        "--config",
        module.params["config"],
        "--ignore-preflight-errors",
        ",".join(module.params["ignore"]),
        "--skip-token-print",
    ]
    machine, ended = backend(), threading.Event()
    started, since = time.monotonic(), time.time()
    # kubeadm would pass the proxies in its environment to the control plane, but they do not reach the cluster's own addresses.
    environment = {**proxies.without(os.environ), "PATH": f"{cluster.DIRECTORY / 'bin'}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
        timer = threading.Timer(module.params["timeout"], process.kill)
        timer.start()
        threading.Thread(target=end_with_the_kubelet, args=(process, machine, ended), daemon=True).start()
        for line in process.stdout or ():
            output.write(line)
            output.flush()
            if line.startswith("[") and "] " in line and not line.startswith("[certs]"):
                report(f"kubeadm: {line.strip()}")
        code = process.wait()
        timer.cancel()
    seconds = int(time.monotonic() - started)
    if code:
        why = (
            f"The kubelet ends again and again, so kubeadm init was ended after {seconds} s."
            if ended.is_set()
            else f"kubeadm init failed after {seconds} s. Its last words ({log}):\n{tail(log, 15)}"
        )
        module.fail_json(
            msg=f"{why}\n{last_words(machine, 'kubelet', since)}\nRun the same command again after mending the cause: it begins the cluster again."
        )
    cluster.INITIALIZED.write_text("", encoding="utf-8")
    module.exit_json(changed=True, seconds=seconds)


if __name__ == "__main__":
    main()
