"""Tables: what is read from .csv, .npy and .npz files, how it is parted and scaled, and every table that can't be
read."""

import json

import numpy as np
import pytest

from tests.trainers.test_data import TFDS, quiet, sentence
from trainers import data
from trainers.data.dataset import hold_out_by_content
from zoo.model import Domain

RNG = np.random.default_rng(0)
REAL = RNG.normal(size=(60, 3)).astype(np.float32)
BINARY = RNG.integers(0, 2, (80, 7)).astype(np.uint8)


def save(path, array=None, **arrays):
    """Writes a table in the form of the file's ending."""
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".npz":
        np.savez(path, **(arrays or dict(x=array)))
    else:
        path.write_text("".join(",".join(map(repr, row)) + "\n" for row in array.tolist()))
    return path


def table(path, **options):
    return data.open_dataset(f"table:{path}", data=options, log=quiet)


def ordered(rows):
    return sorted(map(tuple, np.asarray(rows).tolist()))


# What is read.

@pytest.mark.parametrize("suffix", [".csv", ".npy", ".npz"])
def test_real_and_binary_tables(tmp_path, suffix):
    real, binary = table(save(tmp_path / f"real{suffix}", REAL)), table(save(tmp_path / f"binary{suffix}", BINARY))
    assert (real.kind, real.shape, real.levels, real.classes) == ("points", (3,), None, None)
    assert (binary.kind, binary.shape, binary.levels) == ("points", (7,), 2)
    for dataset, array, dtype in (real, REAL, np.float32), (binary, BINARY, np.uint8):
        rows = [dataset.decoded(split)["x"] for split in dataset.sizes]
        assert all(part.dtype == dtype for part in rows) and ordered(np.concatenate(rows)) == ordered(array)
        assert dataset.version.startswith("sha256:") and min(dataset.sizes.values()) > 0
    x = np.concatenate(list(data.training_batches(real, Domain("real", (3,)), real.sizes["train"], 0, {},
                                                  steps=1).as_numpy_iterator()))
    assert ordered(x) == ordered(real.decoded("train")["x"]) and x.dtype == np.float32
    x = np.concatenate(list(data.evaluation_batches(binary, "test", Domain("binary", (7,), 2), 4, 0,
                                                    {}).as_numpy_iterator()))
    np.testing.assert_array_equal(x, binary.decoded("test")["x"])
    assert x.dtype == np.float32
    x = next(data.training_batches(binary, Domain("levels", (7,), 2), 5, 0, {}).as_numpy_iterator())
    assert x.dtype == np.int32 and set(np.unique(x)) == {0, 1}


def test_the_same_numbers_are_parted_alike_whatever_the_file(tmp_path):
    found = [table(save(tmp_path / f"x{suffix}", REAL)) for suffix in (".csv", ".npy", ".npz")]
    found.append(table(save(tmp_path / "double.npy", REAL.astype(np.float64))))
    for dataset in found[1:]:
        for split in dataset.sizes:
            np.testing.assert_array_equal(dataset.decoded(split)["x"], found[0].decoded(split)["x"])


def test_equal_rows_stay_together_and_in_their_split():
    contents = [bytes([value]) for value in range(250)] * 2
    found = hold_out_by_content("x", contents, "rows", 0.1)
    assert sorted(np.concatenate(list(found.values()))) == list(range(500))
    sides = {split: {contents[i] for i in rows} for split, rows in found.items()}
    assert sum(map(len, sides.values())) == 250 and {split: len(rows) // 2 for split, rows in found.items()} == {
        split: len(side) for split, side in sides.items()
    }
    assert len(sides["test"]) == pytest.approx(25, abs=14) and len(sides["validation"]) == pytest.approx(25, abs=14)
    few = hold_out_by_content("x", contents[:120], "rows", 0.1)
    for split, rows in few.items():
        assert {contents[i] for i in rows} <= sides[split]
    for num in range(3, 30):
        assert all(map(len, hold_out_by_content("x", contents[:num], "rows", 0.1).values()))
    sentence(lambda: hold_out_by_content("x", [b"a", b"b", b"a"], "rows", 0.1), "2 different rows",
             "at least 3")


