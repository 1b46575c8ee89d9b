"""`python -m tests.robustness.kill KILLS [SEED]`: see `run`."""

import argparse
import signal
import sys
import time
from types import FrameType

from tests.robustness.kill.places import TRAININGS
from tests.robustness.kill.run import FindingError, run
from tests.robustness.results import record

# Also the first, which a shell lets its background processes ignore.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop(number: int, _: FrameType | None) -> None:
    """End in an orderly way, once."""
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    sys.exit(128 + number)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.robustness.kill")
    parser.add_argument("kills", type=int)
    parser.add_argument("seed", type=int, nargs="?", default=1)
    arguments = parser.parse_args()
    for number in SIGNALS:
        signal.signal(number, stop)
    start = time.monotonic()
    try:
        tally = run(arguments.kills, arguments.seed, lambda line: print(line, flush=True))
    except FindingError as error:
        print(f"kill: FOUND {error}", file=sys.stderr)
        # How many there were before is not known.
        record("kill", 0, time.monotonic() - start, 1)
        return 1
    seconds = time.monotonic() - start
    record("kill", tally.kills.total(), seconds, 0)
    print(f"{tally.kills.total()} kills in {seconds:.0f} s, of:")
    for kind in tally.kinds:
        resumed = f"{tally.resumed[kind]:8} resumed" if kind in TRAININGS else ""
        print(f"{tally.kills[kind]:8} {kind:32}{resumed}".rstrip())
    print(
        f"kill: passed. {tally.runs} disturbed runs ended as the undisturbed one did; "
        f"{tally.resumed.total()} trainings went on from a checkpoint; after {tally.recovered} of "
        f"{tally.kills.total()} kills DVC needed `python -m pipeline recover`, once each"
    )
    return 0


sys.exit(main())
