"""zoo-sample: what each mode draws against the model called directly, independence of how many, pictures' layout, bad
input."""

import functools
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.support import runs
from tests.support.runs import draw
from trainers import sample
from trainers.modes import registry
from trainers.pictures import images, points
from trainers.runs import drawing
from zoo import operations, random

CASES = {
    "vae": dict(model="vae", arguments=dict(latent_size=2, hidden=(6,))),
    "vae_3": dict(model="vae", arguments=dict(latent_size=3, hidden=(6,))),
    "pixel_cnn": dict(model="pixel_cnn",
                      arguments=dict(levels=4, channels=4, blocks=1, kernel_size=3, head_channels=4, classes=10)),
    "real_nvp_points": dict(model="real_nvp", dataset="toy2d/eight_gaussians", shape=runs.POINT,
                            arguments=dict(couplings=2, hidden=(4,))),
}


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """name -> (folder, model, its first 40 test examples, their conditions)."""
    folder = tmp_path_factory.mktemp("runs")

    def make(name):
        path = runs.make(folder / name, **CASES[name])
        return path, *runs.load(path, 40)

    return functools.cache(make)


def test_samples_are_the_models(case, tmp_path, capsys):
    path, model, _, _ = case("vae")
    x = draw(path, tmp_path / "x.npy", "--num_samples=7")
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "x.npy")
    seeds = random.rows(random.seed(3), 7)
    np.testing.assert_array_equal(x, model.sample(seeds))
    mean = draw(path, tmp_path / "mean.npy", "--num_samples=7", "--mean")
    np.testing.assert_allclose(mean, model.sample_mean(seeds), atol=1e-6)
    shown = draw(path, tmp_path / "x.png", "--num_samples=7")
    np.testing.assert_array_equal(shown, images.grid(images.to_uint8(mean, model.domain))[..., 0])
    drawn = draw(path, tmp_path / "x.png", "--num_samples=7", "--nomean")
    np.testing.assert_array_equal(drawn, images.grid(images.to_uint8(x, model.domain))[..., 0])


def test_a_sample_does_not_depend_on_how_many_or_on_the_chunks(case, tmp_path):
    path, model, _, _ = case("vae")
    few, many = (draw(path, tmp_path / f"{num}.npy", f"--num_samples={num}") for num in (5, 613))
    assert len(many) == 613 and len(np.unique(many, axis=0)) > 500
    np.testing.assert_array_equal(few, many[:5])
    np.testing.assert_array_equal(many[600:], model.sample(random.rows(random.seed(3), 13, start=600)))
    other = np.load(tmp_path / "5.npy")
    assert sample.run(["zoo-sample", f"--workdir={path}", f"--out={tmp_path / '5.npy'}", "--seed=4",
                       "--num_samples=5"]) == 0
    assert (np.load(tmp_path / "5.npy") != other).any()


@pytest.mark.slow
def test_threads_are_as_many_as_asked_for_and_change_no_sample(case, tmp_path):
    path = case("pixel_cnn")[0]
    code = ("import sys; from trainers import sample; code = sample.run(['zoo-sample', *sys.argv[1:]]); import "
            "tensorflow as tf; "
            "print(code, tf.config.threading.get_intra_op_parallelism_threads(), "
            "tf.config.threading.get_inter_op_parallelism_threads())")
    arguments = [f"--workdir={path}", "--num_samples=6", "--seed=3"]
    done = subprocess.run([sys.executable, "-c", code, *arguments, "--threads=1", f"--out={tmp_path / 'one.npy'}"],
                          # of its own: TensorFlow takes threads before it starts
                          capture_output=True, text=True, check=True, cwd=pathlib.Path(__file__).parents[2],
                          timeout=300)
    assert done.stdout.splitlines()[-1] == "0 1 1"
    np.testing.assert_array_equal(np.load(tmp_path / "one.npy"), draw(path, tmp_path / "all.npy", "--num_samples=6"))


def test_a_conditional_model_draws_all_classes_in_turn(case, tmp_path):
    path, model, _, _ = case("pixel_cnn")
    x = draw(path, tmp_path / "x.npy", "--num_samples=23")
    np.testing.assert_array_equal(x, model.sample(random.rows(random.seed(3), 23), tf.range(23) % 10))


def test_map_rows_applies_a_function_in_bounded_batches():
    sizes = []

    def function(a, b, c):
        sizes.append(int(a.shape[0]))
        assert c is None
        return a[:, None] * b

    a, b = np.arange(11.0), np.random.default_rng(0).normal(size=(11, 3))
    np.testing.assert_array_equal(drawing.map_rows(function, tf.constant(a), tf.constant(b), None, rows=4),
                                  a[:, None] * b)
    assert sizes == [4, 4, 4]


