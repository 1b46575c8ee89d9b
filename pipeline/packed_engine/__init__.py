"""The packed engine: training and prediction in bits, with NumPy and C++ kernels, never torch.

So far it has kernels alone (the extension module `binary_kernels`, whose sources are in
kernels/): packing, and the products of bits with bits and with small integers.
"""
