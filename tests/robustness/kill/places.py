"""Where in the pipeline a `dvc repro` is, told from what it prints."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

STARTING, RUNNING, SAVING, LOCKING = (
    "DVC starts",
    "a stage runs",
    "DVC saves or fetches outputs",
    "DVC writes dvc.lock and goes on",
)
# The stages with checkpoints, float and packed.
TRAININGS = ("train-torch", "train-packed")
# What `shell` prints.
_ENDED = "kill: the stage's process has ended"
_RUNNING = re.compile(r"Running stage '(.+)':")
_CACHED = re.compile(r"Stage '(.+)' is cached")
_LOCKING = re.compile(r"(Generating|Updating) lock file")


@dataclass(frozen=True)
class Place:
    """A stretch of what is done for a stage.

    Attributes:
        stretch: STARTING, of no stage; or RUNNING, SAVING, LOCKING, in this order.
        stage: with its parameters, as DVC names it.
    """

    stretch: str
    stage: str = ""

    @property
    def kind(self) -> str:
        """The stage without its parameters where it runs, else what DVC does."""
        return self.stage.split("@")[0] if self.stretch == RUNNING else self.stretch

    def __str__(self) -> str:
        return f"{self.stage}: {self.stretch}" if self.stage else self.stretch

    def after(self, line: str) -> "Place":
        """Return where it is when it has printed `line`."""
        if named := _RUNNING.match(line):
            return Place(RUNNING, named[1])
        if named := _CACHED.match(line):
            return Place(SAVING, named[1])
        if line.startswith(_ENDED):
            return Place(SAVING, self.stage)
        if _LOCKING.match(line):
            return Place(LOCKING, self.stage)
        return self


def visited(lines: Iterable[tuple[float, str]]) -> Iterator[tuple[float, Place, str]]:
    """Yield every line with its seconds, and where it is when it has printed that."""
    place = Place(STARTING)
    for at, line in lines:
        place = place.after(line)
        yield at, place, line


def durations(lines: Iterable[tuple[float, str]], end: float) -> dict[Place, float]:
    """Return the seconds spent at every place, of a run that took `end` seconds."""
    arrivals = {Place(STARTING): 0.0}
    for at, place, _ in visited(lines):
        arrivals.setdefault(place, at)
    departures = [*arrivals.values(), end][1:]
    return {
        place: left - came for (place, came), left in zip(arrivals.items(), departures, strict=True)
    }
