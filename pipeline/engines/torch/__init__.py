"""Networks in torch autograd: float32, and binary ones whose bits are float32 numbers.

The float network is the baseline. The binary ones are *simulated*, which is how most people train
binary networks: float32 tensors hold +1 and -1, and an ordinary matrix product multiplies them.
They are correct, and they save nothing.
"""
