"""The update rules: their formulas, computed by hand or number by number."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pipeline.ablation.optimizers import (
    SM3,
    Adam,
    Bop,
    LatentWeights,
    Lion,
    RankOne,
    RowProp,
    Rule,
    SecondOrderBop,
    SignWeights,
)

ROWS, COLUMNS, STEPS = 3, 5, 6
RATE = 0.01


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def numbers(seed: int, scale: float = 1.0) -> Tensor:
    return torch.randn(ROWS, COLUMNS, generator=generator(seed)) * scale


def latent(bits: int = 32) -> LatentWeights:
    return LatentWeights(numbers(0, 0.2).clamp_(-1, 1), bits, generator())


def gradients() -> list[Tensor]:
    """Rows differ in scale, as those of a network do."""
    scales = torch.tensor([[1e-3], [1.0], [30.0]])
    return [numbers(seed) * scales for seed in range(1, STEPS + 1)]


def run(rule: Rule) -> list[list[float]]:
    for gradient in gradients():
        rule.step(gradient.clone(), RATE)
    weights: list[list[float]] = rule.weights.tensor.tolist()
    return weights


def by_element(update: Callable[[float, list[float]], float]) -> list[list[float]]:
    """Return the weights that `update` makes, from the old one and the gradients up to now."""
    start = latent().tensor.tolist()
    history = [each.tolist() for each in gradients()]
    for row in range(ROWS):
        for column in range(COLUMNS):
            for step in range(1, STEPS + 1):
                past = [each[row][column] for each in history[:step]]
                start[row][column] = update(start[row][column], past)
    weights: list[list[float]] = start
    return weights


def mean(values: list[float], beta: float) -> float:
    """Return the exponential mean of values from 0, not corrected for its bias."""
    result = 0.0
    for value in values:
        result = beta * result + (1 - beta) * value
    return result


def test_adam_is_the_papers() -> None:
    def update(w: float, past: list[float]) -> float:
        t = len(past)
        m = mean(past, 0.9) / (1 - 0.9**t)
        v = mean([g * g for g in past], 0.999) / (1 - 0.999**t)
        return max(-1, min(1, w - RATE * m / (math.sqrt(v) + 1e-8)))

    torch.testing.assert_close(torch.tensor(run(Adam(latent()))), torch.tensor(by_element(update)))


def test_adam_is_torchs() -> None:
    parameter = torch.nn.Parameter(latent().tensor)
    adam = torch.optim.Adam([parameter], lr=RATE)
    for gradient in gradients():
        parameter.grad = gradient
        adam.step()
    torch.testing.assert_close(torch.tensor(run(Adam(latent()))), parameter.detach())


def test_lion_moves_by_the_sign_of_a_mean() -> None:
    def update(w: float, past: list[float]) -> float:
        direction = 0.9 * mean(past[:-1], 0.99) + 0.1 * past[-1]
        return w - RATE * math.copysign(1, direction)

    torch.testing.assert_close(torch.tensor(run(Lion(latent()))), torch.tensor(by_element(update)))


def test_rowprop_divides_by_the_rows_mean_square_of_the_steps_before() -> None:
    expected = latent().tensor
    v = torch.zeros(ROWS, dtype=torch.float64)
    for step, gradient in enumerate(gradients()):
        if step:
            size = (v / (1 - 0.999**step)).sqrt()
            expected = (expected - RATE * gradient / size[:, None].float()).clamp(-1, 1)
        v = 0.999 * v + 0.001 * gradient.double().square().mean(dim=1)
    torch.testing.assert_close(torch.tensor(run(RowProp(latent()))), expected)


def test_rowprops_first_step_only_measures() -> None:
    weights = latent()
    before = weights.tensor.clone()
    rule = RowProp(weights)
    rule.step(gradients()[0], RATE)
    assert torch.equal(weights.tensor, before)
    rule.step(gradients()[1], RATE)
    assert not torch.equal(weights.tensor, before)


def test_rowprop_leaves_a_row_without_gradients() -> None:
    rule = RowProp(latent(16))
    before = rule.weights.tensor.clone()
    for _ in range(3):
        rule.step(torch.zeros(ROWS, COLUMNS), RATE)
    assert torch.equal(rule.weights.tensor, before)


def test_momentum_averages_rowprops_steps() -> None:
    plain, momentum = RowProp(latent()), RowProp(latent(), momentum=0.5)
    before = plain.weights.tensor.clone()
    first, second = gradients()[:2]
    for rule in (plain, momentum):
        rule.step(first.clone(), RATE)
        rule.step(second.clone(), RATE)
    change = plain.weights.tensor - before
    torch.testing.assert_close(momentum.weights.tensor - before, 0.5 * change)
    momentum.step(torch.zeros_like(first), RATE)
    torch.testing.assert_close(momentum.weights.tensor - before, 0.75 * change)


def test_rank_one_is_exact_where_squares_are_of_rank_one() -> None:
    """All steps of size 1 then: the clipping leaves them as they are."""
    gradient = torch.tensor([[1.0], [-4.0], [0.5]]) * torch.tensor([[2.0, -1, 8, 0.25, 1]])
    weights = latent()
    before = weights.tensor.clone()
    RankOne(weights).step(gradient.clone(), RATE)
    torch.testing.assert_close(before - weights.tensor, RATE * gradient.sign())


def test_rank_one_clips_the_root_mean_square_of_a_step() -> None:
    weights = latent()
    rule = RankOne(weights)
    for _ in range(20):
        rule.step(torch.ones(ROWS, COLUMNS) * 1e-3, 0.0)
    before = weights.tensor.clone()
    rule.step(torch.full((ROWS, COLUMNS), 1e3), RATE)
    # Without it, 1 / sqrt(0.001 / (1 - 0.999^21)) is 4.6.
    torch.testing.assert_close(before - weights.tensor, torch.full((ROWS, COLUMNS), RATE))


def test_sm3_bounds_the_sums_by_row_and_column() -> None:
    weights = latent()
    before = weights.tensor.clone()
    rule = SM3(weights)
    first = torch.zeros(ROWS, COLUMNS)
    first[0, 0], first[1, 1] = 3.0, 4.0
    rule.step(first.clone(), RATE)
    # The first step has the size of the rate, and none where there is no gradient.
    torch.testing.assert_close(before - weights.tensor, RATE * first.sign())
    middle = weights.tensor.clone()
    rule.step(torch.ones(ROWS, COLUMNS), RATE)
    sums = torch.zeros(ROWS, COLUMNS)
    sums[0, 0], sums[1, 1] = 9, 16
    # Where the row has 9 and the column 16, or the other way round, the smaller bounds both.
    sums[0, 1] = sums[1, 0] = 9
    torch.testing.assert_close(middle - weights.tensor, RATE / (sums + 1).sqrt())


def signs() -> SignWeights:
    return SignWeights(torch.tensor([[1.0, 1.0, -1.0, 0.0]]))


def test_bop_flips_where_the_mean_has_the_sign_and_passes_the_threshold() -> None:
    weights = signs()
    assert weights.tensor.tolist() == [[1, 1, -1, 1]]
    rule = Bop(weights, threshold=0.15)
    gradient = torch.tensor([[1.0, -1.0, -1.0, 1.0]])
    rule.step(gradient, 0.1)
    assert weights.tensor.tolist() == [[1, 1, -1, 1]]
    rule.step(gradient, 0.1)  # the mean is 0.19 now
    assert weights.tensor.tolist() == [[-1, 1, 1, -1]]
    rule.step(gradient, 0.1)
    assert weights.tensor.tolist() == [[-1, 1, 1, -1]]


def test_second_order_bop_does_not_see_the_scale_of_gradients() -> None:
    for scale in (1e-6, 1.0, 1e6):
        weights = signs()
        rule = SecondOrderBop(weights, threshold=0.5, sigma=0.5)
        rule.step(scale * torch.tensor([[1.0, -1.0, -1.0, 1.0]]), 0.1)
        assert weights.tensor.tolist() == [[1, 1, -1, 1]]
        # |m| / sqrt(v) is 0.472 after six steps, and 0.524 after seven.
        for _ in range(5):
            rule.step(scale * torch.tensor([[1.0, -1.0, -1.0, 1.0]]), 0.1)
        assert weights.tensor.tolist() == [[1, 1, -1, 1]]
        rule.step(scale * torch.tensor([[1.0, -1.0, -1.0, 1.0]]), 0.1)
        assert weights.tensor.tolist() == [[-1, 1, 1, -1]]


@pytest.mark.parametrize(("bits", "units"), [(16, 32767), (8, 127), (6, 31), (4, 7)])
def test_latent_weights_are_integers_within_their_bits(bits: int, units: int) -> None:
    weights = latent(bits)
    start = latent().tensor
    assert torch.equal(weights.tensor, (start * units).round())
    for seed in range(20):
        weights.subtract(numbers(seed, 0.5))
        assert torch.equal(weights.tensor, weights.tensor.round())
        assert weights.tensor.abs().max() <= units
    weights.subtract(torch.full((ROWS, COLUMNS), 3.0))
    assert torch.equal(weights.tensor, torch.full((ROWS, COLUMNS), -float(units)))


def test_few_bits_are_right_on_average() -> None:
    tensor = torch.zeros(200, 500)
    weights = LatentWeights(tensor, 8, generator())
    weights.subtract(torch.full_like(tensor, 0.25 / 127))
    assert set(tensor.flatten().tolist()) == {-1.0, 0.0}
    # The standard deviation of this mean is 0.0014.
    assert float(tensor.mean()) == pytest.approx(-0.25, abs=0.01)


def test_sixteen_bits_cut_a_change_towards_zero() -> None:
    tensor = torch.zeros(1, 4)
    LatentWeights(tensor, 16, generator()).subtract(torch.tensor([[0.9, -0.9, 1.9, -2.1]]) / 32767)
    assert tensor.tolist() == [[0, 0, -1, 2]]


@pytest.mark.parametrize(
    ("rule", "numbers_held", "bits"),
    [
        (lambda: RowProp(latent(16)), ROWS, 16),
        (lambda: RowProp(latent(4)), ROWS, 4),
        (lambda: RowProp(latent(16), momentum=0.9), ROWS + ROWS * COLUMNS, 16),
        (lambda: RankOne(latent(16)), ROWS + COLUMNS, 16),
        (lambda: Adam(latent()), 2 * ROWS * COLUMNS, 32),
        (lambda: Lion(latent()), ROWS * COLUMNS, 32),
        (lambda: SM3(latent()), ROWS + COLUMNS, 32),
        (lambda: Bop(SignWeights(numbers(0)), threshold=1.0), ROWS * COLUMNS, 1),
        (lambda: SecondOrderBop(SignWeights(numbers(0)), threshold=1.0), 2 * ROWS * COLUMNS, 1),
    ],
)
def test_the_bytes_are_those_of_weights_and_moments(
    rule: Callable[[], Rule], numbers_held: int, bits: int
) -> None:
    assert rule().state_bytes() == ROWS * COLUMNS * bits / 8 + 4 * numbers_held


@pytest.mark.parametrize("make", [RowProp, RankOne, Adam, Lion, SM3])
def test_every_rule_learns_the_sign_that_gradients_ask_for(
    make: Callable[[LatentWeights], Rule],
) -> None:
    wanted = numbers(7).sign()
    rule = make(latent())
    for step in range(200):
        rule.step(-wanted * numbers(step).abs() + 0.1 * numbers(step + 1000), 0.05)
    assert torch.equal(rule.weights.tensor.sign(), wanted)
