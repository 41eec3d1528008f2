# SPDX-License-Identifier: Apache-2.0
"""Ends a pool of processes that are at work: nothing public does that.

A pool that was shut down has forgotten its processes, and they would go on until what they do is
done; the interpreter waits for them before it exits.
"""

from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress


def end_at_once(pool: ProcessPoolExecutor) -> None:
    """Drops what waits and ends what runs."""
    processes = list((pool._processes or {}).values())  # before they are forgotten
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        with suppress(OSError):
            process.terminate()
