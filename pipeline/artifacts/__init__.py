"""The files that stages leave for others: each one's schema, writer and reader."""
