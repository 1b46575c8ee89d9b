"""`python -m tests.robustness.faults [GROUP...]`: see `run`."""

import argparse
import sys
import time

from tests.robustness.faults.run import GROUPS, Tally, run
from tests.robustness.kill.run import FindingError
from tests.robustness.results import record

# As .ci/aarch64 says that it cannot run.
COULD_NOT_RUN = 77


def main() -> int:
    names = [group.__name__ for group in GROUPS]
    parser = argparse.ArgumentParser(prog="python -m tests.robustness.faults")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(names)}")
    arguments = parser.parse_args()
    if unknown := set(arguments.groups) - set(names):
        parser.error(f"no group {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    chosen = [group for group in GROUPS if group.__name__ in (arguments.groups or names)]
    start = time.monotonic()
    tally = Tally()
    try:
        run(chosen, tally, lambda line: print(line, flush=True))
    except FindingError as error:
        tally.wrong += 1
        print(f"faults: FOUND {error}", file=sys.stderr)
    seconds = time.monotonic() - start
    record("faults", tally.right, seconds, tally.wrong)
    print(
        f"faults: {tally.right} provoked in {seconds:.0f} s, each with a clear "
        f"message and nothing lost; {tally.wrong} groups ended otherwise"
    )
    if tally.left_out:
        print(f"faults: could not run here: {', '.join(tally.left_out)}", file=sys.stderr)
    if tally.wrong:
        return 1
    return COULD_NOT_RUN if tally.left_out else 0


sys.exit(main())
