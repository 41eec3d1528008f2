# SPDX-License-Identifier: Apache-2.0
"""What a model of an allocator is a subclass of, and what its `check` reports to."""

from typing import Any, ClassVar

from plait._engine import Place, is_live, report
from plait.model.kernel import Cpu
from plait.model.memory import CPUS_MAX, Record


class Heap:
    """What `check` reports to, when all is quiet: each object and page that the model holds.

    cpu: the machine, for its count of CPUs and its page size.
    """

    cpu = Cpu()

    def free(self, object: Place | int, cpu: int | None = None, home: int | None = None) -> None:
        """It lies in a free structure, of that CPU (None: a shared one).

        home: whose CPU's the object is; in the structure of another it is in the wrong pool.
        """
        where = -1 if cpu is None else cpu
        report(0, object, where, where if home is None else home)

    def deferred(self, object: Place | int) -> None:
        """It was freed by its user and waits in a queue to become free."""
        report(1, object, -1, -1)

    def page(self, pages: Place | int) -> None:
        """Pages held for the model's own use, which hold no object."""
        report(2, pages, -1, -1)

    def is_live(self, object: Place | int) -> bool:
        """Whether it is handed out and not freed."""
        return is_live(object)


class Model(Record):
    """An allocator, as `async def alloc(self, cpu, size)` and `async def free(self, cpu, address)`.

    alloc returns the object (a record or an address), or None when memory is out. free returns
    False to refuse a pointer. Optional: `async def init(self, cpu)`, which runs alone, before any
    task; `def check(self, heap)`, at quiescence, alone, with `peek` in place of `load`, asserts
    invariants and reports what it holds (without it conservation is not checked).

    size_min, size_max: bytes of a request. size_classes: around which sizes are drawn. alignment:
    of every object. handlers: may be entered from interrupt handlers. cpus_max: CPUs. refuses:
    which misuse free answers with False: "double-free", "foreign", "interior". deferred_bound:
    objects freed and not yet free at quiescence, at most. page_size_small, page_size_real: bytes.
    page: a record of what each page begins with, for reports. defines: what a variant of the
    target sets, as the macros of its native tier.
    """

    size_min: ClassVar[int] = 1
    size_max: ClassVar[int] = 0
    size_classes: ClassVar[tuple[int, ...]] = ()
    alignment: ClassVar[int] = 8
    handlers: ClassVar[bool] = True
    cpus_max: ClassVar[int] = CPUS_MAX
    refuses: ClassVar[tuple[str, ...]] = ()
    deferred_bound: ClassVar[int | None] = None
    page_size_small: ClassVar[int] = 512
    page_size_real: ClassVar[int] = 4096
    page: ClassVar[type[Record] | None] = None
    native: ClassVar[Any] = None
    defines: ClassVar[dict[str, str | int]] = {}
