"""Where the stages read and write."""

from pathlib import Path

DATA = Path("data")
MODELS = Path("models")
RUNS = Path("runs")
PROFILES = Path("profiles")
SCALING = PROFILES / "scaling"
INFERENCE = PROFILES / "inference"
BENCHMARK = PROFILES / "benchmark"
STUDY = PROFILES / "study"
REPORTS = Path("reports")
TABLES = REPORTS / "tables"
# The figures that the project aimed at, beside those that it measured.
AIMS = Path("docs/aims.md")
# A row a trial of `search`.
TRIALS = Path("ablation/trials.csv")


def run_name(architecture: str, method: str, seed: int) -> str:
    """Return the name that a run's model file and folder share."""
    return f"{architecture}-{method}-{seed}"


def model_path(name: str) -> Path:
    """Return the model file of the run called `name`."""
    return MODELS / f"{name}.safetensors"
