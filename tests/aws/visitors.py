#!/usr/bin/env python3
"""Ask for a page so many times a second, however long the answers take, and say which of them were not 200.

``visitors.py http://127.0.0.1:8080/polls/ --host polls.example --until FILE`` ends when the file exists, at the latest after ``--seconds``. Each request has a
connection of its own. Prints {"asked": int, "failed": {what: how often}, "slowest": seconds} as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

PATIENCE = 20.0  # seconds for an answer


async def ask(address: tuple[str, int], request: bytes) -> str:
    """Ask once; return what is wrong with the answer, empty for nothing."""
    writer = None
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(request)
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    except TimeoutError:
        return "no answer"
    except OSError as error:
        return type(error).__name__
    finally:
        if writer:
            writer.close()
    status, *headers = head.decode("latin-1").split("\r\n")
    length = next((int(line.split(":")[1]) for line in headers if line.lower().startswith("content-length:")), len(body))
    code = status.split(" ")[1] if " " in status else "nothing"
    return "" if code == "200" and length == len(body) else "cut short" if code == "200" else code


async def visit(given: argparse.Namespace) -> dict[str, object]:
    """Ask again and again; return what came of it."""
    url, loop, slowest = urlsplit(given.url), asyncio.get_running_loop(), 0.0
    address = (url.hostname or "", url.port or 80)
    headers = [f"GET {url.path or '/'} HTTP/1.1", f"Host: {given.host or url.netloc}", f"X-Forwarded-Proto: {given.proto}", "Connection: close", "", ""]
    request, failed = "\r\n".join(headers).encode(), Counter[str]()

    async def one() -> None:
        nonlocal slowest
        began = loop.time()
        if wrong := await ask(address, request):
            failed[wrong] += 1
        slowest = max(slowest, loop.time() - began)

    begun, asked = loop.time(), 0
    async with asyncio.TaskGroup() as visitors:
        for asked in range(1, int(given.rate * given.seconds) + 1):
            visitors.create_task(one())
            await asyncio.sleep(max(0.0, begun + asked / given.rate - loop.time()))
            if given.until and asked % 10 == 0 and given.until.exists():
                break
    return {"asked": asked, "failed": dict(failed), "slowest": round(slowest, 2), "seconds": round(loop.time() - begun, 1)}


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="the page, by HTTP")
    parser.add_argument("--host", default="", help="the Host header, where it is not the URL's")
    parser.add_argument("--proto", default="http", help="the protocol that the visitor came by, before TLS was ended")
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=60.0, help="for how long at most")
    parser.add_argument("--until", type=Path, help="a file that ends it")
    print(json.dumps(asyncio.run(visit(parser.parse_args()))))


if __name__ == "__main__":
    main()
