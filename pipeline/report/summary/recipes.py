"""The summary's section on how the networks were trained."""

from pipeline.report.markdown import markdown
from pipeline.report.report import Report


def recipes_section(report: Report) -> str:
    """Return the params of every method."""
    methods = {name: method.model_dump() for name, method in report.params.methods.items()}
    keys = dict.fromkeys(
        key for method in methods.values() for key, value in method.items() if value is not None
    )
    rows = [
        [key.replace("_", " "), *("-" if m.get(key) is None else m[key] for m in methods.values())]
        for key in keys
    ]
    engines = ["torch" if name in report.params.groups.torch else "packed" for name in methods]
    return "\n\n".join(
        [
            "## Recipes",
            f"All at batch {report.params.train.batch_size}, from "
            "[params.yaml](../params.yaml). *Pixel bits* are how many of a pixel's 8 bits the "
            "network sees, after a curve of *pixel gamma*, which brightens dark ones (1 is none). "
            "*Label smoothing* is the share of a label's probability that goes to all classes "
            "alike. *Gradient bits* are those of the gradients in the backward pass's "
            "products, rounded stochastically; *state bits* those of each of the optimizer's "
            "moments; latent weights have 16, or 32 beside moments of 32. *Prediction passes* are "
            "those whose mean score is the prediction: what is random in training is spread over "
            "them. What each ingredient buys is measured by `make ablation`, which writes "
            "ablation/summary.md beside this file.",
            markdown(["", *methods], [["engine", *engines], *rows]),
        ]
    )
