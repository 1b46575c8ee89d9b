"""Trains a binary network with Larq, in an environment of its own that has nothing of ours.

`.venv-peers/bin/python -P larq_worker.py` reads and writes one JSON object a line. The first line
that it reads is a request, with the fields of `pipeline.frontier.peers.process.Request`. What it
answers depends on the request's task:

- time: `{"ready": true}` once the network has taken its first steps. Each `{"seconds": 0.5}` that
  follows is a turn of at least so many seconds, answered by `{"epoch_seconds": 1.2,
  "process_memory": 800000000}`: seconds per epoch, and the bytes of the process's peak so far.
- memory: `{"training_memory": 9000000}`, the most bytes that training has allocated at one time.
- train: `{"validation_accuracy": 88.1, "test_accuracy": 87.5}` in percent, after the last epoch.
  The test set is read only if the request asks for it; else its accuracy is null.

What goes wrong is answered by `{"error": "a message"}`.

The network is trained as fast as Larq and TensorFlow 2.21 would have it. Tried on two cores, with
784-128-10 and 784-1024-10 and batches of 100 and 5,000 images. Other programs ran meanwhile, so the
fastest of several epochs counted:

- `Model.fit` on NumPy pixels, on a `tf.data` pipeline with prefetching, and on indices that are
  gathered in `tf.data`, with `steps_per_execution=50` and `jit_compile`. None was faster than a
  loop of our own within one `tf.function`, and all but the last held more memory.
- XLA on each step pays in some configurations, and so does more than one operation at a time. The
  request chooses both, and `peers` reports the fastest choice of each configuration.
- XLA on a whole epoch, as one loop, was not faster than on each step.
- Keras's newer Adam was as fast as the `legacy` one with XLA. Without, it was slower at small
  steps: the legacy update is one fused operation.
- Pixels held as float32 were as fast as a byte each, which takes a quarter of the memory.
- A whole epoch in a call of the `tf.function` was faster than 10 steps by a third.
"""

import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import larq
import numpy as np
import tensorflow as tf
from memray import FileDestination, FileFormat, FileReader, Tracker
from numpy.typing import NDArray

# As `pipeline.profiling` has them: first steps, and those whose allocations are counted after them.
WARM_UP_STEPS = 10
MEMORY_STEPS = 100
# A call of a `tf.function` costs as much as several small steps, so it takes many at a time.
CHUNK = 500
EVALUATION_BATCH = 1000
# A network that has every kind of layer and hardly any memory.
TINY_WIDTH, TINY_BATCH = 8, 8

Request = dict[str, Any]
Part = tuple[NDArray[np.uint8], NDArray[np.uint8]]


class Network:
    """A binary multilayer perceptron in training."""

    def __init__(self, request: Request, images: Any, labels: Any, total_steps: int) -> None:
        """Build the network that `request` describes.

        Args:
            request: widths, batch size, form and recipe.
            images: to train on, a tensor (count, pixels) uint8.
            labels: theirs, a tensor (count) uint8.
            total_steps: after which the cosine schedule has reached 0.
        """
        recipe = request["recipe"]
        self._scale = 1.0 / (2 ** recipe["pixel_bits"] - 1)
        self._batch_size = request["batch_size"]
        self._classes = request["widths"][-1]
        self._images, self._labels = images, labels
        self.model = _model(request["widths"], recipe["latent_range"])
        self._loss = tf.keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=recipe["label_smoothing"]
        )
        self._optimizer = tf.keras.optimizers.legacy.Adam(
            tf.keras.optimizers.schedules.CosineDecay(recipe["learning_rate"], total_steps)
        )
        # XLA compiles no creation of variables.
        self._optimizer._create_all_weights(self.model.trainable_variables)
        self._step = tf.function(self._train_batch, jit_compile=request["form"] == "compiled")
        self._chunk = tf.function(
            self._train_chunk,
            input_signature=[tf.TensorSpec((None, self._batch_size), tf.int32)],
        )

    def train(self, indices: NDArray[np.int32]) -> None:
        """Take a step for each row of `indices`, (steps, batch_size) rows of the images."""
        self._chunk(tf.constant(indices))

    def accuracy(self, part: Part) -> float:
        """Return the percent of a part's images whose class the network predicts."""
        hits = 0
        for start in range(0, len(part[1]), EVALUATION_BATCH):
            pixels = self._pixels(tf.constant(part[0][start : start + EVALUATION_BATCH]))
            predicted = self.model(pixels, training=False).numpy().argmax(axis=1)
            hits += int((predicted == part[1][start : start + EVALUATION_BATCH]).sum())
        return 100.0 * hits / len(part[1])

    def _train_chunk(self, indices: Any) -> None:
        for row in tf.range(tf.shape(indices)[0]):
            index = indices[row]
            self._step(tf.gather(self._images, index), tf.gather(self._labels, index))

    def _train_batch(self, images: Any, labels: Any) -> None:
        targets = tf.one_hot(labels, self._classes)
        with tf.GradientTape() as tape:
            loss = self._loss(targets, self.model(self._pixels(images), training=True))
        variables = self.model.trainable_variables
        self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    def _pixels(self, images: Any) -> Any:
        return tf.cast(images, tf.float32) * self._scale


