# SPDX-License-Identifier: Apache-2.0
"""How likely a test is to fail although all is well, and what it may therefore ask for.

The seeds of these tests are fixed, so each either always passes or always fails: the odds are those
of an unlucky seed, met when a change to the engine makes a search take other turns.
"""

import math

FALSE_ALARM = 1e-10


def fewest(executions: int, probability: float) -> int:
    """What a strategy that hits with this probability (or more) all but surely reaches.

    The largest n such that fewer than n hits in so many independent executions have a probability
    below FALSE_ALARM. 0: no number of hits can be asked for, there are too few executions.
    """
    below = 0.0  # P(hits < n)
    for n in range(executions + 1):
        below += _exactly(n, executions, probability)
        if below >= FALSE_ALARM:
            return n
    return executions


def enough(probability: float) -> int:
    """Trials after which something of this probability has all but surely happened once."""
    return math.ceil(math.log(FALSE_ALARM) / math.log1p(-probability))


def _exactly(n: int, executions: int, probability: float) -> float:
    ways = math.lgamma(executions + 1) - math.lgamma(n + 1) - math.lgamma(executions - n + 1)
    logarithm = n * math.log(probability) + (executions - n) * math.log1p(-probability)
    return math.exp(ways + logarithm)
