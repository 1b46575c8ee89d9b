"""The dataset: found, verified, split and stored as uint8."""
