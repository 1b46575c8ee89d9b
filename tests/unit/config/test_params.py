from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.common.errors import PipelineError
from pipeline.config.params import Params, load_params
from tests.conftest import ROOT

yaml = YAML()


def error_after(tmp_path: Path, *keys: str, value: Any) -> str:
    """Set one key of the project's params.yaml and return the error that this gives."""
    document = yaml.load((ROOT / "params.yaml").read_text())
    section = document
    for key in keys[:-1]:
        section = section[key]
    section[keys[-1]] = value
    path = tmp_path / "params.yaml"
    with path.open("w") as file:
        yaml.dump(document, file)
    with pytest.raises(PipelineError) as error:
        load_params(path)
    return str(error.value)


def test_the_projects_own_params_are_valid() -> None:
    params = load_params(ROOT / "params.yaml")
    assert params.connected_architectures == ["mlp-128", "mlp-1024"]
    assert len(params.architectures) == 3
    assert set(params.methods) >= {"float", "deterministic", "stochastic"}


@pytest.mark.parametrize(
    ("keys", "value", "expected"),
    [
        (("train", "batch_size"), "100", "train.batch_size: Input should be a valid integer"),
        (("train", "batch_size"), 1, "train.batch_size: Input should be greater than"),
        (("train", "bach_size"), 1, "train.bach_size: unknown key (did you mean batch_size?)"),
        (("methods", "torch", "float", "lr"), 1, "methods.torch.float.lr: unknown key"),
        (
            ("methods", "torch", "float", "learning_rat"),
            1,
            "methods.torch.float.learning_rat: unknown key (did you mean learning_rate?)",
        ),
        (
            ("methods", "torch", "float", "learning_rate"),
            -1.0,
            "methods.torch.float.learning_rate: ",
        ),
        (
            ("methods", "torch", "float", "learning_rate"),
            float("nan"),
            "methods.torch.float.learning_rate: ",
        ),
        (("methods", "torch", "float", "optimizer"), "adamw", "methods.torch.float.optimizer: "),
        (("methods", "torch", "float", "activations"), "stochastic", "both float32 or both binary"),
        (("methods", "torch", "float", "weights"), "deterministic", "both float32 or both binary"),
        (("methods", "packed", "stochastic", "weights"), "stochastic", "weight_noise belongs to"),
        (("methods", "torch", "simulated", "weight_decay"), 0.1, "weight_decay must be 0"),
        (("methods", "packed", "deterministic", "gradient_bits"), 3, "gradient_bits: "),
        (("methods", "packed", "deterministic", "pixel_bits"), 8, "pixel_bits: "),
        (("methods", "packed", "deterministic", "pixel_gamma"), 0, "pixel_gamma: "),
        (("methods", "torch", "float", "pixel_gamma"), 3, "pixel_gamma must be 1 for float32"),
        (("methods", "packed", "deterministic", "prediction_passes"), 2, "prediction_passes above"),
        (("methods", "packed", "deterministic", "pixel_gamma"), 2.2, "pixel_gamma: "),
        (("methods", "torch", "float", "label_smoothing"), 1.0, "label_smoothing: "),
        (("methods", "packed", "deterministic", "weights"), "float32", "deterministic.weights: "),
        (
            ("methods", "packed", "deterministic", "optimizer"),
            "bop",
            "latent_bits belongs to optimizer: rowprop",
        ),
        (
            ("methods", "packed", "deterministic", "latent_bit"),
            16,
            "latent_bit: unknown key (did you mean latent_bits?)",
        ),
        (("methods", "pakced"), {}, "methods.pakced: unknown key (did you mean packed?)"),
        (("architectures",), [], "architectures: "),
        (("architectures",), ["mlp-0"], "architectures.0: mlp-0 is not an architecture: write"),
        (("architectures",), ["mlp-8", "mlp-8"], "architectures: mlp-8 is listed twice"),
        (("seeds",), [1, 2, 1], "seeds: 1 is listed twice"),
        (("data", "class_names"), ["a", "b", "a"], "data.class_names: a is listed twice"),
        (("profile", "batch_sizes"), [50, 50], "profile.batch_sizes: 50 is listed twice"),
        (
            ("profile", "scaling", "methods"),
            ["float", "simulated", "float"],
            "profile.scaling.methods: float is listed twice",
        ),
        *(
            (
                ("profile", "scaling", grid, key),
                [2, 4, 2],
                f"profile.scaling.{grid}.{key}: 2 is listed twice",
            )
            for grid in ("default", "full")
            for key in ("widths", "batch_sizes", "depths", "threads")
        ),
        (("inference", "batch_sizes"), [1, 1], "inference.batch_sizes: 1 is listed twice"),
        (("inference", "threads"), [2, 2], "inference.threads: 2 is listed twice"),
        (("methods", "torch", "float", "learning_rate"), 1001.0, "learning_rate: "),
        (
            ("methods", "packed", "stochastic", "convolutional"),
            {"epoch": 3},
            "convolutional.epoch: unknown key (did you mean epochs?)",
        ),
        (
            ("methods", "torch", "float", "convolutional"),
            {"epochs": 0},
            "methods.torch.float.convolutional.epochs: Input should be greater than",
        ),
        (("methods", "packed", "stochastic", "learning_rate"), 1e39, "learning_rate: "),
        (("seeds",), [True], "seeds.0: "),
        (("data", "dataset"), "cifar", "data.dataset: "),
        (("profile", "batch_sizes"), [60000], "a batch of 60000 images"),
        (("inference", "method"), "simulated", "inference.method: simulated is no packed method"),
        (("inference", "passes_method"), "float", "inference.passes_method: float is no packed"),
        (
            ("inference", "metod"),
            "simulated",
            "inference.metod: unknown key (did you mean method?)",
        ),
        (("seed",), 1, "seed: unknown key (did you mean seeds?)"),
    ],
)
def test_errors_name_the_keys_path(
    tmp_path: Path, keys: tuple[str, ...], value: Any, expected: str
) -> None:
    assert expected in error_after(tmp_path, *keys, value=value)


