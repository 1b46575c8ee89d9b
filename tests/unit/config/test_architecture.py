import pytest

from pipeline.common.errors import PipelineError
from pipeline.config.architecture import Architecture, Convolution
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


def test_a_name_lists_convolutions() -> None:
    architecture = Architecture.parse("vgg-32-64s-m-128-f256-f8", (28, 29), 10)
    assert architecture.convolutions == (
        Convolution(32, 1, pool=False),
        Convolution(64, 2, pool=True),
        Convolution(128, 1, pool=False),
    )
    assert architecture.hidden == (256, 8)
    # A stride rounds up, pooling down.
    assert architecture.feature_maps == ((28, 29, 1), (28, 29, 32), (7, 7, 64), (7, 7, 128))
    assert architecture.widths == (7 * 7 * 128, 256, 8, 10)
    assert Architecture.parse("vgg-8", (5, 4, 3), 2).feature_maps == ((5, 4, 3), (5, 4, 8))


def test_an_mlp_has_one_map() -> None:
    architecture = Architecture.parse("mlp-8", (5, 4, 3), 2)
    assert architecture.convolutions == ()
    assert architecture.feature_maps == ((5, 4, 3),)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vgg", "vgg has no convolution"),
        ("vgg-f8", "vgg-f8 has no convolution"),
        ("vgg-", "'' is no layer: write channels"),
        ("vgg-32-x", "'x' is no layer: write channels"),
        ("vgg-32-032", "'032' is no layer"),
        ("vgg-32ss", "'32ss' is no layer"),
        ("vgg-32-f0", "'f0' is no layer"),
        ("vgg-32-F8", "'F8' is no layer"),
        ("vgg-32-\u0668", "is no layer"),
        ("vgg-32\n", "is no layer"),
        ("vgg-m-32", "'m' pools no convolution"),
        ("vgg-32-m-m", "'m' pools no convolution"),
        ("vgg-32-f8-32", "'32' follows a fully connected layer"),
        ("vgg-32-f8-m", "'m' follows a fully connected layer"),
        ("vgg-12", "'12' has channels that fill no bytes: take a multiple of 8"),
    ],
)
def test_a_wrong_layer_is_named(name: str, message: str) -> None:
    with pytest.raises(PipelineError) as error:
        Architecture.parse(name, (28, 28), 10)
    assert message in str(error.value)
    assert str(error.value).isprintable()
    assert str(error.value).isascii()


def test_a_network_that_pools_the_image_away_is_refused() -> None:
    message = (
        "vgg-8-m-8-m-8-m pools the image away: 6 x 4 pixels are 1 x 1 before convolution 3, "
        "which pools"
    )
    with pytest.raises(PipelineError) as error:
        Architecture.parse("vgg-8-m-8-m-8-m", (6, 4), 10)
    assert str(error.value) == message
