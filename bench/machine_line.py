# SPDX-License-Identifier: Apache-2.0
"""On what something was measured, in one line: a number without it means little."""

import os
import platform

from plait import native


def machine_line() -> str:
    """CPU, cores that may be used, how busy they are, compiler, Python."""
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    return (
        f"{_cpu_model()}, {cores} cores, load {load:.1f}; {native.find_compiler()}; "
        f"{platform.python_implementation()} {platform.python_version()}; "
        f"Linux {platform.release()} {platform.machine()}"
    )


def _cpu_model() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name.strip() in ("model name", "CPU part"):  # the second: aarch64
                    return value.strip()
    except OSError:
        pass
    return platform.processor() or "unknown CPU"
