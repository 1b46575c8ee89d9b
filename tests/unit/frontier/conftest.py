"""A small project with a plan of the frontier."""

from collections.abc import Callable
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.config.params import Params
from pipeline.fetch import sources
from pipeline.fetch.store import store
from pipeline.frontier.plan import PLAN_FILE, Plan, load_plan
from tests.conftest import ROOT

Change = Callable[[dict[str, Any]], None]


def write_plan(change: Change = lambda plan: None) -> Plan:
    """Write the project's own plan, made small and then changed, and read it."""
    yaml = YAML(typ="safe")
    plan = yaml.load((ROOT / PLAN_FILE).read_text())
    for group in plan["methods"].values():
        for searched in group.values():
            searched["rates"] = [1e-9, 0.05, 900.0]
            searched["grids"] = [
                {"architectures": ["mlp-8"], "batch_sizes": [10], "epochs": [1, 4]}
            ]
    plan["rate_search"] = {"architecture": "mlp-8", "epochs": 20, "seeds": [1]}
    plan["points"].update(seeds=[2, 3], nearest=1)
    plan["records"].update(targets=[35, 100], seeds=[4, 5])
    plan["records"]["margins"] = dict.fromkeys(plan["records"]["margins"], 0)
    plan["measure"] = {
        "threads": [1],
        "rounds": {"costs": 1, "records": 1},
        "seconds": 0.01,
        "latency": {"batch_sizes": [1, 5], "rounds": 2, "seconds": 0.001},
    }
    change(plan)
    PLAN_FILE.parent.mkdir(exist_ok=True)
    with PLAN_FILE.open("w") as file:
        yaml.dump(plan, file)
    return load_plan()


@pytest.fixture
def fetched(params: Params) -> Params:
    """The parameters of a project with data and a plan."""
    store(sources.find(params.data, lambda _: None), params.data)
    write_plan()
    return params
