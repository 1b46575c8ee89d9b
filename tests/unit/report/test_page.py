"""The page, from small tables: what it holds, and what a browser makes of it."""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import vl_convert
from matplotlib import image
from playwright.sync_api import Browser, Page, sync_playwright

from pipeline.common.errors import PipelineError
from pipeline.report.charts import memory_curve
from pipeline.report.charts.html import EXPORT
from pipeline.report.charts.page import PAGE, page
from pipeline.report.charts.topics import TOPICS
from tests.conftest import ROOT

ARCHITECTURES = ("mlp-8", "mlp-16")
BATCHES = (10, 20)
# By what a method's costs differ from float's.
METHODS = {"float": 1.0, "simulated": 1.3, "deterministic": 0.25}
# Names that would break a page into which they were written as they are.
CLASSES = ("low", "<b>high</b>", "</script>")
LATER = ("axes", "time_to_accuracy", "inference")
LIMIT = 1_500_000
# That of the pipeline's own tables, where it has run.
REAL = ROOT / PAGE
DRAWN = 'main[aria-busy="false"]'


def cost(name: str, value: float, ratio: float) -> dict[str, float]:
    """Return the four columns of a cost; simulated time is not told apart from float's."""
    lower = 0.9 if (name, ratio) == ("epoch_seconds", 1.3) else ratio
    return {
        name: value * ratio,
        f"{name}_ratio": ratio,
        f"{name}_ratio_lower": lower,
        f"{name}_ratio_upper": ratio,
    }


def make_tables() -> dict[str, list[dict[str, object]]]:
    """Return every table that the page reads, as rows."""
    tables: dict[str, list[dict[str, object]]] = {}

    def add(table: str, **row: object) -> None:
        tables.setdefault(table, []).append(row)

    for (width, architecture), (method, ratio) in itertools.product(
        enumerate(ARCHITECTURES, start=1), METHODS.items()
    ):
        network = {"architecture": architecture, "method": method}
        add(
            "accuracy",
            **network,
            **{"test_accuracy": 80 + width + ratio, "test_accuracy_std": 0.2},
            **{"seeds": 2, "model_kib": 100 * width if ratio >= 1 else 4},
        )
        for batch in BATCHES:
            case = {**network, "batch_size": batch, "threads": 2}
            add(
                "costs",
                **case,
                **cost("epoch_seconds", width + 1 / batch, ratio),
                **cost("training_memory_mib", width * batch, ratio),
                **cost("process_memory_mib", 100 * width, ratio),
            )
            for phase in ("forward", "backward"):
                add("phases", **case, phase=phase, seconds=ratio, share=0.5)
            for kind in ("weights", "saved_activations"):
                add("memory_breakdown", **case, kind=kind, mib=width * ratio, percent_of_peak=50)
            for sample in range(500):
                mib = 900 if sample == 251 else 100 * ratio
                add("memory_curve", **case, seconds=sample / 50 - 1, process_memory_mib=mib)
        for seed, epoch in itertools.product((1, 2), (1, 2, 3)):
            errors = {"training_error": 9 / epoch, "validation_error": 10 / epoch + seed}
            trained = {"cumulative_seconds": epoch * width * ratio}
            add("learning_curves", **network, seed=seed, epoch=epoch, **errors, **trained)
        for actual, predicted in itertools.product(CLASSES, CLASSES):
            images = 9 if actual == predicted else 0
            add("confusion", **network, actual=actual, predicted=predicted, images=images)
        for name in CLASSES:
            add("per_class_accuracy", **network, **{"class": name, "test_accuracy": 90})
        for target in (80, 85):
            reached = target == 80 or method == "float"
            seconds = target * ratio if reached else None
            counts = {"seeds_reached": 2 if reached else 0, "seeds": 2}
            add("time_to_accuracy", **network, target=target, seconds=seconds, **counts)
    for axis, threads in itertools.product(("width", "batch", "depth", "threads"), (1, 2)):
        point = {"architecture": "mlp-8", "batch_size": 10, "threads": threads}
        add("axes", axis=axis, value=threads, **point)
    for method, epochs in itertools.product(("float", "deterministic"), (1, 4)):
        costs = {"seconds": epochs, "training_memory_mib": 2, "model_kib": 3, "latency_us": 4}
        add(
            "frontier",
            **{"method": method, "architecture": "mlp-9", "batch_size": 30, "epochs": epochs},
            **{"test_accuracy": 80 + epochs, **costs, "int8_kib": 1},
            # The second trains for longer, and costs as much otherwise.
            frontiers="seconds" if epochs > 1 else "seconds training_memory_mib",
        )
    for method, ratio in list(METHODS.items())[:2]:
        # A point of the grid alone.
        add(
            "costs",
            **{"architecture": "mlp-8", "method": method, "batch_size": 10, "threads": 1},
            **cost("epoch_seconds", 9, ratio),
            **cost("training_memory_mib", 9, ratio),
            **cost("process_memory_mib", 9, ratio),
        )
    # Only one architecture was measured.
    for threads, batch, runtime in itertools.product((1, 2), (1, 100), ("packed", "torch")):
        add(
            "inference",
            **{"architecture": "mlp-8", "threads": threads, "batch_size": batch},
            **{"runtime": runtime, "microseconds": 5 * batch, "microseconds_an_image": 5 / threads},
            **{"images_per_second": 200_000, "times_faster": 2, "times_faster_lower": 1.9},
            **{"times_faster_upper": 2.1, "file_kib": 4, "process_memory_mib": 30},
            test_accuracy=90,
        )
    return tables


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Enter a folder that has nothing but the tables; return theirs."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "reports" / "tables"
    folder.mkdir(parents=True)
    for name, rows in make_tables().items():
        pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False)
    return folder


