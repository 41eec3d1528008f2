# SPDX-License-Identifier: Apache-2.0
"""What goes wrong in a model is a verdict of the right kind, with the lines that led to it."""

from pathlib import Path

import pytest

from conformance.toy_models import ALLOC, FREE, failure, pool, run
from plait.verdict import FailureKind, Passed

# ---- kinds of failure


def test_an_exception_is_a_verdict_with_its_calls(tmp_path: Path) -> None:
    built = pool(
        tmp_path,
        """
        async def alloc(self, cpu, size):
            return await self.inner(cpu)

        async def inner(self, cpu):
            await self.used.store(1)
            return [][1]
        """,
    )
    kind, message, lines = failure(built)
    assert kind is FailureKind.EXCEPTION
    assert message == "task 0: IndexError: list index out of range"
    assert lines == ["return [][1]", "return await self.inner(cpu)"]


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        ("assert size > 100", "assertion", "an assertion does not hold"),
        ("assert size > 100, 'too small'", "assertion", "an assertion does not hold: too small"),
        ("await (await self.list.load()).next.load()", "null-dereference", "has no attribute"),
        ("await Object(0x40).next.load()", "null-dereference", "reads 8 bytes at null"),
        ("await Object(1 << 45).next.load()", "unmapped-access", "which is not mapped"),
        ("return self.alloc.undefined", "exception", "AttributeError"),
        ("import asyncio; await asyncio.sleep(0)", "exception", "only steps of plait.model"),
        ("return 'here'", "exception", "TypeError"),
        ("return 12345", "misaligned-object", "not a multiple of 8"),
        ("self.used = 3", "exception", "await place.field.store(value)"),
        ("self.used.peek()", "exception", "peek() is for check()"),
        ("await Pool.used.load()", "exception", "is a declaration"),
        ("await cpu.preempt_enable()", "unbalanced-unlock", "enables preemption"),
        ("await cpu.preempt_disable()", "preemption-not-restored", "preempt count of 1"),
        ("await cpu.irq_off()", "interrupts-not-restored", "with interrupts off"),
        ("await cpu.page_free(await cpu.page_alloc(), 2)", "bad-page-return", "gives back"),
        ("page = await cpu.page_alloc(); await cpu.page_free(page)\n"
         "    await Object(page).next.load()", "use-after-free", "which was given back"),
        ("async with cpu.preempt_disabled(): await cpu.might_sleep()", "sleep-in-atomic", "sleep"),
        ("await cpu.start_worker(0, self.alloc)", "assertion", "outside of init"),
        ("while True: await self.used.load()", "livelock", "did not finish"),
    ],
)  # fmt: skip
def test_kinds(tmp_path: Path, body: str, kind: str, said: str) -> None:
    built = pool(tmp_path, f"async def alloc(self, cpu, size):\n    {body}\n    return None\n")
    found, message, lines = failure(built)
    assert (found.value, said in message) == (kind, True), message
    if found is not FailureKind.PREEMPTION_NOT_RESTORED:
        assert "not-restored" in kind or "misaligned" in kind or lines or "TypeError" in message


def test_recursion_overflows_the_stack(tmp_path: Path) -> None:
    built = pool(tmp_path, "async def alloc(self, cpu, size):\n    return await self.alloc(cpu, 1)")
    assert failure(built)[0] is FailureKind.STACK_OVERFLOW


def test_a_refused_free(tmp_path: Path) -> None:
    built = pool(tmp_path, "async def free(self, cpu, address):\n    return False")
    assert failure(built, ALLOC, FREE)[0] is FailureKind.FREE_REFUSED


def test_what_hangs_is_a_verdict_and_the_search_goes_on(tmp_path: Path) -> None:
    """No step, no end: the watchdog raises in the model."""
    built = pool(
        tmp_path,
        """
        async def alloc(self, cpu, size):
            while True:
                try:
                    size += 1
                except Exception:
                    pass
        """,
    )
    for _ in range(3):
        kind, message, lines = failure(built)
        assert kind is FailureKind.LIVELOCK
        assert "without a single visible operation" in message
        assert lines


# ---- check


def test_check_reports_and_asserts(tmp_path: Path) -> None:
    built = pool(
        tmp_path,
        """
        def check(self, heap):
            o = self.list.peek()
            while o is not None:
                assert not heap.is_live(o)
                heap.free(o)
                o = o.next.peek()
        """,
    )
    assert run(built, ALLOC, FREE).verdict == Passed()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("assert self.used.peek() == 7", "invariant"),
        ("pass", "lost-object"),
        ("heap.free(self.list.peek(), 0, home=1)", "wrong-cpu-pool"),
        ("heap.free(self.list.peek()); heap.free(self.list.peek())", "duplicate-free-object"),
        ("Object(8).next.peek()", "null-dereference"),
        ("Object(1 << 45).next.peek()", "unmapped-access"),
        ("while True: self.used.peek()", "livelock"),
        ("while True: pass", "livelock"),
        ("[][0]", "exception"),
    ],
)
def test_kinds_in_check(tmp_path: Path, body: str, kind: str) -> None:
    built = pool(tmp_path, f"def check(self, heap):\n    {body}\n")
    assert failure(built, ALLOC, FREE)[0].value == kind
