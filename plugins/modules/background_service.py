"""Services that keep running after Ansible has ended."""

from __future__ import annotations

DOCUMENTATION = """
module: background_service
short_description: Manage services on this machine, with systemd or without
description:
  - Creates a systemd unit C(berth-NAME.service) if systemd is PID 1,
    else runs the process under runit's supervisor, with a PID file in C(/run/berth) and logs in C(/var/log/berth/NAME).
  - A process that exits is restarted, and so is one whose definition has changed.
options:
  services:
    description: The services, started in this order and stopped in the reverse one.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: The name., type: str, required: true}
      description: {description: One line for people., type: str, default: ""}
      command: {description: The program and its arguments., type: list, elements: str, default: []}
      before: {description: "A program to run before each start.", type: path}
      wait_for: {description: A file that must exist before the service starts., type: path}
      listens:
        description:
          - "Where the service accepts connections once it is up: a path, or C(host:port). The module waits for it after a start."
          - A service that keeps exiting fails at once, with the end of its log.
        type: str
      reads: {description: "Files that the service reads at its start. It is restarted when one has changed.", type: list, elements: path, default: []}
  timeout: {description: Seconds for a started service to start listening., type: int, default: 30}
  state:
    description: The desired state.
    type: str
    choices: [started, stopped, absent]
    default: started
attributes:
  check_mode: {support: full, description: Says what would change.}
  diff_mode: {support: none, description: Not shown.}
"""

EXAMPLES = """
- name: Start the registry
  berth.platform.background_service:
    services:
      - name: registry
        description: Berth's image registry
        command: [/var/lib/berth/bin/registry, serve, /var/lib/berth/registry.yml]
        listens: 127.0.0.1:5001
        reads: [/var/lib/berth/registry.yml]
"""

RETURN = """
services:
  description: The services by name, each with C(pid) (0 if it is not running) and C(manager) (C(systemd) or C(runit)).
  type: dict
  returned: always
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.machine.service import Runit, Service, ServiceError, Systemd, backend, manager, wait_until_it_listens


def keeps_running(machine: Systemd | Runit, name: str) -> bool:
    """Whether a service is running and will start at the next boot too."""
    return machine.running(name) and machine.at_boot(name)


def main() -> None:
    """Run the module."""
    options = {
        "name": {"type": "str", "required": True},
        "description": {"type": "str", "default": ""},
        "command": {"type": "list", "elements": "str", "default": []},
        "before": {"type": "path"},
        "wait_for": {"type": "path"},
        "listens": {"type": "str"},
        "reads": {"type": "list", "elements": "path", "default": []},
    }
    module = AnsibleModule(
        argument_spec={
            "services": {"type": "list", "elements": "dict", "required": True, "options": options},
            "state": {"type": "str", "choices": ["started", "stopped", "absent"], "default": "started"},
            "timeout": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    services = [Service(**service) for service in module.params["services"]]
    state = module.params["state"]
    changed = False
    started: list[Service] = []
    began = time.time()
    machine = backend()
    try:
        for service in services if state == "started" else reversed(services):
            if module.check_mode:
                changed |= not keeps_running(machine, service.name) if state == "started" else machine.running(service.name)
            elif state == "started":
                rewritten, runs = machine.write(service), keeps_running(machine, service.name)
                if rewritten and runs:
                    machine.restart(service.name)
                elif not runs:
                    machine.start(service.name)
                started += [service] if rewritten or not runs else []
                changed |= rewritten or not runs
            else:
                changed |= machine.stop(service.name) if state == "stopped" else machine.remove(service.name)
        for service in started:
            if service.listens:
                wait_until_it_listens(machine, service.name, service.listens, began, module.params["timeout"])
        found = {s.name: {"pid": machine.pid(s.name), "manager": manager()} for s in services}
    except (ServiceError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, services=found)


if __name__ == "__main__":
    main()
