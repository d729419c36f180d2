#!/usr/bin/env python3
"""The alternative that `hero bench` is compared with: HERO's work in PyTorch, padded to the longest sequence of the batch.

Reads batch.json (videos: frames, subtitle sentences as [first frame, frames, tokens], queries, caption clips), fills it with
random features and ids, and times one step of each kind at full size (768 wide, 6 + 3 layers, 4352-wide features); a step ends
when the device has done it. Prints one JSON line a kind: seconds (median), what computed it, and tokens with and without padding.

    python3 torch_peer.py batch.json --kinds finetune encode caption [--device cuda] [--bf16] [--compile] [--iters 3]
"""
import argparse, json, math, time
import torch
from torch import nn
from torch.nn import functional as F

VOCAB, D, FEAT = 50272, 768, 4352


class Attention(nn.Module):
    def __init__(self, p=.1):
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(D, D) for _ in range(4))
        self.norm, self.p = nn.LayerNorm(D, 1e-12), p

    def forward(self, x, mask, memory=None):
        memory = x if memory is None else memory
        split = lambda t: t.view(t.size(0), t.size(1), 12, 64).transpose(1, 2)
        q, k, v = split(self.q(x)), split(self.k(memory)), split(self.v(memory))
        w = F.dropout(torch.softmax(q @ k.transpose(-1, -2) / 8 + mask, -1), self.p, self.training)
        y = (w @ v).transpose(1, 2).reshape(x.shape)
        return self.norm(x + F.dropout(self.o(y), self.p, self.training))


class Layer(nn.Module):
    def __init__(self, cross=False, p=.1):
        super().__init__()
        self.attn, self.cross = Attention(p), Attention(p) if cross else None
        self.up, self.down, self.norm, self.p = nn.Linear(D, 4 * D), nn.Linear(4 * D, D), nn.LayerNorm(D, 1e-12), p

    def forward(self, x, mask, memory=None, memory_mask=None):
        x = self.attn(x, mask)
        if self.cross is not None:
            x = self.cross(x, memory_mask, memory)
        return self.norm(x + F.dropout(self.down(F.gelu(self.up(x))), self.p, self.training))


