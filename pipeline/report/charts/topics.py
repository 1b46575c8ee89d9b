"""All topics: in the order of the page's sections, by the names of the summary's figures."""

from pipeline.report.charts import (
    confusion,
    costs,
    frontier,
    inference,
    learning_curves,
    memory_breakdown,
    memory_curve,
    phases,
    scaling,
    time_to_accuracy,
    tradeoff,
)
from pipeline.report.charts.topic import Topic

TOPICS: dict[str, Topic] = {
    "frontier": frontier.TOPIC,
    "costs": costs.TOPIC,
    "tradeoff": tradeoff.TOPIC,
    "phases": phases.TOPIC,
    "memory_breakdown": memory_breakdown.TOPIC,
    "learning_curves": learning_curves.TOPIC,
    "memory_curve": memory_curve.TOPIC,
    "confusion": confusion.TOPIC,
    "scaling": scaling.TOPIC,
    "time_to_accuracy": time_to_accuracy.TOPIC,
    "inference": inference.TOPIC,
}