def embedded(text: str, name: str) -> dict[str, Any]:
    """Return the JSON that the page holds under an id."""
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', text, re.S)
    assert found
    content: dict[str, Any] = json.loads(found[1])
    return content


def shown(name: str) -> pd.DataFrame:
    """Return a table that the page holds."""
    table = embedded(PAGE.read_text("utf-8"), "tables")[name]
    return pd.DataFrame(table["data"], columns=table["columns"])


def test_the_page_holds_every_table_and_chart_once(tables: Path) -> None:
    page()
    text = PAGE.read_text("utf-8")
    assert len(text.encode()) < LIMIT
    assert text.count("window.vegaEmbed =") + text.count("window.vegaEmbed=") == 1
    assert text.count("<section>") == len(TOPICS)
    files = {path.stem for path in tables.iterdir()}
    assert set(embedded(text, "tables")) == files - {"axes"} | {"scaling"}
    charts = embedded(text, "charts")["charts"]
    assert set(charts) == set(re.findall(r'<figure id="([^"]+)">', text))
    for chart in charts.values():
        # Altair checks a specification against Vega-Lite's schema before it returns it.
        assert chart["spec"]["$schema"].startswith("https://vega.github.io/schema/vega-lite/")
        assert chart["spec"]["description"].endswith(".")
        for source in set(chart["sources"]) & files:
            assert f'<a href="tables/{source}.csv">' in text


def test_the_page_names_nothing_to_fetch(tables: Path) -> None:
    page()
    text = PAGE.read_text("utf-8")
    assert "default-src 'none'" in text
    markup = re.sub(r"<script.*?</script>", "", text, flags=re.S)
    assert not re.search(r"https?:|//", markup)
    assert not re.search(r"<script[^>]* src=|@import|url\(", markup)


def test_the_same_tables_give_the_same_page(tables: Path) -> None:
    page()
    first = PAGE.read_bytes()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "1"}
    command = [sys.executable, "-m", "pipeline", "page"]
    subprocess.run(command, check=True, env=environment, capture_output=True)
    assert PAGE.read_bytes() == first


