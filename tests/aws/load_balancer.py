#!/usr/bin/env python3
"""Answer as an Application Load Balancer does whose targets are pods: their states, and what a visitor gets meanwhile, are those of the real one.

target_group.py has the states of targets, target_binding.py has what the controller does in the cluster. Here is the way of a request, by
docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html:

* 502: the target refuses the connection, closes it before it has answered, or answers what is no HTTP; or the deregistration delay is over meanwhile;
* 503: there is no target that may get the request;
* 504: the target takes no connection within 10 seconds, or does not answer within the idle timeout.

A request is sent once: nothing here asks another target. Connections to targets are kept and used again.

Runs until it is ended: ``load_balancer.py --kubeconfig FILE --namespace NAME --ingress NAME``. It speaks HTTP; front.py ends TLS in front of it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import signal
from collections import Counter
from dataclasses import dataclass

from target_binding import LOOK, Binding, Cluster
from target_group import Connection, Settings, Target, TargetGroup

HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length"}  # RFC 9110, section 7.6.1
REASONS = {400: "Bad Request", 502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}
BODILESS = {"204", "304"}
LARGEST = 64 * 1024  # of a head


class Malformed(Exception):
    """What was read is no HTTP."""


@dataclass(frozen=True)
class Message:
    """A request or an answer: its first line, its headers with names in lower case, and its body."""

    start: str
    headers: list[tuple[str, str]]
    body: bytes = b""

    def header(self, name: str) -> str:
        """Return a header, empty where it is not there."""
        return next((value for key, value in self.headers if key == name), "")

    @property
    def keeps(self) -> bool:
        """Whether its connection stays open after it."""
        return self.header("connection").lower() != "close" and "HTTP/1.0" not in self.start

    def encoded(self, more: list[tuple[str, str]]) -> bytes:
        """Return it as it is sent, with more headers."""
        lines = [f"{key}: {value}" for key, value in [pair for pair in self.headers if pair[0] not in HOP_BY_HOP] + more]
        return "\r\n".join([self.start, *lines, "", ""]).encode("latin-1") + self.body


async def read(reader: asyncio.StreamReader, answers: str = "") -> Message | None:
    """Read a request, or the answer to a request with the method ``answers``; None where the other side has nothing more to say.

    Raises :class:`Malformed` where it is no HTTP, and EOFError where it breaks off.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    except asyncio.LimitOverrunError as error:
        raise Malformed from error
    start, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    pairs = [line.partition(":") for line in lines]
    if len(start.split(" ", 2)) < 2 or "HTTP/" not in start or not all(colon for _, colon, _ in pairs):
        raise Malformed
    message = Message(start, [(name.lower(), value.strip()) for name, _, value in pairs])
    return dataclasses.replace(message, body=await read_body(reader, message, answers))


async def read_body(reader: asyncio.StreamReader, message: Message, answers: str) -> bytes:
    """Read what comes after the headers (RFC 9112, section 6.3)."""
    if answers == "HEAD" or (answers and message.start.split()[1] in BODILESS):
        return b""
    if message.header("transfer-encoding").lower() == "chunked":
        return await read_chunks(reader)
    if length := message.header("content-length"):
        if not length.isdecimal():
            raise Malformed
        return await reader.readexactly(int(length))
    return await reader.read() if answers else b""


async def read_chunks(reader: asyncio.StreamReader) -> bytes:
    """Read a body in chunks, with what may trail it."""
    body = b""
    while True:
        try:
            size = int((await reader.readline()).split(b";")[0], 16)
        except ValueError as error:
            raise Malformed from error
        if not size:
            break
        body += (await reader.readexactly(size + 2))[:-2]
    while (await reader.readline()).strip():
        pass
    return body


def failure(status: int) -> Message:
    """Return an answer of the load balancer's own."""
    words = f"{status} {REASONS[status]}"
    body = f"<html><head><title>{words}</title></head><body><center><h1>{words}</h1></center></body></html>\r\n"
    return Message(f"HTTP/1.1 {words}", [("server", "awselb/2.0"), ("content-type", "text/html")], body.encode())


