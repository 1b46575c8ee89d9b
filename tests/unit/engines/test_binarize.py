import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.engines.torch.binarize import (
    binarize_activations,
    binarize_weights,
    sign,
    stochastic_sign,
    straight_through,
)

SPECIAL = st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45, float("inf"), -float("inf")])
FLOATS = hnp.arrays(
    np.float32,
    hnp.array_shapes(max_dims=3, max_side=9),
    elements=SPECIAL | st.floats(-3, 3, width=32),
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(FLOATS)
def test_sign_is_its_formula(x: np.ndarray) -> None:
    expected = np.where(x >= 0, 1, -1).astype(np.float32)
    np.testing.assert_array_equal(sign(torch.from_numpy(x)), expected)


@given(FLOATS, st.integers(0, 1000))
def test_stochastic_sign_is_certain_where_the_formula_is(x: np.ndarray, seed: int) -> None:
    result = stochastic_sign(torch.from_numpy(x), generator(seed)).numpy()
    assert set(np.unique(result)) <= {-1, 1}
    assert (result[x >= 1] == 1).all()
    assert (result[x < -1] == -1).all()


@given(FLOATS)
def test_without_noise_stochastic_is_deterministic(x: np.ndarray) -> None:
    tensor = torch.from_numpy(x)
    assert torch.equal(stochastic_sign(tensor, generator(), noise=0.0), sign(tensor))


def test_stochastic_sign_has_the_formulas_probability() -> None:
    draws = 40_000
    for value in np.linspace(-1.25, 1.25, 11):
        p = float(np.clip((value + 1) / 2, 0, 1))
        x = torch.full((draws,), float(value))
        share = float((stochastic_sign(x, generator(1)) > 0).float().mean())
        # Five standard deviations of a binomial share.
        assert abs(share - p) <= 5 * np.sqrt(p * (1 - p) / draws)


def test_noise_scales_the_interval_of_chance() -> None:
    x = torch.tensor([0.3, -0.3]).repeat(10_000, 1)
    quiet = stochastic_sign(x, generator(), noise=0.25)
    assert (quiet == torch.tensor([1.0, -1.0])).all()
    loud = stochastic_sign(x, generator(), noise=0.5)
    share = (loud > 0).float().mean(dim=0)
    torch.testing.assert_close(share, torch.tensor([0.8, 0.2]), atol=0.02, rtol=0)


@given(FLOATS, st.integers(0, 1000))
def test_gradients_are_their_formulas(x: np.ndarray, seed: int) -> None:
    upstream = np.random.default_rng(seed).normal(size=x.shape).astype(np.float32)
    masked = np.where(np.abs(x) <= 1, upstream, 0)
    given_gradient = torch.from_numpy(upstream)
    np.testing.assert_array_equal(straight_through(torch.from_numpy(x), given_gradient), masked)
    for draw in (None, generator()):
        leaf = torch.from_numpy(x.copy()).requires_grad_()
        torch.autograd.backward(binarize_activations(leaf, draw), given_gradient)
        np.testing.assert_array_equal(leaf.grad, masked)
        latent = torch.from_numpy(x.copy()).requires_grad_()
        torch.autograd.backward(binarize_weights(latent, draw), given_gradient)
        np.testing.assert_array_equal(latent.grad, upstream)