@pytest.mark.parametrize("key", ["train", "methods", "seeds"])
def test_a_missing_section(tmp_path: Path, key: str) -> None:
    document = yaml.load((ROOT / "params.yaml").read_text())
    del document[key]
    path = tmp_path / "params.yaml"
    with path.open("w") as file:
        yaml.dump(document, file)
    with pytest.raises(PipelineError, match=f"{key}: missing key"):
        load_params(path)


def own_methods() -> Any:
    return yaml.load((ROOT / "params.yaml").read_text())["methods"]


def test_the_baseline_cannot_be_left_out(tmp_path: Path) -> None:
    others = {"other": own_methods()["torch"]["float"]}
    message = error_after(tmp_path, "methods", "torch", value=others)
    assert "methods.torch.float is missing" in message


def test_the_baseline_is_float32(tmp_path: Path) -> None:
    swapped = {"float": own_methods()["torch"]["simulated"]}
    message = error_after(tmp_path, "methods", "torch", value=swapped)
    assert "must have float32 weights" in message


def test_there_is_something_to_compare(tmp_path: Path) -> None:
    assert "methods.packed: " in error_after(tmp_path, "methods", "packed", value={})


def test_a_methods_name_is_one_methods(tmp_path: Path) -> None:
    twice = {"simulated": own_methods()["packed"]["deterministic"]}
    message = error_after(tmp_path, "methods", "packed", value=twice)
    assert "simulated: the name of two methods" in message


@pytest.mark.parametrize("content", ["a: [", "a: 1\na: 2", "just text", "", "- 1"])
def test_a_file_that_is_no_mapping(tmp_path: Path, content: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(content)
    with pytest.raises(PipelineError, match="not valid"):
        load_params(path)


def test_numbers_with_an_exponent_are_numbers(project: Path) -> None:
    path = project / "params.yaml"
    text = path.read_text().replace("learning_rate: 0.003", "learning_rate: 3e-3")
    assert "3e-3" in text
    path.write_text(text)
    assert load_params(path).methods["float"].learning_rate == 0.003


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="in the project's folder"):
        load_params(tmp_path / "params.yaml")


def test_a_recipe_differs_where_there_are_convolutions(params: Params) -> None:
    method = params.methods["float"]
    plain, convolutional = (params.recipe(name, "float") for name in ("mlp-8", "vgg-8-m-f8"))
    assert plain == method.model_copy(update={"convolutional": None})
    assert method.convolutional is not None
    assert convolutional.epochs == method.convolutional.epochs != plain.epochs
    assert convolutional.model_copy(update={"epochs": plain.epochs}) == plain.model_copy(
        update={"learning_rate": method.convolutional.learning_rate}
    )


def test_unknown_names_list_the_known_ones(params: Params) -> None:
    params.check_known("mlp-8", "float", 1)
    with pytest.raises(PipelineError, match=r"unknown architecture mlp-9: .* mlp-8, mlp-8-5"):
        params.check_known("mlp-9", "float", 1)
    with pytest.raises(
        PipelineError, match=r"unknown method flaot: .* float, simulated, deterministic"
    ):
        params.check_known("mlp-8", "flaot", 1)
    with pytest.raises(PipelineError, match=r"unknown seed 3: .* 1, 2"):
        params.check_known("mlp-8", "float", 3)
