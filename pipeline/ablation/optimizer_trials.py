"""The comparison of optimizers, or techniques: all rates with one seed, then the best with others.

The network is the simulated one: in torch, a rule takes a few lines. Each process trains with one
thread, so that the results do not depend on how many take part.

A comparison that was interrupted goes on where it was: checkpoints/ablation-NAME.json has the
scores of the trials that are done, each under a checksum of all that determines it.
"""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn
from torch.nn import functional

from pipeline.ablation.optimizer_plan import (
    LATENT_FREE,
    OPTIMIZERS_FILE,
    Key,
    OptimizersPlan,
    Trial,
    load_optimizers,
)
from pipeline.ablation.optimizer_results import (
    TABLE,
    OptimizerTrials,
    best_of,
    columns_of,
)
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
from pipeline.ablation.techniques import TECHNIQUES, Technique
from pipeline.artifacts.environment import write_environment
from pipeline.artifacts.tables import write_table
from pipeline.common import checksum
from pipeline.common.atomic import atomic_directory, write_text
from pipeline.common.console import Advance, echo, progress
from pipeline.common.errors import PipelineError
from pipeline.common.machine import describe_machine
from pipeline.config.params import Params, TorchMethod
from pipeline.data import dataset
from pipeline.data.dataset import Dataset, Part
from pipeline.engines.engine import load_data
from pipeline.engines.torch.network import BinaryLinear
from pipeline.profiling.fresh_process import Connection, FreshProcess
from pipeline.training.checkpoint import CHECKPOINTS, describe_run
from pipeline.training.evaluate import EVALUATION_BATCH

# Between two looks at the processes: short beside any trial.
_WAIT_SECONDS = 0.02


class Score(NamedTuple):
    """Of a trained network: percent of the validation images, and bytes of latent and moments."""

    validation_accuracy: float
    bytes_per_weight: float


def compare_optimizers(params: Params, path: Path = OPTIMIZERS_FILE) -> None:
    """Run the trials of ablation/NAME.yaml and write ablation/results/NAME/.

    trials.csv is described by `optimizer_results.OptimizerTrials`; environment.json describes the
    machine. `train.threads` of params.yaml is how many processes train at a time. The test set is
    not used.

    Raises:
        PipelineError: a plan that is not valid, missing data, or a process that ended.
    """
    plan = load_optimizers(params, path)
    dataset.check_present()
    started = time.monotonic()
    file = plan.file
    grids = [plan.grid(cell, each) for cell in file.cells for each in plan.on(cell)]
    finished = _Finished(plan)
    with ExitStack() as stack:
        advance = stack.enter_context(progress(path.stem, len(grids) * plan.trials_of_each))
        workers = [
            stack.enter_context(FreshProcess(f"the training of {path.stem}", _work, plan.method))
            for _ in range(params.train.threads)
        ]
        scores = _run(workers, [trial for grid in grids for trial in grid], finished, advance)
        accuracies = {key: score.validation_accuracy for key, score in scores.items()}
        more = [plan.more_seeds(best_of(grid, accuracies)) for grid in grids]
        scores |= _run(workers, [trial for some in more for trial in some], finished, advance)
    trials = [trial for pair in zip(grids, more, strict=True) for some in pair for trial in some]
    rows = [{**columns_of(trial), **scores[trial.key]._asdict()} for trial in trials]
    with atomic_directory(plan.results) as folder:
        write_table(folder / TABLE, OptimizerTrials, rows)
        write_environment(folder, describe_machine(params.train.threads, started))
    finished.remove()
    echo(f"{plan.results}/ written")


def train_optimizer(trial: Trial, method: TorchMethod, data: Dataset, validation: Part) -> Score:
    """Train one network and return its score.

    Args:
        trial: the network, the optimizer of its binary weights, the rate and the seed.
        method: the rest of the recipe; its learning rate is that of batch normalization's Adam.
        data: as `load_data` returns it for the method.
        validation: the part whose accuracy counts.
    """
    generator = torch.Generator().manual_seed(trial.seed)
    technique = create_technique(trial, method, data)
    network = technique.build(generator)
    layers = [layer for layer in network.modules() if isinstance(layer, BinaryLinear)]
    rules = [create_rule(trial, layer.weight.data, generator) for layer in layers]
    normalizations = [layer for layer in network if isinstance(layer, nn.BatchNorm1d)]
    adam = torch.optim.Adam(
        [parameter for layer in normalizations for parameter in layer.parameters()], fused=True
    )
    for done, batch in _steps(technique, trial.cell.epochs):
        if technique.begin(network, done):
            for rule in rules:
                # The plan lets no other rule have a technique.
                assert isinstance(rule, RowProp)
                rule.restart()
        network.zero_grad()
        logits = network(technique.pixels(data.train.images[batch], training=True))
        labels = torch.from_numpy(data.train.labels[batch]).long()
        losses = functional.cross_entropy(
            logits, labels, label_smoothing=method.label_smoothing, reduction="none"
        )
        technique.loss(losses, batch).backward()  # type: ignore[no-untyped-call]
        factor = technique.factor(done)
        adam.param_groups[0]["lr"] = method.learning_rate * factor
        adam.step()
        with torch.no_grad():
            for layer, rule in zip(layers, rules, strict=True):
                assert layer.weight.grad is not None
                rule.step(layer.weight.grad, trial.rate * factor)
    weights = sum(layer.weight.numel() for layer in layers)
    state = sum(rule.state_bytes() for rule in rules)
    return Score(_accuracy(network, validation, technique), round(state / weights, 4))


