"""Units that figures are given in."""

# Bytes of a mebibyte.
MIB = 1024 * 1024
