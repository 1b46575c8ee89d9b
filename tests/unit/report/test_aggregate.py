"""The report as a whole, from results that are made up."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from pipeline.artifacts.run_files import metrics_path
from pipeline.config.params import Params
from pipeline.config.paths import AIMS, REPORTS, TABLES
from pipeline.report.aggregate import aggregate
from tests.conftest import ROOT
from tests.contradictions import contradictions

MAX_WORDS = 25


@pytest.fixture
def report(results: Params) -> Params:
    aggregate(results)
    return results


def table(name: str) -> pd.DataFrame:
    return pd.read_csv(TABLES / f"{name}.csv")


def sentences(document: str) -> list[str]:
    """Return the sentences of prose: no tables, headings, figures or links' targets."""
    document = document.partition("## Tables")[0]
    lines = [
        line
        for line in document.splitlines()
        # The last is a machine, an enumeration of its parts.
        if not line.startswith(("|", "#", "!")) and "environments.json" not in line
    ]
    # A line that begins a list's item, or is followed by an empty one, ends a sentence.
    prose = re.sub(r"\n\s*(-|\n)", ". ", "\n".join(lines))
    prose = re.sub(r"\s*\(\[[^\]]*\]\([^)]*\)[^)]*\)|\]\([^)]*\)", "", prose)
    return re.split(r"[.!?]\s+", prose)


def test_no_two_tables_contradict_each_other(report: Params) -> None:
    compared, found = contradictions(TABLES)
    assert found == []
    assert compared >= {
        ("costs", "measurements", "epoch_seconds"),
        ("costs", "measurements", "process_memory_mib"),
        ("costs", "published", "epoch_seconds"),
        ("costs", "training_memory", "training_memory_mib"),
        ("accuracy", "published", "train_seconds"),
        ("accuracy", "runs", "test_accuracy"),
    }


def test_a_contradiction_is_found(report: Params) -> None:
    costs = table("costs")
    costs.loc[costs["method"] == "stochastic", "epoch_seconds"] *= 1.01
    costs.to_csv(TABLES / "costs.csv", index=False)
    _, found = contradictions(TABLES)
    assert any("costs" in line and "measurements" in line for line in found)
    assert all("epoch_seconds" in line and "stochastic" in line for line in found)


def test_a_network_at_chance_level_is_named_first(results: Params) -> None:
    aggregate(results)
    assert "chance level" not in (REPORTS / "summary.md").read_text()
    for seed in (1, 2):
        path = metrics_path(f"mlp-128-deterministic-{seed}")
        metrics = json.loads(path.read_text())
        metrics["validation"] |= {"accuracy": 33.3, "confusion": [[7, 0, 0]] * 3}
        path.write_text(json.dumps(metrics))
    aggregate(results)
    said = "are mlp-128-deterministic-1 and mlp-128-deterministic-2**: they learned nothing"
    assert said in (REPORTS / "summary.md").read_text().partition("- **Training in bits")[0]


def test_all_seconds_come_from_one_clock(report: Params) -> None:
    per_epoch = table("own_costs").set_index(["architecture", "method"])["epoch_seconds"]
    accuracy = table("accuracy").set_index(["architecture", "method"])
    whole = accuracy["epochs"] * per_epoch[accuracy.index]
    assert accuracy["train_seconds"].to_dict() == pytest.approx(whole.to_dict(), abs=1e-3)
    for _, row in table("learning_curves").iterrows():
        seconds = row["epoch"] * per_epoch[row["architecture"], row["method"]]
        assert row["cumulative_seconds"] == pytest.approx(seconds, abs=1e-3)
    # Of 60 images, an epoch has 6 steps; the seeds took 3 and 6.
    study = table("time_to_study").set_index("method")
    seconds = per_epoch["mlp-128", "float"] * 4.5 / 6
    assert study["seconds"]["float"] == pytest.approx(seconds, abs=1e-3)
    assert study["seeds_reached"]["simulated"] == 0
    assert pd.isna(study["seconds"]["simulated"])
    # The training runs' own seconds stand nowhere but here.
    durations = table("durations").set_index("part")["seconds"]
    assert durations["training"] == 7.0 * 3 * len(report.methods) * len(report.seeds)


