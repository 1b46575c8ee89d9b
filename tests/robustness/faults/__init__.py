"""Faults of the machine, provoked for real: `python -m tests.robustness.faults`."""
