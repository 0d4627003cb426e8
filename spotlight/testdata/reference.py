"""Independent reference of the variant `paper`, in float64, in reading order: both
encoders, selection, re-reading, matching, loss and the writing of the bank, written
from the paper's formulae (arXiv 2509.00905) on a tiny random CLIP with OpenAI's names.

B images, N patches, D joint width, C classes, P prototypes a class, K kept tokens of
which the first K1 are level one, H heads."""

import math
import os

import torch
from safetensors.torch import load_file

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
F = torch.nn.functional
HERE = os.path.dirname(os.path.abspath(__file__))
W = {k: v.double() for k, v in load_file(os.path.join(HERE, "clip.safetensors")).items()}
inp = load_file(os.path.join(HERE, "inputs.safetensors"))
EMBEDDING = dict(zip(sorted(set(inp["token_ids"].flatten().tolist())), W["token_embedding.rows"]))  # by token


def ln(x, p):
    return F.layer_norm(x, x.shape[-1:], W[p + ".weight"], W[p + ".bias"], 1e-5)


def qgelu(x):
    return x * torch.sigmoid(1.702 * x)


def split(x, h):
    return x.view(*x.shape[:-1], h, x.shape[-1] // h).transpose(-3, -2)  # [.., N, w] -> [.., h, N, w/h]


def qkv(x, p):
    return (x @ W[p + ".attn.in_proj_weight"].T + W[p + ".attn.in_proj_bias"]).chunk(3, -1)


def out(x, p):
    return x @ W[p + ".attn.out_proj.weight"].T + W[p + ".attn.out_proj.bias"]


def mlp(x, p):
    y = ln(x, p + ".ln_2")
    return qgelu(y @ W[p + ".mlp.c_fc.weight"].T + W[p + ".mlp.c_fc.bias"]) @ W[p + ".mlp.c_proj.weight"].T + W[p + ".mlp.c_proj.bias"]


class Vision:
    def __init__(s):
        s.w = W["visual.conv1.weight"].shape[0]
        s.h = s.w // 64
        s.p = W["visual.conv1.weight"].shape[-1]
        s.L = 1 + max(int(k.split(".")[3]) for k in W if k.startswith("visual.transformer.resblocks."))

    def name(s, l):
        return f"visual.transformer.resblocks.{l}"

    def run(s, img, blocks, R):
        """blocks: 1-based list for contribution tokens; R: number of last blocks re-read. Returns g_raw, c [B,N,D], cache."""
        x = F.conv2d(img, W["visual.conv1.weight"], stride=s.p).flatten(2).transpose(1, 2)
        B = x.shape[0]
        x = torch.cat([W["visual.class_embedding"].expand(B, 1, -1), x], 1) + W["visual.positional_embedding"]
        x = ln(x, "visual.ln_pre")
        acc = 0
        cache = []
        for l in range(s.L):
            p = s.name(l)
            if l == s.L - R:
                x_cls = x[:, 0]
            q, k, v = [split(t, s.h) for t in qkv(ln(x, p + ".ln_1"), p)]
            a = (q @ k.transpose(-1, -2) / math.sqrt(s.w // s.h)).softmax(-1)
            if l >= s.L - R:
                cache.append((k[:, :, 1:], v[:, :, 1:]))
            if l + 1 in blocks:
                part = (a[:, :, 0, 1:, None] * v[:, :, 1:]).transpose(1, 2).reshape(B, -1, s.w)  # [B,N,w]
                acc = acc + part @ W[p + ".attn.out_proj.weight"].T  # no bias
            x = x + out((a @ v).transpose(1, 2).reshape(B, -1, s.w), p)
            x = x + mlp(x, p)
        cls = x[:, 0]
        g_raw = ln(cls, "visual.ln_post") @ W["visual.proj"]
        sd = (cls.var(-1, unbiased=False) + 1e-5).sqrt()
        c = (acc - acc.mean(-1, keepdim=True)) * W["visual.ln_post.weight"] @ W["visual.proj"] / (sd * g_raw.norm(dim=-1))[:, None, None]
        return g_raw, c, (x_cls, cache)

    def reread(s, cache, bias):
        """bias [B,N] added to the CLS row's attention logits at the patches, in each of the last R blocks."""
        x, kv = cache
        x = x[:, None]
        R = len(kv)
        for i, (K, V) in enumerate(kv):
            p = s.name(s.L - R + i)
            q, k, v = [split(t, s.h) for t in qkv(ln(x, p + ".ln_1"), p)]
            a = torch.cat([q @ k.transpose(-1, -2), q @ K.transpose(-1, -2)], -1) / math.sqrt(s.w // s.h)
            a = torch.cat([a[..., :1], a[..., 1:] + bias[:, None, None]], -1).softmax(-1)
            x = x + out((a[..., :1] @ v + a[..., 1:] @ V).transpose(1, 2).reshape(x.shape[0], 1, s.w), p)
            x = x + mlp(x, p)
        return ln(x[:, 0], "visual.ln_post") @ W["visual.proj"]


vis = Vision()


def text(ids, ctx):
    e = torch.stack([torch.stack([EMBEDDING[int(i)] for i in row]) for row in ids])
    n = ctx.shape[0]
    x = torch.cat([e[:, :1], ctx.expand(len(ids), -1, -1), e[:, 1 + n :]], 1) + W["positional_embedding"]
    w = x.shape[-1]
    h = w // 64
    m = torch.full((x.shape[1],) * 2, -math.inf).triu(1)
    L = 1 + max(int(k.split(".")[2]) for k in W if k.startswith("transformer.resblocks."))
    for l in range(L):
        p = f"transformer.resblocks.{l}"
        q, k, v = [split(t, h) for t in qkv(ln(x, p + ".ln_1"), p)]
        a = (q @ k.transpose(-1, -2) / math.sqrt(w // h) + m).softmax(-1)
        x = x + out((a @ v).transpose(1, 2).reshape(len(ids), -1, w), p)
        x = x + mlp(x, p)
    x = ln(x, "ln_final")
    return x[torch.arange(len(ids)), ids.argmax(-1)] @ W["text_projection"]


K, K1, P, H = 5, 3, 5, 8
WINDOW, SIGMA = 3, 1.0


def standardise(s):
    return (s - s.mean(1, keepdim=True)) / (s.std(1, keepdim=True, unbiased=False) + 1e-6)


def nz(x):
    return F.normalize(x, dim=-1)


def smooth(a):
    """[B,N] -> [B,N]: 5x5 Gaussian over the square patch grid, kernel sums to 1, zero padding."""
    n = int(a.shape[1] ** 0.5)
    t = torch.arange(-2.0, 3.0)
    k = torch.exp(-t * t / (2 * SIGMA * SIGMA))
    k = k[:, None] * k[None]
    k = k / k.sum()
    return F.conv2d(a.view(-1, 1, n, n), k[None, None], padding=2).view(a.shape)


def keep(s):
    """[B,N] -> index [B,K]: best K inside the window around the peak, by falling score."""
    B, N = s.shape
    n = int(N**0.5)
    h = WINDOW // 2
    pk = s.argmax(1)
    r, c = (pk // n).clamp(h, n - 1 - h), (pk % n).clamp(h, n - 1 - h)
    i = torch.arange(N)
    inside = ((i // n - r[:, None]).abs() <= h) & ((i % n - c[:, None]).abs() <= h)
    return torch.sort(s.masked_fill(~inside, -math.inf), dim=1, descending=True, stable=True).indices[:, :K]


def scalars():
    z = lambda n, v=0.0: torch.full((n,), float(v), requires_grad=True)
    D = W["visual.proj"].shape[1]
    return dict(
        theta=z(1),
        rho=z(K),
        kappa=z(1, math.log(10)),
        omega=z(2),
        head_log_temp=z(H, -0.5 * math.log(D // H)),
        gamma=z(1),
        a=z(1, 0.3),
        b=z(1),
        phi=z(1),
    )


def forward(g_raw, c, cache, t_raw, bank, h, seen, S, tau):
    B, N, D = c.shape
    g, t = nz(g_raw), nz(t_raw)
    p = (tau * g @ t.T).softmax(-1).detach()

    def activation(m):
        return standardise(smooth(torch.einsum("bc,bnc->bn", p, m) - m.mean(-1)))  # m [B,N,C]

    s1 = activation(torch.einsum("bnd,cd->bnc", c, t))
    s2 = activation(torch.einsum("bnd,cjd->bncj", c, bank).amax(-1))
    lam = torch.sigmoid(S["theta"])
    s = lam * s1 + (1 - lam) * s2
    idx = keep(s.detach())
    sk = s.gather(1, idx)
    z = nz(c.gather(1, idx[..., None].expand(-1, -1, D)))
    levels = [(0, K1), (K1, K)]
    w, bias_k = [], []
    for i, (lo, hi) in enumerate(levels):
        wl = (0.3 * sk[:, lo:hi] + S["rho"][lo:hi]).softmax(1)
        w.append(wl)
        bias_k.append(3 * S["omega"][i].exp() * (hi - lo) * wl)
    bias = torch.zeros(B, N).scatter(1, idx, torch.cat(bias_k, 1))
    f = nz(vis.reread(cache, bias))
    m = torch.einsum("bkd,cjd->bkcj", z, bank)
    q = torch.einsum("bc,bkcj,cjd->bkd", p, (S["kappa"].exp() * m).softmax(-1), bank)
    att = 0
    for lo, hi in levels:
        Q, Z = split(q[:, lo:hi], H), split(z[:, lo:hi], H)
        A = ((Q @ Z.transpose(-1, -2)) * S["head_log_temp"].exp()[None, :, None, None]).softmax(-1)
        att = att + (A @ Z).transpose(1, 2).reshape(B, hi - lo, D).mean(1)
    att = att / len(levels)
    rep = nz(f + S["gamma"] * att)
    if seen.sum() >= 2:
        hhat = nz(h - h[seen].mean(0)) * seen[:, None]
    else:
        hhat = torch.zeros_like(h)
    r = nz(t + S["a"] * hhat + S["b"] * t * hhat)
    plain, gl, l3 = tau * g @ t.T, tau * g @ r.T, tau * rep @ r.T
    beta = torch.sigmoid(S["phi"])
    return dict(
        belief=p,
        s1=s1,
        s2=s2,
        score=s,
        index=idx,
        kept_score=sk,
        kept_token=z,
        level_weight=torch.cat(w, 1),
        bias=bias,
        reread=f,
        matched=q,
        irm=att,
        rep=rep,
        class_reading=hhat,
        text_rep=r,
        logits_plain=plain,
        logits_global=gl,
        logits_local=l3,
        logits=(1 - beta) * gl + beta * l3,
        text=t,
        image=g,
    )


def losses(o, y, balance=50.0):
    a, b = F.cross_entropy(o["logits_plain"], y), F.cross_entropy(o["logits"], y)
    return dict(plain=a, prediction=b, total=a + b / balance)


@torch.no_grad()
def write_bank(bank, h, seen, z, sk, f, y, mu=0.8, mu_h=0.95):
    new, h, seen = bank.clone(), h.clone(), seen.clone()
    B = z.shape[0]
    j = torch.einsum("bkd,bjd->bkj", z, bank[y]).argmax(-1)
    for cls in range(bank.shape[0]):
        for pr in range(bank.shape[1]):
            rows = [(b, k) for b in range(B) for k in range(z.shape[1]) if y[b] == cls and j[b, k] == pr]
            if not rows:
                continue
            sc = torch.stack([sk[b, k] for b, k in rows])
            u = sc.softmax(0)
            u = u / u.max()
            new[cls, pr] = nz(mu * bank[cls, pr] + (1 - mu) * sum(u[i] * z[b, k] for i, (b, k) in enumerate(rows)))
        mine = y == cls
        if mine.any():
            e = f[mine].mean(0)
            h[cls] = mu_h * h[cls] + (1 - mu_h) * e if seen[cls] else e
            seen[cls] = True
    return new, h, seen, j
