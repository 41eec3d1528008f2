# SPDX-License-Identifier: Apache-2.0
"""libFuzzer on irq_locked (docs/atheris.md)."""

from plait.fuzzing import main

if __name__ == "__main__":
    main("irq_locked")
