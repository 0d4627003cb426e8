"""Runs every model.onnx below the given folders, on the inputs beside it in
test_data_set_0, and compares what comes out: floats to 1e-4 of the largest, whole
numbers and the likeliest class exactly."""

import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

TOLERANCE = 1e-4
FLOOR = 0.01  # some cases of ops are differences, zero but for rounding


def tensors(folder, kind):
    for i in range(len(list(folder.glob(f"{kind}_*.pb")))):
        t = onnx.load_tensor(folder / f"{kind}_{i}.pb")
        yield t.name, numpy_helper.to_array(t)


def difference(got, want):
    """Relative to the largest element, or FLOOR; equal infinities and NaNs differ by
    nothing."""
    if got.dtype != want.dtype or got.shape != want.shape:
        raise SystemExit(f"is {got.dtype} {got.shape}, want {want.dtype} {want.shape}")
    if want.dtype.kind == "i":
        return np.inf if (got != want).any() else 0.0
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    with np.errstate(invalid="ignore"):
        apart = np.where(same, 0, np.abs(got - want))
    apart[np.isnan(apart)] = np.inf
    largest = np.abs(want[np.isfinite(want)]).max(initial=0)
    return apart.max(initial=0) / max(largest, FLOOR)


def check(model):
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    data = model.parent / "test_data_set_0"
    wants = dict(tensors(data, "output"))
    names = [o.name for o in session.get_outputs()]
    if not wants or sorted(names) != sorted(wants):
        raise SystemExit(f"{model}: outputs {names}, want {list(wants)}")
    gots = session.run(names, dict(tensors(data, "input")))
    worst = 0.0
    for name, got in zip(names, gots):
        d = difference(got, wants[name])
        if not d <= TOLERANCE:
            raise SystemExit(f"{model}: {name} differs by {d:.2g} of its largest element")
        if name == "logits" and (got.argmax(1) != wants[name].argmax(1)).any():
            raise SystemExit(f"{model}: other classes than ours")
        worst = max(worst, d)
    return worst


for folder in sys.argv[1:]:
    models = sorted(pathlib.Path(folder).rglob("model.onnx"))
    if not models:
        raise SystemExit(f"{folder}: no model in it")
    worst = max((check(m), str(m.parent.relative_to(folder))) for m in models)
    print(f"{pathlib.Path(folder).name}: {len(models)} models agree, the worst to {worst[0]:.1e} ({worst[1]})")
