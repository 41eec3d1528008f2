# SPDX-License-Identifier: Apache-2.0
"""Names for what a trace holds as numbers: places in memory, values, program counters.

A reader thinks of `page 0x2000.local_free` and `pool.cc:61`, the engine of 0x0100000000002010 and
0x1a3f. The target declares the names of its page fields and globals; the rest comes from its symbol
table and debug information.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from plait.report.requests import ring_place
from plait.trace import Region, RingPlace, decode_address

if TYPE_CHECKING:
    from plait._engine import Info

_GLOBAL = re.compile(r"global at module\+0x([0-9a-f]+)")
_DECIMAL_MAX = 1024  # larger plain numbers are shown in hexadecimal


class Location(Protocol):
    """A place in source code."""

    @property
    def file(self) -> str:
        """The file's name, without folders."""

    @property
    def line(self) -> int:
        """Counted from 1."""

    @property
    def function(self) -> str:
        """Its short name; empty when not known."""

    @property
    def path(self) -> str:
        """The whole path, as the compiler knew it."""


class Symbols(Protocol):
    """What is known of a compiled target; see plait.symbols."""

    def frames(self, pc_relative: int) -> Sequence[Location]:
        """Where the call is that returns to this address, and its inlined callers, inside out."""

    def state(self, offset: int) -> str | None:
        """The global at this module-relative address."""


class Names:
    """Names for one execution.

    info: what the target declares. page_size: bytes. contexts: of the trace, to name stacks.
    folder: of the target, whose lines are preferred to those of libraries; drivers: of the driver
    above it, if there is one. rings: between that and its device. Without info or symbols places
    are shown by number.
    """

    def __init__(
        self,
        page_size: int,
        info: "Info | None" = None,
        symbols: Symbols | None = None,
        contexts: Sequence[str] = (),
        folder: Path | None = None,
        drivers: Path | None = None,
        rings: Sequence[RingPlace] = (),
    ) -> None:
        self._rings = rings
        self._folder = folder
        self._drivers = [] if drivers is None else [drivers]
        self._page_size = page_size
        self._page_fields = info["page_fields"] if info else []
        self._state_names = info["state_names"] if info else []
        self._symbols = symbols
        self._contexts = [context.partition("#")[0] for context in contexts]

    def location(self, pc: int | None) -> str:
        """As in "pool.cc:61", for a return address; empty when not known."""
        frame = self.frame(pc)
        return f"{frame.file}:{frame.line}" if frame else ""

    def frame(self, pc: int | None) -> Location | None:
        """The innermost place in the target's own source, or else wherever it is."""
        if not pc or self._symbols is None:
            return None
        frames = self._symbols.frames(pc)
        ours = [frame for frame in frames if self._is_ours(frame)]
        return next(iter([*ours, *frames]), None)

    def _is_ours(self, frame: Location) -> bool:
        """Whether the target's author wrote it: what std::queue does is told by who asked.

        Targets side by side may share headers, in a folder named common.
        """
        if self._folder is None:
            return True
        path = Path(os.path.normpath(frame.path))
        return any(
            path.is_relative_to(place)
            for place in (self._folder, self._folder.parent / "common", *self._drivers)
        )

    def sentence(self, message: str) -> str:
        """The engine's message, with the names of the globals that it knows by number."""

        def name(found: re.Match[str]) -> str:
            return self._state(int(found[1], 16)) or found[0]

        return _GLOBAL.sub(name, message)

    def place(self, address: int) -> str:
        """What lies at an encoded address: "page 0x2000.local_free", "[0x2040]", "cpus[1]+0x8"."""
        decoded = decode_address(address)
        match decoded.region:
            case Region.MEMORY:
                ring = ring_place(self._rings, decoded.offset)
                return ring or self._page_field(decoded.offset) or f"[{decoded.display()}]"
            case Region.MODULE:
                return self._state(decoded.offset) or decoded.display()
            case Region.PLAIN | Region.STACK:
                return decoded.display(self._contexts)

    def value(self, value: int) -> str:
        """An encoded value: a place without brackets, or a number (small ones in decimal)."""
        decoded = decode_address(value)
        match decoded.region:
            case Region.PLAIN if decoded.offset < _DECIMAL_MAX:
                return str(decoded.offset)
            case Region.MODULE:
                return f"&{self.place(value)}"
            case Region.PLAIN | Region.MEMORY | Region.STACK:
                return decoded.display(self._contexts)

    def pointer(self, value: int) -> str:
        """An encoded value that is known to be a pointer: zero is null."""
        return self.value(value) if value else "null"

    def _page_field(self, offset: int) -> str:
        inside = offset % self._page_size
        for field in self._page_fields:
            if field["offset"] <= inside < field["offset"] + field["size"]:
                rest = _plus(inside - field["offset"])
                return f"page {offset - inside:#x}.{field['name']}{rest}"
        return ""

    def _state(self, offset: int) -> str:
        for state in self._state_names:
            inside = offset - state["offset"]
            if 0 <= inside < state["stride"] * max(state["count"], 1):
                element, rest = divmod(inside, state["stride"])
                index = f"[{element}]" if state["count"] > 1 else ""
                return f"{state['name']}{index}{_plus(rest)}"
        return (self._symbols.state(offset) if self._symbols else None) or ""


def _plus(offset: int) -> str:
    return f"+{offset:#x}" if offset else ""