@pytest.mark.parametrize("empty", [True, False])
def test_a_section_without_its_table_leaves_no_trace(tables: Path, empty: bool) -> None:
    for name in LATER:
        path = tables / f"{name}.csv"
        if empty:
            path.write_text(path.read_text().split("\n")[0] + "\n")
        else:
            path.unlink()
    page()
    text = PAGE.read_text("utf-8")
    assert text.count("<section>") == len(TOPICS) - len(LATER)
    own = text.replace(vl_convert.javascript_bundle(EXPORT), "")
    assert not re.search("scaling|time.to.accuracy|inference", own)


def test_a_table_that_the_page_cannot_do_without_is_named(tables: Path) -> None:
    costs = (tables / "costs.csv").read_text()
    (tables / "costs.csv").write_text(costs.split("\n")[0] + "\n")
    with pytest.raises(PipelineError, match=r"costs\.csv has no rows"):
        page()
    (tables / "costs.csv").unlink()
    with pytest.raises(PipelineError, match="-m pipeline aggregate`"):
        page()
    assert not PAGE.exists()


def test_a_missing_column_is_named(tables: Path) -> None:
    path = tables / "axes.csv"
    pd.read_csv(path).drop(columns="value").to_csv(path, index=False)
    with pytest.raises(PipelineError, match=r"axes\.csv lacks value"):
        page()


def test_the_answer_says_what_the_tables_say(tables: Path) -> None:
    page()
    text = PAGE.read_text("utf-8").replace("\N{NO-BREAK SPACE}", " ")
    assert (
        "<strong>deterministic</strong> took 75 % less time per epoch and 75 % less training "
        "memory, lost 0.8 points of test accuracy, and left a model file of 4 KiB in place of 100."
    ) in text
    assert (
        "<strong>simulated</strong> took about as much time per epoch (no difference) and 30 % "
        "more training memory, gained 0.3 points of test accuracy, and left a model file of the "
        "same size."
    ) in text


def test_scaling_has_the_methods_of_all_points_and_costs_the_own_points(tables: Path) -> None:
    page()
    rows = embedded(PAGE.read_text("utf-8"), "tables")
    frames = {
        name: pd.DataFrame(rows[name]["data"], columns=rows[name]["columns"]) for name in rows
    }
    assert set(frames["scaling"]["method"]) == {"float", "simulated"}
    assert set(frames["costs"]["method"]) == set(METHODS)
    assert set(frames["costs"]["threads"]) == {2}


def test_what_is_no_difference_has_no_ratio(tables: Path) -> None:
    page()
    costs = shown("costs").set_index("method")
    for method, cost, expected in (
        ("float", "epoch_seconds", ""),
        ("simulated", "epoch_seconds", "≈"),
        ("simulated", "training_memory_mib", "1.30 ×"),
    ):
        assert list(costs[f"{cost}_times"][method].unique()) == [expected]


def test_a_thin_curve_keeps_the_peak(tables: Path) -> None:
    curve = pd.read_csv(tables / "memory_curve.csv")
    thin = memory_curve.thin(curve)
    sizes = thin.groupby(["architecture", "batch_size", "method"]).size()
    assert (sizes == memory_curve.POINTS).all()
    assert (thin["process_memory_mib"] == 900).sum() == len(sizes)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser of this machine: playwright's own are not downloaded."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        missing = "there is neither chromium nor google-chrome"
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        # Root may start a browser only without its sandbox.
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@contextmanager
def opening(path: Path, browser: Browser) -> Iterator[Page]:
    """Open a page and wait until it is drawn: it may ask for nothing else, and nothing may fail."""
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    messages: list[str] = []
    requests: list[str] = []
    tab.on("console", lambda message: messages.append(message.text))
    tab.on("pageerror", lambda error: messages.append(str(error)))
    tab.on("requestfailed", lambda request: messages.append(request.url))
    tab.on("request", lambda request: requests.append(request.url))
    address = path.resolve().as_uri()
    tab.goto(address)
    tab.wait_for_selector(DRAWN)
    yield tab
    assert messages == []
    assert [url for url in requests if not url.startswith("data:")] == [address]
    tab.close()


