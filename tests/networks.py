"""Small networks for tests."""

from pipeline.config.architecture import Architecture


def mlp(*widths: int) -> Architecture:
    """Return the architecture of these widths, the pixels first and the classes last."""
    pixels, *hidden, classes = widths
    return Architecture("-".join(["mlp", *map(str, hidden)]), tuple(hidden), (1, pixels), classes)
