"""The units of figures."""

# A mebibyte has so many bytes.
MIB = 1024 * 1024
