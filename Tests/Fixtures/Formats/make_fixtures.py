"""Writes the files beside it with Python's, numpy's and torch's own writers. Needs numpy, torch, msgpack-numpy."""
import collections
import os
import pickle

import msgpack
import msgpack_numpy
import numpy as np
import torch

os.chdir(os.path.dirname(os.path.abspath(__file__)))

shared = [1]
plain = {
    "integers": [1, -2, 300, 70000, 2**40, -(2**63)], "constants": (1.5, None, True, False), "text": "héllo\n🎬",
    "bytes": b"\x00\xffz", "set": {"x"}, "nested": [[], (), {}, (1, 2, 3, 4)],
    "ordered": collections.OrderedDict([("k", 1)]), "shared": [shared, shared],
}
arrays = {
    "f4": np.arange(6, dtype="<f4").reshape(2, 3), "big": np.arange(3, dtype=">i2"),
    "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)), "float": np.float32(1.25), "int": np.int64(-7),
    "bool": np.bool_(True), "half": np.arange(3, dtype="f2"),
}
for protocol in range(6):
    for name, value in (("plain", plain), ("arrays", arrays)):
        with open(f"{name}.{protocol}.pkl", "wb") as file:
            pickle.dump(value, file, protocol)

npz = {k: v for k, v in arrays.items() if v.ndim}
npz["scalar"] = np.array(2.5)
np.savez("stored.npz", **npz)
np.savez_compressed("deflated.npz", **npz)
with open("version2.npy", "wb") as file:
    np.lib.format.write_array(file, arrays["f4"], version=(2, 0))
np.save("objects.npy", np.array([{}], dtype=object), allow_pickle=True)

with open("arrays.msgpack", "wb") as file:
    file.write(msgpack.packb({"features": arrays["f4"], "scalar": np.float32(0.5)}, default=msgpack_numpy.encode))

base = torch.arange(12.0).reshape(3, 4)
state = collections.OrderedDict(
    whole=base, transposed=base.t(), column=base[:, 1], tail=base[1:], half=torch.tensor([1.5, -2.0]).half(),
    brain=torch.tensor([1.5, -2.0]).bfloat16(), expanded=torch.ones(1, 3).expand(2, 3), integer=torch.tensor(7),
    parameter=torch.nn.Parameter(torch.tensor([[3.0]])), empty=torch.zeros(0, 5))
checkpoint = {"global_step": 12, "model_state_dict": state, "best": np.float64(0.25), "size": torch.Size([2, 3])}
torch.save(checkpoint, "views.zip.pt")
torch.save(checkpoint, "views.legacy.pt", _use_new_zipfile_serialization=False)
