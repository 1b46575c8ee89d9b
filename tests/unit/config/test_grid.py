"""Every configuration is measured in exactly one place."""

from pipeline.config.grid import SCALING, Point, axes, places, plan
from pipeline.config.params import load_params
from tests.conftest import ROOT


def test_no_configuration_is_measured_twice() -> None:
    params = load_params(ROOT / "params.yaml")
    points = [planned.point for place in places(params) for planned in plan(params, place)]
    assert len(points) == len(set(points))


def test_every_point_of_the_scaling_figures_is_measured() -> None:
    params = load_params(ROOT / "params.yaml")
    measured = {
        planned.point: planned for place in places(params) for planned in plan(params, place)
    }
    for _, _, point in axes(params):
        assert set(measured[point].methods) >= set(params.profile.scaling.methods)


def test_an_architecture_measures_all_methods_at_its_own_batch_sizes() -> None:
    params = load_params(ROOT / "params.yaml")
    for architecture in params.architectures:
        own = [planned for planned in plan(params, architecture) if planned.own]
        assert [planned.point for planned in own] == [
            Point(architecture, batch, params.train.threads)
            for batch in params.profiled_batch_sizes
        ]
        for planned in own:
            assert planned.methods == tuple(params.methods)
            assert planned.rounds == params.profile.rounds


def test_the_rest_of_the_grid_is_measured_apart() -> None:
    params = load_params(ROOT / "params.yaml")
    rest = plan(params, SCALING)
    assert rest
    for planned in rest:
        assert planned.point.architecture not in params.architectures
        assert not planned.own
        assert planned.rounds == params.profile.scaling.rounds
