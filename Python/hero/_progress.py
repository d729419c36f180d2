"""The program's lines of progress as a bar."""

import re
import sys

try:
    from tqdm.auto import tqdm
except ImportError:
    tqdm = None

# "Features: 3/10 videos  1.2 videos/s, 5 s left", and in the end
# "Features: 10 videos in 8 s, 1.2 videos/s".
_UNDER_WAY = re.compile(r"(?P<label>[A-Z][A-Za-z ]*): (?P<done>\d+)(/(?P<total>\d+))? (?P<unit>[a-z]+)(  (?P<note>.*))?$")
_FINISHED = re.compile(r"(?P<label>[A-Z][A-Za-z ]*): (?P<done>\d+) (?P<unit>[a-z]+) in \S+.*$")


class Progress:
    """Takes what the program says on standard error, line by line."""

    def __init__(self, shows):
        self.shows = shows
        self.bar = None
        self.label = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._close()

    def take(self, line):
        if not self.shows:
            return
        finished = _FINISHED.match(line)
        under_way = None if finished else _UNDER_WAY.match(line)
        if tqdm is None or not (finished or under_way):
            self._say(line)
            return
        found = finished or under_way
        if self.label != found["label"]:
            self._close()
            total = int(found["done"] if finished else found["total"] or 0) or None
            self.label = found["label"]
            self.bar = tqdm(desc=self.label, total=total, unit=" " + found["unit"])
        if under_way and found["note"]:
            # The program's own rate and time, as the bar does not know what was done before.
            self.bar.set_postfix_str(found["note"], refresh=False)
        self.bar.n = int(found["done"])
        self.bar.refresh()
        if finished:
            self._close()

    def _say(self, line):
        if self.bar is not None:
            self.bar.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr, flush=True)

    def _close(self):
        if self.bar is not None:
            self.bar.close()
        self.bar = self.label = None
