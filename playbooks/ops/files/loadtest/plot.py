"""Plot a load test. Reads the data from standard input, as JSON from plugins/module_utils/loadtest.py; the argument is the PNG file."""

from __future__ import annotations

import json
import sys

import matplotlib

matplotlib.use("Agg")  # no screen
import matplotlib.pyplot as plt


def main() -> None:
    """Plot requests per second, latency and pods, one below the other."""
    given = json.load(sys.stdin)
    figure, (rate, latency, pods) = plt.subplots(3, 1, sharex=True, figsize=(9, 8), layout="constrained")
    figure.suptitle(given["title"])
    rate.step(given["seconds"], given["served"], where="mid", label="served")
    rate.step(given["seconds"], given["failed"], where="mid", color="tab:red", label="failed")
    rate.set_ylabel("requests per second")
    latency.plot(given["seconds"], given["p50"], label="p50")
    latency.plot(given["seconds"], given["p95"], label="p95")
    latency.set_ylabel("ms")
    pods.step(given["looked"], given["ready"], where="post", label="ready")
    pods.step(given["looked"], given["wanted"], where="post", linestyle="--", label="wanted")
    pods.set_ylabel("pods")
    pods.set_xlabel("seconds")
    pods.yaxis.get_major_locator().set_params(integer=True)
    for axes in (rate, latency, pods):
        axes.margins(y=0.15)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(loc="upper left")
    figure.savefig(sys.argv[1], format="png", dpi=110)


if __name__ == "__main__":
    main()
