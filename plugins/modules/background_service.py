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
  state:
    description: What shall be.
    type: str
    choices: [started, stopped, absent]
    default: started
attributes:
  check_mode: {support: full, description: Says what would change.}
  diff_mode: {support: none, description: Not shown.}
"""

EXAMPLES = """
- name: Start the registry
  background_service:
    services:
      - name: registry
        description: Berth's image registry
        command: [/var/lib/berth/bin/registry, serve, /var/lib/berth/registry.yml]
"""

RETURN = """
services:
  description: The services by name, each with C(pid) (0 when it does not run) and C(manager) (C(systemd) or C(runit)).
  type: dict
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.berth_service import Service, ServiceError, backend, manager


def main() -> None:
    """Run the module."""
    options = {
        "name": {"type": "str", "required": True},
        "description": {"type": "str", "default": ""},
        "command": {"type": "list", "elements": "str", "default": []},
        "before": {"type": "path"},
        "wait_for": {"type": "path"},
    }
    module = AnsibleModule(
        argument_spec={
            "services": {"type": "list", "elements": "dict", "required": True, "options": options},
            "state": {"type": "str", "choices": ["started", "stopped", "absent"], "default": "started"},
        },
        supports_check_mode=True,
    )
    services = [Service(**service) for service in module.params["services"]]
    state = module.params["state"]
    changed = False
    machine = backend()
    try:
        for service in services if state == "started" else reversed(services):
            if module.check_mode:
                changed |= machine.running(service.name) != (state == "started")
            elif state == "started":
                rewritten, runs = machine.write(service), machine.running(service.name)
                if rewritten and runs:
                    machine.restart(service.name)
                elif not runs:
                    machine.start(service.name)
                changed |= rewritten or not runs
            else:
                changed |= machine.stop(service.name) if state == "stopped" else machine.remove(service.name)
        found = {s.name: {"pid": machine.pid(s.name), "manager": manager()} for s in services}
    except (ServiceError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, services=found)


if __name__ == "__main__":
    main()
