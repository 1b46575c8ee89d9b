"""`python -m tests.robustness.fuzz.coverage TARGET OPTIONS`: fuzz one of `targets` with atheris."""

import sys
import warnings

import atheris

with atheris.instrument_imports(include=["pipeline", "ruamel"]):
    from tests.robustness.fuzz.targets import TARGETS

# As in the tests: an overflow, say, is a finding.
warnings.simplefilter("error")
name = sys.argv.pop(1)
# What libFuzzer runs, through a shell, for each part of a merge.
sys.argv[0] = f"{sys.executable} -m tests.robustness.fuzz.coverage {name}"
atheris.Setup(sys.argv, TARGETS[name])
atheris.Fuzz()
