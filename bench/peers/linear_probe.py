"""The search of CoOp's lpclip for C with scikit-learn, on features that linear-probe.bench.ts wrote; prints JSON.

lpclip stores features by way of Python's numbers, so that its fits are in float64.
"""
import json
import sys
import time
import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression

warnings.filterwarnings("ignore")
folder, width, dtype = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def part(name):
    x = np.fromfile(f"{folder}/{name}.f32", dtype=np.float32).reshape(-1, width)
    return x.astype(dtype), np.array(json.load(open(f"{folder}/{name}.json")))


(x, y), (val_x, val_y) = part("train"), part("val")
started, cpu = time.time(), time.process_time()


def accuracy(c):
    fit = LogisticRegression(solver="lbfgs", max_iter=1000, C=c).fit(x, y)
    return np.mean(fit.predict(val_x) == val_y)


coarse = [1e6, 1e4, 1e2, 1, 1e-2, 1e-4, 1e-6]
best = coarse[int(np.argmax([accuracy(c) for c in coarse]))]
low, high = np.log10(best) - 1, np.log10(best) + 1
for _ in range(8):
    middle = (low + high) / 2
    left, right = accuracy(10**low), accuracy(10**high)
    if left < right:
        best, best_accuracy, low = 10**high, right, middle
    else:
        best, best_accuracy, high = 10**low, left, middle
took = {"ms": 1000 * (time.time() - started), "cpu": 1000 * (time.process_time() - cpu)}
print(json.dumps({"C": float(best), "valAccuracy": float(best_accuracy), **took}))
