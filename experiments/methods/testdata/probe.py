"""Makes probe.safetensors: the minimum of logistic regression with an L2 penalty,
found in float64 by Newton's method on the formula, and the loss and gradient at a
random place. An independent reference: scikit-learn's solver is L-BFGS too.

    python probe.py
"""

import published as p
import torch
import torch.nn.functional as F

torch.manual_seed(5)
torch.set_default_dtype(torch.float64)
N, C, D, STRENGTH = 20, 3, 6, 4.0
x = p.unit(torch.randn(N, D)).float().double()
y = torch.arange(N) % C


def objective(v):
    w, b = v[: C * D].view(C, D), v[C * D :]
    return F.cross_entropy(x @ w.t() + b, y) + (w**2).sum() / (2 * STRENGTH * N)


out = {"images": x, "labels": y}
place = torch.randn(C * (D + 1)).float().double().requires_grad_()
loss = objective(place)
loss.backward()
out |= {"place": place.detach(), "loss": loss.detach().view(1), "gradient": place.grad}
v = torch.zeros(C * (D + 1))
for _ in range(50):
    g = torch.func.grad(objective)(v)
    h = torch.func.hessian(objective)(v)
    v = v - torch.linalg.lstsq(h, g, driver="gelsd").solution  # all biases may move together
out |= {"minimum": v, "least": objective(v).view(1), "bound": g.abs().max().view(1)}
p.save("probe.safetensors", {n: t.float() if t.is_floating_point() else t for n, t in out.items()})
print("gradient at the minimum", g.abs().max().item())
