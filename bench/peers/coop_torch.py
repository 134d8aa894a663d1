"""A training step of CoOp as the official method computes it, in PyTorch on the CPU, at CLIP ViT-B's text sizes.

Every prompt is padded to 77 tokens and goes through the whole text tower; only the context vectors learn, by SGD. Weights
are random, and so are the images' features (the official code encodes the images of each batch anew, which is left out).

    python coop_torch.py --classes 100 --runs 5

prints JSON: versions, milliseconds of each step, most memory held in MB. With --wait a step runs for each line that is read,
and its milliseconds are printed as one line.
"""
import argparse
import json
import math
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

parser = argparse.ArgumentParser()
parser.add_argument("--classes", type=int, default=100)
parser.add_argument("--context", type=int, default=16)
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--threads", type=int, default=torch.get_num_threads())
parser.add_argument("--runs", type=int, default=3)
parser.add_argument("--name-tokens", default="2", help="tokens of each name, separated by commas; they come again")
parser.add_argument("--wait", action="store_true")
args = parser.parse_args()

VOCABULARY, LENGTH, WIDTH, HEADS, LAYERS, EMBED = 49408, 77, 512, 8, 12, 512
torch.manual_seed(1)
torch.set_num_threads(args.threads)


class QuickGELU(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(1.702 * x)


class Block(nn.Module):
    def __init__(self, mask):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attn = nn.MultiheadAttention(WIDTH, HEADS)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), QuickGELU(), nn.Linear(4 * WIDTH, WIDTH))
        self.mask = mask

    def forward(self, x):
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=self.mask)[0]
        return x + self.mlp(self.ln_2(x))


class TextTower(nn.Module):
    def __init__(self):
        super().__init__()
        mask = torch.full((LENGTH, LENGTH), float("-inf")).triu(1)
        self.words = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Parameter(0.01 * torch.randn(LENGTH, WIDTH))
        self.blocks = nn.Sequential(*[Block(mask) for _ in range(LAYERS)])
        self.ln_final = nn.LayerNorm(WIDTH)
        self.projection = nn.Parameter(WIDTH**-0.5 * torch.randn(WIDTH, EMBED))

    def forward(self, prompts, ends):
        x = (prompts + self.positions).permute(1, 0, 2)
        x = self.ln_final(self.blocks(x)).permute(1, 0, 2)
        return x[torch.arange(len(ends)), ends] @ self.projection


tower = TextTower().requires_grad_(False)
lengths = [int(n) for n in args.name_tokens.split(",")]
names = torch.tensor([lengths[i % len(lengths)] for i in range(args.classes)])
ends = 1 + args.context + names + 1  # start token, context, name, full stop
tokens = torch.randint(1, VOCABULARY - 1, (args.classes, LENGTH))
with torch.no_grad():
    embedded = tower.words(tokens)
first, rest = embedded[:, :1], embedded[:, 1 + args.context :]
context = nn.Parameter(0.02 * torch.randn(args.context, WIDTH))
optimiser = torch.optim.SGD([context], lr=0.002)
images = F.normalize(torch.randn(args.batch, EMBED), dim=-1)
labels = torch.randint(args.classes, (args.batch,))
scale = math.exp(math.log(100))


def step():
    started = time.perf_counter()
    prompts = torch.cat([first, context.expand(args.classes, -1, -1), rest], dim=1)
    text = F.normalize(tower(prompts, ends), dim=-1)
    loss = F.cross_entropy(scale * images @ text.t(), labels)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return 1000 * (time.perf_counter() - started)


step()
if args.wait:
    print("ready", flush=True)
    for _ in sys.stdin:
        print(step(), flush=True)
else:
    times = [step() for _ in range(args.runs)]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(json.dumps({"torch": torch.__version__, "threads": args.threads, "ms": times, "memory": memory}))
