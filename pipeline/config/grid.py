"""Which configurations are measured: each architecture's own, and those of the scaling figures.

A configuration is measured in one place, whatever asks for it: with its architecture if that is
one of params.yaml's, with the rest of the grid (`SCALING`) otherwise.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.config.params import Params

# What measures the points of the grid whose architecture is none of params.yaml's.
SCALING = "scaling"


@dataclass(frozen=True)
class Point:
    """A network and how it is trained, whatever the method."""

    architecture: str
    batch_size: int
    threads: int


@dataclass(frozen=True)
class PlannedPoint:
    """A point, and what is measured there.

    Attributes:
        methods: that take turns, by name.
        rounds: how often.
        own: whether it is one of an architecture's own, whose memory is also drawn over time.
    """

    point: Point
    methods: tuple[str, ...]
    rounds: int
    own: bool


def axes(params: Params) -> Iterator[tuple[str, int, Point]]:
    """Yield every axis of the scaling figures, its values, and the point of each."""
    grid, width = params.profile.chosen_grid, params.profile.scaling.width
    batch, threads = params.train.batch_size, params.train.threads
    for value in grid.widths:
        yield "width", value, Point(f"mlp-{value}", batch, threads)
    for value in grid.batch_sizes:
        yield "batch", value, Point(f"mlp-{width}", value, threads)
    for value in grid.depths:
        yield "depth", value, Point("mlp" + f"-{width}" * value, batch, threads)
    for value in grid.threads:
        yield "threads", value, Point(f"mlp-{width}", batch, value)


def places(params: Params) -> list[str]:
    """Return what measures points: the architectures, and SCALING where it has any."""
    return [*params.architectures, *([SCALING] if plan(params, SCALING) else [])]


def plan(params: Params, place: str) -> list[PlannedPoint]:
    """Return what is measured in `place`, an architecture or SCALING."""
    threads = params.train.threads
    points: dict[Point, PlannedPoint] = {}
    if place != SCALING:
        for batch in params.profiled_batch_sizes:
            point = Point(place, batch, threads)
            points[point] = PlannedPoint(point, tuple(params.methods), params.profile.rounds, True)
    scaling = params.profile.scaling
    for _, _, point in axes(params):
        home = point.architecture if point.architecture in params.architectures else SCALING
        if home == place and point not in points:
            methods = tuple(scaling.methods)
            points[point] = PlannedPoint(point, methods, scaling.rounds, False)
    return list(points.values())
