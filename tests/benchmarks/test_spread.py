"""The table of runs that differ in their seeds."""

import json
import sys

import pytest

from benchmarks import spread


def run(folder, seed, value, beta=1.0, dataset="shapes", steps=10):
    """A folder as a trained and evaluated run leaves it, of the entries that are read."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(dict(model="beta_vae", dataset=dataset, seed=seed,
                                                        config=dict(model=dict(beta=beta)))))
    (folder / "results.json").write_text(json.dumps([dict(metric="mig", value=value, split="test", steps=steps),
                                                     dict(metric="mig", value=-1.0, split="validation", steps=steps)]))
    return str(folder)


def group(path, name, values, **entries):
    return f"{name}=" + ",".join(
        run(path / f"{name}-{seed}", seed, value, **entries) for seed, value in enumerate(values)
    )


def test_means_spreads_and_their_difference(tmp_path, monkeypatch, capsys):
    out = tmp_path / "spread.md"
    monkeypatch.setattr(sys, "argv",
                        ["spread", group(tmp_path, "heavy", [0.2, 0.3, 0.4], beta=4.0),
                         group(tmp_path, "plain", [0.1, 0.2]), "--metrics=mig", f"--out={out}"])
    spread.main()
    # sd 0.1 and 0.0707; the difference's error is sqrt(0.01 / 3 + 0.005 / 2)
    assert out.read_text().splitlines() == ["| shapes, 10 steps | heavy (3 seeds) | plain (2 seeds) | heavy - plain |",
                                            "|---|---|---|---|",
                                            "| mig | 0.300 ± 0.100 | 0.150 ± 0.071 | +0.150 ± 0.076 |"]
    assert "+0.150" in capsys.readouterr().out


@pytest.mark.parametrize("second, metrics, message", [
    (dict(seed=0), "mig", "must differ in their seeds"), (dict(seed=1, beta=2.0), "mig", "in nothing else"),
    (dict(seed=1, steps=20), "mig", "in nothing else"), (dict(seed=1), "mig,sap", "have no sap"),
    (None, "mig", "two runs or more")])
def test_refuses_runs_that_cannot_be_compared(tmp_path, monkeypatch, capsys, second, metrics, message):
    folders = [run(tmp_path / "a", 0, 0.1)] + ([run(tmp_path / "b", value=0.2, **second)] if second else [])
    monkeypatch.setattr(sys, "argv",
                        ["spread", "one=" + ",".join(folders), f"--metrics={metrics}", f"--out={tmp_path / 'out'}"])
    with pytest.raises(SystemExit) as stopped:
        spread.main()
    assert stopped.value.code == 2 and message in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_refuses_groups_of_other_data_and_runs_that_were_not_evaluated(tmp_path, monkeypatch, capsys):
    one, other = group(tmp_path, "one", [0.1, 0.2]), group(tmp_path, "other", [0.1, 0.2], dataset="digits")
    for arguments, message in (([one, other], "same data set"),
                               ([one, f"none={tmp_path},{tmp_path}"], "no run that zoo-evaluate has seen")):
        monkeypatch.setattr(sys, "argv", ["spread", *arguments, "--metrics=mig"])
        with pytest.raises(SystemExit) as stopped:
            spread.main()
        assert stopped.value.code == 2 and message in capsys.readouterr().err