class Hero(nn.Module):
    def __init__(self):
        super().__init__()
        self.word, self.text_pos, self.token_type = nn.Embedding(VOCAB, D), nn.Embedding(514, D), nn.Embedding(2, D)
        self.text_norm, self.feat_norm, self.feat, self.frame_pos, self.frame_norm = nn.LayerNorm(D), nn.LayerNorm(FEAT), nn.Linear(FEAT, D), nn.Embedding(100, D), nn.LayerNorm(D)
        self.fuse_norm, self.fuse = nn.LayerNorm(FEAT), nn.Linear(FEAT, D)
        self.cross_modal, self.temporal = nn.ModuleList(Layer() for _ in range(6)), nn.ModuleList(Layer() for _ in range(3))
        self.clip_pos, self.clip_norm = nn.Embedding(514, D), nn.LayerNorm(D)
        self.q_in, self.q_proj, self.q_pos, self.q_norm, self.q_attn, self.q_pool = nn.LayerNorm(D), nn.Linear(D, D), nn.Embedding(514, D), nn.LayerNorm(D), Attention(), nn.Linear(D, 1, bias=False)
        self.span_q, self.start, self.end = nn.Linear(D, D), nn.Conv1d(1, 1, 5, padding=2, bias=False), nn.Conv1d(1, 1, 5, padding=2, bias=False)
        self.decoder, self.dec_pos, self.dec_norm = nn.ModuleList(Layer(cross=True) for _ in range(2)), nn.Embedding(1024, D), nn.LayerNorm(D)
        self.lm_dense, self.lm_norm, self.lm_bias = nn.Linear(D, D), nn.LayerNorm(D), nn.Parameter(torch.zeros(VOCAB))

    def text(self, ids):
        return F.dropout(self.text_norm(self.word(ids) + self.text_pos(torch.arange(ids.size(1))) + self.token_type.weight[1]), .1, self.training)

    def frames(self, b):
        img = F.dropout(self.frame_norm(self.feat(self.feat_norm(b["sub_feats"])) + self.frame_pos(torch.arange(b["sub_feats"].size(1))) + self.token_type.weight[1]), .1, self.training)
        x = torch.gather(torch.cat([img, self.text(b["sub_ids"])], 1), 1, b["gather"].unsqueeze(-1).expand(-1, -1, D))
        for layer in self.cross_modal:
            x = layer(x, b["sub_mask"])
        fused = torch.zeros(*b["feats"].shape[:2], D, dtype=x.dtype)
        for row, (video, first, n) in enumerate(b["slots"]):
            fused[video, first:first + n] += x[row, :n]
        y = F.relu(self.fuse(F.dropout(self.fuse_norm(b["feats"]), .1, self.training))) + fused
        y = F.dropout(self.clip_norm(y + self.clip_pos(torch.arange(y.size(1)))), .1, self.training)
        for layer in self.temporal:
            y = layer(y, b["clip_mask"])
        return y

    def query(self, b):
        x = self.text(b["q_ids"])
        for layer in self.cross_modal:
            x = layer(x, b["q_mask"])
        x = F.relu(self.q_proj(F.dropout(self.q_in(x), .1, self.training)))
        x = self.q_attn(F.dropout(self.q_norm(x + self.q_pos(torch.arange(x.size(1)))), .1, self.training), b["q_mask"])
        w = torch.softmax(self.q_pool(x) + b["q_mask"][:, 0, 0].unsqueeze(-1), 1)
        return (w * x).sum(1)

    def finetune(self, b):
        y, q = self.frames(b), self.query(b)
        own = torch.einsum("bd,bld->bl", self.span_q(q), y[b["q_video"]]).unsqueeze(1)
        mask = b["clip_mask"][b["q_video"]][:, 0, 0]
        span = sum(F.cross_entropy(c(own)[:, 0] + mask, b["target"][:, i]) for i, c in enumerate((self.start, self.end)))
        s = torch.einsum("md,nld->mln", F.normalize(q, dim=-1), F.normalize(y, dim=-1)) + b["clip_mask"][:, 0, 0].t().unsqueeze(0)
        s = s.max(1)[0]; pos = s[torch.arange(len(q)), b["q_video"]].unsqueeze(1)
        rank = F.relu(.1 + s - pos).mean() + F.relu(.1 + s.t().unsqueeze(1) - pos.view(1, -1, 1)).mean()
        return .01 * span + 8 * rank

    def scores(self, x):
        return F.linear(self.lm_norm(F.gelu(self.lm_dense(x))), self.word.weight) + self.lm_bias

    def caption(self, b, steps=30):
        y = self.frames(b)
        clips = [y[v, s:e] for v, s, e in b["clips"]]
        memory = nn.utils.rnn.pad_sequence(clips, batch_first=True)
        mask = torch.zeros(memory.shape[:2])
        for i, c in enumerate(clips):
            mask[i, len(c):] = -1e4
        ids = torch.zeros(len(clips), 1, dtype=torch.long)
        for _ in range(steps):                                       # no cache: as the reference decodes
            n = ids.size(1)
            x = self.dec_norm(self.word(ids) + self.dec_pos(torch.arange(n)))
            causal = torch.triu(torch.full((n, n), -1e4), 1)
            for layer in self.decoder:
                x = layer(x, causal, memory, mask[:, None, None])
            ids = torch.cat([ids, self.scores(x).argmax(-1)[:, -1:]], 1)
        return ids