@pytest.mark.parametrize("architectures", [ARCHITECTURES[:1], ARCHITECTURES])
def test_an_accuracy_that_was_never_reached_leaves_the_chart_empty(
    tables: Path, browser: Browser, architectures: tuple[str, ...]
) -> None:
    path = tables / "time_to_accuracy.csv"
    table = pd.read_csv(path)
    table.loc[table["architecture"].isin(architectures), "seconds"] = None
    table.to_csv(path, index=False)
    page()
    with opening(PAGE, browser):
        pass


@pytest.fixture
def opened(tables: Path, browser: Browser) -> Iterator[Page]:
    """The page of the small tables in a browser."""
    page()
    with opening(PAGE, browser) as tab:
        yield tab


@pytest.mark.skipif(not REAL.exists(), reason="the pipeline has not written the page")
def test_the_real_page_is_small_and_opens(browser: Browser) -> None:
    assert REAL.stat().st_size < LIMIT
    with opening(REAL, browser) as tab:
        assert tab.locator("figure svg").count() > 0


def test_every_chart_is_drawn(opened: Page, tmp_path: Path) -> None:
    opened.screenshot(path=tmp_path / "page.png", full_page=True)
    assert image.imread(tmp_path / "page.png")[..., :3].mean() < 0.99
    for figure in opened.locator("figure").all():
        assert figure.locator("svg").count() == 1
        assert figure.locator(".chart").get_attribute("aria-label")
        assert figure.locator("[aria-roledescription]").count() > 1


def test_the_switches_change_what_is_shown(opened: Page) -> None:
    names = (
        *("epoch-seconds", "accuracy", "tradeoff-epoch", "memory-breakdown", "error-over-time"),
        *("confusion", "inference", "scaling-depth-epoch", "frontier"),
    )

    def printable() -> dict[str, str]:
        opened.wait_for_selector(DRAWN)
        return {name: opened.locator(f"#{name} svg").inner_html() for name in names}

    def changed(now: dict[str, str], before: dict[str, str]) -> set[str]:
        return {name for name in names if now[name] != before[name]}

    first, answer = printable(), opened.inner_text(".answer")
    # With the keyboard: arrows move along radio buttons.
    opened.focus('input[name="architecture"]:checked')
    opened.keyboard.press("ArrowRight")
    second = printable()
    assert changed(second, first) == {
        "epoch-seconds",
        "accuracy",
        "memory-breakdown",
        "error-over-time",
    }
    assert opened.inner_text(".answer") != answer
    # Not measured for this architecture: the page says so, and shows no stale chart.
    assert opened.locator("#inference .absent").is_visible()
    assert not opened.locator("#inference .chart").is_visible()

    opened.locator('label:has(input[value="20"])').click()
    third = printable()
    assert changed(third, second) == {"epoch-seconds", "tradeoff-epoch", "memory-breakdown"}

    opened.locator('label:has(input[value="mlp-8"])').click()
    opened.locator('label:has(input[name="threads"][value="2"])').click()
    fourth = printable()
    assert "inference" in changed(fourth, third)
    assert not opened.locator("#inference .absent").is_visible()

    opened.locator('label:has(input[name="cost"][value="training memory, MiB"])').click()
    assert changed(printable(), fourth) == {"frontier"}


def test_a_narrow_window_needs_no_sideways_scrolling(opened: Page) -> None:
    opened.set_viewport_size({"width": 400, "height": 800})
    opened.wait_for_function("document.querySelector('#epoch-seconds svg').clientWidth < 400")
    assert opened.evaluate("document.documentElement.scrollWidth") == 400
