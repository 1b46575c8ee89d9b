"""The dataset: found, verified, split, stored as uint8, loaded as NumPy arrays."""