def test_ratios_of_whole_trainings_are_those_of_epochs(report: Params) -> None:
    both = table("accuracy").merge(table("own_costs"), on=["architecture", "method"])
    both["longer"] = both["epochs"] / both["epochs"].iloc[0]
    assert both["method"].iloc[0] == "float"
    for end in ("", "_lower", "_upper"):
        expected = both["longer"] * both[f"epoch_seconds_own_ratio{end}"]
        assert list(both[f"train_ratio{end}"]) == pytest.approx(list(expected), abs=1e-3)


def test_the_memory_breakdown_adds_up(report: Params) -> None:
    keys = ["architecture", "batch_size", "threads", "method"]
    added = table("memory_breakdown").groupby(keys)["mib"].sum()
    peaks = table("costs").set_index(keys)["training_memory_mib"]
    assert added.to_dict() == pytest.approx(peaks[added.index].to_dict(), abs=1e-3)


def test_the_axes_lead_to_costs(report: Params) -> None:
    points = ["architecture", "batch_size", "threads"]
    assert set(table("axes")["axis"]) == {"width", "batch", "depth", "threads"}
    assert len(table("axes").merge(table("costs")[points].drop_duplicates())) == len(table("axes"))


def test_metrics_say_what_was_measured(report: Params) -> None:
    metrics = json.loads((REPORTS / "metrics.json").read_text())["mlp-128"]
    assert {"train_seconds", "latency_us", "images_per_second"} <= set(metrics["float"])
    assert not any(key.endswith("_ratio") for key in metrics["float"])
    assert {"train_seconds", "train_ratio"} <= set(metrics["simulated"])
    assert not {"latency_us", "images_per_second"} & set(metrics["simulated"])
    packed = metrics["deterministic"]
    assert packed["latency_us"] < metrics["float"]["latency_us"]
    assert packed["images_per_second"] > metrics["float"]["images_per_second"]


def test_the_summary_opens_with_the_result(report: Params) -> None:
    summary = (REPORTS / "summary.md").read_text()
    parts = summary.split("\n\n")
    equal = parts[2].splitlines()
    assert [line.split("|")[1].strip() for line in equal[2:]] == ["80 %", "81 %"]
    assert "4.00 → 1.00 (0.25×)" in equal[2]
    assert "missed" in equal[3]
    first = parts[parts.index("At equal layers:") + 1].splitlines()
    assert len(first) == 2 + len(report.architectures) * len(report.methods)
    for column in ("test accuracy", "s per epoch", "s to train", "training memory", "latency"):
        assert column in first[0]
    row = next(line for line in first if "deterministic" in line)
    assert row.count("×)") == 6
    opening = summary.partition("## ")[0]
    assert "torch int8 with 1 thread (mlp-128)" in opening
    assert len(re.findall(r"^- ", opening, re.MULTILINE)) == 6
    assert summary.count("nan") == 0


def test_a_figure_is_shown_once(report: Params) -> None:
    summary = (REPORTS / "summary.md").read_text()
    figures = re.findall(r"\(figures/(\w+)\.png\)", summary)
    assert len(figures) == len(set(figures)) == 11


@pytest.mark.parametrize("path", [REPORTS / "summary.md", AIMS])
def test_links_lead_somewhere(report: Params, path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        if target.startswith(("https:", "figures/")):
            continue
        file = Path.cwd() / path.parent / target
        in_repository = (ROOT / path.parent / target).resolve()
        assert file.exists() or in_repository.exists(), target


@pytest.mark.parametrize("path", [REPORTS / "summary.md", AIMS])
def test_sentences_are_short(report: Params, path: Path) -> None:
    for sentence in sentences(path.read_text()):
        words = [word for word in sentence.split() if re.search(r"\w", word)]
        assert len(words) <= MAX_WORDS, sentence


def test_every_aim_stands_in_its_own_document(report: Params) -> None:
    aims = AIMS.read_text()
    lines = [line for line in aims.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(table("targets"))
    assert f"set itself {len(table('targets'))} figures" in (REPORTS / "summary.md").read_text()
