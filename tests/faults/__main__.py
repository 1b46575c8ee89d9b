"""`python -m tests.faults [GROUP...]`: see `run`."""

import argparse
import sys
import time

from tests.faults.run import GROUPS, run
from tests.kill.run import FindingError
from tests.robustness.results import record


def main() -> int:
    names = [group.__name__ for group in GROUPS]
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(names)}")
    arguments = parser.parse_args()
    if unknown := set(arguments.groups) - set(names):
        parser.error(f"no group {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    start = time.monotonic()
    try:
        tally = run(arguments.groups, lambda line: print(line, flush=True))
    except FindingError as error:
        record("faults", 0, time.monotonic() - start, 1)
        print(f"faults: FOUND {error}", file=sys.stderr)
        return 1
    seconds = time.monotonic() - start
    record("faults", tally.right, seconds, tally.wrong)
    print(
        f"faults: {tally.right} provoked in {seconds:.0f} s, each with a clear "
        f"message and nothing lost; {tally.wrong} groups ended otherwise"
    )
    return 1 if tally.wrong else 0


sys.exit(main())
