"""The summary's section on limits and on what did not work."""

from pipeline.config.params import Params
from pipeline.report.text import join_words


def limits_section(params: Params) -> str:
    """Return what these figures do not show, and what was tried and left."""
    epochs = [f"{name} has {method.epochs}" for name, method in params.methods.items()]
    return "\n\n".join(
        [
            "## Limits, and what did not work",
            "- Fully connected networks on small grey images: nothing here is shown for "
            "convolutions or larger data.\n"
            "- Trained in bits, the first layer reads at most the top 4 bits of a pixel; float "
            "reads 8.\n"
            "- The products of pixels leave out groups that are 0. On images without black, "
            "training in bits and predicting are slower than here.\n"
            "- At a small batch the optimizer, which works on latent weights, not on bits, takes "
            "a large part of what is left of an epoch "
            "([phases.csv](tables/phases.csv)): there is less to save than the products suggest.\n"
            "- At a large batch the sums of a layer are computed twice, for want of the memory "
            "to keep them: memory is saved at the cost of time.\n"
            "- Ternary gradients (`gradient_bits: 2`), weights without latent ones (`optimizer: "
            "bop`), shifted images, mixup, distillation from float32 networks, levels of each "
            "pixel's own and other widths of the straight-through estimator lost accuracy or "
            "gained none in trials, by validation ([trials.csv](../ablation/trials.csv), a row a "
            "trial). The first two are in the engine, not in these tables.\n"
            "- Process memory of float is mostly the import of torch and the code of it that "
            "training uses, which a deployment without torch would not pay; training memory is "
            "counted after both.\n"
            f"- The epochs differ: {join_words(epochs)}. An accuracy is that of a method's own recipe, "
            "and not of equally many steps.\n"
            f"- One machine, {params.train.threads} threads; the ratios differ on others. On "
            "x86-64 the fast kernels need AVX2, and are fastest with AVX-512's counting and byte "
            "products; torch uses AVX-512 where there is any. What each used stands below.",
        ]
    )
