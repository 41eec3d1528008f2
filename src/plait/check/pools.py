# SPDX-License-Identifier: Apache-2.0
"""How the processes of a pool begin and end: nothing public does the latter at once.

A pool that was shut down has forgotten its processes, and they would go on until what they do is
done; the interpreter waits for them before it exits. And those of a pool whose process was killed
would finish what they are at, and then wait for more for ever.
"""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress


def begin_in_pool() -> None:
    """What a process of a pool does first: it leaves Ctrl-C to its parent, and ends with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too, and decides
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they are for who works
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def end_at_once(pool: ProcessPoolExecutor) -> None:
    """Drops what waits and ends what runs."""
    processes = list((pool._processes or {}).values())  # before they are forgotten
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        with suppress(OSError):
            process.terminate()
