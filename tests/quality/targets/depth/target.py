# SPDX-License-Identifier: Apache-2.0
from plait.target import Native, Target

target = Target(
    name="depth",
    summary="a failure of known depth; DEPTH, AT and WRITES are defined by the test",
    native=Native(sources=["pool.cc"], defines={"DEPTH": 2, "AT": 1, "WRITES": 20}),
)
