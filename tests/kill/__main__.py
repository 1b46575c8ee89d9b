"""`python -m tests.kill KILLS [SEED]`: see `run`."""

import argparse
import sys
import time

from tests.kill.run import FindingError, run


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
        return 1
    print(f"{tally.kills.total()} kills in {time.monotonic() - start:.0f} s, by stage:")
    for stage, count in tally.kills.most_common():
        print(f"{count:8} {stage}")
    print(
        f"kill: passed. {tally.runs} disturbed runs ended as the undisturbed one did; "
        f"{tally.resumed} trainings went on from a checkpoint; "
        f"DVC needed `python -m pipeline recover` {tally.recovered} times"
    )
    return 0


sys.exit(main())
