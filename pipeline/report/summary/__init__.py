"""reports/summary.md: prose in templates (*.jinja), and the values and tables that it shows."""
