"""A machine and its neighbour, as network namespaces: nothing of this machine's network is changed."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

# Addresses of the machine, of a bridge for its containers, and of the neighbour by which it reaches all others (RFC 5737).
MACHINE, INSIDE, NEIGHBOUR = "198.51.100.1", "10.222.0.1", "198.51.100.2"

T = TypeVar("T")


class Machine(contextlib.ExitStack):
    """A machine; its threads, and what they start, are in its network."""

    def __init__(self) -> None:
        super().__init__()
        self.thread, self.neighbour = (self.enter_context(ThreadPoolExecutor(max_workers=1)) for _ in range(2))
        for thread in (self.thread, self.neighbour):
            thread.submit(os.unshare, os.CLONE_NEWNET).result()
        pid = self.neighbour.submit(threading.get_native_id).result()
        self.run(
            self.ip,
            "link set lo up",
            f"link add out type veth peer name in netns /proc/{pid}/ns/net",
            f"address add {MACHINE}/24 dev out",
            "link set out up",
            f"route add default via {NEIGHBOUR}",
            "link add inner type bridge",
            f"address add {INSIDE}/24 dev inner",
            "link set inner up",
        )
        metadata = ("link set lo up", f"address add {NEIGHBOUR}/24 dev in", "address add 169.254.169.254/32 dev lo", "link set in up")
        self.neighbour.submit(self.ip, *metadata).result()

    @staticmethod
    def ip(*lines: str) -> None:
        """Have the calling thread's network changed."""
        subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True, capture_output=True)

    def run(self, what: Callable[..., T], *arguments: str) -> T:
        """Return what a function returns on the machine."""
        return self.thread.submit(what, *arguments).result()

    def serve(self, name: str, address: str, port: int = 0, kind: socket.SocketKind = socket.SOCK_STREAM, there: bool = False) -> int:
        """Answer with a name at an address of the machine, or of the neighbour; return the port."""
        listener = (self.neighbour if there else self.thread).submit(socket.socket, socket.AF_INET6 if ":" in address else socket.AF_INET, kind).result()
        listener.bind((address, port))
        self.callback(listener.close)

        def answer() -> None:
            with contextlib.suppress(OSError):
                while kind == socket.SOCK_STREAM:
                    with listener.accept()[0] as connection:
                        connection.recv(99)
                        connection.sendall(name.encode())
                while True:
                    question, asker = listener.recvfrom(99)
                    listener.sendto(question + b":" + name.encode(), asker)

        if kind == socket.SOCK_STREAM:
            listener.listen()
        threading.Thread(target=answer, daemon=True).start()
        return listener.getsockname()[1]
