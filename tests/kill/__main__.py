"""`python -m tests.kill KILLS [SEED]`: see `run`."""

import argparse
import sys
import time

from tests.kill.run import FindingError, run
from tests.robustness.results import record


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.kill")
    parser.add_argument("kills", type=int)
    parser.add_argument("seed", type=int, nargs="?", default=1)
    arguments = parser.parse_args()
    start = time.monotonic()
    try:
        tally = run(arguments.kills, arguments.seed, lambda line: print(line, flush=True))
    except FindingError as error:
        print(f"kill: FOUND {error}", file=sys.stderr)
        # How many there were before is not known.
        record("kill", 0, time.monotonic() - start, 1)
        return 1
    seconds = time.monotonic() - start
    print(f"{tally.kills.total()} kills in {seconds:.0f} s, by stage:")
    record("kill", tally.kills.total(), seconds, 0)
    for stage, count in tally.kills.most_common():
        print(f"{count:8} {stage}")
    print(
        f"kill: passed. {tally.runs} disturbed runs ended as the undisturbed one did; "
        f"{tally.resumed} trainings went on from a checkpoint; "
        f"DVC needed `python -m pipeline recover` {tally.recovered} times"
    )
    return 0


sys.exit(main())
