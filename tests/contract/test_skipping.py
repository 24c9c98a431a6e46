"""Updates that are skipped: a spoiled batch leaves everything as it was, the next one moves it, on one replica as on
two; what is counted survives a resumption."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.support import cases
from tests.trainers.test_engine import batches, config, engine
from tests.trainers.test_train import TINY, final_state, run
from trainers.runs import config as configs
from trainers.training import loop


def settings(skip_norm=1e3, ema=0.9, name="adam", **entries):
    made = config(ema=ema, skip_norm=skip_norm, **entries)
    made.optimizer.name = name
    return made


def stream(model, *factors, size=8):
    """One batch again and again, times a factor each time."""
    x = cases.batch(model, size).numpy()
    return iter(tf.data.Dataset.from_tensor_slices(np.stack([x * np.float32(factor) for factor in factors])))


def state(one):
    """All that an update moves: weights, slots, the optimizer's step, averages."""
    return [v.numpy() for name, variables in one.state().items() if name not in ("step", "skips") for v in variables]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("replicas, spoiled",
                         [(1, np.nan), (2, np.nan), (2, 1e6), *(pytest.param(*case, marks=pytest.mark.slow)
                                               for case in ((1, np.inf), (2, np.inf), (1, 1e6)))])
def test_a_spoiled_batch_is_skipped_and_the_next_one_is_not(replicas, spoiled):
    one = engine("rnade", replicas, settings())
    iterator = stream(one.model, 1, spoiled, 1)
    means, wrong = one.advance(iterator, 1)
    before = state(one)
    assert wrong is None and means["loss"] < 1e3 and one.totals() == {"skipped": 0}
    means, wrong = one.advance(iterator, 1)
    assert wrong is None and same(before, state(one)) and one.totals() == {"skipped": 1} and one.skipped_in_a_row == 1
    assert (means == {}) == (not np.isfinite(spoiled))
    means, wrong = one.advance(iterator, 1)
    assert wrong is None and np.isfinite(means["loss"]) and one.totals() == {"skipped": 1} and one.skipped_in_a_row == 0
    assert not any(np.array_equal(a, b) for a, b in zip(before, state(one), strict=True) if a.size > 4)
    assert int(one.step) == 3 and one.finite()


@pytest.mark.parametrize("replicas", [1, 2])
def test_an_example_that_one_replica_alone_sees_stops_the_update_of_all(replicas):
    one = engine("rnade", replicas, settings())
    x = cases.batch(one.model, 8).numpy()
    x[6] = np.nan
    before = state(one)
    one.advance(iter(tf.data.Dataset.from_tensors(x)), 1)
    assert same(before, state(one)) and one.totals() == {"skipped": 1}


def test_two_replicas_equal_one():
    found = []
    for replicas in (1, 2):
        one = engine("rnade", replicas, settings(name="sgd", learning_rate=1e-2, clip_norm=0.5))
        means, wrong = one.advance(stream(one.model, 1, 1.1, np.nan, 0.9, 1e6, 1), 6)
        assert wrong is None and one.totals() == {"skipped": 2}
        found.append((means, one.weights()))
    np.testing.assert_allclose(found[0][0]["loss"], found[1][0]["loss"], rtol=1e-5)
    for a, b in zip(found[0][1], found[1][1]):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_threshold_that_nothing_reaches_changes_nothing():
    for name in ("vae", "gan"):
        plain, careful = engine(name, settings=settings(0.0)), engine(name, settings=settings(1e9))
        a, b = (one.advance(batches(one.model), 3)[0] for one in (plain, careful))
        assert a.keys() == b.keys() and plain.totals() == {} and careful.totals() == {"skipped": 0}
        for ours, theirs in zip(plain.weights(), careful.weights()):
            np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_the_norm_is_that_before_clipping_and_each_player_s_own():
    one = engine("gan", settings=settings(1e-9, clip_norm=1e-12))
    before = state(one)
    one.advance(batches(one.model), 3)
    assert (
        same(before, state(one))
        and one.totals() == {"skipped": 3 * sum(player.updates for player in one.players)}
        and one.skipped_in_a_row == 3
    )


def test_means_leave_out_what_is_not_finite():
    one = engine("rnade", settings=settings(name="sgd", learning_rate=1e-12))
    good = one.advance(stream(one.model, 1), 1)[0]
    mixed = one.advance(stream(one.model, np.nan, 1, np.nan, 1), 4)[0]
    np.testing.assert_allclose(mixed["loss"], good["loss"], rtol=1e-5)


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_resumed_run_keeps_the_count(tmp_path):
    arguments = [*TINY, "--config.schedule.name=constant", "--config.skip_norm=8", "--log_every=2"]
    assert run(tmp_path / "a", *arguments, "--steps=6") == 0 and run(tmp_path / "a", *arguments, "--steps=12") == 0
    assert run(tmp_path / "b", *arguments, "--steps=12") == 0
    a, b = (final_state(tmp_path / name) for name in "ab")
    assert a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)
    skipped = [[line["skipped"] for line in lines(tmp_path / name)] for name in "ab"]
    assert skipped[0] == skipped[1] == sorted(skipped[0]) and 0 < skipped[0][-1] < 12


def test_a_run_that_only_skips_stops_and_goes_on_with_a_higher_threshold(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(loop, "_MOST_SKIPS", 5)
    assert run(tmp_path / "run", *TINY, "--steps=50", "--checkpoint_every=2", "--config.skip_norm=1e-6") == 2
    error = capfd.readouterr().err
    assert (
        "updates in a row were skipped" in error and "--config.skip_norm=1e-06" in error and "is good: resume" in error
    )
    assert run(tmp_path / "run", *TINY, "--steps=6", "--config.skip_norm=1e6") == 0
    assert lines(tmp_path / "run")[-1]["skipped"] >= 4


def test_a_description_from_before_there_was_skipping():
    """Without the entry a run is one that never skips."""
    made = configs.to_dict(config())
    del made["skip_norm"]
    assert configs.from_dict(made).skip_norm == 0.0


@pytest.mark.parametrize("value", ["-1", "nan", "inf"])
def test_bad_thresholds(tmp_path, capfd, value):
    assert run(tmp_path / "run", *TINY, f"--config.skip_norm={value}") == 2
    assert "--config.skip_norm must be 0" in capfd.readouterr().err