def load(path):
    videos = json.load(open(path))["videos"]
    g = torch.Generator().manual_seed(0)
    subs = [(v, first, n, t) for v, video in enumerate(videos) for first, n, t in video["subs"]]
    ml, mv, mt = max(max(n, 1) + t for _, _, n, t in subs), max(max(n, 1) for _, _, n, _ in subs), max(t for *_, t in subs)
    frames = [v["frames"] for v in videos]
    feats = torch.randn(len(videos), max(frames), FEAT, generator=g)
    sub_feats, gather, mask = torch.zeros(len(subs), mv, FEAT), torch.arange(ml).repeat(len(subs), 1), torch.full((len(subs), ml), -1e4)
    for i, (v, first, n, t) in enumerate(subs):
        sub_feats[i, :n] = feats[v, first:first + n]
        gather[i, max(n, 1):max(n, 1) + t] = torch.arange(mv, mv + t)
        mask[i, :max(n, 1) + t] = 0
        mask[i, :1] = 0 if n else -1e4
    gather.clamp_(max=mv + mt - 1)
    clip_mask = torch.full((len(videos), max(frames)), -1e4)
    for i, n in enumerate(frames):
        clip_mask[i, :n] = 0
    qs = [(v, n, s, e) for v, video in enumerate(videos) for n, s, e in video["queries"]]
    q_mask = torch.full((len(qs), max(n for _, n, *_ in qs)), -1e4)
    for i, (_, n, *_) in enumerate(qs):
        q_mask[i, :n] = 0
    real = int((mask == 0).sum())
    return dict(feats=feats, sub_feats=sub_feats, sub_ids=torch.randint(5, 50000, (len(subs), mt), generator=g), gather=gather, sub_mask=mask[:, None, None],
                clip_mask=clip_mask[:, None, None], slots=[s[:3] for s in subs], q_ids=torch.randint(5, 50000, q_mask.shape, generator=g), q_mask=q_mask[:, None, None],
                q_video=torch.tensor([q[0] for q in qs]), target=torch.tensor([q[2:] for q in qs]),
                clips=[(v, s, e) for v, video in enumerate(videos) for s, e in video["clips"]]), mask.numel(), real


def main():
    ap = argparse.ArgumentParser(); ap.add_argument("batch"); ap.add_argument("--iters", type=int, default=3); ap.add_argument("--bf16", action="store_true")
    ap.add_argument("--device", default="cpu"); ap.add_argument("--compile", action="store_true")
    ap.add_argument("--kinds", nargs="+", default=["finetune", "encode", "caption"]); a = ap.parse_args()
    torch.manual_seed(0)
    b, padded, real = load(a.batch)
    torch.set_default_device(a.device)
    b = {name: value.to(a.device) if torch.is_tensor(value) else value for name, value in b.items()}
    wait = torch.cuda.synchronize if a.device == "cuda" else (lambda: None)
    m = Hero()
    if a.compile:
        m.finetune, m.frames, m.scores = (torch.compile(f, dynamic=False) for f in (m.finetune, m.frames, m.scores))
    opt = torch.optim.AdamW(m.parameters(), 1e-4, (.9, .98))
    for kind in a.kinds:
        times = []
        for _ in range(a.iters + 1):
            wait()
            t = time.perf_counter()
            with torch.autocast(a.device, torch.bfloat16, enabled=a.bf16):
                if kind == "finetune":
                    m.train(); loss = m.finetune(b)
                else:
                    m.eval()
                    with torch.no_grad():
                        m.frames(b) if kind == "encode" else m.caption(b)
            if kind == "finetune":
                loss.backward(); torch.nn.utils.clip_grad_norm_(m.parameters(), 1.); opt.step(); opt.zero_grad()
            wait()
            times.append(time.perf_counter() - t)
        print(json.dumps(dict(kind=kind, seconds=round(sorted(times[1:])[len(times[1:]) // 2], 5), device=a.device, precision="bf16" if a.bf16 else "fp32", compiled=a.compile, padded_tokens=padded, real_tokens=real)), flush=True)


main()
