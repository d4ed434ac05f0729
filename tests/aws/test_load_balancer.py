"""The stand-in for a load balancer, with targets of the test's own: what a visitor gets while targets come and go."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import jinja2
import target_binding
import visitors
import yaml
from ansible_collections.berth.platform.plugins.module_utils.image import project_dockerfile
from load_balancer import LoadBalancer, read
from target_group import Place, Settings, Target, TargetGroup

ROOT = Path(__file__).resolve().parents[2]
QUICK = Settings(path="/readyz", interval=0.01, delay=0.05, lag=0.0)


class Pod:
    """A target that answers as a test tells it to: ``passes`` are its health checks, ``page`` answers all else."""

    def __init__(self) -> None:
        self.passes, self.checks, self.asked = True, 0, 0
        self.page: Callable[[asyncio.StreamWriter], Awaitable[bool]] = answer
        self.place: Place = ("", 0)
        self.server: asyncio.Server | None = None
        self.open: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests until the other side has no more, or the page wants to end the connection."""
        self.open.append(writer)
        while request := await read(reader):
            if request.start.startswith("GET /readyz"):
                self.checks += 1
                writer.write(b"HTTP/1.1 %d x\r\nContent-Length: 0\r\n\r\n" % (200 if self.passes else 503))
                break
            self.asked += 1
            if not await self.page(writer):
                break
        writer.close()

    def end(self) -> None:
        """Have no connections any more, as a process that has ended."""
        assert self.server
        self.server.close()
        for writer in self.open:
            writer.close()


async def answer(writer: asyncio.StreamWriter) -> bool:
    """Answer a page, and keep the connection."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    return True


class Site:
    """A load balancer with its targets."""

    def __init__(self, group: TargetGroup, port: int) -> None:
        self.group, self.port = group, port

    async def get(self, method: str = "GET", more: str = "") -> tuple[int, bytes]:
        """Ask for a page on a connection of its own."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"{method} / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n{more}\r\n".encode())
        async with asyncio.timeout(10):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        return int(head.split()[1]), body

    def set(self, **changed: Any) -> None:
        """Change how the load balancer behaves."""
        self.group.settings = dataclasses.replace(self.group.settings, **changed)

    async def until(self, pod: Pod, state: str) -> None:
        """Wait for a target to be in a state."""
        async with asyncio.timeout(5):
            while state not in self.states(pod):
                await asyncio.sleep(0.001)

    def states(self, pod: Pod) -> list[str]:
        """Return the states that a target has come into."""
        return [state for _, place, state in self.group.changes if place == pod.place]


@asynccontextmanager
async def site(count: int, **changed: Any) -> AsyncIterator[tuple[Site, list[Pod]]]:
    """Have a load balancer, and pods that are no targets yet."""
    pods = [Pod() for _ in range(count)]
    group = TargetGroup(dataclasses.replace(QUICK, **changed))
    async with AsyncExitStack() as stack:
        for pod in pods:
            pod.server = await stack.enter_async_context(await asyncio.start_server(pod.serve, "127.0.0.1", 0))
            pod.place = pod.server.sockets[0].getsockname()
        server = await asyncio.start_server(LoadBalancer(group).serve, "127.0.0.1", 0)
        yield Site(group, server.sockets[0].getsockname()[1]), pods
        server.close()
        for target in [*group.targets.values(), *group.draining]:
            if target.checks:
                target.checks.cancel()
            for connection in target.resting[:]:
                group.close(target, connection)


