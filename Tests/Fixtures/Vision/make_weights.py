"""Writes blobs.pkl, of the form in which SlowFast's weights were published, and script.pt, a TorchScript archive. Needs numpy, torch."""
import os
import pickle

import numpy as np
import torch

os.chdir(os.path.dirname(os.path.abspath(__file__)))

blobs = {
    "conv1_w": np.arange(6, dtype="<f4").reshape(1, 3, 1, 1, 2), "conv1_w_momentum": np.zeros(2, "<f4"),
    "t_res2_2_branch2c_bn_subsample_bn_b": np.array([1, 2], "<f4"), "lr": np.float32(0.1),
}
with open("blobs.pkl", "wb") as file:
    pickle.dump({"blobs": blobs}, file, 2)


class Inner(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(2))

    def forward(self, x):
        return x * self.scale


class Visual(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2, 2, dtype=torch.float16))
        self.bias = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
        self.inner = torch.nn.Sequential(Inner())
        self.sizes = [1, 2]

    def forward(self, x):
        return self.inner(x) + self.bias


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.visual = Visual()

    def forward(self, x):
        return self.visual(x)


torch.jit.save(torch.jit.script(Model()), "script.pt")
