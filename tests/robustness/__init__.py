"""What was tried against the project, by which command, and what came out.

Each of these commands adds its tally to results.csv where RECORD=1 is set; `python -m
tests.robustness` writes them into docs/robustness.md as a table.
"""
