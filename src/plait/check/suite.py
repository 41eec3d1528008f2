# SPDX-License-Identifier: Apache-2.0
"""Test suites of targets: which cells there are, how long each is searched, what counts as passed.

What `plait.pytest_plugin` is made of, without pytest. A cell passes when it comes out as its target
declares: one that declares that it fails there has to fail.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from plait import codec
from plait.check.reanchor import Outlook
from plait.check.replaying import replay
from plait.check.same import same_kind
from plait.check.searching import fuzz
from plait.check.shrinking import shrink_file
from plait.check.values import Failure, FuzzOptions, Replayed, Result, TierChoice
from plait.codec import Tier
from plait.discovery import discover, load, select
from plait.environment import find_environment
from plait.errors import InvalidFailureFile, InvalidOption, UserError, printable, suggestion
from plait.report import Cell
from plait.search import SEED_MAX
from plait.target import Expect, Target
from plait.verdict import Failed, GaveUp, NotDeterministic, Passed, Verdict

FILES = "regressions/*.json"  # in the folder that a target has among corpora


@dataclass(frozen=True, slots=True)
class Profile:
    """How much is spent on a cell.

    seed: None: a fresh one each time. executions: of the native tier where nothing should be
    found; of a model a tenth. seconds: instead. patience: how many times as much is spent where a
    failure should be.
    """

    name: str
    summary: str
    seed: int | None
    executions: int | None = None
    seconds: float | None = None
    patience: int = 10

    def budget(self, tier: Tier, expect: Expect | None) -> dict[str, int | float]:
        """What is spent, as options of a search."""
        times = self.patience if expect is Expect.FAIL else 1
        if self.seconds is not None:
            return {"seconds": self.seconds * times}
        assert self.executions is not None
        share = 10 if tier is Tier.MODEL else 1
        return {"executions": max(self.executions * times // share, 1)}


PROFILES: Mapping[str, Profile] = {
    each.name: each
    for each in (
        Profile("dev", "a moment, another seed each time", None, seconds=0.5, patience=40),
        Profile("ci", "fixed seed and executions: the same each time", 1, executions=50_000),
        Profile("nightly", "a minute, another seed each time", None, seconds=60.0, patience=2),
    )
}


def find_profile(name: str) -> Profile:
    """The profile of this name. Raises InvalidOption, with the known ones."""
    found = PROFILES.get(name)
    if found is None:
        what = f'there is no profile "{printable(name)}"'
        raise InvalidOption(what, "--plait-profile", suggestion(name, tuple(PROFILES)))
    return found


@dataclass(frozen=True, slots=True)
class SuiteOptions:
    """What a suite is about. targets: words of a user; empty: those of `folder`, else all.

    seconds: in place of what the profile spends where nothing should be found. seed: None: as the
    profile says. out: folder for failure files. Raises InvalidOption.
    """

    profile: Profile
    targets: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    tier: TierChoice = TierChoice.BOTH
    seconds: float | None = None
    seed: int | None = None
    out: Path = Path("failures")
    folder: Path = Path("targets")

    def __post_init__(self) -> None:
        for name in self.environments:
            find_environment(name)
        if self.seconds is not None:
            longer = replace(self.profile, seconds=self.seconds, executions=None)
            object.__setattr__(self, "profile", longer)
        if self.seed is None:
            seed = self.profile.seed
            seed = secrets.randbelow(SEED_MAX + 1) if seed is None else seed
            object.__setattr__(self, "seed", seed)


@dataclass(frozen=True, slots=True)
class Case:
    """A cell that is to be searched. word: what finds the target."""

    target: str
    word: str
    environment: str
    tier: Tier
    expect: Expect | None
    tiers: int = 1

    @property
    def id(self) -> str:
        """As in "original-smp-irq-native"."""
        return f"{self.target}-{self.environment}-{self.tier}"


def cases(options: SuiteOptions) -> list[Case]:
    """All cells, models first: they take longest, and nobody should wait for them alone.

    Raises UnknownTarget, InvalidTarget, and InvalidOption when there is none.
    """
    found: list[Case] = []
    for target, word in _chosen(options):
        wanted = options.environments or target.environments()
        for environment in (name for name in target.environments() if name in wanted):
            expect = (target.expect or {}).get(environment)
            for tier in _tiers(target, options.tier):
                tiers = len(target.tiers())
                found.append(Case(target.name, word, environment, tier, expect, tiers))
    return sorted(found, key=lambda case: (case.tier is Tier.NATIVE, case.expect is Expect.FAIL))


def _chosen(options: SuiteOptions) -> Iterator[tuple[Target, str]]:
    for word in options.targets:
        yield from select(word)
    if options.targets:
        return
    own = discover([options.folder])
    for name, target in (own or discover()).items():
        folder, colon, variant = str(target.folder), *name.partition(":")[1:]
        yield target, f"{folder}{colon}{variant}" if own else name


def _tiers(target: Target, choice: TierChoice) -> Sequence[Tier]:
    """Those that it has: a suite is about many targets, some of which have one tier only."""
    if choice is TierChoice.BOTH:
        return target.tiers()
    return [tier for tier in target.tiers() if tier.value == choice.value]


# ---- a cell


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a search of a cell came to. problem: why it is not as declared; "": it is."""

    case: Case
    result: Result
    problem: str

    @property
    def files(self) -> tuple[str, ...]:
        """All that was saved: a race lies beside what it leads to."""
        return tuple(str(each.file) for each in self.result.failures if each.file)

    @property
    def cell(self) -> Cell:
        """As a matrix has it."""
        return Cell(
            target=self.case.target,
            environment=self.case.environment,
            tier=self.case.tier.value,
            expect=None if self.case.expect is None else self.case.expect.value,
            verdict=self.result.verdict,
            executions=self.result.progress.executions,
            seconds=self.result.progress.seconds,
            file=next(iter(self.files), None),
        )


