# SPDX-License-Identifier: Apache-2.0
from plait.target import Native, Target

target = Target(
    name="meeting",
    summary="a read that has to come between two writes of a long program",
    native=Native(sources=["pool.cc"], defines={"STEPS": 100}),
)
