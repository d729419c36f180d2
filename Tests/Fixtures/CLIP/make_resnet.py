"""Writes a CLIP of a residual image tower with a few random weights, as open_clip's folder and as an archive of OpenAI's
form, the rows that PyTorch computes of pictures and texts with it, and the states of the texts' tokens as moment_detr
keeps them. Needs torch, open_clip_torch, and what make_clip.py wrote."""
import json
import os

import open_clip
import torch
from open_clip.tokenizer import SimpleTokenizer
from safetensors.torch import load_file, save_file

os.chdir(os.path.dirname(os.path.abspath(__file__)))
torch.manual_seed(2)
tokenizer = SimpleTokenizer(bpe_path="merges.txt.gz")
context = 20
TEXTS = ["a man opens a door", "somebody's dog isn't here", "", "a  red CAR at night"]
texts = tokenizer(TEXTS, context_length=context)
mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])
deviation = torch.tensor([0.26862954, 0.26130258, 0.27577711])
side = 64
# Few bytes that say all pictures: squares of 8 by 8 pixels.
coarse = torch.randint(0, 256, (3, 8, 8, 3), dtype=torch.uint8)
pictures = coarse.repeat_interleave(8, 1).repeat_interleave(8, 2)
pixels = ((pictures / 255 - mean) / deviation).permute(0, 3, 1, 2)
rows = {"texts": TEXTS, "side": side, "square": 8, "pictures": coarse.reshape(-1).tolist()}


def states(model):
    """encode_text, as moment_detr changes it: every token's state behind the last norm, and the projected last one."""
    x = model.token_embedding(texts) + model.positional_embedding
    x = model.transformer(x, attn_mask=model.attn_mask)
    x = model.ln_final(x)
    pooled = x[torch.arange(len(texts)), texts.argmax(-1)] @ model.text_projection
    ends = texts.argmax(-1).tolist()
    return [{"last_hidden_state": x[n, : end + 1].tolist(), "pooler_output": pooled[n].tolist()} for n, end in enumerate(ends)]


def built(config):
    return open_clip.model.CLIP(
        config["embed_dim"], open_clip.model.CLIPVisionCfg(**config["vision_cfg"]),
        open_clip.model.CLIPTextCfg(**config["text_cfg"]), quick_gelu=config["quick_gelu"]).eval()


config = {
    "embed_dim": 6, "quick_gelu": True,
    "vision_cfg": {"image_size": side, "layers": [2, 1, 2, 1], "width": 2, "head_width": 16},
    "text_cfg": {"context_length": context, "vocab_size": len(tokenizer.encoder), "width": 8, "heads": 2, "layers": 2},
}
model = built(config)
for name, value in model.state_dict().items():
    if name.endswith("running_var"):
        value.copy_(0.5 + torch.rand_like(value))
    elif name.endswith("num_batches_tracked") or "logit" in name:
        continue
    elif ".bn" in name or "downsample.1" in name or name.startswith("visual.bn"):
        value.copy_((1 if name.endswith("weight") else 0) + 0.3 * torch.randn_like(value))
    elif name.startswith("visual.layer") or name.startswith("visual.conv"):
        value.copy_(torch.randn_like(value) * (2 / value[0].numel()) ** 0.5)
    else:
        value.add_(0.2 * torch.randn_like(value))
model.load_state_dict({name: value.half().float() if value.is_floating_point() else value for name, value in model.state_dict().items()})
with torch.no_grad():
    rows["image"] = model.encode_image(pixels).tolist()
    rows["states"] = states(model)
    quick = json.load(open("openclip-quick/open_clip_config.json"))["model_cfg"]
    other = built(quick)
    other.load_state_dict({name: value.float() for name, value in load_file("openclip-quick/open_clip_model.safetensors").items()})
    rows["quick"] = states(other)
os.makedirs("resnet", exist_ok=True)
state = {name: value.half().contiguous() if value.is_floating_point() else value for name, value in model.state_dict().items()}
save_file(state, "resnet/open_clip_model.safetensors")
with open("resnet/open_clip_config.json", "w") as file:
    json.dump({"model_cfg": config}, file)
with open("resnet/rows.json", "w") as file:
    json.dump(rows, file)


class Part(torch.nn.Module):
    """A module of arrays and parts by their names, which computes nothing."""

    def forward(self, x):
        return x


root = Part()
for name, value in list(state.items()) + [(n, torch.tensor(v)) for n, v in [("input_resolution", side), ("context_length", context), ("vocab_size", len(tokenizer.encoder))]]:
    *path, last = name.split(".")
    part = root
    for step in path:
        if step not in dict(part.named_children()):
            part.add_module(step, Part())
        part = dict(part.named_children())[step]
    part.register_buffer(last, value)
torch.jit.save(torch.jit.script(root), "resnet/archive.pt")
