# SPDX-License-Identifier: Apache-2.0
from plait.target import Native, Target

target = Target(
    name="intrusion",
    summary="fails if an interrupt or a migration comes after one write of many",
    native=Native(sources=["pool.cc"], defines={"MIGRATION": 0, "AT": 1, "WRITES": 20}),
)
