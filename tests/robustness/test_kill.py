"""Where and when `.ci/kill` kills."""

from collections import Counter
from random import Random

import pytest

from tests.robustness.kill.places import LOCKING, RUNNING, SAVING, STARTING, Place, durations
from tests.robustness.kill.plan import OF_TRAINING, SHARES, Plan
from tests.robustness.kill.run import FindingError, Tally

# As DVC, a stage, and `shell` print.
LINES = (
    (1.0, "Running stage 'fetch':\n"),
    (1.5, "> python -m pipeline fetch\n"),
    (3.0, "kill: the stage's process has ended\n"),
    (3.5, "Generating lock file 'dvc.lock'\n"),
    (3.5, "Updating lock file 'dvc.lock'\n"),
    (4.0, "Running stage 'train-torch@mlp-128-float-1':\n"),
    (9.0, "kill: the stage's process has ended\n"),
    (9.5, "Updating lock file 'dvc.lock'\n"),
)
TORCH = "train-torch@mlp-128-float-1"
TIMES = {
    Place(STARTING): 1.0,
    Place(RUNNING, "fetch"): 2.0,
    Place(SAVING, "fetch"): 0.5,
    Place(LOCKING, "fetch"): 0.5,
    Place(RUNNING, TORCH): 5.0,
    Place(SAVING, TORCH): 0.5,
    Place(LOCKING, TORCH): 2.5,
}


def test_the_undisturbed_run_is_told_apart_into_places() -> None:
    assert durations(LINES, 12.0) == TIMES
    assert Place(STARTING).after("Stage 'fetch' is cached - skipping run\n") == Place(
        SAVING, "fetch"
    )
    assert [place.kind for place in TIMES] == [
        *(STARTING, "fetch", SAVING, LOCKING),
        *("train-torch", SAVING, LOCKING),
    ]


def test_every_stage_gets_its_share_at_any_of_its_moments() -> None:
    moments: dict[Place, list[float]] = {}
    for seed in range(200):
        kills: Counter[Place] = Counter()
        plan = Plan(TIMES, 100, Random(seed))
        # An attempt ends with its kill, and the next begins with the same stage.
        for _ in range(60):
            place = Place(STARTING)
            seconds = plan.start()
            for _, line in LINES:
                if seconds is not None:
                    break
                place = place.after(line)
                seconds = plan.on_line(line)
            if seconds is not None:
                kills[place] += 1
                moments.setdefault(place, []).append(seconds / TIMES[place])
        for place in TIMES:
            least, most = OF_TRAINING if place.kind == "train-torch" else SHARES[place.stretch]
            assert (0 if place == Place(STARTING) else least) <= kills[place] <= most
    assert moments.keys() == TIMES.keys()
    for of_place in moments.values():
        assert 0 <= min(of_place) < 0.2
        assert 0.8 < max(of_place) <= 1


def test_there_are_no_more_kills_than_are_left() -> None:
    plan = Plan(TIMES, 2, Random(1))
    # Each place is come to often enough that it is used up.
    aimed = [
        seconds
        for _ in range(100)
        for seconds in (plan.start(), *(plan.on_line(line) for _, line in LINES))
        if seconds is not None
    ]
    assert len(aimed) == 2


def test_many_kills_that_missed_a_stage_or_resumed_nothing_are_a_finding() -> None:
    kinds = ("fetch", "train-torch", "train-packed")
    tally = Tally(kinds, Counter({"fetch": 50, "train-torch": 49}))
    tally.check()
    tally.kills["fetch"] += 1
    with pytest.raises(FindingError, match="never killed: train-packed"):
        tally.check()
    tally.kills["train-packed"] += 1
    tally.resumed["train-torch"] += 1
    with pytest.raises(FindingError, match="never resumed: train-packed"):
        tally.check()
    tally.resumed["train-packed"] += 1
    tally.check()
