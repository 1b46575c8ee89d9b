"""frontier/peers/peers.yaml: how the peer is trained, and where it is measured."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from pipeline.config.params import BatchSize, Gamma, Name, Params, Section
from pipeline.config.recipes import load_yaml

PLAN_FILE = Path("frontier/peers/peers.yaml")

_Epochs = Annotated[int, Field(ge=1)]
_Rate = Annotated[float, Field(gt=0)]


class Recipe(Section):
    """What Larq is given beside a learning rate, which falls to 0 along half a cosine.

    Attributes:
        pixel_bits, pixel_gamma, label_smoothing: as in params.yaml.
        latent_range: of the uniform distribution that latent weights are drawn from; Larq's own
            choice (Glorot & Bengio 2010, equation 16) if null.
    """

    pixel_bits: Annotated[int, Field(ge=1, le=8)]
    pixel_gamma: Gamma
    latent_range: Annotated[float, Field(gt=0, le=1)] | None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]


class PeersPlan(Section):
    """The whole of peers.yaml.

    Attributes:
        methods: ours, which are measured in turns with the peer.
        batch_sizes: of the timing, beside training's own.
        rounds: how often everything is timed.
        seconds: that a process trains for in a round, in all its turns.
        epochs: that the peer is trained for; the search uses the first.
        learning_rates: that the search tries.
        recipes: that the search tries, by name.
    """

    methods: Annotated[list[Name], Field(min_length=1)]
    batch_sizes: list[BatchSize]
    rounds: Annotated[int, Field(ge=1)]
    seconds: Annotated[float, Field(gt=0, le=3600)]
    epochs: Annotated[list[_Epochs], Field(min_length=1)]
    learning_rates: Annotated[list[_Rate], Field(min_length=1)]
    recipes: Annotated[dict[Name, Recipe], Field(min_length=1)]

    def all_batch_sizes(self, params: Params) -> list[int]:
        """Return training's batch size and those of the timing, each once, ascending."""
        return sorted({params.train.batch_size, *self.batch_sizes})


def load_plan(params: Params) -> PeersPlan:
    """Read frontier/peers/peers.yaml.

    Raises:
        PipelineError: it is missing or not valid, or names a method that params.yaml lacks.
    """
    plan = load_yaml(PLAN_FILE, PeersPlan)
    for method in plan.methods:
        params.check_method(method)
    return plan
