"""Writes a CLIP of a few random weights in three layouts with the rows that PyTorch computes of
texts and pictures, and made merges with the ids that open_clip's tokenizer gives by them. Needs
torch, transformers, open_clip_torch."""
import gzip
import json
import os
import shutil
from collections import Counter

import numpy as np
import open_clip
import regex
import torch
import transformers
from open_clip.tokenizer import SimpleTokenizer, basic_clean, bytes_to_unicode, whitespace_clean
from safetensors.torch import save_file

os.chdir(os.path.dirname(os.path.abspath(__file__)))
torch.manual_seed(1)

# Words

CORPUS = """a man opens the door and walks into the room while a woman reads the paper on the couch
two dogs play with a ball in the garden, the cat sleeps; somebody isn't pouring coffee, they're laughing and we've seen it
a red car drives along the street at night, a man's hand holds a phone, it's raining, I'm here, she'd go, you'll see"""
TEXTS = [
    "a man opens a door", "A  Man\tOPENS\na door ", "somebody's dog isn't here, they're there; we've, I'm, you'll, she'd",
    "room 1204 at 10:45", "\u00c9T\u00c9 na\u00efve caf\u00e9 \u2014 \u201cquoted\u201d don\u2019t", "&amp;amp; &lt;b&gt; &#39;x&#39;",
    "\uff26\uff35\uff2c\uff2c\u3000\uff37\uff29\uff24\uff34\uff28 \ufb01 \u01c6 \u0149", "<start_of_text> x <end_of_text> <|endoftext|>", "\U0001F642\u65e5\u672c ... !!",
    "", "   ", "e\u0301 \x1b[31mred\x1b[0m \ufeffBOM\x07", "doordoordoordoor" * 20, "<b>&eacute;</b> &eacute;", "\u0130I \u00df \u03a3\u0391\u03a3",
]

pattern = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", regex.IGNORECASE)
encoder = bytes_to_unicode()
words = Counter()
for word in regex.findall(pattern, CORPUS.lower()):
    spelled = [encoder[byte] for byte in word.encode()]
    words[tuple(spelled[:-1] + [spelled[-1] + "</w>"])] += 1
merges = []
while len(merges) < 120:
    pairs = Counter()
    for word, count in words.items():
        for pair in zip(word, word[1:]):
            pairs[pair] += count
    if not pairs:
        break
    best = max(pairs, key=lambda pair: (pairs[pair], pair))
    merges.append(best)
    joined = Counter()
    for word, count in words.items():
        out, place = [], 0
        while place < len(word):
            if word[place:place + 2] == best:
                out.append(word[place] + word[place + 1])
                place += 2
            else:
                out.append(word[place])
                place += 1
        joined[tuple(out)] += count
    words = joined
text = "\n".join(["#version: 0.2"] + [" ".join(pair) for pair in merges])
os.makedirs("words", exist_ok=True)
with open("words/merges.txt", "w") as file:
    file.write(text)
with open("merges.txt.gz", "wb") as file:
    file.write(gzip.compress(text.encode(), mtime=0))
tokenizer = SimpleTokenizer(bpe_path="merges.txt.gz")
vocabulary = {
    {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}.get(token, token): number
    for token, number in tokenizer.encoder.items()
}
with open("words/vocab.json", "w") as file:
    json.dump(vocabulary, file)
with open("tokens.jsonl", "w") as file:
    for line in TEXTS:
        ids = [tokenizer.sot_token_id] + tokenizer.encode(line) + [tokenizer.eot_token_id]
        file.write(json.dumps({"text": line, "ids": ids}) + "\n")

# Towers

size, context, hidden, heads, width, layers = len(vocabulary), 20, 8, 2, 6, 2
texts = tokenizer(TEXTS[:5] + TEXTS[9:10], context_length=context)
pictures = torch.randint(0, 256, (2, 8, 8, 3), dtype=torch.uint8)
mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])
deviation = torch.tensor([0.26862954, 0.26130258, 0.27577711])
pixels = ((pictures / 255 - mean) / deviation).permute(0, 3, 1, 2)
rows = {"pictures": pictures.reshape(-1).tolist(), "side": 8}


def unit(x):
    return torch.nn.functional.normalize(x, dim=-1)


def noted(name, image, text):
    rows[name] = {"image": unit(image).tolist(), "text": unit(text).tolist()}


def shaken(model):
    """Weights, biases and norms away from where they start, so that each counts."""
    for parameter in model.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    return model.eval()


for quick in [False, True]:
    name = "openclip-quick" if quick else "openclip"
    config = {
        "embed_dim": width, "quick_gelu": quick,
        "vision_cfg": {"image_size": 8, "layers": layers, "width": hidden, "patch_size": 4, "head_width": hidden // heads},
        "text_cfg": {"context_length": context, "vocab_size": size, "width": hidden, "heads": heads, "layers": layers},
    }
    model = shaken(open_clip.model.CLIP(
        width, open_clip.model.CLIPVisionCfg(**config["vision_cfg"]), open_clip.model.CLIPTextCfg(**config["text_cfg"]),
        quick_gelu=quick))
    with torch.no_grad():
        noted(name, model.encode_image(pixels), model.encode_text(texts))
    os.makedirs(name, exist_ok=True)
    state = {key: value.half().contiguous() if quick else value.contiguous() for key, value in model.state_dict().items()}
    if quick:
        model.load_state_dict(state)
        with torch.no_grad():
            noted(name, model.encode_image(pixels), model.encode_text(texts))
    save_file(state, f"{name}/open_clip_model.safetensors")
    with open(f"{name}/open_clip_config.json", "w") as file:
        json.dump({"model_cfg": config}, file)

config = transformers.CLIPConfig(
    text_config={
        "vocab_size": size, "hidden_size": hidden, "intermediate_size": 24, "num_hidden_layers": layers,
        "num_attention_heads": heads, "max_position_embeddings": context, "hidden_act": "gelu",
        "bos_token_id": size - 2, "eos_token_id": size - 1, "pad_token_id": size - 1,
    },
    vision_config={
        "hidden_size": hidden, "intermediate_size": 24, "num_hidden_layers": layers, "num_attention_heads": heads,
        "image_size": 8, "patch_size": 4, "hidden_act": "gelu",
    }, projection_dim=width)
model = shaken(transformers.CLIPModel(config))
ends = (texts == size - 1).int().argmax(1)
mask = (torch.arange(context)[None] <= ends[:, None]).long()
padded = torch.where(mask == 1, texts, torch.tensor(size - 1))
with torch.no_grad():
    text_rows = model.text_projection(model.text_model(input_ids=padded, attention_mask=mask)[1])
    image_rows = model.visual_projection(model.vision_model(pixel_values=pixels)[1])
    noted("huggingface", image_rows, text_rows)
shutil.rmtree("huggingface", ignore_errors=True)
model.save_pretrained("huggingface")
rows["texts"] = TEXTS[:5] + TEXTS[9:10]
with open("rows.json", "w") as file:
    json.dump(rows, file)
