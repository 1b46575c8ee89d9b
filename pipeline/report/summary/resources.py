"""The summary's section on where an epoch's time and training's bytes go."""

from pipeline.report.captions import LEDGER, PHASES, figure
from pipeline.report.markdown import markdown
from pipeline.report.report import Report


def resources_section(report: Report) -> str:
    """Return seconds by phase, MiB by kind, and memory over time."""
    return "\n\n".join(
        [
            "## Where the time goes",
            f"Seconds of an epoch, medians over rounds ([phases.csv](tables/phases.csv)). {PHASES}",
            _phases(report),
            figure("phases"),
            "## Where the bytes go",
            "Training memory by kind, in percent of its measured peak, the median over rounds "
            f"([ledger.csv](tables/ledger.csv)). {LEDGER}",
            _ledger(report),
            _adds_up(report),
            figure("ledger"),
            "The whole process over time ([memory_curve.csv](tables/memory_curve.csv)):",
            figure("memory"),
        ]
    )


def _phases(report: Report) -> str:
    phases = report.tables["phases"]
    table = phases.pivot(
        index=["architecture", "batch_size", "method"], columns="phase", values="seconds"
    )
    names = list(dict.fromkeys(phases["phase"]))
    rows = [
        [", ".join(map(str, case)), *(f"{table.loc[case, name]:.3f}" for name in names)]
        for case in _cases(report)
    ]
    return markdown(["network, batch, method", *names], rows)


def _ledger(report: Report) -> str:
    ledger = report.tables["ledger"]
    keys = ["architecture", "batch_size", "method"]
    percent = ledger.pivot(index=keys, columns="kind", values="percent_of_peak").fillna(0)
    peaks = ledger.groupby(keys)["mib"].sum()
    kinds = list(dict.fromkeys(ledger["kind"]))
    rows = [
        [
            ", ".join(map(str, case)),
            f"{peaks[case]:.1f}",
            *(f"{round(percent.loc[case, kind])}" for kind in kinds),
        ]
        for case in _cases(report)
    ]
    headers = [kind.replace("_", " ") for kind in kinds]
    return markdown(["network, batch, method", "peak, MiB", *headers], rows)


def _adds_up(report: Report) -> str:
    ledger = report.tables["ledger"]
    keys = ["architecture", "batch_size", "method"]
    # What was given back and is still counted is no more explained than what has no name at all.
    unexplained = ledger[ledger["kind"].isin(("freed_but_kept", "rest"))]
    percent = unexplained["percent_of_peak"].abs().groupby([ledger[key] for key in keys]).sum()
    return (
        "All but *freed but kept* and *rest* adds up to the peak within "
        f"{percent.median():.1f} % of it in the median row and {percent.max():.1f} % in the worst."
    )


def _cases(report: Report) -> list[tuple[str, int, str]]:
    return [
        (architecture, batch, method)
        for architecture in report.params.architectures
        for batch in report.params.profiled_batch_sizes
        for method in report.params.methods
    ]
