"""Documentation of the action plugin plugins/action/page_answer.py."""

from __future__ import annotations

DOCUMENTATION = """
module: page_answer
short_description: Request a page of an app on this machine until the app answers
description:
  - Whatever the app says is an answer if its status is below O(below); so is a redirect to another place, such as to https.
  - Warns if the page's own style sheet is not served.
  - Bypasses any proxy in the environment.
options:
  url: {description: The page., type: str, required: true}
  below: {description: "The first HTTP status that is not an answer, C(400) or C(500).", type: int, default: 500}
  styled: {description: "The path of another page with a style sheet, such as the admin's. If that is missing, it is a warning.", type: str, default: ""}
  static: {description: "The URL at which a web server serves static files. If set, the other page's missing one is a failure.", type: str, default: ""}
  timeout: {description: Seconds to wait for an answer., type: int, default: 15}
  kubeconfig:
    description: Path of the kubeconfig; the client's own default (E(KUBECONFIG), then C(~/.kube/config)) if omitted.
    type: path
  namespace: {description: Namespace of the app., type: str, default: ""}
  name:
    description: The app's Deployment. If the page answers with 500, one of its pods is asked what the page raises. Empty to not ask.
    type: str
    default: ""
attributes:
  check_mode: {support: full, description: Only reads.}
"""

EXAMPLES = """
- name: Ask the app for its page
  berth.platform.page_answer:
    url: http://127.0.0.1:30080/
"""

RETURN = """
served: {description: Whether the app answered., type: bool, returned: always}
status: {description: "The HTTP status, 0 if there was no answer.", type: int, returned: always}
answer: {description: "The answer for people, such as C(200 in 12 ms), what it raises, or why there was none.", type: str, returned: always}
"""
