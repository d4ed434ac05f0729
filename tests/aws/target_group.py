"""The targets of an Application Load Balancer: the states that they go through, and which of them a request is sent to.

What it does is what docs.aws.amazon.com/elasticloadbalancing/latest/application says of target groups whose targets are addresses:

* target-group-health-checks.html: a new target is ``initial`` until one health check has passed; so many failures in a row make it ``unhealthy``, and so many
  that pass ``healthy`` again. Each check has a connection of its own. Requests go to healthy targets; where all are unhealthy, to all of them.
* edit-target-group-attributes.html, "Deregistration delay": a target that is deregistered is ``draining``. It gets no more requests, and has the delay's time
  for those that it is answering; what is left then is cut off.

That a load balancer with nothing but initial and draining targets answers nobody is said by the controller that registers them:
kubernetes-sigs.github.io/aws-load-balancer-controller/latest/deploy/pod_readiness_gate. So is it that a deregistration comes late: a pod that is being deleted
gets requests for some seconds more (aws.amazon.com/blogs/containers/how-to-rapidly-scale-your-application-with-alb-on-eks-without-losing-traffic).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Place = tuple[str, int]
PREFIX = "alb.ingress.kubernetes.io/"
AGENT = "ELB-HealthChecker/2.0"


@dataclass(frozen=True)
class Settings:
    """How a target group behaves. Times are in seconds; where an Ingress says nothing, they are the controller's own and AWS's."""

    path: str = "/"
    codes: frozenset[int] = frozenset({200})
    interval: float = 15.0
    timeout: float = 5.0
    healthy: int = 2
    unhealthy: int = 2
    delay: float = 300.0
    idle: float = 60.0
    connect: float = 10.0
    lag: float = 4.0


def settings(annotations: Mapping[str, str]) -> dict[str, object]:
    """Return what an Ingress's annotations set (kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations)."""
    names = {"healthcheck-interval-seconds": "interval", "healthcheck-timeout-seconds": "timeout"}
    counts = {"healthy-threshold-count": "healthy", "unhealthy-threshold-count": "unhealthy"}
    found: dict[str, object] = {ours: float(annotations[PREFIX + name]) for name, ours in names.items() if PREFIX + name in annotations}
    found |= {ours: int(annotations[PREFIX + name]) for name, ours in counts.items() if PREFIX + name in annotations}
    if path := annotations.get(f"{PREFIX}healthcheck-path"):
        found["path"] = path
    if codes := annotations.get(f"{PREFIX}success-codes"):
        found["codes"] = frozenset(int(code) for code in codes.split(","))
    attributes = dict(pair.split("=", 1) for pair in annotations.get(f"{PREFIX}target-group-attributes", "").split(",") if pair)
    if delay := attributes.get("deregistration_delay.timeout_seconds"):
        found["delay"] = float(delay)
    return found


