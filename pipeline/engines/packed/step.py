"""What a training step hands to every layer."""

from dataclasses import dataclass, field

from pipeline.engines.packed.adam import Rate
from pipeline.engines.packed.random_stream import RandomStream
from pipeline.engines.packed.workspace import Workspace
from pipeline.engines.phases import Phases


@dataclass(slots=True)
class StepContext:
    """What all layers of a network share in a training step.

    Attributes:
        threads: how many the kernels may use.
        random: every random number of the step.
        max_gradient: the largest absolute value that gradients are rounded to; None if they are
            exact.
        stochastic: whether activations are binarized stochastically.
        label_smoothing: the share of a label's probability that goes to all classes alike.
        weight_noise: the amplitude of the weights' stochastic binarization; 0 is deterministic.
        rate: the factors of the step's updates.
        workspace: the memory of the step's temporaries.
        phases: the clock.
    """

    threads: int
    random: RandomStream
    max_gradient: int | None
    stochastic: bool
    label_smoothing: float
    weight_noise: float = 0.0
    rate: Rate = field(default_factory=Rate)
    workspace: Workspace = field(default_factory=Workspace)
    phases: Phases = field(default_factory=Phases)