def test_the_part_that_is_held_out(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("".join(f"{i},{i * i}\n" for i in range(1000)))
    dataset = data.open_dataset(f"table:{path}", data=dict(held_out=0.03), log=quiet)
    assert (
        15 < dataset.sizes["test"] < 50
        and 15 < dataset.sizes["validation"] < 50
        and dataset.facts["hold_out"].startswith("3 % of the rows")
    )
    for part in (0.0, 0.5, 1, "x"):
        sentence(lambda: data.open_dataset(f"table:{path}", data=dict(held_out=part), log=quiet),
                 f"--config.data.held_out={part}", "between 0 and 0.5")
    np.savez(tmp_path / "x.npz", train=np.zeros((5, 2)), test=np.zeros((3, 2)))
    sentence(lambda: data.open_dataset(f"table:{tmp_path / 'x.npz'}", data=dict(held_out=0.2), log=quiet),
             "--config.data.held_out=0.2", "leave it 0.1")


@pytest.mark.parametrize("keys",
                         [("train_data", "valid_data", "test_data"), ("train", "validation", "test"),
                          ("train", "valid", "test"), ("train", None, "test")])
def test_splits_of_an_npz(tmp_path, keys):
    parts = {key: BINARY[10 * i:10 * i + 10 - i] for i, key in enumerate(keys) if key}
    dataset = table(save(tmp_path / "x.npz", **parts))
    assert dataset.levels == 2 and dataset.facts["hold_out"] == "the file's own splits"
    names = [split for split, key in zip(("train", "validation", "test"), keys) if key]
    for split, part in zip(names, parts.values(), strict=True):
        np.testing.assert_array_equal(dataset.decoded(split)["x"], part)
    if None in keys:
        held = table(tmp_path / "x.npz", validation=4)
        np.testing.assert_array_equal(held.decoded("validation")["x"], BINARY[6:10])
        assert (
            held.sizes == {"train": 6, "test": 8, "validation": 4}
            and "the last 4 training rows" in held.facts["hold_out"]
        )
    else:
        sentence(lambda: table(tmp_path / "x.npz", validation=4), "--config.data.validation=4", "9 examples already")


def test_headers_spaces_and_columns(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("\ufeffheight, weight of 2\r\n" + "".join(f" {i}, {i}.5e0\r\n\r\n" for i in range(20)),
                    encoding="utf-8")
    dataset = table(path)
    assert ordered(np.concatenate([dataset.decoded(split)["x"]
                                   for split in dataset.sizes])) == [(i, i + 0.5) for i in range(20)]
    assert table(save(tmp_path / "x.npy", np.arange(10.0))).shape == (1,)
    zeros = np.concatenate([-np.zeros((9, 2)), np.zeros((9, 2)), RNG.normal(size=(9, 2))])
    dataset = table(save(tmp_path / "zeros.npy", zeros))  # -0 and 0 are equal rows
    assert sum((dataset.decoded(split)["x"] == 0).all(1).any() for split in dataset.sizes) == 1


def test_standardized(tmp_path):
    path = save(tmp_path / "x.npy", REAL * [1, 10, 100] + 5)
    plain, dataset = table(path), table(path, standardize=True)
    x, kept = dataset.decoded("train")["x"].astype(np.float64), plain.decoded("train")["x"].astype(np.float64)
    np.testing.assert_allclose(x.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(0), 1, atol=1e-5)
    record = data.protocol(dataset, Domain("real", (3,)), {})["standardized"]
    np.testing.assert_allclose(record["mean"], kept.mean(0))
    np.testing.assert_allclose(record["std"], kept.std(0))
    np.testing.assert_allclose(dataset.decoded("test")["x"] * record["std"] + record["mean"],
                               plain.decoded("test")["x"], rtol=1e-5)
    assert (
        "standardized" not in data.protocol(plain, Domain("real", (3,)), {})
        and "density of (x - mean) / std" in record["measure"]
    )
    json.dumps(record)


@pytest.mark.parametrize("name, columns, train", [("dna", 180, 1400), ("mushrooms", 112, 2000), ("nips", 500, 400)])
def test_binary_uci(name, columns, train):
    path = TFDS.parent / "binary_uci" / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    dataset = table(path)
    assert dataset.shape == (columns,) and dataset.levels == 2 and dataset.sizes["train"] == train
    assert data.protocol(dataset, Domain("binary", (columns,), 2), {})["binarization"] == "stored"


# Bad input.

@pytest.mark.parametrize("content, words", [
    ("", ["empty"]), ("a,b\n", ["empty"]), ("a,b\n1,2\n3,x\n", ["row 3, column 2", "'x'"]),
    ("1,2\n3,4\n5\n", ["row 3 has 1 columns", "2"]),
    ("a,b\n1,2,3\n", ["row 2 has 3 columns", "2"]), ("1,b\n2,3\n", ["row 1, column 2", "'b'"]),
    ("1,2\n\n3,\n", ["row 3, column 2", "''"]),
    ("1,2\n3,nan\n", ["row 2, column 2", "'nan'", "finite"]), ("1,-inf\n3,4\n", ["row 1, column 2", "'-inf'"]),
    ("1;2\n3;4\n", ["row 2, column 1", "'3;4'"]),
    ("1,2\n1,2\n3,4\n", ["2 different rows", "at least 3"]), (b"\xff\xfe\x00", ["no table"])])
def test_csv_files_that_can_not_be_read(tmp_path, content, words):
    path = tmp_path / "x.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    sentence(lambda: table(path), f"--dataset=table:{path}", *words)


@pytest.mark.parametrize("array, words", [
    (np.array(["a", "b"]), ["numbers are needed"]), (np.zeros((2, 3), complex), ["complex128"]),
    (np.zeros((2, 3, 4)), ["(2, 3, 4)", "rows and columns"]),
    (np.zeros((0, 3)), ["empty"]), (np.array([[1.0, 2], [3, np.nan]]), ["nan in row 2, column 2"]),
    (np.array([[1e300, 2]]), ["inf in row 1, column 1"]),
    (np.array([{}, 1], object), ["pickle"])])
def test_arrays_that_can_not_be_read(tmp_path, array, words):
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    sentence(lambda: table(tmp_path / "x.npy"), "--dataset=table:", *words)
    np.savez(tmp_path / "x.npz", train=array, test=array)
    sentence(lambda: table(tmp_path / "x.npz"), "--dataset=table:", *words)


def test_files_that_are_no_tables(tmp_path):
    sentence(lambda: data.open_dataset("table:"), "lacks the path", "table:PATH")
    sentence(lambda: table(tmp_path / "none.csv"), "none.csv", "No such file")
    sentence(lambda: table(tmp_path / "x.xlsx"), "'.xlsx'", ".csv")
    for name in "x.npy", "x.npz":
        (tmp_path / name).write_bytes(b"no array")
        sentence(lambda: table(tmp_path / name), name, "can't be read as an array of numbers")
    whole = save(tmp_path / "cut.npy", REAL).read_bytes()
    (tmp_path / "cut.npy").write_bytes(whole[:-50])
    sentence(lambda: table(tmp_path / "cut.npy"), "can't be read as an array of numbers")
    whole = save(tmp_path / "cut.npz", REAL).read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[:-50])
    sentence(lambda: table(tmp_path / "cut.npz"), "can't be read as an array of numbers")
    sentence(lambda: table(save(tmp_path / "x.npz", a=REAL, b=REAL)), "the arrays a, b", "train_data, test_data")
    sentence(lambda: table(save(tmp_path / "x.npz", train=REAL, train_data=REAL, test=REAL)), "train, train_data, test")
    sentence(lambda: table(save(tmp_path / "x.npz", train=REAL, test=REAL[:, :2])), "2 and 3 columns")


@pytest.mark.parametrize("options, words", [
    (dict(image_size=8), ["--config.data.image_size=8", "rows of numbers"]),
    (dict(length=8), ["--config.data.length=8", "leave it out"]),
    (dict(tokenizer="bytes"), ["--config.data.tokenizer=bytes", "leave it auto"]),
    (dict(label="digit"), ["--config.data.label=digit"]),
    (dict(validation=5), ["--config.data.validation=5", "already"])])
def test_options_that_a_table_can_not_use(tmp_path, options, words):
    path = save(tmp_path / "x.npy", REAL)
    sentence(lambda: table(path, **options), *words)


def test_tables_that_can_not_be_standardized(tmp_path):
    sentence(lambda: table(save(tmp_path / "b.npy", BINARY), standardize=True), "--config.data.standardize=true",
             "binary")
    constant = np.column_stack([REAL, np.full(60, 4.0)])
    sentence(lambda: table(save(tmp_path / "c.npy", constant), standardize=True), "column 4",
             "is 4 in every training row")


@pytest.mark.parametrize("which, domain, words", [
    ("real", Domain("binary", (3,), 2),
     ["real points of shape (3,)", "binary rows of shape (3,)", "or a binary table"]),
    ("binary", Domain("real", (7,)), ["binary rows of shape (7,)", "real points", "choose a data set of points"]),
    ("real", Domain("real", (3,), 256, (0.0, 1.0), True),
     ["real points", "real images", "choose a data set of images"]),
    ("binary", Domain("binary", (28, 28, 1), 2), ["(7,)", "(28, 28, 1)"]),
    ("real", Domain("real", (2,)), ["(3,)", "(2,)", "train a model on this data set"]),
    ("binary", Domain("levels", (7,), 16), ["2 levels", "16", "set --config.model.levels=2"]),
    ("real", Domain("levels", (3,), 16), ["real points"]),
    ("real", Domain("tokens", (3,), 5), ["real points", "tokens", "pysource"]),
    ("real", Domain("waveform", (3,)), ["waveforms", "tones"])])
def test_models_and_tables(tmp_path, which, domain, words):
    dataset = table(save(tmp_path / "x.npy", REAL if which == "real" else BINARY))
    sentence(lambda: data.check(dataset, domain, {}), *words)


def test_what_is_stored_binary_is_not_binarized(tmp_path):
    dataset = table(save(tmp_path / "x.npy", BINARY))
    sentence(lambda: data.check(dataset, Domain("binary", (7,), 2), {"binarization": "dynamic"}),
             "--config.data.binarization=dynamic", "stored binary")