@dataclass(eq=False)
class Connection:
    """A connection to a target, which requests use one after another."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    end: asyncio.TimerHandle | None = None


@dataclass(eq=False)
class Target:
    """One target. ``resting`` are its connections that no request uses, ``busy`` the requests that it is answering."""

    place: Place
    state: str = "initial"
    passed: int = 0
    failed: int = 0
    resting: list[Connection] = field(default_factory=list)
    busy: set[asyncio.Task[object]] = field(default_factory=set)
    checks: asyncio.Task[None] | None = None
    leaves: asyncio.TimerHandle | None = None


class TargetGroup:
    """The targets of one Service.

    ``changes`` are the states that targets came into: the time since 1970, the target's place and the state.

    Args:
        given: How it behaves.
    """

    def __init__(self, given: Settings) -> None:
        self.settings = given
        self.targets: dict[Place, Target] = {}
        self.draining: set[Target] = set()
        self.changes: list[tuple[float, Place, str]] = []
        self.turn = itertools.count()

    # --- Which targets there are ---------------------------------------------
    def become(self, target: Target, state: str) -> None:
        """Let a target come into a state."""
        target.state = state
        self.changes.append((time.time(), target.place, state))
        print(f"{time.strftime('%H:%M:%S')} {target.place[0]}:{target.place[1]} {state}", flush=True)

    def want(self, places: Iterable[Place]) -> None:
        """Register what is wanted, and deregister what is not, which takes effect late."""
        wanted = set(places)
        for place in wanted - set(self.targets):
            target = self.targets[place] = Target(place)
            self.become(target, "initial")
            target.checks = asyncio.get_running_loop().create_task(self.check(target))
        for place, target in self.targets.items():
            if place in wanted and target.leaves:
                target.leaves.cancel()
                target.leaves = None
            elif place not in wanted and not target.leaves:
                target.leaves = asyncio.get_running_loop().call_later(self.settings.lag, self.drain, target)

    def drain(self, target: Target) -> None:
        """Send a target nothing more, and give it time for what it is answering."""
        del self.targets[target.place]
        self.draining.add(target)
        self.become(target, "draining")
        if target.checks:
            target.checks.cancel()
        for connection in target.resting[:]:
            self.close(target, connection)
        asyncio.get_running_loop().call_later(self.settings.delay, self.cut, target)

    def cut(self, target: Target) -> None:
        """End what a target is still answering when the delay is over."""
        self.draining.discard(target)
        self.become(target, "unused")
        for request in target.busy:
            request.cancel()

    def choose(self) -> Target | None:
        """Return the next target, None where there is none that may get a request."""
        known = list(self.targets.values())
        able = [target for target in known if target.state == "healthy"]
        if not able and all(target.state == "unhealthy" for target in known):
            able = known
        return able[next(self.turn) % len(able)] if able else None

    # --- Their health ----------------------------------------------------------
    async def check(self, target: Target) -> None:
        """Look at a target's health again and again; how long an answer takes moves no later look."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for number in itertools.count(1):
            await asyncio.sleep(begun + number * self.settings.interval - loop.time())
            self.note(target, await self.passes(target.place))

    def note(self, target: Target, passed: bool) -> None:
        """Note the outcome of a health check."""
        target.passed, target.failed = (target.passed + 1, 0) if passed else (0, target.failed + 1)
        if passed and (target.state == "initial" or (target.state == "unhealthy" and target.passed >= self.settings.healthy)):
            self.become(target, "healthy")
        elif target.state != "unhealthy" and target.failed >= self.settings.unhealthy:
            self.become(target, "unhealthy")

    async def passes(self, place: Place) -> bool:
        """Whether a target passes a health check."""
        asked = f"GET {self.settings.path} HTTP/1.1\r\nHost: {place[0]}:{place[1]}\r\nUser-Agent: {AGENT}\r\nConnection: close\r\n\r\n"
        writer = None
        try:
            async with asyncio.timeout(self.settings.timeout):
                reader, writer = await asyncio.open_connection(*place)
                writer.write(asked.encode())
                status = (await reader.readline()).split()
                return len(status) > 1 and int(status[1]) in self.settings.codes
        except (OSError, ValueError):
            return False
        finally:
            if writer:
                writer.close()

    # --- Their connections -------------------------------------------------------
    async def connect(self, target: Target) -> Connection:
        """Return a connection to a target: the one that was used last, or a new one.

        Whether the target has closed it meanwhile is not looked at, as if its packet were still under way: the load balancer sends the request then, and
        answers 502 (edit-load-balancer-attributes.html, "Connection idle timeout").
        """
        if target.resting:
            connection = target.resting.pop()
            if connection.end:
                connection.end.cancel()
            return connection
        async with asyncio.timeout(self.settings.connect):
            return Connection(*await asyncio.open_connection(*target.place))

    def rest(self, target: Target, connection: Connection) -> None:
        """Keep a connection for the next request, at most for the idle timeout."""
        if target.state == "draining":
            connection.writer.close()
            return
        connection.end = asyncio.get_running_loop().call_later(self.settings.idle, self.close, target, connection)
        target.resting.append(connection)

    def close(self, target: Target, connection: Connection) -> None:
        """Close a connection that no request uses."""
        with contextlib.suppress(ValueError):
            target.resting.remove(connection)
        if connection.end:
            connection.end.cancel()
        connection.writer.close()
