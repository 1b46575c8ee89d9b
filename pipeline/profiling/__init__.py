"""Time and memory of training, and of the kernels."""
