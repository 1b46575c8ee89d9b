"""Random numbers as a function of a key, from the kernels' counter-based generator.

Such a generator has no state between calls (Salmon et al. 2011, "Parallel random numbers: as easy
as 1, 2, 3"): whoever asks with the same key gets the same numbers, on any number of threads.
"""

from dataclasses import dataclass
from enum import IntEnum

# Seed, stream and step.
StreamKey = tuple[int, int, int]


class Purpose(IntEnum):
    """What a layer draws numbers for; those of different purposes are independent."""

    ACTIVATIONS = 0
    WEIGHTS = 1
    COLUMNS = 2
    ROWS = 3
    UPDATE = 4


# A step makes many keys, and counting an enumeration's members is slow.
_PURPOSES = len(Purpose)


@dataclass(slots=True)
class RandomStream:
    """All random numbers of a training.

    Attributes:
        seed: of the training.
        step: how many steps came before this one.
    """

    seed: int
    step: int = 0

    def key(self, layer: int, purpose: Purpose) -> StreamKey:
        """Return the key of what `layer` draws for `purpose` in this step."""
        return self.seed, layer * _PURPOSES + purpose, self.step
