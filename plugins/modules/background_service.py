"""Processes that go on running after Ansible has ended."""

from __future__ import annotations

DOCUMENTATION = """
module: background_service
short_description: Keep processes running on this machine, with systemd or without
description:
  - A systemd unit C(berth-NAME.service) where systemd is PID 1,
    else a process under runit's supervisor, with a pid file in C(/run/berth) and logs in C(/var/log/berth/NAME).
  - Restarts a process that ends. A process whose definition changed is restarted.
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
      before: {description: "A program to run before it, each time it starts.", type: path}
      wait_for: {description: A file without which it is not started., type: path}
      listens:
        description:
          - "Where it accepts connections once it is up: a path, or C(host:port). Waited for when it was started."
          - A service that ends again and again fails at once, with its last words.
        type: str
      reads: {description: "Files that it reads once, as it starts: it is restarted when one has changed.", type: list, elements: path, default: []}
  timeout: {description: Seconds that a started service gets until it listens., type: int, default: 30}
  state:
    description: The state it has to be in.
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
  description: The services by name, each with C(pid) (0 when it does not run) and C(manager) (C(systemd) or C(runit)).
  type: dict
  returned: always
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.machine.service import Runit, Service, ServiceError, Systemd, backend, manager, wait_until_it_listens


def keeps_running(machine: Systemd | Runit, name: str) -> bool:
    """Whether a service runs, after the next boot too."""
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
