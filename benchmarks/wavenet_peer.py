"""WaveNet's bits a sample beside a PyTorch twin of the same shape, trained on the same sound for as many steps of the
same recipe.

    python -m benchmarks.wavenet_peer --workdir=runs/wavenet --data_dir=DIR [--out=benchmarks/results]

`--workdir` is a run of `zoo-train --model=wavenet` that `zoo-evaluate` has seen: its config.json says what the peer
does (widths, batches, steps, Adam, learning rate, clipping, moving average), its results.json what to put beside it.
The peer picks its own batches and initial weights.
"""

import argparse
import json
import math
import pathlib
import time

import numpy as np
import torch
from torch.optim import swa_utils

from benchmarks.twins import WaveNet
from trainers.data import open_dataset
from trainers.data.readers.audio import PEAK
from trainers.runs.workdir import write, write_json


def clips(dataset, split):
    """(float32 [N, T] on [-1, 1], labels int64 [N])."""
    x, labels = dataset.decoded(split)["x"], dataset.decoded(split)["label"]
    return torch.from_numpy(x.astype(np.float32) / PEAK), torch.from_numpy(labels.astype(np.int64))


def rate(config):
    """The factor of the learning rate by step: a linear warm-up times a cosine to 0, as the recipe's schedule has
    it."""
    steps, warmup = config["steps"], config["schedule"]["warmup_steps"]
    return lambda step: min(1.0, (step + 1) / max(warmup, 1)) * 0.5 * (1 + math.cos(math.pi * min(step / steps, 1.0)))


def train(model, x, labels, config, log=print):
    """The moving average of the weights that Adam finds, and the seconds that took."""
    average = (
        swa_utils.AveragedModel(model, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(config["ema"]))
        if config["ema"]
        else None
    )
    optimizer = torch.optim.Adam(model.parameters(), config["optimizer"]["learning_rate"])
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate(config))
    began = time.perf_counter()
    for step in range(config["steps"]):
        rows = torch.randint(len(x), (config["batch_size"],))
        optimizer.zero_grad(set_to_none=True)
        loss = model(x[rows], labels[rows])
        loss.backward()
        if config["clip_norm"]:
            torch.nn.utils.clip_grad_norm_(model.parameters(), config["clip_norm"])
        optimizer.step()
        schedule.step()
        if average:
            average.update_parameters(model)
        if step % 250 == 249:
            log(f"step {step + 1}/{config['steps']}  {bits(loss, x):.3f} bits/sample  "
                f"{time.perf_counter() - began:.0f} s", flush=True)
    return (average.module if average else model), time.perf_counter() - began


def bits(loss, x):
    return float(loss) / x.shape[1] / math.log(2)


def evaluate(model, x, labels, rows=8):
    """Bits a sample of a whole split."""
    with torch.no_grad():
        parts = [(len(part), bits(model(part, of), part)) for part, of in zip(x.split(rows), labels.split(rows))]
    return sum(num * value for num, value in parts) / len(x)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workdir", type=pathlib.Path, required=True)
    parser.add_argument("--data_dir")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("benchmarks/results"),
                        help="folder of wavenet_peer.md and wavenet_peer.json")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    try:
        stored = json.loads((options.workdir / "config.json").read_text())
        results = json.loads((options.workdir / "results.json").read_text())
    except FileNotFoundError as error:
        parser.error(f"--workdir={options.workdir}: {pathlib.Path(error.filename).name} is missing; zoo-train and "
                     "zoo-evaluate write it")
    config, shape = stored["config"], stored["config"]["model"]
    ours = next(r for r in results if r["metric"] == "bits_per_sample")
    if (
        stored["model"] != "wavenet"
        or shape["skip_channels"] != shape["head_channels"]
        or config["schedule"]["name"] != "cosine"
    ):
        parser.error(f"--workdir={options.workdir}: the twin is a WaveNet whose head is as wide as its skips, with the "
                     "schedule `cosine`")
    dataset = open_dataset(stored["dataset"], options.data_dir, config["data"], print)
    torch.manual_seed(options.seed)
    model = WaveNet(dataset.shape[0], shape["channels"], shape["skip_channels"],
                    [2**i for i in range(shape["layers"])] * shape["cycles"],
                    shape["levels"], shape["classes"])
    averaged, seconds = train(model, *clips(dataset, "train"), config)
    found = evaluate(averaged, *clips(dataset, "test"))
    rows = [dict(side="zoo", bits_per_sample=ours["value"], stderr=ours["stderr"], train_seconds=ours["train_seconds"],
                 steps=ours["steps"]),
            dict(side=f"PyTorch {torch.__version__} twin", bits_per_sample=found, train_seconds=round(seconds, 1),
                 steps=config["steps"], weights=sum(p.numel() for p in model.parameters()))]
    table = "\n".join([f"WaveNet on {stored['dataset']}, test split: {config['steps']:,} steps of "
                       f"{config['batch_size']} clips of {dataset.shape[0]} samples", "",
                       "| | bits a sample | seconds of training |", "|---|---|---|",
                       *(f"| {row['side']} | {row['bits_per_sample']:.3f} | {row['train_seconds']:.0f} |"
                         for row in rows)])
    print(table)
    options.out.mkdir(parents=True, exist_ok=True)
    write(options.out / "wavenet_peer.md", table + "\n")
    write_json(options.out / "wavenet_peer.json", rows)


if __name__ == "__main__":
    main()
