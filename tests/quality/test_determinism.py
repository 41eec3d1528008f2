# SPDX-License-Identifier: Apache-2.0
"""A failure is the same in every process, however often it is repeated.

What differs between the processes is what must not matter: the order of Python's sets, and where
in memory everything lies. One has its addresses where the kernel always puts them (`setarch -R`,
where that exists and may be used), the other where chance puts them.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from plait import check
from plait.check import FuzzOptions, TierChoice

TIMES = 10_000
PROCESS_SECONDS_MAX = 250
EXIT_FOUND = 1

PLAIT = [sys.executable, "-c", "from plait.cli import main; main()"]

# Prints all that the engine says of an execution; where something lies, and a hash, beside it.
EVENTS = """
import json, sys
from plait import _engine, codec, discovery
from plait.check.repeat import build
content = codec.load(sys.argv[1])
outcome = _engine.run(
    build(discovery.load(content.target), None, tier=content.tier).machine.engine,
    content.scenario.to_json(),
    content.schedule.to_json(),
    detail=True,
    limits=content.limits.to_json(),
)
print("address", id(object()), "hash", hash("text"), file=sys.stderr)
print(json.dumps(outcome))
"""


def fixed_layout() -> list[str]:
    """What to put before a command so that its addresses are not randomised; [] if it cannot be."""
    setarch = shutil.which("setarch")
    if setarch is None:
        return []
    command = [setarch, "--addr-no-randomize"]
    worked = subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
    return command if worked else []


def in_two_worlds(command: list[str], status: int) -> list[subprocess.CompletedProcess[str]]:
    """Runs it with fixed addresses and one hash seed, and with random ones and another seed."""
    done = []
    for prefix, hash_seed in ((fixed_layout(), "1"), ([], "2")):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        ran = subprocess.run(
            [*prefix, *command],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PROCESS_SECONDS_MAX,
            check=False,
        )
        assert ran.returncode == status, ran.stderr
        done.append(ran)
    return done


@pytest.fixture(scope="module", params=["native up-irq", "native smp-irq", "model smp-irq"])
def failure_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    tier, environment = request.param.split()
    options = FuzzOptions(
        targets=("original",),
        tier=TierChoice(tier),
        environments=(environment,),
        executions=100_000,
        seed=3,
        out=tmp_path_factory.mktemp("failures"),
    )
    (result,) = check.fuzz(options)
    failure = result.failures[0]
    assert failure.file is not None
    return failure.file


@pytest.mark.timeout(2 * PROCESS_SECONDS_MAX)
def test_replays_share_one_trace_hash(failure_file: Path) -> None:
    command = [*PLAIT, "replay", str(failure_file), "--times", str(TIMES), "--json"]
    answers = [json.loads(each.stdout) for each in in_two_worlds(command, EXIT_FOUND)]
    saved = json.loads(failure_file.read_text(encoding="utf-8"))
    expected = {"verdict": "failed", "trace_hash": saved["trace_hash"], "runs": TIMES}
    assert answers == [expected, expected]


def test_events_are_the_same_to_the_byte(failure_file: Path) -> None:
    first, second = in_two_worlds([sys.executable, "-c", EVENTS, str(failure_file)], 0)
    _, address, _, text_hash = first.stderr.split()
    _, other_address, _, other_hash = second.stderr.split()
    assert address != other_address, "nothing randomises addresses here"
    assert text_hash != other_hash
    assert len(json.loads(first.stdout)["events"]) > 10
    assert first.stdout == second.stdout


# Prints what a search of one kind did, over the targets that are named.
SEARCH = """
import sys
from plait.check.repeat import build
from plait.discovery import load
from plait.environment import find_environment
from plait.machine import default_limits
from plait.search import Search, SearchOptions
for name in sys.argv[2:]:
    machine = build(load(name), None).machine
    options = SearchOptions(
        environment=find_environment("smp-irq").check(machine.info),
        seed=5,
        limits=default_limits(),
        strategy=sys.argv[1],
        executions=3_000,
        stop_on_failure=False,
        by_cut=True,
    )
    search, done = Search(machine, options), False
    while not done:
        done, progress, found = search.step(60.0)
        for each in found:
            print(each.execution, each.steps, each.trace_hash, each.schedule.to_json())
    print(progress.steps, progress.accesses, progress.behaviours, progress.costs)
"""


@pytest.mark.parametrize("strategy", ["surw", "rff", "portfolio"])
def test_what_is_learnt_is_the_same(strategy: str) -> None:
    """Places are told apart by their addresses; nothing else may come of those."""
    search = [sys.executable, "-c", SEARCH, strategy, "original", "irq_safe"]
    first, second = in_two_worlds(search, 0)
    assert len(first.stdout) > 1_000
    assert first.stdout == second.stdout


# Exits with 0 where a thread may be told of its own system calls.
SECCOMP = """
import ctypes, platform, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
allow = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000))
program = struct.pack("H6xP", 1, ctypes.addressof(allow))
call = {"x86_64": 317, "aarch64": 277}[platform.machine()]
libc.prctl(38, 1, 0, 0, 0)
sys.exit(libc.syscall(call, 1, 8, program) < 0)
"""


# Hands out as much of its page as the addresses of a global, of a constant and of itself have bits.
BITS_CC = """\
#include <bit>
#include <cstdint>
#include "plait/target.h"
static const int constant = 1;
static char* page;
static size_t used;
static void* bits_alloc(size_t) {
  const uintptr_t addresses[] = {
    reinterpret_cast<uintptr_t>(&page),
    reinterpret_cast<uintptr_t>(&constant),
    reinterpret_cast<uintptr_t>(&bits_alloc),
  };
  char* object = nullptr;
  for (uintptr_t address : addresses) {
    for (; address; address &= address - 1) {
      if (!page) page = static_cast<char*>(plait_page_alloc(1, 0));
      object = page + used++ % 64 * std::countr_zero(address);
    }
  }
  return object;
}
static int bits_free(void*) { return 0; }
PLAIT_TARGET(.alloc = bits_alloc, .free = bits_free, .size_max = 8,
             .contexts = PLAIT_IN_TASK | PLAIT_IN_HANDLER);
"""
BITS_PY = """\
from plait.target import Native, Target
native = Native(sources=["bits.cc"])
target = Target(name="bits", summary="goes by addresses", native=native, expect={})
"""


def test_where_a_target_lies_is_the_same(tmp_path: Path) -> None:
    """It may decide by the bits of the addresses of its globals, its constants and its code."""
    if subprocess.run([sys.executable, "-c", SECCOMP], check=False).returncode != 0:
        pytest.skip("platform: seccomp notifies nobody here, and targets lie anywhere")
    (tmp_path / "bits.cc").write_text(BITS_CC, encoding="utf-8")
    (tmp_path / "target.py").write_text(BITS_PY, encoding="utf-8")
    first, second = in_two_worlds([sys.executable, "-c", SEARCH, "pct", str(tmp_path)], 0)
    assert len(first.stdout) > 1_000
    assert first.stdout == second.stdout
