"""`python -m tests.robustness.fuzz CASES [SEED]`: see `run`."""

import argparse
import faulthandler
import sys
import time
import traceback
import warnings

from tests.robustness.fuzz.run import PREDICTED, FindingError, run
from tests.robustness.results import record

# Between two lines. A file takes milliseconds, a batch of them a minute: what takes so long, hangs.
MAX_SECONDS = 1800


def report(line: str) -> None:
    print(line, flush=True)
    faulthandler.dump_traceback_later(MAX_SECONDS, exit=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.robustness.fuzz")
    parser.add_argument("cases", type=int)
    parser.add_argument("seed", type=int, nargs="?", default=1)
    arguments = parser.parse_args()
    # As in the tests: an overflow, say, is a finding.
    warnings.simplefilter("error")
    start = time.monotonic()
    report(f"seed {arguments.seed}")
    try:
        outcomes = run(arguments.cases, arguments.seed, report)
    except FindingError as error:
        traceback.print_exc()
        print(f"fuzz: FOUND {error}", file=sys.stderr)
        record("model-files", error.case, time.monotonic() - start, 1)
        return 1
    finally:
        faulthandler.cancel_dump_traceback_later()
    refused = outcomes.total() - outcomes[PREDICTED]
    seconds = time.monotonic() - start
    print(f"{outcomes.total()} cases in {seconds:.0f} s, {refused} refused:")
    record("model-files", outcomes.total(), seconds, 0)
    for name, count in outcomes.most_common():
        print(f"{count:8} {name}")
    return 0


sys.exit(main())
