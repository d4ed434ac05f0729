"""gunicorn's settings: https://docs.gunicorn.org/en/stable/settings.html. WEB_CONCURRENCY sets the number of workers."""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent))

from django.core.exceptions import ImproperlyConfigured
from mysite import logs

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter

wsgi_app = "mysite.wsgi"
bind = "0.0.0.0:8000"

workers = os.environ.get("WEB_CONCURRENCY") or 2
worker_class = "gthread"
threads = 4
graceful_timeout = 30
# Longer than a load balancer keeps an idle connection (60 seconds on AWS), so that it never reuses one that is closed here:
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html#connection-idle-timeout
keepalive = 75

# The heartbeat file belongs in memory, because a disk may block:
# https://docs.gunicorn.org/en/stable/faq.html#how-do-i-avoid-gunicorn-excessively-blocking-in-os-fchmod
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
# The root file system is read-only, and nothing uses the socket.
control_socket_disable = True

access_log_format = logs.ACCESS_FORMAT
logconfig_dict = logs.configuration("INFO", as_json=True)
logging.captureWarnings(True)


def on_starting(server: Arbiter) -> None:
    """Exit immediately with a one-line error if the settings are wrong, because no worker could start."""
    try:
        import_module("mysite.settings")
    except ImproperlyConfigured as error:
        server.log.critical("%s", error)
        sys.exit(1)
