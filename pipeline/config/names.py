"""What methods, runtimes and kernels are called in stages' files, in tables and in the report."""

# The method that all others are compared with.
BASELINE = "float"

# Packed networks among the runtimes of `inference`: the one that is compared with the others, and
# the one whose prediction is a mean of passes.
PACKED = "packed"
PASSES = "packed, passes"

# The products of the kernels' benchmark, and the peers that they are compared with.
TORCH = "torch float32"
NUMKONG = "numkong bits by bits"
BITS = "bits by bits"
GRADIENTS = "4-bit by bits"