def scenario(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Let a test run in a loop of its own."""

    def run() -> None:
        asyncio.run(test())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@scenario
async def test_a_target_gets_requests_once_one_health_check_has_passed() -> None:
    async with site(1, unhealthy=1000) as (balancer, (pod,)):
        pod.passes = False
        balancer.group.want([pod.place])
        assert (await balancer.get())[0] == 503 and pod.asked == 0
        pod.passes = True
        await balancer.until(pod, "healthy")
        assert balancer.group.targets[pod.place].passed == 1 and await balancer.get() == (200, b"hello")


@scenario
async def test_without_targets_the_answer_is_503() -> None:
    async with site(0) as (balancer, _):
        assert (await balancer.get())[0] == 503


@scenario
async def test_an_initial_target_gets_nothing_beside_a_healthy_one() -> None:
    async with site(2, unhealthy=1000) as (balancer, (old, new)):
        new.passes = False
        balancer.group.want([old.place])
        await balancer.until(old, "healthy")
        balancer.group.want([old.place, new.place])
        assert [(await balancer.get())[0] for _ in range(4)] == [200] * 4 and (old.asked, new.asked) == (4, 0)
        new.passes = True
        await balancer.until(new, "healthy")
        assert [(await balancer.get())[0] for _ in range(4)] == [200] * 4 and (old.asked, new.asked) == (6, 2)


@scenario
async def test_only_initial_and_draining_targets_are_an_outage() -> None:
    """What a release without readiness gates comes to."""
    async with site(2, unhealthy=1000) as (balancer, (old, new)):
        new.passes = False
        balancer.group.want([old.place])
        await balancer.until(old, "healthy")
        balancer.group.want([new.place])
        await balancer.until(old, "draining")
        assert (await balancer.get())[0] == 503 and (old.asked, new.asked) == (0, 0)


def test_failures_in_a_row_make_a_target_unhealthy_and_passes_in_a_row_healthy_again() -> None:
    group, target = TargetGroup(QUICK), Target(("127.0.0.1", 8000))
    states = []
    for passed in (True, False, True, False, False, True, False, True, True):
        group.note(target, passed)
        states.append(target.state)
    assert states == ["healthy"] * 4 + ["unhealthy"] * 4 + ["healthy"]


@scenario
async def test_an_unhealthy_target_gets_nothing_beside_a_healthy_one() -> None:
    async with site(2) as (balancer, (good, bad)):
        bad.passes = False
        balancer.group.want([good.place, bad.place])
        await asyncio.gather(balancer.until(good, "healthy"), balancer.until(bad, "unhealthy"))
        assert [(await balancer.get())[0] for _ in range(4)] == [200] * 4 and bad.asked == 0


@scenario
async def test_where_all_targets_are_unhealthy_all_get_requests() -> None:
    async with site(2) as (balancer, pods):
        for pod in pods:
            pod.passes = False
        balancer.group.want([pod.place for pod in pods])
        await asyncio.gather(*(balancer.until(pod, "unhealthy") for pod in pods))
        assert [(await balancer.get())[0] for _ in range(4)] == [200] * 4 and [pod.asked for pod in pods] == [2, 2]


@scenario
async def test_a_draining_target_finishes_what_it_answers_and_gets_nothing_new() -> None:
    async with site(2, delay=60.0) as (balancer, (old, new)):
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slow(writer: asyncio.StreamWriter) -> bool:
            begun.set()
            await go_on.wait()
            return await answer(writer)

        balancer.group.want([old.place])
        await balancer.until(old, "healthy")
        old.page = slow
        under_way = asyncio.create_task(balancer.get())
        await begun.wait()
        balancer.group.want([new.place])
        await asyncio.gather(balancer.until(old, "draining"), balancer.until(new, "healthy"))
        assert [(await balancer.get())[0] for _ in range(3)] == [200] * 3 and (old.asked, new.asked) == (1, 3)
        assert list(balancer.group.targets) == [new.place]
        go_on.set()
        assert await under_way == (200, b"hello")


@scenario
async def test_what_a_target_still_answers_when_the_delay_is_over_is_a_502() -> None:
    async with site(1) as (balancer, (pod,)):
        begun, end = asyncio.Event(), asyncio.Event()

        async def never(_writer: asyncio.StreamWriter) -> bool:
            begun.set()
            await end.wait()
            return False

        balancer.group.want([pod.place])
        await balancer.until(pod, "healthy")
        pod.page = never
        under_way = asyncio.create_task(balancer.get())
        await begun.wait()
        balancer.group.want([])
        assert (await under_way)[0] == 502 and balancer.states(pod)[-2:] == ["draining", "unused"]
        end.set()


@scenario
async def test_a_pod_that_ends_before_the_load_balancer_has_heard_of_it_is_a_502() -> None:
    """What a pod without a pause before its end comes to."""
    async with site(2, lag=60.0, interval=60.0) as (balancer, (old, new)):
        balancer.group.want([old.place, new.place])
        for target in balancer.group.targets.values():
            balancer.group.become(target, "healthy")
        balancer.group.want([new.place])
        assert [(await balancer.get())[0] for _ in range(4)] == [200] * 4 and (old.asked, new.asked) == (2, 2)
        old.end()
        assert sorted([(await balancer.get())[0] for _ in range(4)]) == [200, 200, 502, 502]
        balancer.group.drain(balancer.group.targets[old.place])
        assert [(await balancer.get())[0] for _ in range(4)] == [200] * 4


@scenario
async def test_a_target_that_is_wanted_again_in_time_stays() -> None:
    async with site(1, lag=60.0) as (balancer, (pod,)):
        balancer.group.want([pod.place])
        balancer.group.want([])
        target = balancer.group.targets[pod.place]
        assert target.leaves
        balancer.group.want([pod.place])
        assert not target.leaves and balancer.group.targets[pod.place] is target


@scenario
async def test_connections_to_a_target_are_used_again_and_one_that_it_has_closed_is_a_502() -> None:
    """Why the app's keep-alive has to be longer than the load balancer's."""
    async with site(1) as (balancer, (pod,)):
        balancer.group.want([pod.place])
        await balancer.until(pod, "healthy")
        assert [(await balancer.get())[0] for _ in range(3)] == [200] * 3
        (kept,) = balancer.group.targets[pod.place].resting

        async def close(writer: asyncio.StreamWriter) -> bool:
            await answer(writer)
            return False

        pod.page = close
        assert (await balancer.get())[0] == 200 and balancer.group.targets[pod.place].resting == [kept]
        pod.page = answer
        assert (await balancer.get())[0] == 502
        assert (await balancer.get())[0] == 200


def test_the_servers_of_berths_images_keep_connections_for_longer_than_the_load_balancer() -> None:
    example = re.search(r"^keepalive = (\d+)$", (ROOT / "app" / "gunicorn.conf.py").read_text(encoding="utf-8"), re.MULTILINE)
    assert example and float(example[1]) > Settings.idle
    assert float(project_dockerfile.KEEP_ALIVE) > Settings.idle


def seconds(name: str) -> float:
    """Return seconds that the role app has by default for an environment with a load balancer."""
    defaults = yaml.safe_load((ROOT / "roles" / "app" / "defaults" / "main.yml").read_text(encoding="utf-8"))
    return float(jinja2.Template(defaults[name]).render(berth_entry="loadbalancer"))


def test_a_pod_serves_until_a_load_balancer_has_long_heard_of_its_end() -> None:
    assert seconds("app_leave_seconds") > 2 * Settings.lag


def test_a_release_has_the_time_until_a_load_balancer_sends_requests_to_each_new_pod() -> None:
    assert seconds("app_gate_seconds") >= Settings.interval + target_binding.LOOK


@scenario
async def test_a_connection_that_rests_for_the_idle_timeout_is_closed_by_the_load_balancer() -> None:
    async with site(1) as (balancer, (pod,)):
        balancer.group.want([pod.place])
        target = balancer.group.targets[pod.place]
        balancer.set(idle=0.02)
        balancer.group.rest(target, await balancer.group.connect(target))
        async with asyncio.timeout(5):
            while target.resting:
                await asyncio.sleep(0.001)
        balancer.set(idle=60.0)
        await balancer.until(pod, "healthy")
        assert (await balancer.get())[0] == 200


@scenario
async def test_a_target_that_does_not_answer_in_time_is_a_504_and_nonsense_a_502() -> None:
    async with site(1) as (balancer, (pod,)):
        end = asyncio.Event()
        balancer.group.want([pod.place])
        await balancer.until(pod, "healthy")

        async def never(_writer: asyncio.StreamWriter) -> bool:
            balancer.set(idle=60.0)
            await end.wait()
            return False

        async def nonsense(writer: asyncio.StreamWriter) -> bool:
            writer.write(b"hello\r\n\r\n")
            return False

        pod.page = never
        balancer.set(idle=0.1)
        assert (await balancer.get())[0] == 504
        end.set()
        pod.page = nonsense
        assert (await balancer.get())[0] == 502


@scenario
async def test_a_target_that_takes_no_connection_is_a_504() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        async with site(0, connect=0.05) as (balancer, _):
            place = full.getsockname()
            balancer.group.want([place])
            balancer.group.become(balancer.group.targets[place], "healthy")
            _, writer = await asyncio.open_connection(*place)  # the backlog's only place
            assert (await balancer.get())[0] == 504
            writer.close()


@scenario
async def test_a_form_reaches_the_target_and_chunks_and_answers_without_a_body_reach_the_visitor() -> None:
    async with site(1) as (balancer, (pod,)):
        balancer.group.want([pod.place])
        await balancer.until(pod, "healthy")
        more = "Content-Length: 3\r\nContent-Type: text/plain\r\n\r\na=1"
        assert (await balancer.get("POST", more.removesuffix("\r\n")))[0] == 200

        async def chunks(writer: asyncio.StreamWriter) -> bool:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n")
            return True

        async def bodiless(writer: asyncio.StreamWriter) -> bool:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
            return True

        pod.page = chunks
        assert await balancer.get() == (200, b"hello")
        pod.page = bodiless
        assert await balancer.get("HEAD") == (200, b"")


@scenario
async def test_visitors_count_what_is_no_answer_of_the_site() -> None:
    async with site(1) as (balancer, (pod,)):
        balancer.group.want([pod.place])
        await balancer.until(pod, "healthy")

        async def cut(writer: asyncio.StreamWriter) -> bool:
            if pod.asked in (3, 4):
                return False
            return await answer(writer)

        pod.page = cut
        given = argparse.Namespace(url=f"http://127.0.0.1:{balancer.port}/", host="", proto="http", rate=500.0, seconds=0.02, until=None)
        found = await visitors.visit(given)
        assert (found["asked"], found["failed"]) == (10, {"502": 2})
