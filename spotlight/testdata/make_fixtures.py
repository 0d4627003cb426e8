"""Makes blocks2_reread1.safetensors and blocks12_reread2.safetensors here, by
reference.py: every intermediate at the start, and at a point away from it, where every
scalar has a gradient; the gradients there; and five training steps from it.

    pip install torch==2.15.0 safetensors numpy
    python make_fixtures.py
"""

from safetensors.torch import save_file

from reference import *

img = inp["images"].double()
y = inp["labels"].long()
ids = inp["token_ids"].long()
ctx0 = inp["param.prompt_learner.ctx"].double()
tau = W["logit_scale"].exp()


def case(name, blocks, R):
    g_raw, c, cache = vis.run(img, blocks, R)
    t0 = text(ids, ctx0)
    C = len(ids)
    D = c.shape[-1]
    rnd = torch.Generator().manual_seed(7)
    bank = nz(nz(t0)[:, None] + 0.02 * torch.randn(C, P, D, generator=rnd))
    T = dict(image_raw=g_raw, contribution=c, cls_row_at_reread=cache[0], bank_start=bank, text_raw=t0)
    for i, (k, v) in enumerate(cache[1]):
        T[f"keys.{i}"], T[f"values.{i}"] = k, v
    h0, seen0 = torch.zeros(C, D), torch.zeros(C, dtype=torch.bool)
    o = forward(g_raw, c, cache, text(ids, ctx0), bank, h0, seen0, scalars(), tau)
    T.update({"start." + k: v for k, v in o.items()})
    T.update({"start.loss." + k: v for k, v in losses(o, y).items()})
    # a point away from the start values, where every scalar has a gradient; class 4 not seen
    rnd = torch.Generator().manual_seed(11)
    S = scalars()
    with torch.no_grad():
        for v in S.values():
            v.add_(0.3 * torch.randn(v.shape, generator=rnd))
    ctx = (ctx0 + 0.05 * torch.randn(ctx0.shape, generator=rnd)).requires_grad_(True)
    b = nz(bank + 0.15 * torch.randn(bank.shape, generator=rnd))
    h = 0.9 * nz(torch.randn(C, D, generator=rnd))
    seen = torch.tensor([1, 1, 1, 1, 0], dtype=torch.bool)
    h[~seen] = 0
    T.update({"point.param." + k: v.detach().clone() for k, v in S.items()})
    T["point.param.ctx"] = ctx.detach().clone()
    T["point.bank"], T["point.h"], T["point.seen"] = b, h, seen.long()
    P_ = dict(ctx=ctx, **S)
    mom = {}
    for st in range(1, 6):
        for v in P_.values():
            v.grad = None
        o = forward(g_raw, c, cache, text(ids, P_["ctx"]), b, h, seen, {k: v for k, v in P_.items() if k != "ctx"}, tau)
        L = losses(o, y)
        L["total"].backward()
        nb, nh, ns, j = write_bank(b, h, seen, o["kept_token"].detach(), o["kept_score"].detach(), o["reread"].detach(), y)
        if st == 1:
            T.update({"point." + k: v.detach() for k, v in o.items()})
            T.update({"point.loss." + k: v.detach() for k, v in L.items()})
            T.update({"point.grad." + k: v.grad.clone() for k, v in P_.items()})
            T["point.bank_after"], T["point.h_after"], T["point.assignment"] = nb, nh, j
        T[f"step{st}.loss"], T[f"step{st}.index"] = L["total"].detach(), o["index"]
        with torch.no_grad():
            for k, v in P_.items():
                d = v.grad + (5e-4 * v if k == "ctx" else 0)
                mom[k] = d.clone() if st == 1 else 0.9 * mom[k] + d
                v -= (0.002 if k == "ctx" else 0.0001) * mom[k]
        b, h, seen = nb, nh, ns
    T.update({"step5.param." + k: v.detach().clone() for k, v in P_.items()})
    T["step5.bank"], T["step5.h"] = b, h
    flat = {k: (v if v.dim() else v[None]).detach().contiguous().clone() for k, v in T.items()}
    path = os.path.join(HERE, name + ".safetensors")
    save_file(flat, path)
    os.chmod(path, 0o644)
    gap = flat["point.score"].sort(1, descending=True).values[:, :8].diff(dim=1).abs().min().item()
    print(
        name,
        len(flat),
        "smallest gap in the top scores %.4f" % gap,
        {k[11:]: float("%.2g" % v.abs().max()) for k, v in flat.items() if k.startswith("point.grad")},
        [round(float(flat[f"step{i}.loss"]), 4) for i in range(1, 6)],
    )


case("blocks2_reread1", [2], 1)
case("blocks12_reread2", [1, 2], 2)
