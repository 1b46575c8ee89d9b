"""Techniques of training: what each of them changes, and nothing else."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from pipeline.ablation.optimizer_plan import TECHNIQUES_FILE, load_optimizers
from pipeline.ablation.optimizer_trials import compare_optimizers
from pipeline.ablation.techniques import TECHNIQUES, Technique, _Root
from pipeline.common.errors import PipelineError
from pipeline.config.architecture import Architecture
from pipeline.config.params import Params, TorchMethod, load_params
from pipeline.data.dataset import Part
from pipeline.engines.torch.network import BinaryLinear
from pipeline.fetch import sources
from pipeline.fetch.store import store
from tests.conftest import CLASSES, SIDE
from tests.unit.ablation.optimizer_project import write_optimizers_plan

COUNT, BATCH, EPOCHS = 60, 10, 6
GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 256, (COUNT, SIDE * SIDE), dtype=np.uint8)
ARCHITECTURE = Architecture.parse("mlp-8-8", (SIDE, SIDE), CLASSES)


@pytest.fixture
def method(params: Params) -> TorchMethod:
    return params.groups.torch["simulated"]


def create(name: str, method: TorchMethod, images: NDArray[np.uint8] = IMAGES) -> Technique:
    part = Part(images, np.arange(len(images)).astype(np.uint8) % CLASSES)
    kind = TECHNIQUES.get(name, Technique)
    return kind(method, ARCHITECTURE, part, BATCH, EPOCHS, 1)


def built(technique: Technique) -> nn.Sequential:
    return technique.build(torch.Generator().manual_seed(3))


def test_flips_mirror_about_half_of_the_images_and_only_in_training(method: TorchMethod) -> None:
    technique, plain = create("flips", method), create("none", method)
    expected = plain.pixels(IMAGES, training=True)
    assert torch.equal(technique.pixels(IMAGES, training=False), expected)
    ours = technique.pixels(IMAGES, training=True).reshape(COUNT, SIDE, SIDE)
    whole = expected.reshape(COUNT, SIDE, SIDE)
    same = (ours == whole).flatten(1).all(dim=1)
    other = (ours == whole.flip(2)).flatten(1).all(dim=1)
    assert (same ^ other).all()
    assert COUNT // 4 < same.sum() < 3 * COUNT // 4


def test_one_cycle_rises_and_falls(method: TorchMethod) -> None:
    factors = [create("one_cycle", method).factor(done / 100) for done in range(100)]
    assert factors.index(max(factors)) == 30
    assert max(factors) == pytest.approx(1)
    assert factors[0] < 0.05
    assert factors[-1] < 0.01


def test_batches_grow_in_thirds(method: TorchMethod) -> None:
    technique = create("growing_batch", method)
    sizes = [len(technique.batches(epoch)[0]) for epoch in range(EPOCHS)]
    assert sizes == [10, 10, 20, 20, 40, 40]


def test_images_of_large_loss_come_more_often_and_count_for_less(method: TorchMethod) -> None:
    technique = create("importance_sampling", method)
    seen = [technique.batches(0)]
    assert sorted(np.concatenate(seen[0])) == list(range(COUNT))
    losses = torch.where(torch.arange(COUNT) < COUNT // 2, 9.0, 1.0)
    for batch in seen[0]:
        assert technique.loss(losses[batch], batch) == pytest.approx(losses[batch].mean().item())
    drawn = np.concatenate([np.concatenate(technique.batches(epoch)) for epoch in range(1, 200)])
    # Half evenly, and half as 9 to 1.
    assert (drawn < COUNT // 2).mean() == pytest.approx(0.7, abs=0.02)
    weights = [float(technique.loss(torch.ones(1), np.array([image]))) for image in range(COUNT)]
    likely = np.where(np.arange(COUNT) < COUNT // 2, 1.4, 0.6) / COUNT
    assert likely @ np.array(weights) == pytest.approx(1)


@pytest.mark.parametrize("power", [1.0, 1.7, 3.0])
def test_reste_has_the_slope_of_a_root(power: float) -> None:
    x = torch.tensor([-2.0, -1.4, -0.5, -0.01, 0.01, 0.2, 1.0, 1.6], requires_grad=True)
    y = _Root.apply(x, power)
    assert torch.equal(y.detach(), torch.where(x.detach() >= 0, 1.0, -1.0))
    y.sum().backward()
    size = x.detach().abs().clamp(min=0.1)
    expected = size ** (1 / power - 1) * torch.where(x.detach().abs() < 0.1, 1.0, 1 / power)
    expected[x.detach().abs() > 1.5] = 0
    torch.testing.assert_close(x.grad, expected)


def test_reste_narrows_over_training(method: TorchMethod) -> None:
    technique = create("reste", method)
    network = built(technique)
    powers = []
    for done in (0.0, 0.5, 1.0):
        assert not technique.begin(network, done)
        powers.append({layer.power for layer in network if hasattr(layer, "power")})
    assert powers == [{1.0}, {2.0}, {3.0}]


def test_two_stages_have_real_weights_and_then_binary_ones(method: TorchMethod) -> None:
    technique, plain = create("two_stages", method), built(create("none", method))
    network = built(technique)
    x = technique.pixels(IMAGES, training=False)
    first = next(layer for layer in network.modules() if isinstance(layer, BinaryLinear))
    assert not technique.begin(network, 0.4)
    torch.testing.assert_close(network[0](x), x @ first.weight.T)
    assert technique.begin(network, 0.5)
    assert not technique.begin(network, 0.9)
    torch.testing.assert_close(network(x), plain(x))


def test_shortcuts_add_the_sums_of_the_layer_before(method: TorchMethod) -> None:
    network, plain = built(create("shortcuts", method)), built(create("none", method))
    x = create("none", method).pixels(IMAGES, training=False)
    first = plain[1](plain[0](x))
    second = first + plain[4](plain[3](plain[2](first)))
    torch.testing.assert_close(network(x), plain[7](plain[6](plain[5](second))))


def test_levels_are_equally_full_and_black_stays_black(method: TorchMethod) -> None:
    images = np.minimum(IMAGES, 20)
    images[:, 0] = 0
    technique = create("quantile_levels", method, images)
    levels = technique.pixels(images, training=True)
    order = np.argsort(images.reshape(-1), kind="stable")
    assert (np.diff(levels.numpy().reshape(-1)[order]) >= 0).all()
    assert (levels[:, 0] == 0).all()
    assert levels.max() < 1 << method.pixel_bits
    even = create("quantile_levels", method).pixels(IMAGES, training=False)
    counts = torch.bincount(even.int().flatten(), minlength=1 << method.pixel_bits)[1:]
    assert counts.min() > 0.7 * counts.max()


def test_half_of_the_features_are_left_out_at_first(method: TorchMethod) -> None:
    technique, plain = create("growing_width", method), built(create("none", method))
    network = built(technique)
    x = technique.pixels(IMAGES, training=False)
    assert not technique.begin(network, 0.3)
    hidden = network[:4](x)
    assert (hidden[:, 4:] == 0).all()
    assert (hidden[:, :4] != 0).all()
    assert technique.begin(network, 0.34)
    assert not technique.begin(network, 0.5)
    torch.testing.assert_close(network(x), plain(x))


def test_a_technique_that_is_none_is_named(params: Params) -> None:
    def misspelt(plan: dict[str, Any]) -> None:
        plan["optimizers"][0]["technique"] = "flip"

    write_optimizers_plan(misspelt, TECHNIQUES_FILE)
    with pytest.raises(
        PipelineError, match=r"techniques\.yaml .*technique.*'flips', .*'shortcuts'"
    ):
        load_optimizers(params, TECHNIQUES_FILE)


def test_every_technique_trains(params: Params) -> None:
    store(sources.find(params.data, lambda _: None), params.data)

    def all_of_them(plan: dict[str, Any]) -> None:
        plan["seeds"], plan["factors"] = [1], [1]
        plan["cells"] = [{"architecture": "mlp-8-8", "batch_size": 10, "epochs": 3}]
        plan["baseline"] = "none"
        plan["optimizers"] = [
            {
                **({"technique": name} if name in TECHNIQUES else {}),
                **{"name": name, "rule": "rowprop", "bits": 16, "rate": {"mlp-8-8": 0.05}},
            }
            for name in ("none", *TECHNIQUES)
        ]

    write_optimizers_plan(all_of_them, TECHNIQUES_FILE)
    compare_optimizers(load_params(), TECHNIQUES_FILE)
    trials = load_optimizers(params, TECHNIQUES_FILE).results / "trials.csv"
    lines = trials.read_text().splitlines()
    assert len(lines) == 1 + 1 + len(TECHNIQUES)
    assert sum("technique=" in line for line in lines) == len(TECHNIQUES)
