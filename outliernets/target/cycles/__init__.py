"""Estimated cycles from exact counts of control flow; docs/latency.md says how and how far off.

``estimate`` takes every step from basic block to basic block that an emulator counted, runs what
came before and then the second block through a model of the processor's pipeline, and charges what
the second block adds. A new processor is one file with a table, and one entry in ``CORES``.
"""

from outliernets.target.cycles.model import CORES, VERSION, Estimate, estimate

__all__ = ["CORES", "VERSION", "Estimate", "estimate"]
