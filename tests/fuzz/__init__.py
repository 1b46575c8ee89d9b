"""A fuzzer of model files: `python -m tests.fuzz CASES`."""
