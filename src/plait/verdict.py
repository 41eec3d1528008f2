# SPDX-License-Identifier: Apache-2.0
"""What an execution came to: a closed set, so that every report has to say what it does with each.

Giving up is never a pass, and two runs that differ are a verdict of their own. The spelling of
kinds and reasons is that of the engine and of JSON, and never changes once released.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Self

from plait.errors import Checks, InvalidSchedule, InvalidVerdict, shown, within
from plait.scenario import CPUS_MAX
from plait.schedule import ContextId

_WORD64_MAX = 2**64 - 1

_check = Checks(InvalidVerdict)


class VerdictKind(StrEnum):
    """The four verdicts."""

    PASSED = "passed"
    FAILED = "failed"
    GAVE_UP = "gave-up"
    NOT_DETERMINISTIC = "not-deterministic"


class GiveUpReason(StrEnum):
    """What ran out before the execution came to an end."""

    STEP_LIMIT = "step-limit"
    MEMORY = "memory"
    TIME = "time"
    WAITING = "waiting"


class FailureKind(StrEnum):
    """What a failed execution did wrong."""

    # heap
    DOUBLE_ALLOCATION = "double-allocation"
    MISALIGNED_OBJECT = "misaligned-object"
    OUT_OF_RANGE_OBJECT = "out-of-range-object"
    LOST_OBJECT = "lost-object"
    DUPLICATE_FREE_OBJECT = "duplicate-free-object"
    DOUBLE_FREE_ACCEPTED = "double-free-accepted"
    FOREIGN_POINTER_ACCEPTED = "foreign-pointer-accepted"
    LIVE_OBJECT_OVERWRITTEN = "live-object-overwritten"
    WRONG_CPU_POOL = "wrong-cpu-pool"
    ALLOCATION_REFUSED = "allocation-refused"
    FREE_REFUSED = "free-refused"
    UNBOUNDED_DEFERRAL = "unbounded-deferral"
    PAGE_LEAK = "page-leak"
    # memory
    NULL_DEREFERENCE = "null-dereference"
    UNMAPPED_ACCESS = "unmapped-access"
    USE_AFTER_FREE = "use-after-free"
    READ_ONLY_WRITE = "read-only-write"
    STACK_OVERFLOW = "stack-overflow"
    WILD_JUMP = "wild-jump"
    BAD_PAGE_RETURN = "bad-page-return"
    CRASH = "crash"
    # order
    DATA_RACE = "data-race"
    INTERRUPT_RACE = "interrupt-race"
    PREEMPTION_RACE = "preemption-race"
    # context
    SLEEP_IN_ATOMIC = "sleep-in-atomic"
    UNBALANCED_UNLOCK = "unbalanced-unlock"
    INTERRUPTS_NOT_RESTORED = "interrupts-not-restored"
    PREEMPTION_NOT_RESTORED = "preemption-not-restored"
    LOCK_HELD_ON_RETURN = "lock-held-on-return"
    PER_CPU_AFTER_MIGRATION = "per-cpu-after-migration"
    # progress
    DEADLOCK = "deadlock"
    SELF_DEADLOCK = "self-deadlock"
    LIVELOCK = "livelock"
    LOST_WAKEUP = "lost-wakeup"
    LOCK_ORDER_INVERSION = "lock-order-inversion"
    # target
    ASSERTION = "assertion"
    INVARIANT = "invariant"
    ABORT = "abort"
    EXCEPTION = "exception"
    NONLOCAL_EXIT = "nonlocal-exit"
    # device, and the driver above it
    REQUEST_COMPLETED_TWICE = "request-completed-twice"
    REQUEST_COMPLETED_EARLY = "request-completed-early"
    REQUEST_NEVER_COMPLETED = "request-never-completed"
    WRONG_DATA = "wrong-data"
    RING_PROTOCOL = "ring-protocol"
    FOREIGN_DMA = "foreign-dma"
    LOST_NOTIFICATION = "lost-notification"
    DESCRIPTOR_LEAK = "descriptor-leak"
    BAD_FREE = "bad-free"
    OBJECT_LEAK = "object-leak"

    @property
    def is_warning(self) -> bool:
        """Found in the order of accesses or locks, not in what they did."""
        return self in (
            FailureKind.DATA_RACE,
            FailureKind.INTERRUPT_RACE,
            FailureKind.PREEMPTION_RACE,
            FailureKind.PER_CPU_AFTER_MIGRATION,
            FailureKind.LOCK_ORDER_INVERSION,
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact behind a failure.

    what: a phrase for people. context: full name of who did it. cpu: where. pc: the place in the
    code, a return address relative to the target's module. address: the memory meant, encoded as in
    `trace.decode_address`.
    """

    what: str
    context: str | None = None
    cpu: int | None = None
    pc: int | None = None
    address: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "what", _check.note(self.what, "what"))
        if self.context is not None:
            try:
                ContextId.from_json(self.context, "context")
            except InvalidSchedule as error:
                raise InvalidVerdict(error.what, error.where, error.remedy) from None
        if self.cpu is not None:
            _check.integer(self.cpu, "cpu", 0, CPUS_MAX - 1)
        for name, value in (("pc", self.pc), ("address", self.address)):
            if value is not None:
                _check.integer(value, name, 0, _WORD64_MAX)

    def to_json(self) -> dict[str, Any]:
        """The evidence as JSON; what is not known is left out."""
        names = ("context", "cpu", "pc", "what", "address")
        members = {name: getattr(self, name) for name in names}
        return {name: value for name, value in members.items() if value is not None}

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """The evidence from JSON found at `where`; null means not known. Raises InvalidVerdict."""
        with within(where):
            return cls(**_check.members(value, ("what",), ("context", "cpu", "pc", "address")))


