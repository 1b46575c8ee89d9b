"""Points and records are chosen by validation accuracy and cost, and compared within rounds."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.artifacts.frontier import RecordCosts
from pipeline.artifacts.tables import write_table
from pipeline.common.errors import PipelineError
from pipeline.frontier.choice import choose_points, choose_records, read_points
from pipeline.frontier.plan import Candidate, Plan
from pipeline.frontier.record_costs import tabulate_records
from pipeline.frontier.results import (
    COSTS,
    POINTS,
    RECORDS,
    Chosen,
    EpochCosts,
    Judged,
    RecordEpochs,
    RecordFiles,
    RecordLatencies,
)
from pipeline.frontier.summary import _answer
from pipeline.frontier.trials import TrialRows, Tried
from tests.unit.frontier.conftest import write_plan

# Validation accuracy of a trial, and seconds of an epoch: float is more accurate, and slower.
ACCURACY = {"float": 84.0, "deterministic": 82.0, "stochastic": 82.5}
EPOCH = {"float": 4.0, "deterministic": 1.0, "stochastic": 1.5}
RATE = 0.05
MARGINS = {"float": 0.25, "deterministic": 0.5, "stochastic": 0.5}


def small(plan: dict[str, Any]) -> None:
    plan["records"].update(targets=[80, 84, 85, 99], margins=MARGINS)
    for group in plan["methods"].values():
        for searched in group.values():
            searched["grids"][0].update(architectures=["mlp-4", "mlp-8"])


@pytest.fixture
def plan(project: Path) -> Plan:
    """A plan whose trials and costs are there: 4 epochs and mlp-8 gain a point each."""
    plan = write_plan(small)
    rows = TrialRows(plan)
    for each in plan.rate_trials():
        rows.append(each, 1, Tried(float(each.method.learning_rate == RATE), 1000, "data"))
    for each in rows.grid_trials():
        rows.append(each, 1, Tried(accuracy_of(each), 1024 * wide(each), "data"))
    write(COSTS / "costs.csv", EpochCosts, [epoch_row(each) for each in rows.grid_trials()])
    return plan


def wide(each: Candidate) -> int:
    return 2 if each.architecture == "mlp-8" else 1


def accuracy_of(each: Candidate) -> float:
    return ACCURACY[each.name] + wide(each) + (each.method.epochs == 4)


def epoch_row(each: Candidate) -> dict[str, Any]:
    memory = {"threads": 1, "round": 1, "training_memory_mib": float(wide(each))}
    return {**each.columns(), **memory, "epoch_seconds": EPOCH[each.name] * wide(each)}


def write(path: Path, schema: Any, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, schema, rows)


def write_points(plan: Plan, seeds: list[int], gain: float = 0.0) -> list[Candidate]:
    chosen = choose_points(plan, TrialRows(plan).grid_results())
    judged = [
        {
            **each.columns(),
            "seed": seed,
            "validation_accuracy": accuracy_of(each) + gain,
            "test_accuracy": accuracy_of(each) - 1,
            "model_bytes": 1024 * wide(each),
        }
        for each in chosen
        for seed in seeds
    ]
    write(POINTS / "points.csv", Judged, judged)
    return chosen


def named(candidates: list[Candidate]) -> list[tuple[str, str, int]]:
    return [(each.name, each.architecture, each.method.epochs) for each in candidates]


def test_points_lie_on_a_frontier(plan: Plan) -> None:
    chosen = named(choose_points(plan, TrialRows(plan).grid_results()))
    # mlp-4 with 4 epochs is as accurate as mlp-8 with 1, takes twice as long, and less memory.
    for method in ("float", "deterministic", "stochastic"):
        for network in (("mlp-4", 1), ("mlp-8", 1), ("mlp-8", 4), ("mlp-4", 4)):
            assert (method, *network) in chosen
    assert len(chosen) == len(set(chosen)) == 12


def test_a_record_is_the_cheapest_that_reaches_target_and_margin(plan: Plan) -> None:
    write_points(plan, [2, 3])
    records = choose_records(plan)
    assert named(list(records[80].values())) == [
        ("deterministic", "mlp-4", 1),
        ("stochastic", "mlp-4", 1),
        ("float", "mlp-4", 1),
    ]
    # deterministic needs 84.5 and both the width and the epochs, float nothing.
    assert ("deterministic", "mlp-8", 4) in named(list(records[84].values()))
    assert ("float", "mlp-4", 1) in named(list(records[84].values()))
    assert records[99] == {}


def test_trials_choose_no_record(plan: Plan) -> None:
    write_points(plan, [2, 3], gain=-1.0)
    assert ("float", "mlp-4", 1) not in named(list(choose_records(plan)[84].values()))


def test_points_of_other_seeds_are_refused(plan: Plan) -> None:
    write_points(plan, [2, 9])
    with pytest.raises(PipelineError, match="of other trials or seeds"):
        read_points(plan)


def test_costs_that_lack_a_candidate_leave_it_out(plan: Plan) -> None:
    rows = [epoch_row(each) for each in TrialRows(plan).grid_trials() if wide(each) == 1]
    write(COSTS / "costs.csv", EpochCosts, rows)
    chosen = choose_points(plan, TrialRows(plan).grid_results())
    assert {each.architecture for each in chosen} == {"mlp-4"}


def write_records(plan: Plan) -> None:
    """Write records whose machine is twice as slow in the second round."""
    chosen, networks, epochs, latency, files = ([] for _ in range(5))
    for target, records in choose_records(plan).items():
        packed = [each for name, each in records.items() if name != "float"]
        simulated = {"simulated": plan.simulated(packed[0])} if packed else {}
        for name, each in {**records, **simulated}.items():
            own = {"target": target, "method": name, "threads": 1}
            layers = {"architecture": each.architecture, "runtime": f"that of {name}"}
            chosen.append({**each.columns(), "target": target, "training_memory_mib": wide(each)})
            seconds = EPOCH.get(name, 5.0) * wide(each)
            epochs += [{**own, "round": n, "epoch_seconds": n * seconds} for n in (1, 2)]
            for images in (1, 5):
                latency += [
                    {**own, **layers, "images": images, "round": n, "seconds": n * seconds / 1e6}
                    for n in (1, 2)
                ]
            files.append({**own, **layers, "test_accuracy": 80.0, "file_kib": 1.0})
    for each in {one for records in choose_records(plan).values() for one in records.values()}:
        networks += [
            {
                **each.columns(),
                "seed": seed,
                "validation_accuracy": accuracy_of(each),
                "test_accuracy": accuracy_of(each) - 1 + 0.1 * seed,
                "model_bytes": 1024 * wide(each),
            }
            for seed in (4, 6)
        ]
    files.append({**files[0], "method": "float", "runtime": "ONNX Runtime int8", "file_kib": 0.25})
    for name, schema, rows in (
        ("chosen", Chosen, chosen),
        ("networks", Judged, networks),
        ("epochs", RecordEpochs, epochs),
        ("latency", RecordLatencies, latency),
        ("runtimes", RecordFiles, files),
    ):
        write(RECORDS / f"{name}.csv", schema, rows)


def test_ratios_are_taken_within_rounds(plan: Plan) -> None:
    write_points(plan, [2, 3])
    write_records(plan)
    table = pd.DataFrame(tabulate_records(plan))
    first = table[(table["target"] == 80) & (table["cost"] == "seconds")].set_index("method")
    assert first.loc["float", "value"] == pytest.approx(1.5 * 4)
    for end in ("", "_lower", "_upper"):
        assert first.loc["deterministic", f"ratio{end}"] == pytest.approx(0.25)
    assert float(first["ratio"]["simulated"]) == pytest.approx(1.25)
    assert first.loc["deterministic", "test_accuracy"] == pytest.approx(82.5)
    assert set(first["reached"]) == {"yes", "not trained"}
    latency = table[(table["target"] == 80) & (table["images"] == 5)].set_index("method")
    assert latency.loc["float", "value"] == pytest.approx(1.5 * 4 / 5)
    assert latency.loc["float", "runtime"] == "that of float"
    int8 = table[(table["target"] == 80) & (table["cost"] == "int8_kib")].set_index("method")
    assert int8.loc["deterministic", "ratio"] == pytest.approx(4.0)
    RecordCosts.validate(table)


def test_the_answer_says_where_binary_loses(plan: Plan) -> None:
    write_points(plan, [2, 3])
    write_records(plan)
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in _answer(plan, pd.DataFrame(tabulate_records(plan))).splitlines()
    ]
    by_target = {row[0]: row for row in rows}
    assert by_target["80 %"][3] == "6.00 → 1.50 (0.25×)"
    assert by_target["80 %"][6] == "0.2 → 1.0 (**4.00×, lost**)"
    # Binary needs the wider network for 4 epochs; float needs one epoch of it.
    assert by_target["85 %"][3] == "12.00 → 18.00 (**1.50×, lost**)"
    assert by_target["80 %"][2] == "deterministic mlp-4, batch 10, 1 epoch: 82.50"
    assert by_target["99 %"][1:4] == ["not reached", "not reached", "-"]


def test_records_of_other_points_are_refused(plan: Plan) -> None:
    write_points(plan, [2, 3])
    write_records(plan)
    path = RECORDS / "chosen.csv"
    path.write_text(path.read_text().replace("mlp-4,10,1,", "mlp-4,10,4,"))
    with pytest.raises(PipelineError, match="is of other points"):
        tabulate_records(plan)
