"""`python -m tests.robustness [record CHECK CASES SECONDS FINDINGS]`: see `results`.

Without arguments, write the table of results.csv into docs/robustness.md.
"""

import sys

from tests.robustness.results import DOCUMENT, read, record, table, written_into

match sys.argv[1:]:
    case []:
        text = written_into(DOCUMENT.read_text("utf-8"), table(read()))
        DOCUMENT.write_text(text, "utf-8")
    case ["record", check, cases, seconds, findings]:
        record(check, int(cases), float(seconds), int(findings))
    case _:
        sys.exit(__doc__)
