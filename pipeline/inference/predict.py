"""Images -> classes, with a packed model file; without torch."""

import csv
import io
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from pipeline.common.atomic import write_text
from pipeline.common.serialization import load_json
from pipeline.config.paths import DATA
from pipeline.engines.packed.model import load
from pipeline.engines.packed.predictor import Predictor
from pipeline.inference.images import Images, read_images

Format = Literal["text", "csv", "json"]


@dataclass(frozen=True)
class Prediction:
    """What a network predicts for an image.

    Attributes:
        source: where the image is from.
        class_number: of the highest score.
        class_name: of that class, or None if the classes have no names here.
        margin: how far the highest score lies above the second highest.
        scores: of all classes.
    """

    source: str
    class_number: int
    class_name: str | None
    margin: float
    scores: list[float]


def predict(
    model: Path, images: Sequence[Path], form: Format, output: Path | None, threads: int
) -> None:
    """Predict the class of every image; print a line per image, or write all to `output`.

    Raises:
        PipelineError: a model or image that is missing, damaged or does not fit, or an output
            that cannot be written.
    """
    loaded = load(model)
    names = _class_names(loaded.widths[-1])
    predictor = Predictor(loaded, threads)
    found = (
        prediction
        for some in read_images(images, loaded.pixels)
        for prediction in _predictions(predictor, some, names)
    )
    # All images come before the first line: an error in the last one leaves no half of a file.
    text = _FORMS[form](list(found))
    if output is None:
        sys.stdout.write(_encodable(text, sys.stdout.encoding))
    else:
        write_text(output, _encodable(text, "utf-8"))


def _encodable(text: str, encoding: str) -> str:
    """Return the text with what the encoding lacks escaped: a file's name may be any bytes."""
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _class_names(classes: int) -> list[str] | None:
    """Return the names of the dataset here, if there is one that has as many classes."""
    try:
        description = load_json(DATA / "dataset.json")
        names = [str(name) for name in description["class_names"]]
    except (OSError, ValueError, KeyError, TypeError):
        # Names are a convenience: a model predicts without the dataset.
        return None
    return names if len(names) == classes else None


def _predictions(
    predictor: Predictor, images: Images, names: list[str] | None
) -> Iterator[Prediction]:
    scores = predictor.logits(images.pixels)
    best = scores.argmax(axis=1)
    # A network of one class has no second score.
    second = np.partition(scores, -2, axis=1)[:, -2] if scores.shape[1] > 1 else scores[:, 0]
    for source, row, number, next_score in zip(images.sources, scores, best, second, strict=True):
        yield Prediction(
            source,
            int(number),
            None if names is None else names[number],
            float(row[number] - next_score),
            [float(score) for score in row],
        )


def _as_text(predictions: Sequence[Prediction]) -> str:
    width = max(len(each.source) for each in predictions)
    return "".join(
        f"{each.source:<{width}}  {_name(each)}  (margin {each.margin:.2f})\n"
        for each in predictions
    )


def _name(prediction: Prediction) -> str:
    name = prediction.class_name
    return f"class {prediction.class_number}" if name is None else name


def _as_csv(predictions: Sequence[Prediction]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    scores = [f"score_{number}" for number in range(len(predictions[0].scores))]
    writer.writerow(["source", "class", "class_name", "margin", *scores])
    for each in predictions:
        writer.writerow(
            [each.source, each.class_number, each.class_name or "", each.margin, *each.scores]
        )
    return text.getvalue()


def _as_json(predictions: Sequence[Prediction]) -> str:
    rows = [
        {
            "source": each.source,
            "class": each.class_number,
            "class_name": each.class_name,
            "margin": each.margin,
            "scores": each.scores,
        }
        for each in predictions
    ]
    return json.dumps(rows, indent=2) + "\n"


_FORMS = {"text": _as_text, "csv": _as_csv, "json": _as_json}