class LoadBalancer:
    """Forwards requests to a group's targets.

    ``answered`` counts the answers by who made them: ``target`` or the load balancer's own status.

    Args:
        group: The targets.
    """

    def __init__(self, group: TargetGroup) -> None:
        self.group = group
        self.answered: Counter[str] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of a visitor's connection, one after another."""
        with contextlib.suppress(OSError, EOFError):  # a visitor who goes away, or says nothing for the idle timeout
            while True:
                try:
                    async with asyncio.timeout(self.group.settings.idle):
                        request = await read(reader)
                except Malformed:
                    writer.write(failure(400).encoded([("connection", "close")]))
                    break
                if request is None:
                    break
                answer = await self.answer(request, writer.get_extra_info("peername")[0])
                bodiless = request.start.startswith("HEAD ") or answer.start.split()[1] in BODILESS
                length = answer.header("content-length") if bodiless else str(len(answer.body))
                more = [("content-length", length)] if length else []
                writer.write(answer.encoded([*more, ("connection", "keep-alive" if request.keeps else "close")]))
                await writer.drain()
                if not request.keeps:
                    break
        writer.close()

    async def answer(self, request: Message, visitor: str) -> Message:
        """Return what a visitor gets."""
        target = self.group.choose()
        if target is None:
            self.answered["503"] += 1
            return failure(503)
        asked = asyncio.get_running_loop().create_task(self.ask(target, request, visitor))
        target.busy.add(asked)
        try:
            found = await asked
            self.answered["target"] += 1
            return found
        except TimeoutError:
            status = 504
        except (OSError, EOFError, Malformed, asyncio.CancelledError):
            status = 502
        finally:
            target.busy.discard(asked)
        self.answered[str(status)] += 1
        print(f"{target.place[0]}:{target.place[1]} ({target.state}) {status} {request.start}", flush=True)
        return failure(status)

    async def ask(self, target: Target, request: Message, visitor: str) -> Message:
        """Return a target's answer."""
        connection = await self.group.connect(target)
        kept = False
        try:
            async with asyncio.timeout(self.group.settings.idle):
                found = await self.exchange(connection, request, visitor)
            kept = found.keeps and bool(found.header("content-length") or found.header("transfer-encoding") or found.start.split()[1] in BODILESS)
        finally:
            if kept:
                self.group.rest(target, connection)
            else:
                connection.writer.close()
        return found

    async def exchange(self, connection: Connection, request: Message, visitor: str) -> Message:
        """Send a request and read its answer."""
        # What ends TLS in front of this has said so already.
        forwarded = {"x-forwarded-for": visitor, "x-forwarded-proto": "http", "x-forwarded-port": "80"}
        more = [(name, value) for name, value in forwarded.items() if not request.header(name)]
        if request.body or request.header("content-length"):
            more.append(("content-length", str(len(request.body))))
        connection.writer.write(request.encoded(more))
        await connection.writer.drain()
        found = await read(connection.reader, request.start.split(" ")[0])
        if found is None:
            raise EOFError
        return found


async def run(given: argparse.Namespace) -> None:
    """Serve until the program is told to end."""
    group = TargetGroup(Settings(lag=given.lag))
    quicker = {name: value for name, value in {"interval": given.check_every}.items() if value}
    binding = Binding(Cluster(given.kubeconfig), group, given.namespace, given.ingress, given.look_every, quicker)
    address, _, port = given.listen.rpartition(":")
    balancer = LoadBalancer(group)
    server = await asyncio.start_server(balancer.serve, address, int(port), limit=LARGEST)
    print(f"Answers at {given.listen} for Ingress {given.ingress} of {given.namespace}.", flush=True)
    work = asyncio.get_running_loop().create_task(binding.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await work
    server.close()
    binding.leave()
    print(dict(balancer.answered), flush=True)


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kubeconfig", required=True, help="of the cluster's administrator")
    parser.add_argument("--namespace", required=True, help="where the Ingress is")
    parser.add_argument("--ingress", required=True, help="its name; it need not be there yet")
    parser.add_argument("--listen", default="127.0.0.1:8080", help="the address and the port")
    parser.add_argument("--lag", type=float, default=Settings.lag, help="seconds for which a pod that is being deleted still gets requests")
    parser.add_argument("--check-every", type=float, default=0.0, help="seconds between health checks; by default what the Ingress says, or the real 15")
    parser.add_argument("--look-every", type=float, default=LOOK, help="seconds between the controller's looks at the health of targets")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
