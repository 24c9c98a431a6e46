"""How far an evaluation is, and its rate: a bar, or plain lines where the output is no terminal."""

import sys
import time

import tqdm

_SECONDS_PER_LINE = 10


class Progress:
    """Tells how many of `total` examples are done, and how many in a second; `close` ends it with one line."""

    def __init__(self, name, total):
        self._name, self._total, self._done = name, total, 0
        self._began = self._told = time.monotonic()
        self._bar = None
        if sys.stderr.isatty():
            self._bar = tqdm.tqdm(total=total, desc=name, unit="example", dynamic_ncols=True, leave=False)

    def add(self, num):
        """Counts `num` more examples."""
        self._done += num
        now = time.monotonic()
        if self._bar:
            self._bar.update(num)
        elif now - self._told > _SECONDS_PER_LINE:
            self._told = now
            print(f"{self._name}  {self._done}/{self._total}  {self._rate():.1f} examples/s", flush=True)

    def _rate(self):
        return self._done / max(time.monotonic() - self._began, 1e-9)

    def close(self):
        """Ends it, and tells the whole rate."""
        if self._bar:
            self._bar.close()
        print(f"{self._name}: {self._done} examples, {self._rate():.1f} examples/s", flush=True)