@dataclass(frozen=True, slots=True)
class Passed:
    """Nothing was found wrong with this execution; it says nothing of others."""

    verdict: ClassVar[VerdictKind] = VerdictKind.PASSED

    def to_json(self) -> dict[str, Any]:
        """The verdict as JSON."""
        return {"verdict": self.verdict.value}

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """The verdict from JSON found at `where`. Raises InvalidVerdict."""
        with within(where):
            _members(cls.verdict, value)
            return cls()


@dataclass(frozen=True, slots=True)
class Failed:
    """The execution did something wrong.

    message: one sentence. evidence: the failing access first.
    """

    verdict: ClassVar[VerdictKind] = VerdictKind.FAILED
    kind: FailureKind
    message: str
    evidence: tuple[Evidence, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", _check.word(self.kind, "kind", FailureKind))
        object.__setattr__(self, "message", _check.note(self.message, "message"))
        _check.several(self.evidence, "evidence", Evidence)

    def to_json(self) -> dict[str, Any]:
        """The verdict as JSON."""
        return {
            "verdict": self.verdict.value,
            "kind": self.kind.value,
            "message": self.message,
            "evidence": [piece.to_json() for piece in self.evidence],
        }

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """The verdict from JSON found at `where`. Raises InvalidVerdict."""
        with within(where):
            members = _members(cls.verdict, value, "kind", "message", "evidence")
            pieces = _check.array(members["evidence"], "evidence")
            evidence = (Evidence.from_json(p, f"evidence[{i}]") for i, p in enumerate(pieces))
            return cls(members["kind"], members["message"], tuple(evidence))


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The execution was stopped before its end; neither passed nor failed."""

    verdict: ClassVar[VerdictKind] = VerdictKind.GAVE_UP
    reason: GiveUpReason

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", _check.word(self.reason, "reason", GiveUpReason))

    def to_json(self) -> dict[str, Any]:
        """The verdict as JSON."""
        return {"verdict": self.verdict.value, "reason": self.reason.value}

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """The verdict from JSON found at `where`. Raises InvalidVerdict."""
        with within(where):
            return cls(_members(cls.verdict, value, "reason")["reason"])


@dataclass(frozen=True, slots=True)
class NotDeterministic:
    """Two runs of one scenario and schedule differed.

    first, second: what each came to, possibly the same.
    """

    verdict: ClassVar[VerdictKind] = VerdictKind.NOT_DETERMINISTIC
    first: "Passed | Failed | GaveUp"
    second: "Passed | Failed | GaveUp"

    def __post_init__(self) -> None:
        both: tuple[tuple[str, object], ...] = (("first", self.first), ("second", self.second))
        for name, value in both:
            if not isinstance(value, Passed | Failed | GaveUp):
                expected = "Passed, Failed or GaveUp"
                raise _check.refuse(value, name, "not the verdict of one run", expected)

    def to_json(self) -> dict[str, Any]:
        """The verdict as JSON."""
        return {
            "verdict": self.verdict.value,
            "first": self.first.to_json(),
            "second": self.second.to_json(),
        }

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """The verdict from JSON found at `where`. Raises InvalidVerdict."""
        with within(where):
            members = _members(cls.verdict, value, "first", "second")
            first = _single_from_json(members["first"], "first")
            return cls(first, _single_from_json(members["second"], "second"))


Verdict = Passed | Failed | GaveUp | NotDeterministic


def verdict_from_json(value: object, where: str = "") -> Verdict:
    """The verdict, whichever it is, from JSON found at `where`. Raises InvalidVerdict."""
    with within(where):
        match _verdict_kind(value):
            case VerdictKind.PASSED:
                return Passed.from_json(value)
            case VerdictKind.FAILED:
                return Failed.from_json(value)
            case VerdictKind.GAVE_UP:
                return GaveUp.from_json(value)
            case VerdictKind.NOT_DETERMINISTIC:
                return NotDeterministic.from_json(value)


def _single_from_json(value: object, where: str) -> Passed | Failed | GaveUp:
    with within(where):
        if _verdict_kind(value) is VerdictKind.NOT_DETERMINISTIC:
            what = "a not-deterministic verdict inside another"
            raise InvalidVerdict(what, "verdict", "give the verdicts of the two runs")
    verdict = verdict_from_json(value, where)
    assert not isinstance(verdict, NotDeterministic)
    return verdict


def _verdict_kind(value: object) -> VerdictKind:
    if isinstance(value, dict) and "verdict" in value:
        return _check.word(value["verdict"], "verdict", VerdictKind)
    what = f"{shown(value)}, which has no verdict"
    raise InvalidVerdict(what, None, f'add "verdict", one of: {", ".join(VerdictKind)}')


def _members(verdict: VerdictKind, value: object, *names: str) -> dict[str, Any]:
    members = _check.members(value, ("verdict", *names))
    if _check.word(members["verdict"], "verdict", VerdictKind) is not verdict:
        what = f"verdict is {shown(members['verdict'])}, not {shown(verdict)}"
        raise InvalidVerdict(what, "verdict", f'set it to "{verdict}"')
    return members
