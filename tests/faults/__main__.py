"""`python -m tests.faults`: see `run`."""

import sys
import time

from tests.faults.run import run

start = time.monotonic()
tally = run(lambda line: print(line, flush=True))
print(
    f"faults: {tally.right} provoked in {time.monotonic() - start:.0f} s, each with a clear "
    f"message and nothing lost; {tally.wrong} groups ended otherwise"
)
sys.exit(1 if tally.wrong else 0)
