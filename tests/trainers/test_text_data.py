"""Text: windows and lines as examples, and every text that can't be read."""

import json

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tests.trainers.test_data import TFDS, quiet, sentence
from trainers import data
from trainers.data import pipeline
from trainers.data.embedded import pysource
from trainers.data.readers import text as text_reader
from trainers.data.tokenizers import Characters
from zoo.domain import one_class
from zoo.model import Domain

RHYME = "The cat sat on the mat.\nThe cat sat on the hat.\n\n\n  The naïve café — ☕ — sat\ton the cat.\r\nThe end."
POEM = "".join(f"Line {i} of a poem: {'abcdefghij'[i % 10] * (i % 7)} {i * i}.\n" for i in range(200))


def write(folder, text, name="text.txt"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def text_file(path, **options):
    return data.open_dataset(f"text_file:{path}", data=options, log=quiet)


def lines(path, **options):
    return data.open_dataset(f"lines:{path}", data=options, log=quiet)


def batches(dataset, steps, batch_size=10, seed=3, **arguments):
    domain = Domain("tokens", dataset.shape, dataset.levels)
    return list(data.training_batches(dataset, domain, batch_size, seed, {}, steps=steps,
                                      **arguments).as_numpy_iterator())


# Tokenizers.


def test_a_text_file_is_parted_in_order(tmp_path):
    dataset = text_file(write(tmp_path, "\ufeff" + POEM), length=16)
    parts = [dataset.tokenizer.decode(dataset.tokens(split)) for split in ("train", "validation", "test")]
    assert "".join(parts) == POEM and [len(part) for part in parts] == pytest.approx(
        [0.9 * len(POEM), 0.05 * len(POEM), 0.05 * len(POEM)], abs=1
    )
    assert (dataset.kind, dataset.shape, dataset.levels, dataset.classes) == ("text", (16,), len(set(parts[0])), None)
    assert dataset.sizes == {split: len(part) // 16 for split, part in zip(("train", "validation", "test"), parts)}
    assert text_file(tmp_path / "text.txt").shape == (64,) and dataset.version.startswith("sha256:")
    accents = text_file(write(tmp_path, "é" * 1000, "accents.txt"), length=4)
    assert accents.text_bytes("test") == 100 and len(accents.tokens("test")) == 50 and accents.levels == 1


def test_training_visits_every_window_once_an_epoch(tmp_path):
    dataset = text_file(write(tmp_path, POEM[:400]), length=16)
    stream = dataset.tokens("train")
    num = len(stream) - 16 + 1
    assert dataset.picks(["x"])[0] == num == 345
    x = np.concatenate(batches(dataset, steps=69))
    windows = np.lib.stride_tricks.sliding_window_view(stream, 16)
    assert x.shape == (2 * num, 16) and x.dtype == np.int32
    for epoch in (x[:num], x[num:]):
        assert sorted(map(bytes, epoch)) == sorted(map(bytes, windows)) and np.any(epoch != windows)
    assert np.any(x[:num] != x[num:])
    np.testing.assert_array_equal(np.concatenate(batches(dataset, start=23, steps=5)), x[230:280])
    parts = [batches(dataset, start=23, steps=5, worker=worker, workers=2) for worker in range(2)]
    np.testing.assert_array_equal(np.concatenate([np.concatenate(pair) for pair in zip(*parts)]), x[230:280])
    np.testing.assert_array_equal(batches(dataset, steps=1, cache_bytes=0)[0], x[:10])  # a text is in memory anyway


@pytest.mark.parametrize("num", [1, 6, 7, 8, 20, 21])
def test_a_long_epoch_in_parts(num, monkeypatch):
    """Parts of at most 7: each epoch is still a permutation, each part is spread over all of it, and it is resumed at
    any place."""
    monkeypatch.setattr(pipeline, "PART", 7)
    key = pipeline.key(1, "order")

    def visited(position, count):
        return np.array(list(pipeline.visits(num, position, key).unbatch().take(count).as_numpy_iterator()))

    whole = visited(0, 3 * num)
    np.testing.assert_array_equal(np.sort(whole.reshape(3, num)), np.tile(np.arange(num), (3, 1)))
    for position in {0, num // 2, num - 1, num, 2 * num - 7 % num}:
        np.testing.assert_array_equal(visited(position, num), whole[position:position + num])
    parts = -(-num // 7)
    first = whole[:-(-num // parts)]
    assert np.all(first % parts == 0)


def test_evaluation_windows_follow_one_another(tmp_path):
    dataset = text_file(write(tmp_path, POEM), length=16)
    domain = Domain("tokens", (16,), dataset.levels)
    for split in dataset.sizes:
        found = np.concatenate(list(data.evaluation_batches(dataset, split, domain, 7, 0, {}).as_numpy_iterator()))
        num = dataset.sizes[split]
        np.testing.assert_array_equal(found.ravel(), dataset.tokens(split)[:16 * num])
        assert len(dataset.tokens(split)) - 16 * num < 16
    record = data.protocol(dataset, domain, {})
    assert (
        record["tokenizer"] == dict(name="characters", size=dataset.levels, end=None)
        and record["levels"] == dataset.levels
    )
    assert record["tokens_in_windows"]["test"] == 16 * dataset.sizes["test"] and record["tokens"]["test"] == len(
        dataset.tokens("test")
    )
    assert record["bytes_per_token"]["test"] == 1.0 and record["held_out"] == {
        split: dataset.sizes[split] for split in ("validation", "test")
    }
    pairs = text_file(tmp_path / "text.txt", length=16, vocabulary=300)
    assert (
        pairs.facts["bytes_per_token"]["test"] == pairs.text_bytes("test") / len(pairs.tokens("test")) > 1.5
        and pairs.levels == 300
    )
    json.dumps(record)


def test_a_runs_tokenizer_is_taken_where_there_is_one(tmp_path):
    path = write(tmp_path, POEM)
    other = Characters(POEM + "☕")
    dataset = data.open_dataset(f"text_file:{path}", tokenizer=other)
    assert dataset.tokenizer is other and dataset.levels == len(set(POEM)) + 1
    sentence(lambda: data.open_dataset(f"text_file:{path}", tokenizer=Characters("abc")), "'train'",
             "'L' (U+004C) at place 0")
    sentence(lambda: data.open_dataset(f"lines:{path}", tokenizer=other), "no end token")


def test_a_vocabulary_that_a_short_text_does_not_fill(tmp_path):
    said = []
    dataset = data.open_dataset(f"text_file:{write(tmp_path, 'ab ' * 100)}", data=dict(vocabulary=5000, length=4),
                                log=said.append)
    assert dataset.levels < 300 and f"{dataset.levels} in place of 5000" in said[0]


# Lines.

def test_lines_are_filled_up_with_their_end(tmp_path):
    words = [f"{'ab' * (i % 5)}{i}" for i in range(100)]
    dataset = lines(write(tmp_path, "\n".join(words[:50]) + "\r\n\n  \n" + "\n".join(words[50:] + words[:7]) + "\n"))
    # 10 digits, a, b
    assert dataset.kind == "text" and dataset.shape == (11,) and dataset.levels == 13 and dataset.tokenizer.end == 12
    found = {split: [dataset.tokenizer.decode(row) for row in dataset.decoded(split)["x"]] for split in dataset.sizes}
    assert sorted(sum(found.values(), [])) == sorted(words + words[:7])
    for split, texts in found.items():
        x = dataset.decoded(split)["x"]
        assert all((row[len(text):] == 12).all() and (row[:len(text)] < 12).all() for row, text in zip(x, texts))
        # equal lines stay together
        assert not set(texts) & {text for other in found if other != split for text in found[other]}
        np.testing.assert_array_equal(dataset.tokens(split),
                                      np.concatenate([np.append(dataset.tokenizer.encode(text), 12) for text in texts]))
        assert dataset.text_bytes(split) == sum(len(text) + 1 for text in texts) and dataset.sizes[split] == len(texts)
    x = np.concatenate(batches(dataset, steps=1, batch_size=dataset.sizes["train"]))
    assert sorted(map(bytes, x)) == sorted(map(bytes, dataset.decoded("train")["x"]))
    assert lines(tmp_path / "text.txt", length=20).shape == (20,)


def test_a_line_keeps_its_split(tmp_path):
    few, many = ("".join(f"word{i}\n" for i in range(num)) for num in (300, 1000))
    one, two = (lines(write(tmp_path, text)) for text in (few, many))
    for split in one.sizes:
        assert {one.tokenizer.decode(row) for row in one.decoded(split)["x"]} <= {two.tokenizer.decode(row)
                                                                                  for row in two.decoded(split)["x"]}
    assert two.sizes["test"] == pytest.approx(100, abs=35) and two.sizes["validation"] == pytest.approx(100, abs=35)
    three = lines(write(tmp_path, "aab\nbba\nbab\n"))
    assert three.sizes == {"train": 1, "validation": 1, "test": 1}


# Texts of TFDS.

def test_the_standard_library(tmp_path):
    dataset = data.open_dataset("pysource", tmp_path, log=quiet)
    assert dataset.version == str(pysource.Pysource.VERSION) and dataset.tokenizer.name == "characters"
    text = {split: dataset.tokenizer.decode(dataset.tokens(split)) for split in dataset.sizes}
    assert text["test"] == "\n".join(map(pysource.source, pysource.MODULES["test"]))
    assert 1_000_000 < len(text["train"]) < 2_500_000 and "class OrderedDict" in text["train"]
    assert len(set(sum(pysource.MODULES.values(), []))) == sum(map(len, pysource.MODULES.values()))


def test_tiny_shakespeare():
    if not (TFDS / "tiny_shakespeare").exists():
        pytest.skip(f"{TFDS / 'tiny_shakespeare'} is not there")
    dataset = data.open_dataset("tiny_shakespeare", TFDS, dict(length=128), quiet)
    assert dataset.levels == 65 and dataset.shape == (128,)
    assert {split: len(dataset.tokens(split)) for split in dataset.sizes} == {"train": 1003854, "validation": 55770,
                                                                              "test": 55770}
    assert dataset.tokenizer.decode(dataset.tokens("train")[:25]) == "First Citizen:\nBefore we "


class Poems(tfds.core.GeneratorBasedBuilder):
    """Documents with a training split alone."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict({"text": tfds.features.Text()}),
                                              disable_shuffling=True)

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for i in range(20):
            yield i, {"text": f"poem {i:02d}"}


def test_documents_held_out(tmp_path):
    Poems(data_dir=tmp_path).download_and_prepare()
    dataset = data.open_dataset("poems", tmp_path, dict(validation=3, length=7), quiet)
    text = {split: dataset.tokenizer.decode(dataset.tokens(split)) for split in ("train", "validation")}
    assert (
        text["validation"] == "poem 17\npoem 18\npoem 19"
        and text["train"].startswith("poem 00\npoem 01")
        and "17" not in text["train"]
    )
    assert "3 documents" in dataset.facts["hold_out"]
    sentence(lambda: data.open_dataset("poems", tmp_path, dict(validation=20), quiet), "--config.data.validation=20",
             "at most 19")
    sentence(lambda: data.open_dataset("poems", tmp_path, dict(image_size=8), quiet), "--config.data.image_size=8",
             "text")


# Bad input.

@pytest.mark.parametrize("content, words", [
    (b"", ["empty"]), (b" \n\t\n", ["empty"]), (b"abc\n" * 50 + b"d\xff\xfe", ["0xff", "byte 201", "line 51", "UTF-8"]),
    (b"\x89PNG\r\n\x1a\n\0\0", ["0x89", "byte 0"]), (b"abc\0def" * 100, ["zero byte", "byte 3"]),
    (b"abc" * 50, ["64", "--config.data.length=7, or less"])])
def test_texts_that_can_not_be_read(tmp_path, content, words):
    sentence(lambda: text_file(write(tmp_path, content)), "--dataset=text_file:", *words)


@pytest.mark.parametrize("kind", ["text_file", "lines"])
def test_files_that_can_not_be_read(tmp_path, kind):
    sentence(lambda: data.open_dataset(f"{kind}:"), "lacks the path", f"{kind}:PATH")
    sentence(lambda: data.open_dataset(f"{kind}:{tmp_path}/none.txt"), "none.txt", "No such file")
    sentence(lambda: data.open_dataset(f"{kind}:{tmp_path}"), "Is a directory")
    path = write(tmp_path, "")
    sentence(lambda: data.open_dataset(f"{kind}:{path}"), "empty")


def test_a_text_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(text_reader, "LARGEST", 100)
    sentence(lambda: text_file(write(tmp_path, POEM)), f"{len(POEM)} bytes", "at most 100")


def test_characters_outside_the_vocabulary(tmp_path):
    path = write(tmp_path, "ab\n" * 1000 + "caf\u00e9\n" * 3)
    sentence(lambda: text_file(path, length=8), "'test'", "'c' (U+0063)", "none of the 3",
             "set --config.data.tokenizer=bytes")
    assert text_file(path, length=8, tokenizer="bytes").levels == 256


@pytest.mark.parametrize("options, words", [
    (dict(length=-1), ["--config.data.length=-1"]), (dict(length="long"), ["--config.data.length=long"]),
    (dict(vocabulary=-5), ["--config.data.vocabulary=-5"]),
    (dict(validation=10), ["--config.data.validation=10", "leave it 0"]),
    (dict(image_size=8), ["--config.data.image_size=8", "leave it out"]),
    (dict(standardize=True), ["--config.data.standardize=True"]), (dict(rate=8000), ["--config.data.rate=8000"]),
    (dict(tokenizer="word"), ["--config.data.tokenizer=word"]), (dict(lenght=3), ["--config.data.lenght", "'length'"])])
@pytest.mark.parametrize("kind", ["text_file", "lines"])
def test_options_that_a_text_can_not_use(tmp_path, kind, options, words):
    path = write(tmp_path, POEM)
    sentence(lambda: data.open_dataset(f"{kind}:{path}", data=options, log=quiet), *words)


def test_lines_that_do_not_fit(tmp_path, monkeypatch):
    path = write(tmp_path, "\n\nb\n" + "a b c d e f g h i j\n" * 3
                 + "".join(f"{a}{b}\n" for a in "abcdefghij" for b in "abcdefghij "))
    sentence(lambda: lines(path, length=19), "--config.data.length=19", "line 4", "19 tokens and an end", "at least 20")
    assert lines(path, length=20, tokenizer="bytes").shape == (20,)
    sentence(lambda: lines(write(tmp_path, "a\nb\na\n", "few.txt")), "2 different lines", "at least 3")
    monkeypatch.setattr(text_reader, "CACHE_BYTES", 4000)
    sentence(lambda: lines(path), "lines filled up to the 20 tokens", "text_file")


def test_models_and_texts(tmp_path):
    dataset = text_file(write(tmp_path, POEM), length=16)
    levels = dataset.levels
    data.check(dataset, Domain("tokens", (16,), levels), {})
    sentence(lambda: data.check(dataset, Domain("tokens", (16,), levels + 1), {}), f"vocabulary of {levels}",
             f"set --config.model.levels={levels}.")
    sentence(lambda: data.check(dataset, Domain("tokens", (32,), levels), {}), "(16,)", "set --config.data.length=32.")
    sentence(lambda: data.check(dataset, Domain("binary", (16,), 2), {}), "has text", "binary rows",
             "choose a data set of images, or a binary table")
    sentence(lambda: data.check(dataset, Domain("tokens", (16,), levels, condition=one_class(2)), {}), "no labels")
    sentence(lambda: data.check(dataset, Domain("tokens", (16,), levels), {"binarization": "dynamic"}),
             "--config.data.binarization=dynamic", "tokens")
