"""The work folder: config.json, checkpoints/, metrics.jsonl, tensorboard/, samples/, results.json, export/1/, and
tokenizer.json of a text model.

One trainer at a time.

Whatever is written here survives a kill: beside, then renamed.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import shutil

from trainers.errors import BadInput

# of a run's description and checkpoints. 1, which does not name itself, has averages in the slots of Keras's
# optimizers: read, never resumed.
FORMAT = 2
_TEMPORARY = ".part"


def write(path, data):
    """Writes bytes or text so that a reader finds the old file or the new one, whole."""
    path = pathlib.Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}{_TEMPORARY}")
    try:
        with open(part, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_json(path, value):
    """Writes a JSON value in the same way."""
    write(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


@contextlib.contextmanager
def storage_errors(folder, *others):
    """Turns a full, read-only or forbidden disk into one sentence; `others`: what else may be raised for one."""
    try:
        yield
    except (OSError, *others) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise BadInput(f"--workdir={folder}: cannot write there: {reason}.") from error


class Workdir:
    """One run's folder.

    Args:
        path: the folder; `locked` makes it.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.config, self.metrics, self.results, self.tokenizer = (
            self.path / name for name in ("config.json", "metrics.jsonl", "results.json", "tokenizer.json"))
        self.checkpoints, self.samples, self.export, self.tensorboard = (
            self.path / name for name in ("checkpoints", "samples", "export", "tensorboard"))

    def read_config(self):
        """Reads the run's description. Raises BadInput where there is none or it cannot be read."""
        if not self.path.is_dir():
            raise BadInput(f"--workdir={self.path}: no such folder.")
        try:
            return json.loads(self.config.read_text())
        except FileNotFoundError:
            raise BadInput(f"--workdir={self.path}: no config.json, so no run was started in this folder.") from None
        except (OSError, ValueError) as error:
            raise BadInput(f"{self.config}: cannot be read as JSON: {error}.") from None

    def write_tokenizer(self, tokenizer):
        """Writes the run's tokenizer, a JSON object: what its tokens mean. Raises BadInput if the folder holds another
        one."""
        if self.read_tokenizer() not in (None, tokenizer):
            raise BadInput(f"--workdir={self.path}: its tokenizer is not what the data set's text gives now; restore "
                           "the text, or choose another folder.")
        with storage_errors(self.path):
            write_json(self.tokenizer, tokenizer)

    def read_tokenizer(self):
        """Reads the JSON object of the run's tokenizer, or None. Raises BadInput where it cannot be read."""
        try:
            return json.loads(self.tokenizer.read_text()) if self.tokenizer.exists() else None
        except (OSError, ValueError) as error:
            raise BadInput(f"{self.tokenizer}: cannot be read as JSON: {error}.") from None

    @contextlib.contextmanager
    def locked(self, worker=0):
        """Holds the folder for one trainer process per worker. The lock goes with the process, so a killed one leaves
        none behind."""
        name = self.path / (".lock" if worker == 0 else f".lock-{worker}")
        with storage_errors(self.path):
            if self.path.exists() and not self.path.is_dir():
                raise BadInput(f"--workdir={self.path}: is a file, not a folder.")
            new = worker == 0 and not self.path.exists()
            self.path.mkdir(parents=True, exist_ok=True)
            file = open(name, "w")
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BadInput(
                    f"--workdir={self.path}: in use by another trainer; stop it or choose another folder."
                ) from None
            with storage_errors(self.path):
                if worker == 0:
                    self.sweep()
            yield
        finally:
            file.close()
            if new and self.path.is_dir() and not self.config.exists():  # nothing came of it: leave nothing behind
                shutil.rmtree(self.path, ignore_errors=True)

    def sweep(self):
        """Removes what a killed process left half written."""
        for part in self.path.rglob(f".*{_TEMPORARY}"):
            part.unlink(missing_ok=True)
        for part in self.export.glob(".export-*"):
            shutil.rmtree(part, ignore_errors=True)

    def claim(self, description, free, update=lambda old, new: old):
        """Writes the run's description, or checks that the folder holds the same run.

        Args:
            description: JSON values that make the run what it is.
            free: dotted keys of `description` that a resumed run may change, with all below them.
            update: from (what the folder holds, `description`) to what this version would have written of that run.

        Returns:
            {dotted key: (before, now)} of the free keys that the command changes.
        """
        with storage_errors(self.path):
            changed = {}
            if self.config.exists():
                old = self.read_config()
                changed = self._compare(update(old, description), description, free)
                told = [dict(key=key, before=before, now=now) for key,
                        (before, now) in changed.items() if key.startswith("config.")]
                description = description | dict(changes=old.get("changes", []) + told)
            elif any(self.checkpoints.glob("*")):
                raise BadInput(f"--workdir={self.path}: holds checkpoints but no config.json; choose another folder.")
            for folder in (self.checkpoints, self.samples, self.tensorboard):
                folder.mkdir(parents=True, exist_ok=True)
            write_json(self.config, description)
            return changed

    def _compare(self, old, new, free):
        for key in ("model", "dataset"):
            if old.get(key) != new[key]:
                raise BadInput(f"--workdir={self.path}: holds a run of {key} {old.get(key)!r}, not {new[key]!r}; "
                               "choose another folder.")
        forms = tuple(description.get("format", 1) for description in (old, new))
        if forms[0] != forms[1]:
            raise BadInput(f"--workdir={self.path}: holds a run of another version (its format is {forms[0]}, this "
                           f"version's {forms[1]}), which can be evaluated, "
                           "sampled and exported, but not resumed; choose another folder for a new run.")
        before, after = (_flat({key: value for key, value in description.items() if key != "changes"})
                         for description in (old, new))
        changed = [key for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)]
        allowed = [key for key in changed if any(f"{key}.".startswith(f"{name}.") for name in free)]
        refused = [key for key in changed if key not in allowed]
        if refused:
            key = refused[0]
            raise BadInput(f"--workdir={self.path}: holds a run with {key} {before.get(key)!r}, not "
                           f"{after.get(key)!r}; "
                           "the same command resumes it, another needs another folder.")
        return {key: (before.get(key), after.get(key)) for key in allowed}

    def truncate_metrics(self, step):
        """Drops the lines of metrics.jsonl that are newer than the checkpoint from which the run resumes."""
        if self.metrics.exists():
            lines = []
            for line in self.metrics.read_text().splitlines():
                with contextlib.suppress(ValueError):  # a line cut short by a kill
                    if json.loads(line)["step"] <= step:
                        lines.append(line)
            write(self.metrics, "".join(line + "\n" for line in lines))


def _flat(value, prefix=""):
    if not isinstance(value, dict):
        return {prefix: value}
    return {key: item for name, part in value.items() for key,
            item in _flat(part, f"{prefix}.{name}" if prefix else name).items()}