def _model(widths: list[int], latent_range: float | None) -> Any:
    """Stack layers as Larq's guides do: no input quantizer before the first, clipped weights."""
    layers = [tf.keras.layers.InputLayer((widths[0],))]
    for number, width in enumerate(widths[1:]):
        initializer = (
            "glorot_uniform"
            if latent_range is None
            else tf.keras.initializers.RandomUniform(-latent_range, latent_range)
        )
        layers += [
            larq.layers.QuantDense(
                width,
                input_quantizer="ste_sign" if number else None,
                kernel_quantizer="ste_sign",
                kernel_constraint="weight_clip",
                kernel_initializer=initializer,
                use_bias=False,
            ),
            tf.keras.layers.BatchNormalization(),
        ]
    return tf.keras.Sequential(layers)


def load(folder: Path, name: str, recipe: dict[str, Any]) -> Part:
    """Return images (count, pixels) uint8, encoded as `recipe` says, and labels (count) uint8.

    A pixel goes through the curve of `pipeline.data.gamma`, and keeps its top bits.
    """
    levels = np.arange(256) / 256
    curve = np.floor(256 * levels ** (1 / recipe["pixel_gamma"]) + 1e-9).astype(np.uint8)
    stored = np.load(folder / f"{name}-images.npy", allow_pickle=False)
    images = curve[stored] >> (8 - recipe["pixel_bits"])
    return images, np.load(folder / f"{name}-labels.npy", allow_pickle=False)


def chunks(images: int, batch_size: int, seed: int) -> Iterator[tuple[int, NDArray[np.int32]]]:
    """Yield the number of an epoch, from 0, and its next rows of indices, without end.

    An epoch has its own order and whole batches alone. A chunk is of one epoch.
    """
    generator = np.random.default_rng(seed)
    steps = images // batch_size
    epoch = 0
    while True:
        order = generator.permutation(np.arange(images, dtype=np.int32))
        rows = order[: steps * batch_size].reshape(steps, batch_size)
        for start in range(0, steps, CHUNK):
            yield epoch, rows[start : start + CHUNK]
        epoch += 1


def load_tensors(request: Request) -> tuple[Any, Any]:
    """Return the training images (count, pixels) and labels (count), tensors of uint8."""
    images, labels = load(Path(request["folder"]), "train", request["recipe"])
    return tf.constant(images), tf.constant(labels)


def take_first_steps(network: Network, batch_size: int) -> None:
    """Train for WARM_UP_STEPS steps, which compiles what is compiled."""
    network.train(np.tile(np.arange(batch_size, dtype=np.int32), (WARM_UP_STEPS, 1)))


