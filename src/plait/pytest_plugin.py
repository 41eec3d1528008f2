# SPDX-License-Identifier: Apache-2.0
"""Targets as pytest tests: a test that asks for `plait_cell` runs for each target and environment.

Loaded by pytest wherever Plait is installed, so it costs nothing until a test asks for it: Plait
itself is imported then. `-p no:plait` leaves it out. What it does is in plait.check.suite.
"""

import json
import secrets
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from plait.check.suite import Case, Outcome, Regression, SuiteOptions
    from plait.report import Explained

_MARKER = (
    "plait(target=…, env=…, tier=…, expect=…, tiers=…): of the cells that plait_cell stands for,"
    " those with this target, environment, tier, declaration (pass or fail), number of tiers"
)
_ROW = "plait"  # the property that carries a cell to where the summary is printed
_REPORT_WIDTH = 100
_FRESH = "plait_fresh_seed"
_fresh = pytest.StashKey[int]()
_suite_options = pytest.StashKey["SuiteOptions"]()
_reports = pytest.StashKey[list[tuple[str, str]]]()


# ---- options


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds --plait-* and the ini options."""
    group = parser.getgroup("plait", "Plait: allocators under every interleaving")

    def option(name: str, **how: Any) -> None:
        group.addoption(f"--plait-{name}", dest=f"plait_{name}", **how)

    option("target", action="append", metavar="TARGET", help="Name or folder; may be repeated.")
    option("env", action="append", metavar="ENV", help="Environment; may be repeated.")
    option("tier", choices=("native", "model", "both"), help="Default: both.")
    option("time", metavar="T", help="For a cell where nothing should be found, as in 30s or 5m.")
    option("seed", type=int, metavar="N", help="Of all searches. Default: as the profile says.")
    option("profile", metavar="P", help="dev, ci or nightly. Default: ci.")
    option("out", metavar="DIR", help="Where failures are saved. Default: failures.")
    parser.addini("plait_profile", "The profile when none is given.", default="ci")
    parser.addini("plait_targets", "Folder of targets.", default="targets")
    parser.addini(
        "plait_corpora", "Folder of corpora, with <target>/regressions.", default="corpora"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Takes note of the marker, chooses a seed for all processes, refuses senseless options."""
    config.addinivalue_line("markers", _MARKER)
    if hasattr(config, "workerinput"):
        config.stash[_fresh] = config.workerinput[_FRESH]
    else:
        config.stash[_fresh] = secrets.randbelow(2**63)
        config.pluginmanager.register(_Summary(config), "plait-summary")
    named = ("target", "env", "time", "profile", "seed")
    if any(config.getoption(f"plait_{name}") is not None for name in named):
        try:
            _suite(config)
        except _user_error() as error:
            raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hands the seed on to a worker of pytest-xdist: all of them search with the same one."""
    node.workerinput[_FRESH] = node.config.stash[_fresh]


def _user_error() -> type[Exception]:
    """What Plait raises when its user is mistaken."""
    from plait.errors import UserError

    return UserError


def _suite(config: pytest.Config) -> "SuiteOptions":
    """The options as a suite has them, made once. Raises UserError."""
    if _suite_options not in config.stash:
        config.stash[_suite_options] = _suite_of(config)
    return config.stash[_suite_options]


def _suite_of(config: pytest.Config) -> "SuiteOptions":
    from plait.check import TierChoice, parse_time
    from plait.check.suite import SuiteOptions, cases, find_profile
    from plait.errors import InvalidOption

    named = config.getoption("plait_profile") or config.getini("plait_profile")
    profile = find_profile(named)
    fresh = config.stash[_fresh] if profile.seed is None else profile.seed
    time, seed = config.getoption("plait_time"), config.getoption("plait_seed")
    options = SuiteOptions(
        profile=profile,
        targets=tuple(config.getoption("plait_target") or ()),
        environments=tuple(config.getoption("plait_env") or ()),
        tier=TierChoice(config.getoption("plait_tier") or "both"),
        seconds=None if time is None else parse_time(time, "--plait-time"),
        seed=fresh if seed is None else seed,
        out=Path(config.getoption("plait_out") or "failures"),
        folder=config.rootpath / config.getini("plait_targets"),
    )
    if not cases(options):
        what = "no target has such a cell"
        raise InvalidOption(what, "--plait-target, --plait-env, --plait-tier", "leave one out")
    return options


# ---- parametrisation


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each cell, or each failure file, that it stands for."""
    if not {"plait_cell", "plait_regression"} & set(metafunc.fixturenames):
        return
    from plait.check.suite import cases, regressions

    try:
        options = _suite(metafunc.config)
        if "plait_cell" in metafunc.fixturenames:
            chosen = [each for each in cases(options) if _is_meant(each, metafunc)]
            ids = [each.id for each in chosen]
            metafunc.parametrize("plait_cell", chosen, ids=ids, indirect=True)
        if "plait_regression" in metafunc.fixturenames:
            corpora = metafunc.config.rootpath / metafunc.config.getini("plait_corpora")
            kept = regressions(options, corpora)
            ids = [each.name for each in kept]
            metafunc.parametrize("plait_regression", kept, ids=ids, indirect=True)
    except _user_error() as error:
        raise pytest.Collector.CollectError(str(error)) from None


