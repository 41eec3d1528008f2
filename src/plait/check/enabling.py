# SPDX-License-Identifier: Apache-2.0
"""Why a deviation is not enabled at its place: what is off on that CPU, and since which step."""

from dataclasses import dataclass

from plait.report import Names
from plait.schedule import Deviation, MoveKind
from plait.trace import Event, EventKind, Trace


@dataclass(slots=True)
class _Cpu:
    """What is off on it, and since which step; None: on. handler: how many run there."""

    interrupts: Event | None = None
    preemption: Event | None = None
    depth: int = 0
    handlers: int = 0


def why_not_enabled(trace: Trace, deviation: Deviation, names: Names) -> str:
    """The reason in words, from the run in which the deviation was dropped."""
    cpus = _until(trace, deviation)
    move = deviation.move
    number = move.cpu
    if move.kind is MoveKind.MIGRATE and move.who is not None:
        number = _cpu_of(trace, str(move.who))
    cpu = cpus.get(number or 0, _Cpu())
    by_handlers = move.kind is not MoveKind.GO and move.kind is not MoveKind.DEVICE
    if by_handlers and cpu.handlers:
        return f"a handler runs on cpu {number}"
    if by_handlers and cpu.interrupts is not None:
        return f"interrupts are off on cpu {number}, since {_step(cpu.interrupts, names)}"
    switches = move.kind in (MoveKind.PREEMPT, MoveKind.MIGRATE)
    if switches and cpu.preemption is not None:
        return f"preemption is off on cpu {number}, since {_step(cpu.preemption, names)}"
    match move.kind:
        case MoveKind.GO:
            return f"nothing on cpu {move.cpu} can take a step"
        case MoveKind.INTERRUPT:
            return f"irq {move.line} cannot fire on cpu {move.cpu}"
        case MoveKind.PREEMPT:
            return f"{move.to} does not wait for cpu {move.cpu}"
        case MoveKind.MIGRATE:
            return f"{move.who} cannot move"
        case MoveKind.DEVICE:
            return f"device {move.device} has nothing to do"


def _step(event: Event, names: Names) -> str:
    place = names.location(event.pc)
    return f"`{place} {event.kind.value.replace('-', ' ')}`".replace("` ", "`")


def _until(trace: Trace, deviation: Deviation) -> dict[int, _Cpu]:
    """The CPUs as they are when the deviation's context has taken its steps."""
    cpus: dict[int, _Cpu] = {}
    steps: dict[str, int] = {}
    wanted = deviation.context.short_name
    activation = -1
    for event in trace.events:
        name = trace.context_name(event).partition("#")[0]
        if event.kind is EventKind.INTERRUPT and f"irq {event.arg}" == wanted:
            activation += 1
            steps[wanted] = 0
        here = not wanted.startswith("irq") or activation == deviation.context.activation
        if not event.kind.is_move and name == wanted and here:
            if steps.get(name, 0) == deviation.after:
                return cpus
            steps[name] = steps.get(name, 0) + 1
        _note(cpus.setdefault(event.cpu, _Cpu()), event)
    return cpus


def _note(cpu: _Cpu, event: Event) -> None:
    match event.kind:
        case EventKind.IRQ_SAVE | EventKind.IRQ_OFF:
            cpu.interrupts = cpu.interrupts or event
        case EventKind.IRQ_ON:
            cpu.interrupts = None
        case EventKind.IRQ_RESTORE:
            cpu.interrupts = None if event.arg else cpu.interrupts
        case EventKind.PREEMPT_DISABLE:
            cpu.preemption = cpu.preemption or event
            cpu.depth += 1
        case EventKind.PREEMPT_ENABLE:
            cpu.depth -= 1
            cpu.preemption = cpu.preemption if cpu.depth > 0 else None
        case EventKind.INTERRUPT:
            cpu.handlers += 1
        case EventKind.INTERRUPT_RETURN:
            cpu.handlers -= 1
        case _:
            pass


def _cpu_of(trace: Trace, context: str) -> int:
    """The CPU on which it was last."""
    return next(
        (event.cpu for event in reversed(trace.events) if trace.context_name(event) == context), 0
    )
