"""Ask for a page again and again, until a file exists, and say how many of the answers were not 200.

Usage: ask.py URL FILE SECONDS, where SECONDS is when to stop without the file. Each request has its own connection.
Prints {"asked": int, "failed": [str, ...]} as JSON.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from pathlib import Path


def main(url: str, stop: str, seconds: str) -> None:
    """Ask about twenty times a second."""
    deadline = time.monotonic() + float(seconds)
    asked, failed = 0, []
    while time.monotonic() < deadline and not Path(stop).exists():
        asked += 1
        began = time.monotonic()
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                answer.read()
        except OSError as error:
            failed.append(f"{time.strftime('%H:%M:%S')} after {time.monotonic() - began:.1f} s: {error}")
        time.sleep(0.05)
    print(json.dumps({"asked": asked, "failed": failed}))


if __name__ == "__main__":
    main(*sys.argv[1:])
