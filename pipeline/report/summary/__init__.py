"""What reports/summary.md is made of: one module a section or a few that belong together."""
