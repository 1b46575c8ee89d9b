"""What reports/index.html is made of: one module a section, and what they share."""
