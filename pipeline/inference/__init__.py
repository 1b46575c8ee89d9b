"""The trained network put to use, against what one would pick instead."""
