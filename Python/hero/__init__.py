"""HERO: find moments in videos by text, compute features, caption clips.

The work is done by the program `hero`, which lies in this package; these functions run it and
give its results as numpy arrays and plain dictionaries. Every keyword that a function does not
name is an option of the command: `clip_vocabulary="words"` is `--clip-vocabulary words`,
`overwrite=True` is `--overwrite`. `hero help COMMAND` in a shell lists them.

    >>> import hero
    >>> hero.index("clips.index", videos="clips", clip="ViT-B-32.pt")["videos"]
    3
    >>> moments = hero.search("clips.index", "somebody opens the fridge")
    >>> moments["video"][0], moments["start"][0], moments["end"][0]
    ('one', 4.5, 9.0)

What goes wrong is a `hero.Error` with the program's own words.
"""

from ._commands import Features, caption, evaluate, extract, index, search, videos
from ._process import Error, program, run, version

__all__ = [
    "Error", "Features", "caption", "evaluate", "extract", "index", "program", "run", "search", "version", "videos",
]
