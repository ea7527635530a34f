"""Losses and their gradients by PyTorch, in double precision, for test/lib/losses.

    python test/golden/losses/make.py        # torch 2.15.0; writes golden.json beside itself

Decoupled distillation is written down here from arXiv 2203.08679, eq. 7, with softmax, log and kl_div of
PyTorch; gradients are autograd's. Binary cross-entropy is PyTorch's own.
"""
import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def values(rows, classes, phase, scale):
    """Reproducible numbers without a generator: sines, rounded to 4 digits."""
    return [[round(scale * math.sin(phase + 1.7 * i + 2.3 * j), 4) for j in range(classes)] for i in range(rows)]


def decoupled(logits, teacher, labels, alpha, beta, temperature):
    label = F.one_hot(labels, logits.shape[1]).bool()

    def parts(z):
        p = F.softmax(z / temperature, dim=1)
        binary = torch.stack([p[label], (p * ~label).sum(1)], dim=1)
        others = (z / temperature)[~label].reshape(z.shape[0], -1)
        return binary, F.log_softmax(others, dim=1)

    (binary, others), (their_binary, their_others) = parts(logits), parts(teacher)
    target = F.kl_div(binary.log(), their_binary, reduction="sum")
    rest = F.kl_div(others, their_others, log_target=True, reduction="sum")
    return temperature**2 * (alpha * target + beta * rest) / logits.shape[0]


def with_gradient(logits, loss):
    z = torch.tensor(logits, requires_grad=True)
    value = loss(z)
    (slopes,) = torch.autograd.grad(value, z)
    rounded = [[float(f"{x:.10g}") for x in row] for row in slopes.tolist()]
    return {"loss": float(f"{value.item():.12g}"), "gradient": rounded}


def decoupled_case(rows, classes, temperature, alpha, beta, scale):
    logits, teacher = values(rows, classes, 0.3, scale), values(rows, classes, 1.1, scale)
    labels = [(3 * i + 1) % classes for i in range(rows)]
    given = dict(logits=logits, teacherLogits=teacher, labels=labels, temperature=temperature, alpha=alpha, beta=beta)
    t, y = torch.tensor(teacher), torch.tensor(labels)
    return given | with_gradient(logits, lambda z: decoupled(z, t, y, alpha, beta, temperature))


def soft_case(rows, classes, temperature, scale):
    logits, teacher = values(rows, classes, 0.3, scale), values(rows, classes, 1.1, scale)
    p = F.softmax(torch.tensor(teacher) / temperature, dim=1)

    def loss(z):
        return temperature**2 * F.kl_div(F.log_softmax(z / temperature, dim=1), p, reduction="batchmean")

    return dict(logits=logits, teacherLogits=teacher, temperature=temperature) | with_gradient(logits, loss)


def binary_case(reduction, scale):
    rows, classes = 3, 5
    logits = values(rows, classes, 0.3, scale)
    # Labels 0, 3, 4 smoothed by 0.1 as in the paper; the last two rows mixed, 0.3 to 0.7.
    smoothed = torch.full((3, 5), 0.1 / 4)
    smoothed[[0, 1, 2], [0, 3, 4]] = 0.9
    mixed = torch.stack([smoothed[0], 0.3 * smoothed[1] + 0.7 * smoothed[2], 0.3 * smoothed[2] + 0.7 * smoothed[1]])
    targets = [[float(f"{x:.10g}") for x in row] for row in mixed.tolist()]

    def loss(z):
        terms = F.binary_cross_entropy_with_logits(z, torch.tensor(targets), reduction="none")
        return (terms.sum(1) if reduction == "sum" else terms.mean(1)).mean()

    return dict(logits=logits, targets=targets, reduction=reduction) | with_gradient(logits, loss)


golden = {
    "decoupled": [
        decoupled_case(3, 5, 4, 1, 8, 3),
        decoupled_case(2, 10, 20, 1, 2, 8),
        decoupled_case(2, 40, 1, 0.5, 4, 12),
    ],
    "soft": [soft_case(3, 10, 20, 8), soft_case(2, 40, 4, 12)],
    "binary": [binary_case("sum", 3), binary_case("mean", 3), binary_case("mean", 60)],
}
Path(__file__).with_name("golden.json").write_text(json.dumps(golden) + "\n")
