# SPDX-License-Identifier: Apache-2.0
"""A pool that is ended does not finish what it is at, nor does one whose process was killed."""

import multiprocessing
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

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


PARENT = """
import multiprocessing, time
from concurrent.futures import ProcessPoolExecutor
from plait.check.pools import begin_in_pool

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(1, mp_context=context, initializer=begin_in_pool)
    pool.submit(time.sleep, 0.0).result()
    future = pool.submit(time.sleep, 600.0)
    print("running", flush=True)
    future.result()
"""


def test_who_has_lost_its_parent_ends(tmp_path: Path) -> None:
    """Its end is that of the output, which it has from the parent."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    for line in parent.stdout:
        if line == "running\n":
            break
    parent.kill()
    parent.communicate(timeout=60.0)
    assert parent.returncode == -9
