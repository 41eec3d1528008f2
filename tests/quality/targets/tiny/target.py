# SPDX-License-Identifier: Apache-2.0
from plait.target import Native, Target

target = Target(
    name="tiny",
    summary="each size asks for a handful of steps; nothing is ever allocated",
    native=Native(sources=["pool.c"]),
)
