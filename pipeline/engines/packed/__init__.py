"""The packed engine: training and prediction in bits, with NumPy and C++ kernels, never torch.

The extension module `binary_kernels`, whose sources are in kernels/, computes: the algorithm is in
kernels/training.cpp. Read `engine` first. `layer`, `weights` and `normalization` hold what learns,
and `model` what predicts and is saved.
"""
