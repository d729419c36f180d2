#!/usr/bin/env python3
"""Makes value.tar.gz, the small set of VALUE's answers that the tests carry, from the full set.

    python3 make_value.py FULL_GOLDEN_FOLDER FULL_VALUE_FOLDER value.tar.gz

Same files, but for these:
- Tensors of batches that the tests do not read (`f_v_feats`, `f_gather_index`, `f_attn_masks`) are left out.
- Rows of fusion models' own weights that no answer depends on are zero.
- `multitask.heads.safetensors` is new: TVR's word head, which the small set of the reference's answers clears, since TVR
  does not read it. The model of many tasks does.
- What depends on padding (`fusion_*` without `_unpadded`, but for frames alone), submissions and the sampler's draws are
  left out.
Needs numpy only.
"""
import gzip, io, json, struct, sys, tarfile, zipfile
from pathlib import Path
import numpy as np
from make_small import LONGEST, Unpickler

TYPES = {"F32": np.float32, "I64": np.int64, "I32": np.int32, "BOOL": np.bool_, "U8": np.uint8}
DROPPED = {"f_v_feats", "f_gather_index", "f_attn_masks"}


def read(raw):
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + size])
    header.pop("__metadata__", None)
    return [
        (name, e["dtype"], np.frombuffer(raw[8 + size:][slice(*e["data_offsets"])], TYPES[e["dtype"]]).reshape(e["shape"]))
        for name, e in header.items()
    ]


def write(arrays):
    header, data = {}, b""
    for name, kind, array in arrays:
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def cleared(name, array):
    array = array.copy()
    if name.endswith("sub_embeddings.word_embeddings.weight"):
        array[...] = 0
    elif "position_embeddings" in name:
        array[LONGEST:] = 0
    return array


def word_head(path):
    source = zipfile.ZipFile(path)
    root = source.namelist()[0].split("/")[0]
    state = Unpickler(io.BytesIO(source.read(f"{root}/data.pkl"))).load()
    for name, (storage, offset, shape) in ((n, v) for n, v in state.items() if isinstance(v, tuple)):
        if ".lm_head." in name and not name.endswith("decoder.weight"):
            raw = np.frombuffer(source.read(f"{root}/data/{storage.key}"), np.float32)
            yield name, "F32", raw[offset:offset + int(np.prod(shape))].reshape(shape)


def main():
    golden, value, target = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    files = {}
    for path in sorted(value.iterdir()):
        name = path.name
        if name.startswith(("submission.", "noise.", "report.")) or name in ("README.md", "multitask.sampler.json"):
            if name.startswith("submission.") and name.endswith(".scores.json"):
                files[name] = path.read_bytes()
            continue
        if name.startswith("fusion_") and not any(
            part in name for part in ("_unpadded.", ".names.", ".own.", ".video_only.")):
            continue
        raw = path.read_bytes()
        if name.endswith(".batch.safetensors"):
            raw = write([a for a in read(raw) if a[0] not in DROPPED])
        elif name.endswith(".own.safetensors"):
            raw = write([(n, k, cleared(n, a)) for n, k, a in read(raw)])
        files[name] = raw
    files["multitask.heads.safetensors"] = write(list(word_head(golden / "expected" / "tvr.pt")))
    with gzip.GzipFile(target, "wb", 9, mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


main()
