"""Train a binary network in packed bits, evaluate it, save it, and predict with what was saved.

Run it in the project's folder, after `python -m pipeline fetch` has written data/:

    python -m examples.train_packed model.safetensors
"""

import sys
from pathlib import Path

from pipeline.config.params import load_params
from pipeline.data import dataset
from pipeline.engines.engine import load_data
from pipeline.engines.packed.engine import PackedEngine
from pipeline.engines.packed.model import load
from pipeline.engines.packed.predictor import Predictor
from pipeline.training.evaluate import evaluate
from pipeline.training.train import run_epoch

path = Path(sys.argv[1])
params = load_params()
recipe = params.groups.packed["deterministic"]
data = load_data(recipe)
validation = data.read("validation")
engine = PackedEngine(recipe, data.architecture("mlp-128"), seed=1, threads=params.train.threads)

for epoch in range(recipe.epochs):
    run_epoch(engine, data.train, recipe, recipe.batch_size, seed=1, epoch=epoch)
    error = evaluate(engine, validation, data.classes).error
    print(f"epoch {epoch + 1} of {recipe.epochs}: validation error {error:.2f} %")

accuracy = evaluate(engine, data.read("test"), data.classes).accuracy
print(f"test accuracy: {accuracy:.2f} %")
engine.save(path)
print(f"{path} has {path.stat().st_size:,} bytes")

# The model reads images as they are, a byte per pixel, and needs neither the recipe nor the data.
predictor = Predictor(load(path), threads=1)
images = dataset.load_test().images[:5]
for number in predictor.logits(images).argmax(axis=1):
    print(data.class_names[number])