def create_technique(trial: Trial, method: TorchMethod, data: Dataset) -> Technique:
    """Return the trial's technique; training as it is, if it names none."""
    cell = trial.cell
    kind = TECHNIQUES[trial.optimizer.technique] if trial.optimizer.technique else Technique
    architecture = data.architecture(cell.architecture)
    return kind(method, architecture, data.train, cell.batch_size, cell.epochs, trial.seed)


def create_rule(trial: Trial, weight: Tensor, generator: torch.Generator) -> Rule:
    """Return the trial's rule for the weights of a layer, which it takes over.

    Args:
        trial: the optimizer and its numbers.
        weight: (outputs, inputs) float32, the initial latent weights.
        generator: of stochastic rounding.
    """
    rule = trial.optimizer.rule
    if rule in LATENT_FREE:
        # The plan has checked that it is there: see `optimizer_plan.Optimizer`.
        assert trial.threshold is not None
        kind = Bop if rule == "bop" else SecondOrderBop
        return kind(SignWeights(weight), threshold=trial.threshold)
    assert trial.optimizer.bits is not None
    latent = LatentWeights(weight, trial.optimizer.bits, generator)
    if rule == "rowprop":
        return RowProp(latent, momentum=trial.optimizer.momentum or 0.0)
    kinds: dict[str, type[RankOne | Adam | Lion | SM3]]
    kinds = {"rank_one": RankOne, "adam": Adam, "lion": Lion, "sm3": SM3}
    return kinds[rule](latent)


def _steps(technique: Technique, epochs: int) -> Iterator[tuple[float, NDArray[np.int64]]]:
    """Yield the share of training that is done before every step, and the step's images."""
    for epoch in range(epochs):
        batches = technique.batches(epoch)
        for step, batch in enumerate(batches):
            yield (epoch + step / len(batches)) / epochs, batch


def _accuracy(network: nn.Module, part: Part, technique: Technique) -> float:
    """Return the percent of images whose class is predicted."""
    network.eval()
    hits = 0
    with torch.inference_mode():
        for start in range(0, len(part), EVALUATION_BATCH):
            of_batch = slice(start, start + EVALUATION_BATCH)
            logits = network(technique.pixels(part.images[of_batch], training=False))
            predicted = logits.argmax(dim=1).numpy()
            hits += int((predicted == part.labels[of_batch]).sum())
    return round(100 * hits / len(part), 4)


def _work(connection: Connection, method: TorchMethod) -> None:
    """Train every trial that arrives, and answer with its score."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    # As in the torch engine: nothing here reads memory that was never written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    data = load_data(method)
    validation = data.read("validation")
    while True:
        connection.send(train_optimizer(connection.recv(), method, data, validation))


class _Finished:
    """The scores of finished trials, on disk until the comparison is complete."""

    def __init__(self, plan: OptimizersPlan) -> None:
        """Read what an interrupted comparison left, whatever its plan was."""
        self._method, self._data = plan.method, load_data(plan.method)
        self.path = CHECKPOINTS / f"ablation-{plan.path.stem}.json"
        self._scores: dict[str, Score] = {}
        try:
            self._scores = TypeAdapter(dict[str, Score]).validate_json(self.path.read_bytes())
        except FileNotFoundError:
            pass
        except (OSError, ValidationError):
            echo(f"{self.path} cannot be read, and is ignored")

    def find(self, trial: Trial) -> Score | None:
        """Return the score of a trial, if it is there."""
        return self._scores.get(self._name(trial))

    def add(self, trial: Trial, score: Score) -> None:
        """Keep a score. It is only an aid: a full disk stops nothing."""
        self._scores[self._name(trial)] = score
        with suppress(PipelineError):
            write_text(self.path, json.dumps(self._scores))

    def remove(self) -> None:
        """Delete the file: the comparison is complete."""
        with suppress(OSError):
            self.path.unlink()

    def _name(self, trial: Trial) -> str:
        """Return a checksum of all that determines the score."""
        architecture = self._data.architecture(trial.cell.architecture)
        run = describe_run(self._method, architecture, 1, trial.seed, self._data)
        whole = [run, columns_of(trial), trial.optimizer.rule]
        return checksum.sha256_bytes(json.dumps(whole, sort_keys=True).encode())


def _run(
    workers: Sequence[FreshProcess],
    trials: Sequence[Trial],
    finished: _Finished,
    advance: Advance,
) -> dict[Key, Score]:
    """Return the score of every trial; each worker has one at a time.

    Raises:
        PipelineError: a process ended.
    """
    scores = {trial.key: score for trial in trials if (score := finished.find(trial)) is not None}
    waiting = iter([trial for trial in trials if trial.key not in scores])
    for trial in trials:
        if trial.key in scores:
            advance(_line(trial, scores[trial.key]))
    busy: dict[FreshProcess, Trial] = {}
    while len(scores) < len(trials):
        for worker in workers:
            if worker not in busy and (following := next(waiting, None)) is not None:
                worker.send(following)
                busy[worker] = following
            if worker in busy and worker.has_answered(_WAIT_SECONDS):
                trial = busy.pop(worker)
                scores[trial.key] = score = worker.receive()
                finished.add(trial, score)
                advance(_line(trial, score))
    return scores


def _line(trial: Trial, score: Score) -> str:
    return (
        f"{trial.optimizer.name} at {trial.rate:g} on {trial.cell.architecture}, seed "
        f"{trial.seed}: validation accuracy {score.validation_accuracy:.2f} %"
    )
