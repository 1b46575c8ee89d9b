import pytest

from pipeline.common.errors import PipelineError
from pipeline.config.architecture import Architecture
from tests.networks import mlp


def test_a_name_is_the_definition() -> None:
    architecture = Architecture.parse("mlp-1024-1024-3", (28, 28), 10)
    assert architecture.hidden == (1024, 1024, 3)
    assert architecture.widths == (784, 1024, 1024, 3, 10)
    assert Architecture.parse("mlp-128", (2, 3, 3), 4).widths == (18, 128, 4)
    assert mlp(36, 8, 5, 3) == Architecture.parse("mlp-8-5", (1, 36), 3)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "mlp",
        "mlp-",
        "mlp-0",
        "mlp-08",
        "mlp-100000",
        "mlp-8-",
        "xmlp-8",
        "mlp-8\n",
        "mlp-\u0668",
    ],
)
def test_any_other_name_is_one_message(name: str) -> None:
    with pytest.raises(PipelineError, match="is not an architecture: write mlp and the") as error:
        Architecture.parse(name, (6, 6), 3)
    assert str(error.value).isprintable()
    assert str(error.value).isascii()