def test_reconstructions_stand_beneath_their_originals(case, tmp_path):
    path, model, x, _ = case("vae")
    pairs = draw(path, tmp_path / "x.npy", "--mode=reconstruct", "--num_samples=13")
    np.testing.assert_array_equal(pairs[:, 0], x[:13])
    np.testing.assert_allclose(pairs[:, 1], model.decode(model.encode(x[:13])), atol=1e-6)
    shown = draw(path, tmp_path / "x.png", "--mode=reconstruct", "--num_samples=13")
    originals, decoded = (images.to_uint8(pairs[:, i], model.domain) for i in (0, 1))
    blank = np.full((7, 8, 8, 1), images.SEPARATOR, np.uint8)
    expected = np.concatenate([originals[:10], decoded[:10], originals[10:], blank, decoded[10:], blank])
    np.testing.assert_array_equal(shown, images.grid(expected, columns=10)[..., 0])


@pytest.mark.parametrize("kind", ["spherical", "linear"])
def test_interpolations_join_pairs_of_test_examples(case, tmp_path, kind):
    path, model, x, _ = case("vae")
    paths = draw(path, tmp_path / "x.npy", "--mode=interpolate", "--num_samples=3", f"--path={kind}")
    expected = operations.interpolate(model, x[0:6:2], x[1:6:2], 10, kind)
    np.testing.assert_allclose(paths, expected, atol=1e-6)
    shown = draw(path, tmp_path / "x.png", "--mode=interpolate", "--num_samples=3", f"--path={kind}")
    np.testing.assert_array_equal(shown,
                                  images.grid(images.to_uint8(paths.reshape(30, 8, 8, 1), model.domain),
                                             columns=10)[..., 0])


def test_the_manifold_is_the_plane_of_codes(case, tmp_path):
    path, model, _, _ = case("vae")
    x = draw(path, tmp_path / "x.npy", "--mode=manifold", "--num_samples=16")
    np.testing.assert_allclose(x, operations.manifold(model, 4), atol=1e-6)
    shown = draw(path, tmp_path / "x.png", "--mode=manifold", "--num_samples=16")
    np.testing.assert_array_equal(shown,
                                  images.grid(images.to_uint8(x.reshape(16, 8, 8, 1), model.domain), columns=4)[..., 0])


def test_completions_keep_the_top_half(case, tmp_path):
    path, model, x, condition = case("pixel_cnn")
    drawn = draw(path, tmp_path / "x.npy", "--mode=complete", "--num_samples=5")
    assert drawn.shape == (5, 7, 8, 8, 1)
    np.testing.assert_array_equal(drawn[:, -1], x[:5])
    np.testing.assert_array_equal(drawn[:, :, :4], np.repeat(x[:5, None, :4], 7, axis=1))
    assert (drawn[:, 0, 4:] != drawn[:, 1, 4:]).any() and (drawn[:, 0, 4:] != drawn[:, -1, 4:]).any()
    mask = np.zeros((1, 8, 8), bool)
    mask[:, :4] = True
    for example, completion in ((0, 0), (4, 5)):
        seed = random.rows(random.seed(3), 1, start=6 * example + completion)
        alone = model.complete(x[example:example + 1], tf.constant(mask), seed, condition[example:example + 1])
        np.testing.assert_array_equal(drawn[example, completion], alone[0])
    np.testing.assert_array_equal(draw(path, tmp_path / "x.npy", "--mode=complete", "--num_samples=2"), drawn[:2])


def test_completions_of_a_class_that_is_asked_for(case, tmp_path):
    path, model, x, _ = case("pixel_cnn")
    drawn = draw(path, tmp_path / "x.npy", "--mode=complete", "--num_samples=2", "--condition=7,1")
    mask = np.zeros((12, 8, 8), bool)
    mask[:, :4] = True
    expected = model.complete(np.repeat(x[:2], 6, 0), mask, random.rows(random.seed(3), 12), np.repeat([7, 1], 6))
    np.testing.assert_array_equal(drawn[:, :-1].reshape(12, 8, 8, 1), expected)


def test_the_picture_of_completions_shows_given_drawn_and_truth(case, tmp_path):
    path, model, x, _ = case("pixel_cnn")
    drawn = draw(path, tmp_path / "x.npy", "--mode=complete", "--num_samples=2")
    shown = draw(path, tmp_path / "x.png", "--mode=complete", "--num_samples=2")
    cells = images.to_uint8(drawn, model.domain)
    given = cells[:, -1:].copy()
    given[:, :, 4:] = images.SEPARATOR
    np.testing.assert_array_equal(shown,
                                  images.grid(np.concatenate([given, cells], axis=1).reshape(16, 8, 8, 1),
                                             columns=8)[..., 0])


