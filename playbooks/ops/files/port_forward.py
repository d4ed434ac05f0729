"""Forward a port on this machine's loopback address to the ready pods behind a Service, until told to stop.

Usage: port_forward.py KUBECONFIG NAMESPACE SERVICE PORT READY. PORT is the preferred port; if it is taken, another one is used.
The port is written to the file READY once it accepts connections. Each connection goes to a pod that is ready at that moment,
so the port-forward survives a rollout. It stops when the kubeconfig is gone, because the environment was destroyed.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

from kubernetes import client, config, stream

LOOK = 2.0  # seconds between checks that the environment still exists


def ready_pod(core: client.CoreV1Api, namespace: str, service: str) -> tuple[str, int]:
    """Return the name of a ready pod behind the Service, and its port that the Service targets.

    Raises:
        LookupError: No pod is ready.
    """
    spec = core.read_namespaced_service(service, namespace).spec
    selector = ",".join(f"{name}={value}" for name, value in spec.selector.items())
    pods = core.list_namespaced_pod(namespace, label_selector=selector).items
    ready = [pod for pod in pods if not pod.metadata.deletion_timestamp and any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions or [])]
    if not ready:
        raise LookupError(f"no pod of {service} is ready")
    pod = random.choice(ready)
    target = spec.ports[0].target_port or spec.ports[0].port
    named = {port.name: port.container_port for container in pod.spec.containers for port in container.ports or []}
    return pod.metadata.name, int(named.get(str(target), target))


def pump(source: Any, sink: Any) -> None:
    """Copy until the source is closed, then shut down the sink."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def forward(connection: socket.socket, kubeconfig: str, namespace: str, service: str) -> None:
    """Serve one connection."""
    with connection:
        try:
            # Each connection gets its own client, because a stream replaces its client's methods during a call.
            core = client.CoreV1Api(config.new_client_from_config(kubeconfig))
            pod, port = ready_pod(core, namespace, service)
            tunnel = stream.portforward(core.connect_get_namespaced_pod_portforward, pod, namespace, ports=str(port))
        except Exception as error:  # whatever it is, the next connection may succeed
            print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            return
        upstream = tunnel.socket(port)
        thread = threading.Thread(target=pump, args=(connection, upstream), daemon=True)
        thread.start()
        pump(upstream, connection)
        thread.join(timeout=30)
        tunnel.close()


def listen(port: int) -> socket.socket:
    """Return a socket that listens on ``port`` of the loopback address, or on any free port if that one is taken."""
    for wanted in (port, 0):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", wanted))
        except OSError:
            listener.close()
            continue
        listener.listen(64)
        return listener
    raise OSError("no port of 127.0.0.1 is free")


def end_with(kubeconfig: str) -> None:
    """Exit when the kubeconfig is gone."""
    while Path(kubeconfig).exists():
        time.sleep(LOOK)
    os._exit(0)


def main(kubeconfig: str, namespace: str, service: str, port: str, ready: str) -> None:
    """Serve until a signal stops the process."""
    listener = listen(int(port))
    half = Path(f"{ready}.half")
    half.write_text(str(listener.getsockname()[1]), encoding="ascii")
    shutil.move(half, ready)
    threading.Thread(target=end_with, args=(kubeconfig,), daemon=True).start()
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=forward, args=(connection, kubeconfig, namespace, service), daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