def time_turns(request: Request, source: TextIO, target: TextIO) -> None:
    """Train a turn for each line of `source`."""
    images, labels = load_tensors(request)
    count, batch_size = len(labels), request["batch_size"]
    steps = count // batch_size
    network = Network(request, images, labels, steps * request["epochs"])
    take_first_steps(network, batch_size)
    of_turns = chunks(count, batch_size, request["seed"])
    answer(target, {"ready": True})
    for line in source:
        seconds = json.loads(line)["seconds"]
        time.sleep(request["settle_seconds"])
        started = time.perf_counter()
        elapsed, done = 0.0, 0
        while done == 0 or elapsed < seconds:
            _, rows = next(of_turns)
            network.train(rows)
            done += len(rows)
            elapsed = time.perf_counter() - started
        answer(
            target,
            {"epoch_seconds": elapsed * steps / done, "process_memory": peak_process_memory()},
        )


def measure_memory(request: Request) -> dict[str, int]:
    """Count what is allocated from just before the network is built: see `profiling`.

    It is what training still holds after its first steps, and the most that later steps add. What
    TensorFlow takes to trace and compile the network for the first time, and gives back, is left
    out: it would be most of the figure.
    """
    images, labels = load_tensors(request)
    count, batch_size = len(labels), request["batch_size"]
    first, *_, last = request["widths"]
    tiny = request | {"widths": [first, TINY_WIDTH, last], "batch_size": TINY_BATCH}
    take_first_steps(Network(tiny, images, labels, MEMORY_STEPS), TINY_BATCH)
    with tempfile.TemporaryDirectory() as folder:
        first_steps, later_steps = Path(folder) / "first", Path(folder) / "later"
        with _tracker(first_steps):
            network = Network(request, images, labels, MEMORY_STEPS)
            take_first_steps(network, batch_size)
        with _tracker(later_steps):
            done = 0
            for epoch, rows in chunks(count, batch_size, request["seed"]):
                if epoch or done >= MEMORY_STEPS:
                    break
                network.train(rows)
                done += len(rows)
        held = FileReader(first_steps).get_leaked_allocation_records()
        added: int = FileReader(later_steps).metadata.peak_memory
        return {"training_memory": sum(record.size for record in held) + added}


def _tracker(path: Path) -> Tracker:
    return Tracker(destination=FileDestination(path), file_format=FileFormat.AGGREGATED_ALLOCATIONS)


def train(request: Request) -> dict[str, float | None]:
    """Train for all epochs, and evaluate the network on what the request asks for."""
    folder, recipe = Path(request["folder"]), request["recipe"]
    images, labels = load_tensors(request)
    count, batch_size, epochs = len(labels), request["batch_size"], request["epochs"]
    network = Network(request, images, labels, count // batch_size * epochs)
    for epoch, rows in chunks(count, batch_size, request["seed"]):
        if epoch == epochs:
            break
        network.train(rows)
    accuracies: dict[str, float | None] = {
        f"{name}_accuracy": network.accuracy(load(folder, name, recipe)) if wanted else None
        for name, wanted in (("validation", True), ("test", request["test"]))
    }
    if not all(math.isfinite(float(tf.reduce_sum(each))) for each in network.model.weights):
        raise ValueError("the training diverged: a weight is no number")
    return accuracies


def peak_process_memory() -> int:
    """Return the peak of this process's resident memory in bytes, as the kernel counts it."""
    (line,) = (
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM:")
    )
    return int(line.split()[1]) * 1024


def answer(target: TextIO, message: dict[str, Any]) -> None:
    """Write one line."""
    target.write(json.dumps(message) + "\n")
    target.flush()


def main() -> None:
    """Read a request and answer it."""
    # Libraries may print. Their lines go to the standard error, and answers alone to the pipe.
    target = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        request = json.loads(sys.stdin.readline())
        tf.config.threading.set_intra_op_parallelism_threads(request["threads"])
        tf.config.threading.set_inter_op_parallelism_threads(request["operations"])
        tf.keras.utils.set_random_seed(request["seed"])
        if request["task"] == "time":
            time_turns(request, sys.stdin, target)
        elif request["task"] == "memory":
            answer(target, measure_memory(request))
        else:
            answer(target, train(request))
    except (OSError, ValueError, tf.errors.OpError) as error:
        answer(target, {"error": str(error)})


if __name__ == "__main__":
    main()
