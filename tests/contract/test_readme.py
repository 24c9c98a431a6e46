"""README's Python runs as it stands."""

import pathlib
import re

from trainers import train

ROOT = pathlib.Path(__file__).parents[2]
EXAMPLE, SAVED = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def test_the_example(capsys):
    names = {}
    exec(EXAMPLE.replace("epochs=20", "epochs=1, verbose=0"), names)
    assert names["images"].shape == (64, 8, 8, 1) and names["bound"].shape == (64,)
    assert len(EXAMPLE.splitlines()) <= 12


def test_the_saved_model(tmp_path, capsys):
    tiny = ["--config.model.network=dense", "--config.model.hidden=(8,)", "--config.model.latent_size=2", "--steps=2",
            "--sample_every=0"]
    assert train.run(["zoo-train", f"--workdir={tmp_path}/run", *tiny]) == 0
    names = {}
    exec(SAVED.replace("runs/mnist/export/1", f"{tmp_path}/run/export/1"), names)
    assert "(2, 8, 8, 1)" in capsys.readouterr().out
