"""Models of text through the programs: nats a token and bits a byte against direct computation, prompts, and a changed
text."""

import json
import math

import numpy as np
import pytest

from trainers import evaluate, sample, train
from trainers.runs import run as runs

GPT = ["--model=gpt", "--config.model.width=8", "--config.model.heads=2", "--config.model.layers=1", "--batch_size=4",
       "--steps=3", "--sample_every=3",
       "--noexport", "--config.evaluation.samples=50", "--config.evaluation.completions=5", "--config.data.length=12",
       "--config.data.tokenizer=characters"]


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    (folder / "text.txt").write_text("".join(f"Line {i} of it: caf\u00e9.\n" for i in range(200)))
    (folder / "words.txt").write_text("".join(f"name{i}\n" for i in range(120)))
    for kind, file in (("text_file", "text.txt"), ("lines", "words.txt")):
        assert train.run(["zoo-train", f"--dataset={kind}:{folder / file}", f"--workdir={folder / kind}", *GPT]) == 0
        assert evaluate.run(["zoo-evaluate", f"--workdir={folder / kind}", "--batch_size=5"]) == 0
    return folder


def records(folder):
    return {record["metric"]: record for record in json.loads((folder / "results.json").read_text())}


def test_windows(texts):
    found, run = records(texts / "text_file"), runs.load(texts / "text_file")
    text = (texts / "text.txt").read_text()
    tokens = run.medium.tokenizer.encode(text[len(text) * 95 // 100:])
    size = len(text[len(text) * 95 // 100:].encode())
    assert size > len(tokens)  # of the accents
    windows = tokens[:len(tokens) // 12 * 12].reshape(-1, 12)
    expected = -run.model.log_probs(windows).numpy()[:, 1:].mean()
    assert (
        found["nats_per_token"]["value"] == pytest.approx(expected, rel=1e-5)
        and found["nats_per_token"]["kind"] == "exact"
    )
    nats, scored = 0.0, 0
    while scored < len(tokens):  # each token once, with half a window before it
        start = min(max(scored - 6, 0), len(tokens) - 12)
        terms = -run.model.log_probs(tokens[None, start:start + 12]).numpy()[0]
        nats, scored = nats + terms[scored - start:].sum(), start + 12
    assert found["bits_per_byte"]["value"] == pytest.approx(nats / math.log(2) / size, rel=1e-5)
    assert found["bits_per_byte"]["protocol"]["bytes"] == size and found["nats_per_token"]["stderr"] > 0
    assert "energy_distance" not in found and found["missing_negative_log_likelihood_first"]["kind"] == "exact"


def test_lines(texts):
    found, run = records(texts / "lines"), runs.load(texts / "lines")
    protocol = found["nats_per_token"]["protocol"]
    nll = found["negative_log_likelihood"]
    total = nll["value"] * nll["protocol"]["num_examples"]
    assert found["nats_per_token"]["value"] == pytest.approx(total / protocol["tokens"], rel=1e-5)
    size = nll["protocol"]["text_bytes"]["test"]
    assert protocol["tokens"] == size == found["bits_per_byte"]["protocol"]["bytes"]  # an end stands for a line feed
    assert found["bits_per_byte"]["value"] == pytest.approx(found["nats_per_token"]["value"] / math.log(2), rel=1e-5)
    x = run.model.sample(np.arange(20, dtype=np.int32).reshape(10, 2)).numpy()
    ended = np.maximum.accumulate(x == run.model.end, axis=1)
    assert np.all(x[ended] == run.model.end)


def draw(texts, out, *arguments):
    assert sample.run(["zoo-sample", f"--workdir={texts / 'text_file'}", f"--out={out}", "--num_samples=3",
                       *arguments]) == 0
    return out.read_text() if out.suffix == ".txt" else np.load(out)


def test_prompts(texts, tmp_path):
    text = draw(texts, tmp_path / "x.txt", "--prompt=Line", "--temperature=0.5", "--top_k=5", "--top_p=0.9")
    assert text.count("Line") >= 3 and text.startswith("Line")
    run = runs.load(texts / "text_file")
    x = draw(texts, tmp_path / "x.npy", "--prompt=Line", "--top_k=1")
    assert (x == x[0]).all()  # one token to choose from: nothing is left to chance
    greedy = run.model.log_probs(x[:1]).numpy()[0, 4:]
    for place in range(4, 12):
        others = np.repeat(x[:1], run.model.levels, 0)
        others[:, place] = np.arange(run.model.levels)
        assert run.model.log_probs(others).numpy()[:, place].max() == pytest.approx(greedy[place - 4], abs=1e-4)
    assert (texts / "text_file" / "samples" / "step-00000003.txt").read_text()


@pytest.mark.parametrize("arguments, said", [
    (["--prompt=\u20ac"], "--prompt: "), (["--prompt="], "--prompt: takes 1 to 11 tokens, found 0"),
    (["--prompt=Line Line Line"], "found 14"),
    (["--temperature=0"], "--temperature must be 0.0001 to 100, found 0."), (["--top_p=1.5"], "top_p must be"),
    (["--top_k=-1"], "top_k must be"),
    (["--mode=complete", "--prompt=Line"], "goes with --mode=sample"), (["--out=x.png"], "did you mean"),
    (["--mode=complete", "--mask=left"], "--mask=left")])
def test_bad_prompts_are_one_sentence(texts, capsys, arguments, said):
    assert sample.run(["zoo-sample", f"--workdir={texts / 'text_file'}", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error and len(error.strip().splitlines()) == 1


def test_a_run_refuses_another_text(texts, capsys):
    path = texts / "words.txt"
    before = path.read_text()
    try:
        path.write_text(before.upper())
        assert train.run(["zoo-train", f"--dataset=lines:{path}", f"--workdir={texts / 'lines'}", *GPT]) == 2
        assert "its tokenizer is not what" in capsys.readouterr().err
    finally:
        path.write_text(before)
