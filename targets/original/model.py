# SPDX-License-Identifier: Apache-2.0
"""pool.cc as a model: per-CPU page lists under preemption off, rings for other CPUs' objects."""

from rings import RingPool


class Original(RingPool):
    """As the shared parts are: preemption off around an operation, and let go in its middle."""
