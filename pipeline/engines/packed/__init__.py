"""The packed engine: training and prediction in bits, with NumPy and C++ kernels, never torch.

kernels/ has the sources of the extension module `binary_kernels`; the rest is the network on top
of it: operands (what a layer reads), weights (what learns), layer, network, model (what predicts
and is saved) and engine (what the pipeline knows).
"""
