"""The split dataset, as training reads it."""
