"""Networks in torch autograd: float32, and binary ones whose bits are float32 numbers.

The float network is the baseline. The binary ones are *simulated*: +1 and -1 are held in
float32 tensors and multiplied by an ordinary matrix product, as most people train binary
networks. They are correct, and they save nothing.
"""
