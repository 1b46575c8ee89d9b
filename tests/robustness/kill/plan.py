"""Which moments of one run of the pipeline get a kill."""

from collections import Counter
from collections.abc import Mapping
from random import Random

from tests.robustness.kill.places import LOCKING, RUNNING, SAVING, STARTING, TRAININGS, Place

# From and to how many kills a run of the pipeline gets at a place, if there are enough left. What a
# stage does is killed most; every stage has its share, however short it is.
SHARES = {STARTING: (1, 3), RUNNING: (1, 2), SAVING: (0, 1), LOCKING: (0, 1)}
# Their checkpoints are to be met at any epoch, and twice in one training.
OF_TRAINING = (2, 4)
# How often DVC is killed as it starts, while such kills are left.
EARLY = 0.1


class Plan:
    """Chooses when to kill, in all the attempts of one run.

    A place that is killed is where the next attempt begins, and perhaps is killed again; a moment
    is any within the time that the undisturbed run was there.
    """

    def __init__(self, durations: Mapping[Place, float], most: int, random: Random) -> None:
        """Draw the places; at most so many kills."""
        drawn = [place for place in durations for _ in range(random.randint(*_share(place)))]
        self._left = Counter(random.sample(drawn, min(most, len(drawn))))
        self._durations, self._random = durations, random
        self._place = Place(STARTING)

    def start(self) -> float | None:
        """Return after how many seconds to kill the attempt that is about to start, if at all."""
        self._place = Place(STARTING)
        return self._draw() if self._random.random() < EARLY else None

    def on_line(self, line: str) -> float | None:
        """Return after how many seconds to kill, if at all, now that the attempt printed that."""
        place = self._place.after(line)
        if place == self._place:
            return None
        self._place = place
        return self._draw()

    def _draw(self) -> float | None:
        if self._left[self._place] == 0:
            return None
        self._left[self._place] -= 1
        return self._random.uniform(0, self._durations[self._place])


def _share(place: Place) -> tuple[int, int]:
    return OF_TRAINING if place.kind in TRAININGS else SHARES[place.stretch]
