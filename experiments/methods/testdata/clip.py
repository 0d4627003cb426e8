"""Makes clip.safetensors, the tiny random CLIP of coop, cocoop, clipfit and tip, as
a checkpoint with what our loader asks for:

    git clone https://github.com/KaiyangZhou/CoOp && python clip.py CoOp
"""

import json
import sys

import published as p
from safetensors.torch import save_file

model = p.prepare(sys.argv[1])
from clip.simple_tokenizer import SimpleTokenizer

tokenizer = SimpleTokenizer()
ids = list(range(32))  # of the rows that no text uses
for row, word in enumerate(p.WORDS, start=1):
    (ids[row],) = tokenizer.encode(word)
ids[p.SOT], ids[p.EOT] = 49406, 49407
out = {n: t.detach().half().contiguous() for n, t in p.tiny(model).named_parameters()}
metadata = {"vision.heads": str(p.HEADS), "text.heads": str(p.HEADS), "token_ids": json.dumps(ids), "words": " ".join(p.WORDS)}
save_file(out, "clip.safetensors", metadata)