def search_case(case: Case, options: SuiteOptions, **changes: Any) -> Outcome:
    """Searches a cell. changes: to FuzzOptions. Raises what `fuzz` raises."""
    fixed: dict[str, Any] = {
        "targets": (case.word,),
        "environments": (case.environment,),
        "tier": TierChoice(case.tier.value),
        "seed": options.seed,
        "out": options.out,
        **options.profile.budget(case.tier, case.expect),
    }
    (result,) = fuzz(FuzzOptions(**(fixed | changes)))
    return Outcome(case, result, _problem(case, result))


def _problem(case: Case, result: Result) -> str:
    where = f"{case.target} in {case.environment}"
    executions = f"{result.progress.executions:,} executions"
    match result.verdict:
        case Passed():
            if case.expect is not Expect.FAIL:
                return ""
            return f"{where} is declared to fail, and nothing was found in {executions}"
        case Failed(kind=kind):
            if case.expect is Expect.FAIL:
                return ""
            declared = "is declared to pass" if case.expect else "should pass"
            return f"{where} {declared}, and {kind} was found after {executions}"
        case GaveUp(reason=reason):
            return f"{where} gave up ({reason}) in all of {executions}, which is no pass"
        case NotDeterministic():
            return f"{where} came out differently the second time: a bug in Plait, or hidden input"


def smaller(outcome: Outcome) -> Outcome:
    """The same with its failures made smaller, where that succeeds; the files are replaced."""
    failures = tuple(_smaller(each, outcome.case.word) for each in outcome.result.failures)
    return replace(outcome, result=replace(outcome.result, failures=failures))


def _smaller(failure: Failure, word: str) -> Failure:
    if failure.file is None or not isinstance(failure.verdict, Failed):
        return failure
    try:
        shrunk = shrink_file(failure.file, target=word)
    except UserError:
        return failure  # what was found is there, and said
    if shrunk.file != failure.file:
        failure.file.unlink(missing_ok=True)
    return replace(failure, file=shrunk.file, explained=shrunk.explained, content=shrunk.content)


# ---- regressions


@dataclass(frozen=True, slots=True)
class Regression:
    """A failure file that is kept. word, expect: of its target; None: it could not be read."""

    file: Path
    name: str
    word: str | None = None
    expect: Expect | None = None


def regressions(options: SuiteOptions, corpora: Path) -> list[Regression]:
    """Those in corpora/*/regressions that the options are about; a damaged file is one too."""
    chosen = {target.name: (target, word) for target, word in _chosen(options)}
    found = []
    for file in sorted(corpora.glob(f"*/{FILES}")):
        name = f"{file.parent.parent.name}/{file.stem}"
        try:
            content = codec.load(file)
        except InvalidFailureFile:
            found.append(Regression(file, name))
            continue
        if options.environments and content.environment not in options.environments:
            continue
        if options.tier not in (TierChoice.BOTH, content.tier.value):
            continue
        if content.target not in chosen and options.targets:
            continue
        known = chosen.get(content.target)
        target, word = known or (load(content.target), content.target)
        expect = (target.expect or {}).get(content.environment)
        found.append(Regression(file, name, word, expect))
    return found


def replay_regression(regression: Regression) -> tuple[Replayed, str]:
    """Replays it on the target as it is now; what is wrong with that, or "".

    On a target that was edited since, its places are found again first. Where the target declares
    that it fails, it has to fail as it did; elsewhere it has to pass: the bug was repaired, and is
    not to come back. Raises InvalidFailureFile and what building raises.
    """
    content = codec.load(regression.file)
    kept = content.verdict
    done = replay(regression.file, force=content.anchors is None, target=regression.word)
    # A file outlives engines: that a trace is not what it was then says nothing about the target.
    now = done.verdict.second if isinstance(done.verdict, NotDeterministic) else done.verdict
    came = _told(now)
    edited = done.edited
    since = f" ({edited.outlook.describe()}: {edited.sentence})" if edited else ""
    if regression.expect is not Expect.FAIL:
        if not isinstance(now, Passed):
            return done, f"it should pass, and {came}{since}"
        unreached = edited is not None and edited.outlook is Outlook.NOT_REACHED
        return done, f"it passes, which says nothing{since}: take it away" if unreached else ""
    if same_kind(now, kept):
        return done, ""
    remedy = "find it again, or take it away"
    return done, f"it {_told(kept)} when it was kept, and {came} now{since}: {remedy}"


def _told(verdict: Verdict) -> str:
    match verdict:
        case Passed():
            return "passes"
        case Failed(kind=kind):
            return f"fails with {kind}"
        case GaveUp(reason=reason):
            return f"gives up ({reason})"
        case NotDeterministic():
            return "differs from run to run"
