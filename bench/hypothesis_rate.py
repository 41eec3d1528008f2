# SPDX-License-Identifier: Apache-2.0
"""What Plait costs on top of Hypothesis, and Hypothesis on top of the engine, in CPU time.

Two rates. AllocatorMachine against a RuleBasedStateMachine with as many rules that do nothing and
take nothing (and against one whose rules do nothing but are drawn the same arguments):
examples a second, of 50 rule calls each. And executions a second of assert_survives against those
of the bare engine, which runs as many schedules of the same scenarios.

    python bench/hypothesis_rate.py [--examples 200] [--target irq_safe] [--env smp-irq]
"""

import argparse
import time
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.stateful import RuleBasedStateMachine, multiple, rule, run_state_machine_as_test

from plait.environment import find_environment
from plait.hypothesis import AllocatorMachine, assert_survives, scenarios
from plait.hypothesis.rules import rules_for
from plait.hypothesis.surviving import EXECUTIONS_DEFAULT, search_schedules
from plait.live import built
from plait.scenario import Scenario


def options(examples: int) -> settings:
    return settings(
        max_examples=examples,
        database=None,
        derandomize=True,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """The least CPU time of so many tries."""
    least = float("inf")
    for _ in range(times):
        start = time.process_time()
        work()
        least = min(least, time.process_time() - start)
    return least


def machine_of(target: str, env: str) -> type[AllocatorMachine]:
    names = {"target": target, "env": env, "__module__": __name__}
    return type("Machine", (AllocatorMachine,), names)


def empty(count: int) -> type[RuleBasedStateMachine]:
    def nothing(index: int) -> object:
        def method(self: RuleBasedStateMachine) -> None: ...

        method.__name__ = f"rule_{index}"
        return rule()(method)

    names = {f"rule_{index}": nothing(index) for index in range(count)}
    return type("Empty", (RuleBasedStateMachine,), names)


def idle(machine: type[AllocatorMachine]) -> type[RuleBasedStateMachine]:
    """The same rules, drawn the same arguments, that do nothing; objects are there to be drawn."""

    def nothing(name: str, arguments: dict[str, object]) -> object:
        def method(self: RuleBasedStateMachine, **drawn: object) -> object:
            return multiple(*range(int(drawn.get("count", 1)))) if "target" in arguments else None

        method.__name__ = name
        return rule(**arguments)(method)

    rules = rules_for(machine, find_environment(machine.env))
    names: dict[str, object] = {name: nothing(name, rules[name]) for name in rules}
    names["objects"] = AllocatorMachine.objects
    return type("Idle", (RuleBasedStateMachine,), names)


def stateful(target: str, env: str, examples: int) -> None:
    machine = machine_of(target, env)
    machine()  # built
    rules = len(rules_for(machine, find_environment(env)))
    chosen = options(examples)
    rates = {
        name: examples / seconds(lambda one=one: run_state_machine_as_test(one, settings=chosen))
        for name, one in (
            ("empty", empty(rules)),
            ("same arguments", idle(machine)),
            ("AllocatorMachine", machine),
        )
    }
    print(f"{target}, {env}: {rules} rules, 50 calls an example")
    for name, rate in rates.items():
        ratio = rates["AllocatorMachine"] / rate
        print(f"  {name:<18}{rate:8.0f} examples/s   AllocatorMachine is {ratio:.2f} of it")


def surviving(target: str, env: str, examples: int) -> None:
    there = built(target)
    drawn: list[Scenario] = []

    @options(examples)
    @given(scenarios(env, target=target))
    def test(scenario: Scenario) -> None:
        drawn.append(scenario)
        assert_survives(there, scenario)

    hypothesis = seconds(test)
    ran = drawn[: len(drawn) // 3]
    bare = seconds(lambda: [search_schedules(there, scenario) for scenario in ran])
    executions = len(ran) * EXECUTIONS_DEFAULT
    print(f"{target}, {env}: {EXECUTIONS_DEFAULT} executions an example")
    print(f"  bare engine       {executions / bare:8.0f} executions/s")
    print(f"  assert_survives   {executions / hypothesis:8.0f} executions/s")
    print(f"  assert_survives is {bare / hypothesis:.2f} of it")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--target", default="irq_safe")
    parser.add_argument("--env", default="smp-irq")
    asked = parser.parse_args()
    stateful(asked.target, asked.env, asked.examples)
    surviving(asked.target, asked.env, max(asked.examples // 4, 10))


if __name__ == "__main__":
    main()
