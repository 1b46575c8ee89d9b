import pandas as pd

from pipeline.report.targets import targets_table

METHODS = ("float", "simulated", "deterministic")
NETWORKS = [(a, m) for a in ("mlp-128", "mlp-1024") for m in METHODS]


def tables() -> dict[str, pd.DataFrame]:
    """Tables in which deterministic takes a quarter of float, surely."""
    costs = [
        {
            **{"architecture": architecture, "method": method, "batch_size": batch},
            **{
                f"{cost}_ratio{end}": 0.25 if method == "deterministic" else 1.0
                for cost in ("epoch_seconds", "training_memory_mib", "process_memory_mib")
                for end in ("", "_lower", "_upper")
            },
        }
        for architecture, method in NETWORKS
        for batch in (100, 5000)
    ]
    runs = [
        {"architecture": a, "method": m, "seed": s, "test_accuracy": 80 + s - (m[0] == "d")}
        for a, m in NETWORKS
        for s in (1, 2)
    ]
    accuracy = [
        {"architecture": a, "method": m, "model_kib": 1.0 if m == "deterministic" else 100.0}
        for a, m in NETWORKS
    ]
    kernel = {"m": 1, "n": 4096, "k": 4096, "kernel": "bits by bits"}
    ratios = {"ratio": 50.0, "lower": 46.0, "upper": 51.0}
    return {
        "kernels": pd.DataFrame([kernel | ratios]),
        "costs": pd.DataFrame(costs),
        "runs": pd.DataFrame(runs),
        "accuracy": pd.DataFrame(accuracy),
    }


def test_every_aim_stands_beside_what_came_out() -> None:
    others = pd.DataFrame(
        [
            {
                **{"architecture": "mlp-128", "threads": 1, "batch_size": 1},
                **{"times_faster": 4.0, "times_faster_lower": 2.9, "times_faster_upper": 4.4},
            }
        ]
    )
    table = targets_table(tables(), others, "avx2")
    assert set(table["instruction_set"]) == {"avx2"}
    verdicts = table.set_index(["what", "case"])["verdict"]
    assert verdicts["bits by bits, × torch float32", "1 × 4096 × 4096"] == "met"
    assert verdicts["bits by bits, × torch float32", "128 × 1024 × 784"] == "not measured"
    # numkong was not installed.
    assert (verdicts["bits by bits, × numkong"] == "not measured").all()
    time = "deterministic, time per epoch, × float"
    assert verdicts[time, "mlp-128, batch 100"] == "met"
    assert verdicts[time, "mlp-1024, batch 5000"] == "missed"
    below = "deterministic, points of test accuracy below simulated"
    assert verdicts[below, "mlp-128"] == "missed"
    to_float = "deterministic, points of test accuracy below float"
    assert verdicts[to_float, "mlp-128"] == "met"
    assert verdicts[to_float, "mlp-1024"] == "missed"
    stochastic = "stochastic, points of test accuracy below float"
    assert verdicts[stochastic, "mlp-1024"] == "not measured"
    fastest = "packed network, × the fastest other"
    assert verdicts[fastest, "mlp-128, 1 thread, batch 1"] == "undecided"
    assert verdicts[fastest, "mlp-1024"] == "not measured"
    assert verdicts["deterministic, model file, × float", "mlp-128"] == "met"
