"""Makes clip.safetensors and inputs.safetensors here, and the files of
../release/testdata, from the numbers of the published trainer's run, in the folder
that is named: of the embeddings of tokens only the rows that a test reads, of the
training steps only the first.

    python compact.py FOLDER
"""

import os
import shutil
import sys

from safetensors import safe_open
from safetensors.numpy import load_file, save_file

source, here = sys.argv[1], os.path.dirname(os.path.abspath(__file__))
release = os.path.join(here, "..", "release", "testdata")


def read(name):
    path = os.path.join(source, name + ".safetensors")
    with safe_open(path, "np") as f:
        return load_file(path), f.metadata() or {}


def select(name, to, *prefixes):
    tensors, about = read(name)
    save_file({k: v for k, v in tensors.items() if k.startswith(prefixes)}, os.path.join(release, to), about)


inputs, about = read("inputs")
save_file(inputs, os.path.join(here, "inputs.safetensors"), about)
clip, about = read("tiny_clip")
rows = sorted(set(inputs["token_ids"].ravel().tolist()))
clip["token_embedding.rows"] = clip.pop("token_embedding.weight")[rows]
about["rows"] = "token_embedding.rows are those of the tokens " + " ".join(map(str, rows))
save_file(clip, os.path.join(here, "clip.safetensors"), about)

select("forward", "forward.safetensors", "eval.", "train.", "train_nodrop.")
select("train_steps", "first_step.safetensors", "step1.")
select("tkmc", "student.safetensors", "teacher.", "param.", "buffer.", "step1.", "T2_kd200.")
shutil.copyfile(os.path.join(source, "tolerance_fp32_vs_fp64.json"), os.path.join(release, "rounding.json"))
