"""Writes a gated S3D of a few random weights, by the names of S3D_HowTo100M's state dict, and the rows that PyTorch
computes with it of clips whose sides do not divide evenly. Needs torch, numpy."""
import json
import os

import torch
import torch.nn as nn
import torch.nn.functional as F

os.chdir(os.path.dirname(os.path.abspath(__file__)))
torch.manual_seed(3)


class Unit(nn.Module):
    """A convolution, or one over space and one over time, each with its norm and a ReLU."""

    def __init__(self, inputs, outputs, kernel, padding, separable=False):
        super().__init__()
        kernels = [(1, kernel[1], kernel[2]), (kernel[0], 1, 1)] if separable else [tuple(kernel)]
        paddings = [(0, padding[1], padding[2]), (padding[0], 0, 0)] if separable else [tuple(padding)]
        self.parts = len(kernels)
        for number, (size, zeros) in enumerate(zip(kernels, paddings), 1):
            self.add_module(f"conv{number}", nn.Conv3d(inputs if number == 1 else outputs, outputs, size, padding=zeros, bias=False))
            self.add_module(f"bn{number}", nn.BatchNorm3d(outputs))

    def forward(self, x):
        for number in range(1, self.parts + 1):
            x = F.relu(getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(x)))
        return x


class Gate(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(width, width)

    def forward(self, x):
        return torch.sigmoid(self.fc(x.mean((2, 3, 4))))[:, :, None, None, None] * x


def point(inputs, outputs):
    return Unit(inputs, outputs, (1, 1, 1), (0, 0, 0))


def cube(inputs, outputs):
    return Unit(inputs, outputs, (3, 3, 3), (1, 1, 1), separable=True)


class Mixed(nn.Module):
    def __init__(self, inputs, a, b, c, d, e, f):
        super().__init__()
        self.conv_b0, self.gating_b0 = point(inputs, a), Gate(a)
        self.conv_b1_a, self.conv_b1_b, self.gating_b1 = point(inputs, b), cube(b, c), Gate(c)
        self.conv_b2_a, self.conv_b2_b, self.gating_b2 = point(inputs, d), cube(d, e), Gate(e)
        self.conv_b3_b, self.gating_b3 = point(inputs, f), Gate(f)
        self.width = a + c + e + f

    def forward(self, x):
        pooled = F.max_pool3d(x, 3, 1, 1)
        return torch.cat([
            self.gating_b0(self.conv_b0(x)), self.gating_b1(self.conv_b1_b(self.conv_b1_a(x))),
            self.gating_b2(self.conv_b2_b(self.conv_b2_a(x))), self.gating_b3(self.conv_b3_b(pooled))], 1)


def pool(x, kernel, stride):
    """Zeros of kernel - stride along each dimension, fewer of them before, then windows that may reach over the end."""
    zeros = [max(k - s, 0) for k, s in zip(kernel, stride)]
    pads = [side for z in reversed(zeros) for side in (z // 2, z - z // 2)]
    return F.max_pool3d(F.pad(x, pads), kernel, stride, ceil_mode=True)


STAGES = [(["3b", "3c"], (1, 3, 3), (1, 2, 2)), (["4b", "4c", "4d", "4e", "4f"], (3, 3, 3), (2, 2, 2)), (["5b", "5c"], (2, 2, 2), (2, 2, 2))]


class S3D(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = Unit(24, 4, (2, 4, 4), (1, 2, 2))
        self.conv_2b, self.conv_2c, self.gating = point(4, 4), cube(4, 6), Gate(6)
        width = 6
        for number, block in enumerate(name for names, _, _ in STAGES for name in names):
            mixed = Mixed(width, 3 + number % 2, 2, 3, 2, 2 + number % 3, 2)
            self.add_module(f"mixed_{block}", mixed)
            width = mixed.width
        self.fc = nn.Linear(width, 5)

    def forward(self, x):
        n, c, t, h, w = x.shape
        x = x.view(n, c, t // 2, 2, h // 2, 2, w // 2, 2).permute(0, 3, 5, 7, 1, 2, 4, 6).reshape(n, 8 * c, t // 2, h // 2, w // 2)
        x = pool(self.conv1(x)[:, :, 1:, 1:, 1:], (1, 3, 3), (1, 2, 2))
        x = self.gating(self.conv_2c(self.conv_2b(x)))
        for names, kernel, stride in STAGES:
            x = pool(x, kernel, stride)
            for name in names:
                x = getattr(self, f"mixed_{name}")(x)
        return x.mean((2, 3, 4))


model = S3D().eval()
for name, value in model.state_dict().items():
    if name.endswith("running_var"):
        value.copy_(0.5 + torch.rand_like(value))
    elif ".bn" in name and value.is_floating_point():
        value.copy_((1 if name.endswith("weight") else 0) + 0.3 * torch.randn_like(value))
    elif value.dim() == 5:
        value.copy_(torch.randn_like(value) * (2 / value[0].numel()) ** 0.5)
frames, side = 12, 40
# Few bytes that say all pictures: squares of 10 by 10 pixels.
coarse = torch.randint(0, 256, (2 * frames, 4, 4, 3), dtype=torch.uint8)
clips = coarse.repeat_interleave(10, 1).repeat_interleave(10, 2).view(2, frames, side, side, 3)
with torch.no_grad():
    rows = model(clips.permute(0, 4, 1, 2, 3).float() / 255)
torch.save(model.state_dict(), "s3d.pth")
with open("s3d.json", "w") as file:
    json.dump({"frames": frames, "side": side, "square": 10, "pictures": coarse.reshape(-1).tolist(), "rows": rows.tolist()}, file)
