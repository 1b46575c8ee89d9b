"""reports/summary.md: the answer first, then the tables behind it."""

from pipeline.report.report import Report
from pipeline.report.summary.answer import answer
from pipeline.report.summary.inference import inference_section
from pipeline.report.summary.kernels import kernels_section
from pipeline.report.summary.limits import limits_section
from pipeline.report.summary.measured import measured_section
from pipeline.report.summary.networks import network_section, networks_in_figures
from pipeline.report.summary.recipes import recipes_section
from pipeline.report.summary.resources import resources_section
from pipeline.report.summary.scaling import scaling_section, time_to_accuracy_section
from pipeline.report.summary.study import study_section
from pipeline.report.summary.targets import targets_section


def render_summary(report: Report) -> str:
    """Return the whole of summary.md."""
    sections = [
        "# What binarization saves, and what it costs",
        answer(report),
        *(network_section(report, name) for name in report.params.architectures),
        networks_in_figures(),
        study_section(report),
        time_to_accuracy_section(report.tables["time_to_accuracy"], report.params),
        resources_section(report),
        scaling_section(report.tables["scaling"], report.params),
        inference_section(
            report.tables["inference"],
            report.tables["runtimes"],
            report.params.inference.passes_method,
        ),
        kernels_section(report.tables["kernels"], report.kernels_environment),
        targets_section(
            report.tables["targets"], report.kernels_environment, len(report.params.seeds)
        ),
        recipes_section(report),
        limits_section(report.params),
        measured_section(report),
        _tables(report),
    ]
    return "\n\n".join(sections) + "\n"


def _tables(report: Report) -> str:
    links = [f"[{name.replace('_', ' ')}](tables/{name}.csv)" for name in report.tables]
    return (
        f"## Tables\n\nAll of the above comes from these: {', '.join(links)}, "
        "[metrics](metrics.json)."
    )
