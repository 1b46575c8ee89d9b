"""Runs and profiles as tables, figures, a summary and a page. Reads files only."""
