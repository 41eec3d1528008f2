# SPDX-License-Identifier: Apache-2.0
"""Builds a target, and says whether a run of it repeats another one."""

import hashlib
import shlex
from dataclasses import dataclass, replace

from plait import native
from plait.codec import BuildInfo, FailureFile, Tier
from plait.errors import InvalidTarget, printable
from plait.machine import Library, Machine, RunResult
from plait.report import Names
from plait.scenario import DeviceKind, Scenario
from plait.target import ModelFile, Target
from plait.trace import Trace
from plait.verdict import Failed, NotDeterministic, Verdict

HANG = "hang"  # what the engine calls the evidence that the watchdog sampled


@dataclass(frozen=True, slots=True)
class Built:
    """A target, compiled and loaded.

    option: what to add to `plait replay` so that it finds the target.
    """

    target: Target
    tier: Tier
    info: BuildInfo
    library: Library
    machine: Machine
    option: str = ""


def build(
    target: Target,
    compiler: str | None,
    word: str = "",
    tier: Tier | None = None,
    device: DeviceKind | None = None,
) -> Built:
    """Compiles and loads a target.

    word: by which the user named it, when that is not its name. tier: None: its first. device: with
    the driver for it above the target. Raises InvalidTarget when it does not have that tier.
    """
    tier = tier or target.tiers()[0]
    if tier not in target.tiers():
        there = ", ".join(target.tiers())
        what, remedy = f"{target.name} has no {tier} tier", f"it has: {there}"
        raise InvalidTarget(what, printable(str(target.folder)), remedy)
    option = f" --target {shlex.quote(word)}" if word else ""
    if tier is Tier.NATIVE:
        made = native.build(target, native.find_compiler(compiler), device=device)
        info = BuildInfo(made.hash, str(made.compiler))
        return Built(target, tier, info, made.path, Machine(made.path, target.name), option)
    from plait.models import load_model  # only now: it brings the engine with it

    source = ModelFile(target.folder, target.model or "", tuple(target.defines.items()))
    loaded = load_model(source)
    if loaded.model.native is not None or device is not None:
        above = replace(target, native=loaded.model.native)
        made = native.build(above, native.find_compiler(compiler), device=device)
        source = replace(source, native=made.path)
        loaded = replace(
            loaded, hash=hashlib.sha256((loaded.hash + made.hash).encode()).hexdigest()
        )
    info = BuildInfo(loaded.hash, loaded.compiler)
    return Built(target, tier, info, source, Machine(source, target.name), option)


def build_for(content: FailureFile, target: Target, compiler: str | None, word: str = "") -> Built:
    """The target in the tier, and with the driver, of this failure."""
    return build(target, compiler, word, content.tier, device_of(content))


def device_of(content: FailureFile) -> DeviceKind | None:
    """The device that the failure's scenario has."""
    return content.scenario.device.kind if content.scenario.device else None


def repeatable(verdict: Verdict) -> Verdict:
    """The verdict without what may differ: where in its loop a hang was found is the timer's."""
    if not isinstance(verdict, Failed) or all(each.what != HANG for each in verdict.evidence):
        return verdict
    evidence = tuple(replace(each, pc=None) for each in verdict.evidence)
    return replace(verdict, evidence=evidence)


def compared(verdict: Verdict, trace_hash: int, run: RunResult) -> Verdict:
    """The verdict of a run, or that it differs from what came out before."""
    if repeatable(run.verdict) == repeatable(verdict) and run.trace_hash == trace_hash:
        return run.verdict
    first = verdict.first if isinstance(verdict, NotDeterministic) else verdict
    second = run.verdict.second if isinstance(run.verdict, NotDeterministic) else run.verdict
    return NotDeterministic(first, second)


def names_of(built: Built, scenario: Scenario, trace: Trace | None) -> Names:
    """Names for what the trace of this scenario holds."""
    contexts = trace.contexts if trace else ()
    return Names(
        scenario.page_size,
        built.machine.info,
        built.machine.symbols(),
        contexts,
        built.target.folder,
        native.find_sdk().drivers if scenario.device else None,
        trace.rings if trace else (),
    )
