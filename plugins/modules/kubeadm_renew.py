"""Renew the certificates of this machine's kubeadm cluster."""

from __future__ import annotations

DOCUMENTATION = """
module: kubeadm_renew
short_description: Renew the certificates of this machine's cluster that expire soon, or have expired
description:
  - Renews them on disk; the cluster may be stopped. Restarts the control plane and the kubelet if they are running, and waits for the API server.
  - The CAs and other kubeconfigs stay until they expire themselves.
  - An interrupted renewal is repeated.
options:
  address: {description: "Host and port of the API server.", type: str, required: true}
  config: {description: "kubeadm's configuration file, which says how long certificates last.", type: path, required: true}
  days: {description: Days before expiry when certificates are renewed., type: int, default: 60}
  grace: {description: Seconds for the control plane's processes to exit by themselves., type: int, default: 20}
  timeout: {description: Seconds for the control plane to answer again., type: int, default: 120}
attributes:
  check_mode: {support: full, description: Says which it would renew.}
"""

EXAMPLES = """
- name: Renew certificates that expire
  berth.platform.kubeadm_renew:
    address: 10.245.0.1:6443
    config: /var/lib/berth/kubeadm/init.yaml
"""

RETURN = """
renewed: {description: "The files of the renewed certificates.", type: list, elements: str, returned: always}
"""

import json
import os
import shutil
import subprocess
import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.machine import certificates
from ..module_utils.machine import kubeadm as cluster
from ..module_utils.machine.service import ServiceError, backend, last_words
from ..module_utils.progress import report

# The kubelet restarts their containers. The names are truncated by the kernel (proc_pid_comm(5)), as program() in machine/kubeadm.py returns them.
CONTROL_PLANE = ("kube-apiserver", "kube-controller", "kube-scheduler")


class RenewError(Exception):
    """Certificates that cannot be renewed; the text is for the user."""


def kubeadm(*arguments: str) -> None:
    """Run kubeadm.

    Raises:
        RenewError: It failed.
    """
    done = subprocess.run([str(cluster.DIRECTORY / "bin" / "kubeadm"), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RenewError(f"kubeadm {' '.join(arguments[:3])} failed: {(done.stderr or done.stdout).strip()}")


def renew(kinds: set[str], config: str) -> None:
    """Renew the certificates of these kinds on disk. Each file is replaced atomically."""
    if "control plane" in kinds:
        kubeadm("certs", "renew", "all", "--config", config)
    if "kubelet" in kinds:
        # Not in kubeadm's own directory: the old files stay until the new ones are complete.
        made = cluster.DIRECTORY / "kubeadm" / "renewed"
        shutil.rmtree(made, ignore_errors=True)
        kubeadm("init", "phase", "kubeconfig", "kubelet", "--config", config, "--kubeconfig-dir", str(made))
        os.replace(made / "kubelet.conf", cluster.KUBERNETES / "kubelet.conf")
        made.rmdir()
        # With the old files it would continue as before.
        for path in (cluster.KUBELET / "pki").glob("kubelet-client-*.pem"):
            path.unlink()
    if "kubelet serving" in kinds:
        for name in ("kubelet.crt", "kubelet.key"):  # the kubelet creates them if they are missing
            (cluster.KUBELET / "pki" / name).unlink(missing_ok=True)


def start_anew(kinds: set[str], grace: float) -> bool:
    """Restart the running processes with their new certificates; return whether to wait for the API server."""
    machine = backend()
    if "control plane" in kinds:
        report("the control plane is restarting")
        running = [child for shim in cluster.shims() for child in cluster.children(shim)]
        for group in (CONTROL_PLANE, ("etcd",)):  # an API server without its etcd does not exit by itself
            cluster.end_processes([pid for pid in running if cluster.program(pid) in group], time.monotonic() + grace)
    if not machine.running("kubelet"):
        return False  # it starts later, and the control plane with it
    report("the kubelet is restarting")
    machine.restart("kubelet")  # this also resets its back-off for restarting the control plane's containers
    return True


def wait(address: str, timeout: float) -> None:
    """Wait until the API server accepts the renewed administrator and the node is ready.

    Raises:
        RenewError: It did not within ``timeout`` seconds.
    """
    began, end = time.time(), time.monotonic() + timeout
    while unready := cluster.unready(address, []):
        if time.monotonic() > end:
            why, words = "; ".join(map(" ".join, unready)), last_words(backend(), "kubelet", began)
            raise RenewError(f"The certificates are renewed, but after {timeout:.0f} s {why}. {words}\nRun the same command again.")
        time.sleep(0.5)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "config": {"type": "path", "required": True},
            "days": {"type": "int", "default": 60},
            "grace": {"type": "int", "default": 20},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    if not cluster.INITIALIZED.exists():
        module.exit_json(changed=False, renewed=[])
    found = certificates.ending(certificates.of_machine(cluster.KUBERNETES, cluster.KUBELET), module.params["days"])
    kinds = {each["kind"] for each in found} | cluster.renewing()
    if kinds and not module.check_mode:
        try:
            cluster.RENEWING.write_text(json.dumps(sorted(kinds)), encoding="utf-8")
            renew(kinds, module.params["config"])
            if start_anew(kinds, module.params["grace"]):
                wait(module.params["address"], module.params["timeout"])
            cluster.RENEWING.unlink()
        except (RenewError, ServiceError, OSError) as error:
            module.fail_json(msg=str(error))
    module.exit_json(changed=bool(kinds), renewed=[each["path"] for each in found])


if __name__ == "__main__":
    main()