def _is_meant(case: "Case", metafunc: pytest.Metafunc) -> bool:
    """Whether the markers of the test, of its class and of its module let the cell through."""
    mine = {
        "target": case.target,
        "env": case.environment,
        "tier": case.tier.value,
        "expect": case.expect.value if case.expect else None,
        "tiers": case.tiers,
    }
    for marker in metafunc.definition.iter_markers("plait"):
        unknown = set(marker.kwargs) - set(mine)
        if unknown or marker.args:
            wrong = ", ".join(sorted(unknown)) or "an argument without a name"
            raise pytest.Collector.CollectError(f"the marker plait has {wrong}; it is {_MARKER}")
        for name, wanted in marker.kwargs.items():
            if mine[name] not in (wanted if isinstance(wanted, list | tuple | set) else [wanted]):
                return False
    return True


# ---- what tests are handed


class PlaitCell:
    """A target in an environment and tier, to be searched as the profile says.

    case: which. options: of the suite, with its seed.
    """

    def __init__(self, case: "Case", options: "SuiteOptions", item: pytest.Item) -> None:
        self.case = case
        self.options = options
        self._item = item

    def search(self, **changes: Any) -> "Outcome":
        """Searches; what came of it, whatever was declared. changes: to plait.check.FuzzOptions."""
        from plait.check.suite import search_case
        from plait.errors import UnsupportedEnvironment

        try:
            outcome = search_case(self.case, self.options, **changes)
        except UnsupportedEnvironment as error:
            if self.case.expect is not None:
                pytest.fail(str(error), pytrace=False)
            pytest.skip(str(error))  # nothing was declared there, so nothing is left out
        except _user_error() as error:
            pytest.fail("\n".join([str(error), getattr(error, "output", "")]), pytrace=False)
        if outcome.result.interrupted:
            raise KeyboardInterrupt
        return outcome

    def verify(self, **changes: Any) -> "Outcome":
        """Searches, and fails unless it comes out as declared. changes: as of search.

        The test's report has what was found; a failure that nobody declared is made smaller first.
        """
        from plait.check.suite import smaller

        outcome = self.search(**changes)
        if outcome.problem:
            outcome = smaller(outcome)
        self._item.user_properties += _properties(outcome, self.options)
        _add_reports(self._item, [each.explained for each in outcome.result.failures])
        if outcome.problem:
            pytest.fail(f"{outcome.problem} (seed {self.options.seed})", pytrace=False)
        return outcome


class PlaitRegression:
    """A failure file among the corpora."""

    def __init__(self, kept: "Regression", item: pytest.Item) -> None:
        self.kept = kept
        self._item = item

    def verify(self) -> None:
        """Replays it, and fails unless it fails as it did, or passes where the target should."""
        from plait.check.suite import replay_regression

        try:
            done, problem = replay_regression(self.kept)
        except _user_error() as error:
            pytest.fail(str(error), pytrace=False)
        _add_reports(self._item, [done.explained])
        if problem:
            pytest.fail(f"{self.kept.file}: {problem}", pytrace=False)


@pytest.fixture
def plait_cell(request: pytest.FixtureRequest) -> PlaitCell:
    """A cell of the matrix: the test runs once for each. `plait_cell.verify()` searches it."""
    return PlaitCell(request.param, _suite(request.config), request.node)


@pytest.fixture
def plait_regression(request: pytest.FixtureRequest) -> PlaitRegression:
    """A failure file of corpora/*/regressions: the test runs once for each."""
    return PlaitRegression(request.param, request.node)


# ---- reports


def _add_reports(item: pytest.Item, reports: "Sequence[Explained]") -> None:
    from plait.report import render

    texts = item.stash.setdefault(_reports, [])
    for each in reports:
        lines = [line.plain for line in render(each, _REPORT_WIDTH)]
        texts.append(("Plait", "\n".join(lines) + "\n"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Puts what was found in the report, which pytest-xdist carries to the terminal."""
    report = yield
    if call.when == "call":
        texts = item.stash.get(_reports, None)
        report.sections += texts or []
    return report


def _properties(outcome: "Outcome", options: "SuiteOptions") -> Iterator[tuple[str, object]]:
    """What is known of a searched cell, for JUnit and for the summary."""
    more = {"seed": options.seed, "profile": options.profile.name}
    more["failure_files"] = json.dumps(outcome.files)
    for name, value in (outcome.cell.to_row() | more).items():
        if value is not None:
            yield f"{_ROW}.{name}", value


class _Summary:
    """The table at the end, where the terminal is: of all workers together."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._rows: dict[str, dict[str, Any]] = {}  # by test: a test that is run again counts once

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keeps what a test says of its cell."""
        row = {
            name.removeprefix(f"{_ROW}."): value
            for name, value in report.user_properties
            if name.startswith(f"{_ROW}.")
        }
        if report.when == "call" and row:
            self._rows[report.nodeid] = row

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Prints it."""
        if not self._rows:
            return
        from plait.report import suite_lines

        rows = list(self._rows.values())
        verbose = self._config.get_verbosity() > 0
        seeds = sorted({f"seed {row['seed']}" for row in rows})
        terminalreporter.section(f"Plait: profile {rows[0]['profile']}, {', '.join(seeds)}")
        for line in suite_lines(rows, verbose):
            terminalreporter.write_line(line.plain)
