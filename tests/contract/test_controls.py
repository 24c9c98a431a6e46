"""What follows from a control that a model declares: flags, signatures, card entries and ranges, for every model that
has some.
"""

import json

import numpy as np
import pytest

import zoo
from tests.support import cases
from trainers import sample
from trainers.modes.registry import MODES
from zoo.serving.export import export
from zoo.serving.signatures import signatures

MODELS = sorted(name for name, cls in zoo.MODELS.items() if cls.controls)


def test_some_models_have_controls():
    assert {"gpt", "sketch_rnn", "sketch_rnn_unconditional", "denoising_autoencoder", "ddpm"} <= set(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_a_control_has_a_range_around_its_default_a_meaning_and_methods(name):
    model = cases.shared(name)
    for key, control in model.controls.items():
        control = control.resolved(model)
        assert control.low <= control.default <= control.high and control.meaning and control.of, key
        assert all(hasattr(model, f"_{method}") and method in {mode.controls for mode in MODES.values()}
                   for method in control.of)


def test_no_control_takes_the_name_of_a_flag():
    from absl import flags

    options = flags.FlagValues()
    sample.define(options)
    assert not {key for cls in zoo.MODELS.values() for key in cls.controls} & set(options)


@pytest.mark.parametrize("name", MODELS)
def test_a_signature_with_controls_at_their_defaults_is_the_one_without(name):
    model = cases.shared(name)
    found = signatures(model, 3)
    served = {key for key in found if key.endswith("_controlled")}
    methods = {method for control in model.controls.values() for method in control.of}
    assert served == {f"{method}_controlled" for method in methods if method in found}
    for key in served:
        inputs = found[key].example(np.random.default_rng(0))
        usual = {item.name: item.default for item in found[key].inputs if item.default is not None}
        plain = {k: v for k, v in inputs.items() if k not in usual}
        if key == "complete_controlled":  # in turn, as a plain one where the known come first
            plain["mask"] = np.arange(inputs["mask"].size // 3) < np.ones([3, 1])
        given = plain | {k: np.full_like(inputs[k], value) for k, value in usual.items()}
        ours, theirs = found[key].function(**given), found[key.removesuffix("_controlled")].function(**plain)
        for output in theirs:
            np.testing.assert_allclose(ours[output], theirs[output], atol=1e-4)


def test_the_card_says_what_a_control_is(tmp_path):
    model = cases.make("gpt")
    card = json.loads((export(model, tmp_path) / "assets.extra" / "card.json").read_text())
    for name in ("sample_controlled", "complete_controlled"):
        entry = card["signatures"][name]["inputs"]["top_k"]
        expected = dict(dtype="int32", shape=["batch"], unit="tokens", range=[0, model.levels], default=0)
        assert entry == expected | dict(meaning=model.controls["top_k"].meaning)
    assert "temperature" not in card["signatures"]["sample"]["inputs"]
