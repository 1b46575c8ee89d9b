"""Columns that several tables share."""

# What a measurement of training is of, but for the method.
POINT = ["architecture", "batch_size", "threads"]
COSTS = ("epoch_seconds", "process_memory_mib", "training_memory_mib")
