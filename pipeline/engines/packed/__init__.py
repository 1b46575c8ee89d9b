"""The packed engine: training and prediction in bits, with NumPy and C++ kernels, never torch.

The extension module `binary_kernels`, whose sources are in kernels/, computes. Read `engine` first:
its `train_batch` is the algorithm. `layer` has a layer's part of it, `operands` what a layer reads,
`weights` what learns, and `model` what predicts and is saved.
"""