def test_points_make_scatter_plots(case, tmp_path):
    path, model, x, _ = case("real_nvp_points")
    drawn = draw(path, tmp_path / "x.npy", "--num_samples=30")
    np.testing.assert_allclose(drawn, model.sample(random.rows(random.seed(3), 30)), atol=1e-6)
    np.testing.assert_array_equal(draw(path, tmp_path / "x.png", "--num_samples=30"), points.scatter(drawn))
    pairs = draw(path, tmp_path / "x.npy", "--mode=reconstruct", "--num_samples=9")
    np.testing.assert_allclose(pairs[:, 1], x[:9], atol=1e-4)  # a flow inverts itself
    np.testing.assert_array_equal(draw(path, tmp_path / "x.png", "--mode=reconstruct", "--num_samples=9"),
                                  points.scatter(pairs[:, 1]))


def test_by_default_a_picture_goes_into_the_work_folder(case, capsys):
    path, _, _, _ = case("vae")
    assert sample.run(["zoo-sample", f"--workdir={path}", "--num_samples=4"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(path / "samples" / "sample.png")
    # a pixel is 7 dots
    assert np.asarray(Image.open(path / "samples" / "sample.png")).shape == (2 * 8 * 7 + 3 * 7,) * 2


def test_modes_follow_from_what_the_model_can_do(case):
    found = {name: registry.modes_of(case(name)[1]) for name in CASES}
    assert found == {"vae": ["sample", "reconstruct", "interpolate", "traverse", "arithmetic", "manifold", "complete"],
                     "vae_3": ["sample", "reconstruct", "interpolate", "traverse", "arithmetic", "complete"],
                     "pixel_cnn": ["sample", "complete"],
                     "real_nvp_points": ["sample", "reconstruct", "interpolate", "traverse", "arithmetic", "manifold"]}


@pytest.mark.parametrize("arguments, said", [
    ([], "--workdir"),
    (["--workdir={missing}"], "no such folder"),
    (["--workdir={vae}", "--mode=sampel"], "did you mean 'sample'"),
    (["--workdir={pixel_cnn}", "--mode=reconstruct"], "it has sample, complete"),
    (["--workdir={vae}", "--num_samples=0"], "--num_samples"),
    (["--workdir={vae}", "--num_samples=-3"], "--num_samples"),
    (["--workdir={vae}", "--threads=0"], "--threads"),
    (["--workdir={vae}", "--num_samples=few"], "num_samples"),
    (["--workdir={vae}", "--mode=reconstruct", "--num_samples=361"], "360"),
    (["--workdir={vae}", "--mode=manifold", "--num_samples=10"], "9 and 16"),
    (["--workdir={vae}", "--mode=interpolate", "--path=straight"], "--path"),
    (["--workdir={pixel_cnn}", "--mean"], "--mean"),
    (["--workdir={vae}", "--mode=reconstruct", "--mean"], "--mean"),
    (["--workdir={vae}", "--path=linear"], "--mode=interpolate"),
    (["--workdir={vae}", "--data_dir=x"], "reads no data"),
    (["--workdir={vae}", "--condition=1"], "takes no condition"),
    (["--workdir={pixel_cnn}", "--condition=10"], "0 to 9"),
    (["--workdir={vae}", "--mode=reconstruct", "--condition=1"], "not with --mode=reconstruct"),
    (["--workdir={vae}", "--mode=interpolate", "--condition=1"], "have their own"),
    (["--workdir={vae}", "--out={tmp}"], "is a folder"),
    (["--workdir={vae}", "--out={tmp}/x.pngg"], "did you mean '.png'"),
    (["--workdir={vae}", "--out={tmp}/x"], "unknown ending ''"),
    (["--workdir={vae}", "--out={tmp}/no/x.png"], "no such folder"),
    (["--workdir={vae}", "--out={file}/x.png"], "no such folder"),
])
def test_bad_input(case, capsys, tmp_path, arguments, said):
    (tmp_path / "file").write_text("")
    folders = dict(vae=case("vae")[0], pixel_cnn=case("pixel_cnn")[0], missing=tmp_path / "missing", tmp=tmp_path,
                   file=tmp_path / "file")
    capsys.readouterr()
    assert sample.run(["zoo-sample", *(argument.format(**folders) for argument in arguments)]) == 2
    error = capsys.readouterr().err
    assert said in error and len(error.strip().splitlines()) == 1 and "Traceback" not in error
    assert os.listdir(tmp_path) == ["file"]


def test_a_full_disk_leaves_the_old_file(case, tmp_path, monkeypatch, capsys):
    path, _, _, _ = case("vae")
    draw(path, tmp_path / "x.png", "--num_samples=4")
    before = (tmp_path / "x.png").read_bytes()

    def no_space(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", no_space)
    for out in ("x.png", "x.npy"):
        assert sample.run(["zoo-sample", f"--workdir={path}", f"--out={tmp_path / out}", "--num_samples=9"]) == 2
        assert "No space left" in capsys.readouterr().err
    assert (tmp_path / "x.png").read_bytes() == before and os.listdir(tmp_path) == ["x.png"]
