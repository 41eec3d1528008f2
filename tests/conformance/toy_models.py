# SPDX-License-Identifier: Apache-2.0
"""Small models, made where a test needs them, and one execution of them."""

import textwrap
from pathlib import Path

from plait.check.repeat import Built, build
from plait.codec import Tier
from plait.discovery import load
from plait.machine import RunResult
from plait.scenario import Op, OpKind, Scenario, TaskSpec
from plait.schedule import Schedule
from plait.verdict import Failed, FailureKind

HEADER = """
from plait.model import *


class Object(Record):
    next = Cell(Self)

"""
# Bump allocation of 64 bytes; `extra` is what a test adds to it.
POOL = """
class Pool(Model):
    size_max = 64
    page_size_small = 256
    list = Cell(Object)
    used = Cell()

    async def alloc(self, cpu, size):
        o = await self.list.load()
        if o is not None:
            await self.list.store(await o.next.load())
            return o
        page = await cpu.page_alloc()
        if page is not None:
            await self.used.store(await self.used.load() + 1)
        return page

    async def free(self, cpu, address):
        await Object(address).next.store(await self.list.load())
        await self.list.store(address)
"""
DECLARATION = """
from plait.target import Native, Target

target = Target(name="toy", summary="a toy", model="model.py")
"""
ALLOC = Op(OpKind.ALLOC, 0, 64)
FREE = Op(OpKind.FREE, 0)


def made(folder: Path, model: str, declaration: str = DECLARATION) -> Built:
    toy = folder / "toy"
    toy.mkdir()
    (toy / "target.py").write_text(declaration)
    (toy / "model.py").write_text(HEADER + model)
    return build(load(str(toy)), None, tier=Tier.MODEL)


def pool(folder: Path, extra: str) -> Built:
    """The pool with methods added or replaced."""
    return made(folder, POOL + textwrap.indent(textwrap.dedent(extra), "    "))


def run(built: Built, *ops: Op, tasks: int = 1, detail: bool = False) -> RunResult:
    specs = tuple(TaskSpec(cpu=0, pinned=False, ops=ops) for _ in range(tasks))
    scenario = Scenario(1, 256, 16, specs)
    return built.machine.run(scenario, Schedule(()), detail=detail)


def failure(built: Built, *ops: Op) -> tuple[FailureKind, str, list[str]]:
    """Kind, message, and the source lines of the evidence."""
    verdict = run(built, *(ops or (ALLOC,))).verdict
    assert isinstance(verdict, Failed)
    source = (built.target.folder / "model.py").read_text().splitlines()
    lines = []
    for each in verdict.evidence:
        frames = built.machine.symbols().frames(each.pc) if each.pc else ()
        lines += [source[frame.line - 1].strip() for frame in frames]
    return verdict.kind, verdict.message, lines
