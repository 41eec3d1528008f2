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
    process.join(60.0)
    assert process.exitcode not in (None, 0)
    assert waiting.cancelled() or waiting.exception(60.0) is not None
