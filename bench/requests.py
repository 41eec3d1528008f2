# SPDX-License-Identifier: Apache-2.0
"""What a request costs in search mode, all checks on: driver, allocator, device and handler.

    python bench/requests.py [--target irq_safe] [--seconds 5]

CPU time, so that other work on the machine does not count. Requests are counted by the engine.
"""

import argparse
import time

from plait.check.repeat import build
from plait.discovery import load
from plait.environment import find_environment
from plait.machine import default_limits
from plait.scenario import DeviceKind
from plait.search import Progress, Search, SearchOptions

SEEDS = (1, 2, 3)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", default="irq_safe")
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    built = build(load(arguments.target), None, device=DeviceKind.BLOCK)
    machine = built.machine
    environment = find_environment("virtio-blk").check(machine.info)
    for seed in SEEDS:
        search = Search(machine, SearchOptions(environment, seed, default_limits()))
        begun, progress = time.process_time(), Progress()
        while (used := time.process_time() - begun) < arguments.seconds:
            done, progress, _ = search.step(0.2)
            if done:
                break
        per_access = used * 1e9 / progress.accesses
        print(
            f"seed {seed}  {progress.requests / used:9,.0f} requests/s  "
            f"{progress.executions / used:8,.0f} executions/s of "
            f"{progress.accesses_per_execution:5.0f} accesses  {per_access:5.1f} ns an access"
        )


if __name__ == "__main__":
    main()
