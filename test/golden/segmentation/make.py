"""Writes golden.json: what NumPy says of masks, and PyTorch of the loss.

    python3 -m venv venv && venv/bin/pip install torch numpy
    venv/bin/python make.py

Made with torch 2.15.0, numpy 2.4.6.
"""

import json
from pathlib import Path

import numpy as np
import torch

rng = np.random.default_rng(20170715)
NUM_CLASSES, IGNORED = 6, 255


def metrics(pairs):
    """Sums over the whole set first, then one division per class; absent classes have no IoU."""
    common = np.zeros(NUM_CLASSES)
    labelled = np.zeros(NUM_CLASSES)
    predicted = np.zeros(NUM_CLASSES)
    for labels, predictions in pairs:
        known = labels != IGNORED
        for index in range(NUM_CLASSES):
            common[index] += np.sum((labels == index) & (predictions == index))
            labelled[index] += np.sum(labels == index)
            predicted[index] += np.sum((predictions == index) & known)
    union = labelled + predicted - common
    ious = [float(c / u) if u > 0 else None for c, u in zip(common, union)]
    return {
        "iou": ious,
        "support": labelled.tolist(),
        "meanIou": float(np.mean([iou for iou in ious if iou is not None])),
        "pixelAccuracy": float(common.sum() / labelled.sum()),
    }


def masks():
    pairs = []
    for height, width in [(9, 14), (7, 11), (12, 5)]:
        # Class 4 is predicted but never there, class 5 absent from both.
        labels = rng.choice([0, 1, 2, 3, IGNORED], (height, width), p=[0.5, 0.3, 0.08, 0.02, 0.1])
        noise = rng.integers(0, 5, (height, width))
        predictions = np.where((rng.random((height, width)) < 0.7) & (labels != IGNORED), labels, noise)
        pairs.append((labels, predictions))
    files = [{"labels": l.reshape(-1).tolist(), "predictions": p.reshape(-1).tolist()} for l, p in pairs]
    return {"numClasses": NUM_CLASSES, "masks": files, **metrics(pairs)}


def loss():
    n, h, w, k = 2, 3, 5, 4
    logits = torch.tensor(rng.normal(0, 5, (n, h, w, k)).astype(np.float32), dtype=torch.float64)
    labels = torch.tensor(rng.choice([0, 1, 2, 3, IGNORED], (n, h, w)))
    scores = logits.clone().requires_grad_()
    value = torch.nn.functional.cross_entropy(
        scores.permute(0, 3, 1, 2), labels, ignore_index=IGNORED, reduction="mean"
    )
    value.backward()
    return {
        "shape": [n, h, w, k],
        "logits": logits.reshape(-1).tolist(),
        "labels": labels.reshape(-1).tolist(),
        "loss": value.item(),
        "gradient": scores.grad.reshape(-1).tolist(),
    }


golden = {"metrics": masks(), "crossEntropy": loss()}
path = Path(__file__).with_name("golden.json")
path.write_text("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in golden.items()) + "\n}\n")
