"""Where the stages write, and the names that they share: what needs these need no stage."""

from pathlib import Path

MODELS = Path("models")
RUNS = Path("runs")
PROFILES = Path("profiles")
SCALING = PROFILES / "scaling"
INFERENCE = PROFILES / "inference"
BENCHMARK = PROFILES / "benchmark"
STUDY = PROFILES / "study"
REPORTS = Path("reports")
TABLES = REPORTS / "tables"
# A row a trial of `search`.
TRIALS = Path("search/trials.csv")

# What packed networks are called among the runtimes of `inference`: the one that is compared with
# the others, and the one whose prediction is a mean of passes.
PACKED = "packed"
PASSES = "packed, passes"


def run_name(architecture: str, method: str, seed: int) -> str:
    """Return the name that a run's model file and folder share."""
    return f"{architecture}-{method}-{seed}"


def model_path(name: str) -> Path:
    """Return the model file of the run called `name`."""
    return MODELS / f"{name}.safetensors"
