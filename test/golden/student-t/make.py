"""SciPy's quantiles of Student's t and its intervals of paired differences, for lib/metrics.

    pip install scipy==1.14.1 && python3 make.py
"""

import json
import pathlib

import numpy as np
from scipy import stats

quantiles = [
    {"probability": p, "degrees": n, "t": float(stats.t.ppf((1 + p) / 2, n))}
    for p in (0.5, 0.9, 0.95, 0.99, 0.999)
    for n in (1, 2, 3, 4, 5, 7, 9, 10, 19, 30, 101, 1000)
]
random = np.random.default_rng(0)
pairs = []
for n in (2, 3, 5, 8, 20):
    before = random.normal(0.75, 0.01, n)
    after = before + random.normal(0.004, 0.003, n)
    test = stats.ttest_rel(after, before)
    low, high = test.confidence_interval(0.95)
    d = after - before
    pairs.append(
        {
            "before": before.tolist(),
            "after": after.tolist(),
            "mean": float(d.mean()),
            "sd": float(d.std(ddof=1)),
            "interval": [float(low), float(high)],
        }
    )
golden = {"quantiles": quantiles, "pairs": pairs}
pathlib.Path(__file__).with_name("golden.json").write_text(json.dumps(golden, indent=1) + "\n")
