"""The commands with results that Python goes on with."""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy

from ._process import options, run

# Columns of moments that are no numbers.
_TEXTS = {"query", "video", "subtitle", "file", "cut"}
_WHOLE = {"rank", "number"}


def search(index, query, limit=10, *, cut=None, progress=True, **settings):
    """Finds moments in the videos of an index by a sentence, or by each of a list.

    Gives a dictionary of columns, one element a moment, the best first: `query`, `rank`, `video`,
    `start`, `end` (seconds), `score`, `subtitle`, `duration`, `file`, of an index of CLIP's
    `cosine`, `picture_rank`, `bm25` and `subtitle_rank`, and with `cut`, a folder that the moments
    are cut out into, `cut` and `cut_begins`. Numbers are numpy arrays of float64, where nan stands
    for none; `rank` and `number` are of int64. Texts are arrays of objects, where None stands for
    none. Several queries are asked in one go, which opens the model once.

        >>> moments = hero.search("tv.index", "a man pours coffee", limit=3)
        >>> moments["end"] - moments["start"]
        array([4.5, 6. , 3. ])
        >>> pandas.DataFrame(moments)                             # doctest: +SKIP
        >>> pyarrow.table(moments)                                # doctest: +SKIP
        >>> hero.search("tv.index", ["a man", "a door"])["query"]   # doctest: +SKIP
    """
    words = ["search", "--index", index, "--limit", limit, "--format", "jsonl", *options({"cut": cut, **settings})]
    if isinstance(query, str):
        text = run(*words, "--", query, progress=progress)
    else:
        queries = list(query)
        for one in queries:
            # Other ends of lines, such as U+2028, are blanks to the program.
            if "\n" in one or "\r" in one or not one.strip():
                raise ValueError(f"a query is one line of text, not {one!r}")
        text = run(*words, "--interactive", input="".join(one + "\n" for one in queries), progress=progress) if queries else ""
    rows = _lines(text)
    return {name: _column(name, [row[name] for row in rows]) for name in (rows[0] if rows else _COLUMNS)}


_COLUMNS = [
    "query", "rank", "video", "number", "start", "end", "score", "subtitle", "duration", "file", "cosine",
    "picture_rank", "bm25", "subtitle_rank", "cut", "cut_begins",
]


def _column(name, values):
    if name in _TEXTS:
        column = numpy.empty(len(values), dtype=object)
        column[:] = values
        return column
    if name in _WHOLE:
        return numpy.array(values, dtype=numpy.int64)
    return numpy.array([numpy.nan if value is None else value for value in values], dtype=numpy.float64)


def index(output, *, progress=True, **settings):
    """Makes an index of videos, or brings it up to date.

    Gives how many videos were `added`, were `known`, are `left_out`, and the `videos`, `frames`
    and `bytes` of the index.

        >>> hero.index("clips.index", videos="clips", clip="ViT-B-32.pt")["added"]
        3
        >>> hero.index("tv.index", model_dir="runs/tvr", vfeat_db="video_db/tv", sub_txt_db="txt_db/tv_subtitles.db")
    """
    return json.loads(run("index", "--output", output, "--json", *options(settings), progress=progress))


def videos(index):
    """The videos of an index: a dictionary each, with `video`, `duration`, `frames`, `subtitles`,
    `file` and `state`, which says whether the file is `there`.

        >>> [video["video"] for video in hero.videos("clips.index")]
        ['one', 'three', 'two']
    """
    return json.loads(run("index", "--list", "--output", index, "--json", progress=False))


class Features(Mapping):
    """Features of videos by their names: of each video an array for each network, a row for each
    step of time. They lie in files, and are read when they are asked for.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self._files = {}
        for place in sorted(self.folder.glob("*_features")):
            for file in sorted(place.glob("*.npz")):
                self._files.setdefault(file.stem, {})[place.name.removesuffix("_features")] = file

    def __getitem__(self, video):
        return {network: self._array(file) for network, file in self._files[video].items()}

    def __iter__(self):
        return iter(self._files)

    def __len__(self):
        return len(self._files)

    def __repr__(self):
        return f"<features of {len(self)} videos in {self.folder}>"

    @staticmethod
    def _array(file):
        with numpy.load(file, allow_pickle=False) as arrays:
            return arrays[arrays.files[0]] if len(arrays.files) == 1 else arrays["features"]


def extract(videos, output, *, progress=True, **settings):
    """Computes features of videos into a folder, and gives all that are there: a `Features`.

    `videos` is a file or a folder, or a list of them. Videos that cannot be read are told, and
    listed in `failed.json` of the folder.

        >>> features = hero.extract("clips", "features", clip="ViT-B-32.pt", frame_length=1.5)
        >>> features["one"]["clip-vit"].shape
        (40, 512)
    """
    paths = [videos] if isinstance(videos, (str, os.PathLike)) else list(videos)
    run("extract-features", *paths, "--output", output, *options(settings), progress=progress)
    return Features(output)


def evaluate(run_folder=None, *, progress=True, **settings):
    """Measures a run on a split, or scores a file of predictions. Gives the figures by their names,
    of a run also the file of its predictions as `results`.

        >>> hero.evaluate("runs/tvr", query_txt_db="txt_db/tvr_val.db", split="val")["VCMR_0.5-r1"]
        36.3
        >>> hero.evaluate(task="tvc", predictions="captions.jsonl", references="tvc_val_release.jsonl")
    """
    return json.loads(
        run("eval", "--json", *options({"output_dir": run_folder, **settings}), progress=progress))


def caption(run_folder, clips, *, output=None, progress=True, **settings):
    """Writes captions for clips of videos, those of a file in TVC's form or of a list of
    dictionaries with `vid_name`, `clip_id` and `ts`. Gives the clips, each with its caption in
    `descs`; with `score=True` a pair of them and the scores. `output` is a file that keeps them.

        >>> hero.caption("runs/tvc", "tvc_val_release.jsonl")[0]["descs"][0]["desc"]
        'a man walks through the door'
        >>> clips = [{"vid_name": "one", "clip_id": 1, "ts": [1.5, 9.0]}]
        >>> captions, scores = hero.caption("runs/tvc", "tvc_val_release.jsonl", score=True)
    """
    with tempfile.TemporaryDirectory() as folder:
        if not isinstance(clips, (str, os.PathLike)):
            rows, clips = clips, Path(folder) / "clips.jsonl"
            clips.write_text("".join(json.dumps(row) + "\n" for row in rows))
        written = Path(output) if output is not None else Path(folder) / "captions.jsonl"
        scores = settings.get("score")
        text = run(
            "caption", "--model-dir", run_folder, "--target-clip", clips, "--output", written,
            *options({"json": bool(scores), **settings}), progress=progress)
        captions = _lines(written.read_text(encoding="utf-8"))
    return (captions, json.loads(text)) if scores else captions


def _lines(text):
    return [json.loads(line) for line in text.split("\n") if line]
