"""The trained network put to use, and compared with other runtimes."""
