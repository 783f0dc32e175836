#!/usr/bin/env python3
"""What a sign-in costs the proxy on this machine: processor time, with its own memory of used assertions and with one in a Redis.

    scale.py path/to/samlgate

By turns, so that the neighbours of a shared machine are loud for both. Use a release build. The page on scale has the numbers of one run.
"""

import os
import statistics
import sys
import tempfile
from pathlib import Path

from services import Redis
from staging import Staging

SIGN_INS = 4000
RATE = 500
TURNS = 4


def processor_seconds(process):
    """Of user and kernel, so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def turn(samlgate, replay):
    """Microseconds of processor time for one sign-in."""
    started = []
    with tempfile.TemporaryDirectory() as temporary:
        try:
            staging = Staging(samlgate, Path(temporary), started, replay)
            process = staging.proxy.process.pid
            before = processor_seconds(process)
            staging.load_open("--pool", str(SIGN_INS), "--requests", str(SIGN_INS), "--rate", str(RATE))
            return (processor_seconds(process) - before) / SIGN_INS * 1e6
        finally:
            for program in reversed(started):
                program.end()


def main(samlgate):
    redis = Redis()
    try:
        stores = {"own memory": "", "Redis": f'[replay]\nstore = "redis://127.0.0.1:{redis.port}/0"\ntimeout = "500ms"'}
        costs = {name: [] for name in stores}
        for _ in range(TURNS):
            for name, replay in stores.items():
                costs[name].append(turn(samlgate, replay))
                print(f"{name:12}{costs[name][-1]:6.0f} µs", flush=True)
    finally:
        redis.end()
    for name, cost in costs.items():
        print(f"{name:12}{statistics.median(cost):6.0f} µs in the middle, {max(cost):.0f} µs at most")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
