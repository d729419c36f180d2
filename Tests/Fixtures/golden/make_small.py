#!/usr/bin/env python3
"""Makes golden.tar.gz, the small set of the reference's answers that the tests carry, from the full set.

    python3 make_small.py FULL_GOLDEN_FOLDER golden.tar.gz

Same layout and same files, but for three things, so that it packs to under 3 MB:
- Rows of weights that no answer depends on are zero: position embeddings past the longest sequence, poolers, heads that
  a checkpoint's tasks do not use. The answers stay the reference's, since nothing reads those rows.
- Gradients (`*.grad.safetensors`) and the parameters after ten updates (`adamw.expected.safetensors`) are kept as
  sketches, `*.sketch.safetensors`: of each array its norm, then 16 sums of its elements under fixed random signs. The mean
  square of the difference of two arrays' sums estimates the squared norm of their difference, so every element counts.
- `restore.pt` and `*.sums.json` of it are left out.
Needs numpy only.
"""
import io, json, pickle, re, struct, sys, tarfile, zipfile
from collections import OrderedDict
from pathlib import Path
import numpy as np

PROJECTIONS = 16
LONGEST = 96


def signs(count):
    """[count, 16] of +1 and -1: bit k of splitmix64(element's number) is the sign in sum k."""
    with np.errstate(over="ignore"):
        z = (np.arange(count, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    bits = (z[:, None] >> np.arange(PROJECTIONS, dtype=np.uint64)) & np.uint64(1)
    return 1.0 - 2.0 * bits.astype(np.float64)


def sketch(array):
    flat = array.astype(np.float64).ravel()
    return np.concatenate([[np.linalg.norm(flat)], flat @ signs(flat.size)]).astype(np.float32)


def read_safetensors(path):
    raw = path.read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + size])
    types = {"F32": np.float32, "F16": np.float16, "I64": np.int64, "I32": np.int32, "BOOL": np.bool_, "U8": np.uint8}
    out = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            out[name] = np.frombuffer(raw[8 + size + start:8 + size + end], types[entry["dtype"]]).reshape(entry["shape"])
    return out


def write_safetensors(arrays):
    header, data = {}, b""
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


class Storage:
    def __init__(self, key, count):
        self.key, self.count = key, count


class Unpickler(pickle.Unpickler):
    """Reads a state dict's structure without PyTorch: a tensor becomes (storage, offset, shape)."""

    def persistent_load(self, entry):
        return Storage(entry[2], entry[4])

    def find_class(self, module, name):
        if name == "OrderedDict":
            return OrderedDict
        if name == "_rebuild_tensor_v2":
            return lambda storage, offset, size, *rest: (storage, offset, tuple(size))
        return type(name, (), {})


def unused(name, shape, touched):
    """The rows to clear: a slice, or None."""
    if "pooler" in name or (touched is not None and name not in touched):
        return slice(0, None)
    if "position_embeddings" in name and shape[0] > LONGEST:
        return slice(LONGEST, None)
    return None


def clear(state, data, touched, sums):
    """Zeroes unused rows in the raw storages; `data`: {key: bytearray}."""
    seen = {}
    for name, value in state.items():
        if not isinstance(value, tuple):
            continue
        storage, offset, shape = value
        seen.setdefault(storage.key, []).append(name)
    for name, value in state.items():
        if not isinstance(value, tuple):
            continue
        storage, offset, shape = value
        if len(seen[storage.key]) > 1 or not shape:
            continue
        raw = data[storage.key]
        count = int(np.prod(shape))
        if len(raw) < 4 * (offset + count):
            continue
        array = np.frombuffer(raw, np.float32, count, 4 * offset).reshape(shape)
        if name.endswith("tri_mask"):
            array[...] = 0
        rows = unused(name, shape, touched)
        if rows is not None:
            array[rows] = 0
        if sums is not None and name in sums:
            sums[name][1] = float(array.astype(np.float64).sum())


def cleared_checkpoint(raw, touched, sums):
    if raw[:2] == b"PK":
        source = zipfile.ZipFile(io.BytesIO(raw))
        names = source.namelist()
        root = names[0].split("/")[0]
        state = Unpickler(io.BytesIO(source.read(f"{root}/data.pkl"))).load()
        data = {n.split("/")[-1]: bytearray(source.read(n)) for n in names if re.search(r"/data/[^/]+$", n)}
        clear(state, data, touched, sums)
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as target:
            for n in names:
                key = n.split("/")[-1]
                target.writestr(zipfile.ZipInfo(n), bytes(data[key]) if re.search(r"/data/[^/]+$", n) else source.read(n))
        return out.getvalue()
    file = io.BytesIO(raw)
    for _ in range(3):
        pickle.load(file)
    state = Unpickler(file).load()
    keys = pickle.load(file)
    head, data = raw[:file.tell()], OrderedDict()
    for key in keys:
        count = struct.unpack("<q", file.read(8))[0]
        data[key] = bytearray(file.read(4 * count))
    clear(state, data, touched, sums)
    return head + b"".join(struct.pack("<q", len(d) // 4) + bytes(d) for d in data.values())


def main():
    full, target = Path(sys.argv[1]), sys.argv[2]
    tasks = {
        "pretrain": ["mlm", "mfm-nce", "mffr", "fom", "vsm", "vsm-hard", "vsm-lse"], "tvr": ["tvr", "didemo_video_only"],
        "msrvtt": ["msrvtt_video_sub"], "tvqa": ["tvqa"], "violin": ["violin"], "tvc": ["tvc"],
    }
    expected = full / "expected"
    files = OrderedDict()
    touched = {
        name: set().union(*(read_safetensors(expected / f"{t}.grad.safetensors").keys() for t in own))
        for name, own in tasks.items()
    }
    for path in sorted(p for p in full.rglob("*") if p.is_file()):
        name = str(path.relative_to(full))
        if path.name.startswith("restore."):
            continue
        if path.name.endswith(".grad.safetensors") or path.name == "adamw.expected.safetensors":
            arrays = read_safetensors(path)
            if path.name.startswith("adamw"):
                for key in arrays:
                    rows = unused(key, arrays[key].shape, touched["tvr"])
                    if rows is not None:
                        arrays[key] = arrays[key].copy()
                        arrays[key][rows] = 0
            files[name.replace(".safetensors", ".sketch.safetensors")] = write_safetensors(
                {key: sketch(array) for key, array in arrays.items()})
        elif path.suffix == ".pt":
            sums_path = path.with_name(f"{path.stem}.sums.json")
            sums = json.loads(sums_path.read_text())
            files[name] = cleared_checkpoint(path.read_bytes(), touched[path.stem], sums)
            files[str(sums_path.relative_to(full))] = json.dumps(sums).encode()
        elif not path.name.endswith(".sums.json"):
            files[name] = path.read_bytes()
    import gzip
    with gzip.GzipFile(target, "wb", 9, mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


if __name__ == "__main__":
    main()
