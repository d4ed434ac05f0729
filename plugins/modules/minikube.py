"""Start, stop or delete a minikube profile: the Ansible module."""

from __future__ import annotations

DOCUMENTATION = r"""
module: minikube
short_description: Start, stop or delete a minikube profile
description:
  - Reads the profile's state first, and only takes the steps from there to O(state).
  - Never touches a profile, container or volume of that name that this module did not create, or created for another O(kubeconfig).
  - Refuses a setting that an existing profile cannot take, with its live and its wanted value; minikube itself would ignore most of them
    with a warning. A newer Kubernetes version, other feature gates and other extra configuration are applied.
  - The user's C(~/.minikube), C(~/.kube/config) and current context are left alone.
  - A failure includes minikube's own reason id and advice.
options:
  binary: {description: The minikube program., type: path, required: true}
  home:
    description: MINIKUBE_HOME, where minikube keeps profiles, certificates and its cache. Profiles may share it.
    type: path
    default: ~/.cache/berth/minikube
  profile: {description: "The profile, and so the name of the node, its container and the kubeconfig's context.", type: str, required: true}
  state:
    description: The state of the profile. C(absent) deletes the cluster with everything in it.
    type: str
    choices: [started, stopped, absent]
    default: started
  kubeconfig:
    description: Where minikube writes its context, with mode 0600. A file that points elsewhere is refused, and so is C(~/.kube/config).
    type: path
    required: true
  driver:
    description: The driver; if empty, minikube chooses.
    type: str
    choices: ["", docker, podman, kvm, kvm2, qemu, qemu2, vfkit, hyperkit, none]
    default: ""
  nodes: {description: How many nodes the cluster has., type: int, default: 1}
  cpus: {description: "CPUs of a node, or C(max).", type: str, default: ""}
  memory: {description: "Memory of a node, such as C(4096) (MB), C(4g) or C(max).", type: str, default: ""}
  disk: {description: "Disk of a node that is a virtual machine, such as C(20g).", type: str, default: ""}
  kubernetes_version: {description: "The full version, such as C(v1.36.3). An existing cluster can only be upgraded.", type: str, default: ""}
  container_runtime:
    description: The container runtime.
    type: str
    choices: ["", containerd, cri-o, docker]
    default: ""
  cni: {description: "C(bridge), C(calico), C(cilium), C(flannel), C(kindnet) or the path of a manifest.", type: str, default: ""}
  feature_gates: {description: Feature gates of Kubernetes., type: dict, default: {}}
  extra_config:
    description: Settings of Kubernetes' components, each C(component.key=value). An existing one can be changed, but the last one cannot be removed.
    type: list
    elements: str
    default: []
  registry_mirrors: {description: Mirrors of Docker Hub., type: list, elements: str, default: []}
  insecure_registries: {description: Registries that are used without TLS., type: list, elements: str, default: []}
  proxies:
    description: Proxies for minikube and the node, set when the cluster is made.
    type: dict
    default: {}
    suboptions:
      http_proxy: {description: For HTTP., type: str}
      https_proxy: {description: For HTTPS., type: str}
      no_proxy: {description: Addresses without a proxy. By default this machine and minikube's own networks., type: str}
  certificates:
    description: Files (PEM) with certificate authorities that the node trusts in addition to the usual ones. The kubeconfig needs no file.
    type: list
    elements: path
    default: []
  base_image: {description: "The image of a node that is a container; if empty, minikube chooses.", type: str, default: ""}
  addons:
    description:
      - The wanted addons. Other addons are disabled if they were wanted before, or if minikube itself enables them (C(default-storageclass),
        C(storage-provisioner)). An addon that somebody enabled by hand stays.
    type: list
    elements: str
    default: []
  extra_arguments:
    description: More arguments of C(minikube start). If they differ from the last ones, an existing profile gets them with a start, and a warning says so.
    type: list
    elements: str
    default: []
  force: {description: "Whether to start with C(--force), which root needs.", type: bool, default: false}
  recreate: {description: Whether a cluster that cannot be brought up again may be deleted and recreated., type: bool, default: false}
  timeout: {description: Seconds that one step may take., type: int, default: 900}
  inventory: {description: "Where the settings are, for messages.", type: str, default: the inventory}
attributes:
  check_mode: {support: full, description: Reads the state and reports the steps that would follow.}
"""

EXAMPLES = r"""
- name: Have a cluster with metrics and a StorageClass
  berth.platform.minikube:
    binary: /usr/local/bin/minikube
    profile: dev
    kubeconfig: .cache/dev/kubeconfig
    driver: docker
    memory: 4g
    kubernetes_version: v1.36.3
    container_runtime: containerd
    cni: calico
    addons: [default-storageclass, metrics-server, storage-provisioner]

- name: Stop it
  berth.platform.minikube:
    binary: /usr/local/bin/minikube
    profile: dev
    kubeconfig: .cache/dev/kubeconfig
    state: stopped

- name: Delete it
  berth.platform.minikube:
    binary: /usr/local/bin/minikube
    profile: dev
    kubeconfig: .cache/dev/kubeconfig
    state: absent
"""

