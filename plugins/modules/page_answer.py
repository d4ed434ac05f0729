"""Documentation of the action plugin plugins/action/page_answer.py."""

from __future__ import annotations

DOCUMENTATION = """
module: page_answer
short_description: Ask a page of an app on this machine until the app answers it
description:
  - Whatever the app says is an answer, so long as its status is below O(below); a redirect that leads elsewhere, such as to https, is one too.
  - Asks past any proxy that the environment names.
options:
  url: {description: The page., type: str, required: true}
  below: {description: "The first HTTP status that is no answer, C(400) or C(500).", type: int, default: 500}
  styled: {description: "A path on the site whose page names a style sheet, as the admin's does: that it is not served is a warning.", type: str, default: ""}
  static: {description: "At which URL a web server shows static files: that the style sheet is not served is a failure then.", type: str, default: ""}
  timeout: {description: Seconds until it has to be answered., type: int, default: 15}
  kubeconfig:
    description: Path of the kubeconfig; the client's own default (E(KUBECONFIG), then C(~/.kube/config)) when left out.
    type: path
  namespace: {description: Namespace of the app., type: str, default: ""}
  name:
    description: The app's Deployment, one of whose pods is asked what the page raises that is answered with 500. Empty for not asking.
    type: str
    default: ""
attributes:
  check_mode: {support: full, description: Asks only.}
"""

EXAMPLES = """
- name: Ask the app for its page
  berth.platform.page_answer:
    url: http://127.0.0.1:30080/
"""

RETURN = """
served: {description: Whether the app answered., type: bool, returned: always}
status: {description: "The HTTP status, 0 for silence.", type: int, returned: always}
answer: {description: "The answer for people, e.g. C(200 in 12 ms), what it raises, or why there was none.", type: str, returned: always}
"""
