"""A fuzzer of model files: `python -m tests.robustness.fuzz CASES`."""