RETURN = r"""
found:
  description:
    - The previous state. C(absent), nothing is there; C(lost), somebody removed the container or virtual machine; C(partial), a
      start was interrupted; C(stopped); C(paused); C(unready), made but not completely running; C(running).
  type: str
  returned: always
reason: {description: "The reason for that state, or for the steps.", type: str, returned: always}
steps:
  description: What was done, or would be in check mode.
  type: list
  elements: str
  returned: always
  sample: [start, enable metrics-server]
"""

import signal
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.machine.minikube import MinikubeError, Refusal, Wanted, decide
from ..module_utils.machine.minikube_calls import PROFILE_OPTIONS, Minikube, certificates_of, manifest_of

# Networks of minikube's drivers and of services: https://minikube.sigs.k8s.io/docs/handbook/vpn_and_proxy/
OWN_NETWORKS = "localhost,127.0.0.1,10.96.0.0/12,192.168.39.0/24,192.168.49.0/24,192.168.59.0/24"
STRINGS = {"type": "list", "elements": "str", "default": []}
OPTIONS: dict[str, dict[str, Any]] = {
    **PROFILE_OPTIONS,
    "state": {"type": "str", "choices": ["started", "stopped", "absent"], "default": "started"},
    "kubeconfig": {"type": "path", "required": True},
    "driver": {"type": "str", "choices": ["", "docker", "podman", "kvm", "kvm2", "qemu", "qemu2", "vfkit", "hyperkit", "none"], "default": ""},
    "nodes": {"type": "int", "default": 1},
    "cpus": {"type": "str", "default": ""},
    "memory": {"type": "str", "default": ""},
    "disk": {"type": "str", "default": ""},
    "kubernetes_version": {"type": "str", "default": ""},
    "container_runtime": {"type": "str", "choices": ["", "containerd", "cri-o", "docker"], "default": ""},
    "cni": {"type": "str", "default": ""},
    "feature_gates": {"type": "dict", "default": {}},
    "extra_config": STRINGS,
    "registry_mirrors": STRINGS,
    "insecure_registries": STRINGS,
    "proxies": {
        "type": "dict",
        "default": {},
        # A proxy's address may hold a password.
        "options": {name: {"type": "str", "no_log": name != "no_proxy"} for name in ("http_proxy", "https_proxy", "no_proxy")},
    },
    "certificates": {"type": "list", "elements": "path", "default": []},
    "base_image": {"type": "str", "default": ""},
    "addons": STRINGS,
    "extra_arguments": STRINGS,
    "force": {"type": "bool", "default": False},
    "recreate": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 900},
    "inventory": {"type": "str", "default": "the inventory"},
}


def proxies(given: dict[str, str | None]) -> dict[str, str]:
    """Return the proxies that are set; if there are any, minikube's own networks bypass them."""
    found = {name: value for name, value in given.items() if value}
    return {"no_proxy": OWN_NETWORKS, **found} if found else {}


def ensure(module: AnsibleModule) -> dict[str, Any]:
    """Bring the profile into the wanted state; in check mode, report what that would take."""
    options = module.params
    manifest = manifest_of(options["cni"]) if options["state"] == "started" else ""
    wanted = Wanted(cni_manifest=manifest, **{name: options[name] for name in Wanted.__dataclass_fields__ if name in options})
    kubeconfig = Path(options["kubeconfig"])
    if kubeconfig.resolve() == (Path.home() / ".kube" / "config").resolve():
        raise Refusal(f"berth_kubeconfig: {kubeconfig} is the user's own and is left alone; name another file in {wanted.inventory}.")
    certificates = certificates_of(options["certificates"], wanted.profile) if wanted.state == "started" else {}
    minikube = Minikube.of(options, proxies(options["proxies"]))
    observed = minikube.observe(wanted, certificates)
    plan = decide(observed, wanted)
    if not module.check_mode:
        minikube.carry_out(plan, observed, wanted, certificates, options["timeout"])
        if wanted.state == "started":
            minikube.tidy_kubeconfig()
            minikube.note_owner()
            minikube.note(wanted)
    if plan.warning:
        module.warn(plan.warning)
    return {"changed": bool(plan.steps), "found": observed.state, "reason": plan.why or observed.reason, "steps": plan.steps}


def interrupted(number: int, frame: Any) -> None:
    """Shut down cleanly, minikube first, when somebody ends the run."""
    raise MinikubeError("The run was terminated from outside. Run again: it continues where it stopped.")


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    signal.signal(signal.SIGTERM, interrupted)
    try:
        module.exit_json(**ensure(module))
    except MinikubeError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")


if __name__ == "__main__":
    main()
