"""Documentation of the action plugin plugins/action/k8s_apply.py."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_apply
short_description: Apply the objects of many templates with kubernetes.core.k8s, where that changes something
description:
  - Reads the live objects first, in Ansible's own process. Objects that an apply would leave as they are cost a request each and no module;
    the others go to C(kubernetes.core.k8s) in one task, which applies them from the API server's side, by the field manager C(berth).
  - A field that a template no longer has leaves the object. A field that no template has ever had is left to whoever sets it, such as the number
    of pods to an autoscaler. Where somebody else has set a field that a template has to another value, nothing is changed, and the message names
    it; see O(take_over).
  - Objects that an earlier Berth applied from its own side are taken over, and lose the annotation in which it kept a copy of them.
  - Refuses to change an object that is there already and does not carry the labels C(app.kubernetes.io/managed-by) and
    C(app.kubernetes.io/instance) of the template, so that nothing is touched that Berth did not make.
  - Values of Secrets appear in no output, diff or log.
options:
  kubeconfig: {description: The kubeconfig of the cluster., type: path, required: true}
  context: {description: "A context in it, empty for its current one.", type: str, default: ""}
  namespace: {description: The namespace of objects that name none., type: str, required: true}
  templates: {description: "The templates of the role, in the order in which they are applied.", type: list, elements: str, default: []}
  adopt:
    description: >-
      Whether an object that is there without these labels is taken over, in a cluster that is the environment's own. Of it is changed what the template names.
    type: bool
    default: false
  take_over: {description: "Whether to set the fields that somebody else has set to other values.", type: bool, default: false}
  files: {description: "Manifests of the project's own; one whose name ends in C(.j2) is a template.", type: list, elements: path, default: []}
  app: {description: "The app that those objects are labelled for.", type: str, default: ""}
  names: {description: "The names (regular expressions) that those objects may not have, by kind.", type: dict, default: {}}
attributes:
  check_mode:
    support: full
    description: The API server tries the objects out. Where it cannot (no cluster yet, no namespace yet) they are reported as to be made.
  diff_mode: {support: full, description: "Shows a new object as the template has it, and another as the API server has it before and after."}
"""

EXAMPLES = """
- name: Apply the objects
  berth.platform.k8s_apply:
    kubeconfig: .cache/dev/kubeconfig
    namespace: polls-dev
    templates: [configmap.yaml.j2, secret.yaml.j2]
"""

RETURN = """
objects: {description: "The live objects, in the order of the templates; in check mode those that exist.", type: list, elements: dict, returned: always}
names: {description: "C(kind) and C(name) of all, as k8s_prune takes them.", type: list, elements: dict, returned: always}
applied: {description: "Kind and name of the objects that were (or in check mode would be) changed.", type: list, elements: str, returned: always}
"""
