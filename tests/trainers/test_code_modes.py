"""zoo-sample --mode=traverse and --mode=arithmetic against the model called directly, of images, strings and strokes,
and what they refuse."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.support import runs
from tests.support.runs import draw
from trainers import sample
from trainers.data import evaluation_batches, open_dataset
from trainers.modes import registry
from trainers.pictures import images
from trainers.runs import run as run_module

STRINGS = dict(latent_size=3, filters=(4,), kernels=(2,), dense=8, hidden=6, layers=1, levels=15, end=14)
SKETCH = dict(latent_size=3, encoder_units=6, decoder_units=8, components=2)


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    folder = runs.make(tmp_path_factory.mktemp("runs") / "vae", "vae",
                       arguments=dict(levels=17, latent_size=3, hidden=(6,)))
    return folder, run_module.load(folder)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    folder = runs.make(tmp_path_factory.mktemp("runs") / "cvae", "conditional_vae",
                       arguments=dict(levels=17, latent_size=3, hidden=(6,), classes=10, quadrants=0))
    return folder, run_module.load(folder)


def of_class(run, number, num):
    """The first `num` test examples of a class, as the model takes them."""
    dataset = open_dataset("digits")
    batch = next(iter(evaluation_batches(dataset, "test", run.model.domain, 360, 0, run.config.data)))
    x = batch[0] if isinstance(batch, tuple) else batch
    return x[dataset.decoded("test")["label"] == number][:num]


def test_traverse(vae, tmp_path):
    folder, run = vae
    x = draw(folder, tmp_path / "x.npy", "--mode=traverse", "--num_samples=2")
    assert x.shape == (2, 10, 8, 8, 1)
    batch = next(iter(evaluation_batches(open_dataset("digits"), "test", run.model.domain, 360, 0, run.config.data)))
    codes = run.model.encode(batch).numpy()
    most = np.argsort(-codes.var(0))[:2]
    for line, latent in zip(x, most):
        z = np.repeat(codes[:1], 10, axis=0)
        z[:, latent] = codes[:, latent].mean() + codes[:, latent].std() * np.linspace(-3, 3, 10)
        np.testing.assert_allclose(line, run.model.decode(tf.constant(z)), atol=1e-5)
    shown = draw(folder, tmp_path / "x.png", "--mode=traverse", "--num_samples=2")
    np.testing.assert_array_equal(shown,
                                  images.grid(images.to_uint8(x.reshape(-1, 8, 8, 1), run.model.domain),
                                             columns=10)[..., 0])
    assert draw(folder, tmp_path / "all.npy", "--mode=traverse").shape[0] == 3  # ten were asked for, there are three


def test_arithmetic_of_classes(vae, tmp_path):
    folder, run = vae
    x = draw(folder, tmp_path / "x.npy", "--mode=arithmetic", "--terms=3,8,0", "--num_samples=7")
    a, b, c = (tf.reduce_mean(run.model.encode(of_class(run, number, 7)), 0) for number in (3, 8, 0))
    np.testing.assert_allclose(x, run.model.decode(tf.stack([a, b, c, a + b - c])), atol=1e-5)
    assert draw(folder, tmp_path / "x.png", "--mode=arithmetic", "--terms=3,8,0").ndim == 2


def test_arithmetic_of_files_and_a_class(vae, tmp_path):
    folder, run = vae
    levels = np.random.default_rng(0).integers(0, 17, (8, 8))
    Image.fromarray(np.round(levels * (255 / 16)).astype(np.uint8)).save(tmp_path / "a.png")
    two = np.array(of_class(run, 5, 2))
    np.save(tmp_path / "b.npy", two)
    x = draw(folder, tmp_path / "x.npy", "--mode=arithmetic", f"--terms={tmp_path / 'a.png'},{tmp_path / 'b.npy'},1",
             "--num_samples=3")
    a = run.model.encode(tf.constant(levels[None, ..., None], tf.int32))[0]
    b, c = (tf.reduce_mean(run.model.encode(part), 0) for part in (two, of_class(run, 1, 3)))
    np.testing.assert_allclose(x, run.model.decode(tf.stack([a, b, c, a + b - c])), atol=1e-5)


def test_arithmetic_of_a_conditional_model_takes_the_first_terms_class(labelled, tmp_path):
    folder, run = labelled
    x = draw(folder, tmp_path / "x.npy", "--mode=arithmetic", "--terms=3,8,0", "--num_samples=4")
    a, b, c = (tf.reduce_mean(run.model.encode(of_class(run, number, 4), condition=tf.fill([4], number)), 0)
               for number in (3, 8, 0))
    np.testing.assert_allclose(x, run.model.decode(tf.stack([a, b, c, a + b - c]), condition=tf.fill([4], 3)),
                               atol=1e-5)


@pytest.mark.slow
def test_sketches_by_their_names(tmp_path):
    from trainers import train

    run = tmp_path / "run"
    arguments = [f"--config.model.{key}={value}" for key, value in SKETCH.items()]
    assert train.run(["zoo-train", "--model=sketch_rnn", "--dataset=sketches", f"--workdir={run}", "--steps=2",
                      "--batch_size=8", "--noexport", "--sample_every=0",
                      *arguments]) == 0
    x = draw(run, tmp_path / "x.npy", "--mode=arithmetic", "--terms=cat,dog,Pig", "--num_samples=5")
    numbers = draw(run, tmp_path / "n.npy", "--mode=arithmetic", "--terms=0,1,2", "--num_samples=5")
    assert x.shape == (4, 48, 5)
    np.testing.assert_array_equal(x, numbers)
    assert sample.run(["zoo-sample", f"--workdir={run}", "--mode=traverse",
                       f"--out={tmp_path / 'x.svg'}"]) == 0 and b"<svg" in (tmp_path / "x.svg").read_bytes()


def test_strings_from_files(tmp_path):
    from trainers import train

    run, files = tmp_path / "run", []
    arguments = [f"--config.model.{key}={value}" for key, value in STRINGS.items() if key not in ("levels", "end")]
    assert train.run(["zoo-train", "--model=character_vae", "--dataset=expressions", f"--workdir={run}", "--steps=2",
                      "--batch_size=8", "--noexport", "--sample_every=0",
                      *arguments]) == 0
    for name, text in dict(a="x+1", b="x*2", c="sin(x)").items():
        files.append(tmp_path / f"{name}.txt")
        files[-1].write_text(text + "\n")
    assert sample.run(["zoo-sample", f"--workdir={run}", "--mode=arithmetic", f"--terms={','.join(map(str, files))}",
                       f"--out={tmp_path / 'x.txt'}"]) == 0
    assert len((tmp_path / "x.txt").read_text().splitlines()) >= 4


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ([], "three terms"),
        (["--terms=3,8"], "three terms"),
        (["--terms=3,8,10"], "'10' is no file"),
        (["--terms=3,8,x"], "0 to 9"),
        (["--terms=3,8,{tmp}/none.png"], "none.png can't be read: No such file"),
        (["--terms=3,8,{tmp}/text.png"], "it is no picture"),
        (["--terms=3,8,{tmp}/large.png"], "shape (9, 9, 1)"),
        (["--terms=3,8,{tmp}/levels.npy"], "whole numbers from 0 to 16"),
        (["--terms=3,8,{tmp}/x.txt"], "no lines of text"),
    ],
)
def test_bad_terms(vae, tmp_path, capsys, arguments, sentence):
    (tmp_path / "text.png").write_text("no")
    (tmp_path / "x.txt").write_text("no")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "large.png")
    np.save(tmp_path / "levels.npy", np.full((8, 8, 1), 17))
    out = tmp_path / "out.png"
    assert sample.run(["zoo-sample", f"--workdir={vae[0]}", "--mode=arithmetic", f"--out={out}",
                       *(a.format(tmp=tmp_path) for a in arguments)]) == 2
    assert sentence in capsys.readouterr().err and not out.exists()


def test_terms_go_with_arithmetic_alone_and_files_with_unconditional_models(vae, labelled, tmp_path, capsys):
    assert sample.run(["zoo-sample", f"--workdir={vae[0]}", "--terms=1,2,3", f"--out={tmp_path / 'x.png'}"]) == 2
    assert "--mode=arithmetic" in capsys.readouterr().err
    assert sample.run(["zoo-sample", f"--workdir={labelled[0]}", "--mode=arithmetic", "--terms=1,2,x.png",
                       f"--out={tmp_path / 'x.png'}"]) == 2
    assert "conditional" in capsys.readouterr().err
    assert {"traverse", "arithmetic"} <= set(registry.modes_of(vae[1].model))
