# SPDX-License-Identifier: Apache-2.0
"""`original` as it has to be to run without access hooks; for the programs in bench/ only."""

from plait.target import Native, Target

target = Target(
    name="original_unhooked",
    summary="original, bringing itself back to its first state; for measuring",
    native=Native(sources=["pool.cc"]),
)
