"""Runs the program and says how it goes."""

import os
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

from ._progress import Progress


class Error(RuntimeError):
    """What the program says is wrong, and what to do.

    `status` is its exit status: 1 for bad input, 2 for options that do not fit, 128 and the
    number of a signal that ended it. `log` is all that it said.

        >>> try:
        ...     hero.search("none.index", "a door")
        ... except hero.Error as error:
        ...     print(error.status, error)
        1 none.index: there is no such file. Check the path
    """

    def __init__(self, message, status, log=""):
        super().__init__(message)
        self.status = status
        self.log = log


def program():
    """The path of the program `hero` in this package."""
    return str(Path(__file__).resolve().parent / "program" / "bin" / "hero")


def version():
    """The version and the commit of the program.

    >>> hero.version()
    'hero 0.1.0 (commit 0123abc)'
    """
    return run("--version").splitlines()[0]


def options(settings):
    """Keywords as options of a command line.

    None and False leave an option out, True gives a flag, a list gives several values.
    """
    words = []
    for name, value in settings.items():
        if value is None or value is False:
            continue
        flag = "--" + name.replace("_", "-")
        if value is True:
            words.append(flag)
        elif isinstance(value, (list, tuple)):
            words += [flag, *map(str, value)]
        else:
            # In one word, so that a value may begin with a dash.
            words.append(f"{flag}={value}")
    return words


def run(*arguments, input=None, progress=True):
    """Runs a command, as `hero ARGUMENTS…` does, and gives what it prints.

    `input` is a text for it to read. With `progress` long work shows a bar, of tqdm where that is
    installed, and lines of the program go to standard error; without it nothing is shown.

        >>> print(hero.run("devices"))
        + cpu: …
        >>> hero.run("finetune", "--config", "tvr.json", "--output-dir", "runs/tvr")
    """
    environment = {"HERO_PROGRESS_INTERVAL": "0.5", **os.environ}
    with tempfile.TemporaryFile() as given:
        given.write((input or "").encode("utf-8", "surrogateescape"))
        given.seek(0)
        # In a session of its own: Ctrl-C reaches this process alone, which passes it on.
        process = subprocess.Popen(
            [program(), *map(str, arguments)], stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment, start_new_session=True)
    shown = Progress(progress)
    said = []

    def listen():
        for line in process.stderr:
            said.append(line.decode("utf-8", "replace").rstrip("\n"))
            # Only from the thread that asked: a notebook shows a bar in the cell that it is of.
            lines.append(said[-1])
            news.set()
        over.set()
        news.set()

    lines, news, over = [], threading.Event(), threading.Event()
    output = []
    threads = [
        threading.Thread(target=listen, daemon=True),
        threading.Thread(target=lambda: output.append(process.stdout.read()), daemon=True)]
    for thread in threads:
        thread.start()
    try:
        with shown:
            while not (over.is_set() and not lines):
                news.wait()
                news.clear()
                while lines:
                    shown.take(lines.pop(0))
    except BaseException:
        # The program saves what it has, as on Ctrl-C in a shell.
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
        raise
    for thread in threads:
        thread.join()
    status = process.wait()
    if status:
        raise Error(_complaint(said, status), status if status > 0 else 128 - status, "\n".join(said))
    return output[0].decode("utf-8", "surrogateescape")


def _complaint(said, status):
    """What the program says last, from where it begins to complain."""
    mark = "hero: error: "
    for place in range(len(said) - 1, -1, -1):
        if said[place].startswith(mark):
            # Where several queries were asked, their own complaints stand before.
            before = said[:place] if "as said above" in said[place] else []
            return "\n".join([*before, said[place][len(mark):], *said[place + 1:]])
    return "\n".join(said[-5:]) or f"the program ended with status {status}"

