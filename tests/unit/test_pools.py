# SPDX-License-Identifier: Apache-2.0
"""A pool that is ended does not finish what it is at."""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

from plait.check.pools import end_at_once


def test_what_runs_is_ended() -> None:
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    future = pool.submit(time.sleep, 600.0)
    waiting = pool.submit(time.sleep, 600.0)
    while not future.running():
        time.sleep(0.01)
    (process,) = multiprocessing.active_children()
    end_at_once(pool)
    # The pool's own thread waits for it too: what it has reaped has no exit code here for a moment.
    deadline = time.monotonic() + 60.0
    while process.exitcode is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process.exitcode not in (None, 0)
    assert waiting.cancelled() or waiting.exception(60.0) is not None
