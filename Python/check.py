"""check.py MOMENTS: compares the module with what the command printed, in check-wheel's folder."""

import json
import os
import sys

import numpy

import hero


def refused(message, work):
    try:
        work()
    except hero.Error as error:
        assert message in str(error) and error.status in (1, 2), error
    else:
        raise AssertionError(f"nothing was wrong, where {message} was to be said")


query = "a zebra at a door"
known = json.load(open(sys.argv[1]))["moments"]
found = hero.search("clips.index", query, progress=False)
for name in ["video", "number", "start", "end", "score", "subtitle", "duration"]:
    assert list(found[name]) == [moment[name] for moment in known], name
for name in ["cosine", "picture_rank", "bm25", "subtitle_rank"]:
    for given, moment in zip(found[name], known):
        assert given == moment[name] or numpy.isnan(given) and moment[name] is None, name
assert all(path.startswith("/") for path in found["file"])
assert numpy.isnan(found["cut_begins"]).all()

several = hero.search("clips.index", [query, "--zebra", "a door"], limit=1, progress=False)
assert list(several["query"]) == [query, "--zebra", "a door"] and list(several["rank"]) == [1, 1, 1]
assert list(hero.search("clips.index", "--zebra", progress=False)["query"])[0] == "--zebra"
nothing = hero.search("clips.index", [], progress=False)
assert set(nothing) == set(found) and len(nothing["start"]) == 0

assert [video["state"] for video in hero.videos("clips.index")] == ["there"] * 3
again = hero.index(
    "clips.index", videos="clips", clip=os.environ["CLIP"], clip_vocabulary=os.environ["WORDS"], progress=False)
assert (again["added"], again["known"], again["videos"]) == (0, 3, 3)

features = hero.extract("clips", "features", clip=os.environ["CLIP"], frame_length="1.5", progress=False)
assert sorted(features) == ["one", "three", "two"]
assert all(array.ndim == 2 and array.dtype.kind == "f" for video in features for array in features[video].values())

truth = [{"desc_id": 1, "vid_name": "one", "clip_id": 1, "ts": [0, 2], "descs": [{"desc": "a zebra walks"}]}]
for name in ["captions.jsonl", "truth.jsonl"]:
    with open(name, "w") as file:
        file.writelines(json.dumps(row) + "\n" for row in truth)
scores = hero.evaluate(task="tvc", predictions="captions.jsonl", references="truth.jsonl", progress=False)
printed = hero.run("eval", "--task", "tvc", "--predictions", "captions.jsonl", "--references", "truth.jsonl", "--json", progress=False)
assert scores == json.loads(printed) and scores

refused("none.index", lambda: hero.search("none.index", query, progress=False))
refused("the query has more than", lambda: hero.search("clips.index", "word " * 400, progress=False))
refused("the query has more than", lambda: hero.search("clips.index", ["a", "word " * 400], progress=False))
refused("--no-such-flag", lambda: hero.search("clips.index", query, no_such_flag=1, progress=False))
refused("no run", lambda: hero.caption("clips", truth, progress=False))
print("the module gives what the command gives")
