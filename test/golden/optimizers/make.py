"""What optimizers make of given gradients: SGD of PyTorch itself, Muon written in numpy from its write-up
(kellerjordan.github.io/posts/muon) in PyTorch's layouts. Needs torch and numpy:

    python test/golden/optimizers/make.py > test/golden/optimizers/golden.json
"""
import json

import numpy as np
import torch

STEPS = 20
random = np.random.default_rng(12)


def rounded(array):
    """Float32 values that short decimals name."""
    return np.round(np.asarray(array, dtype=np.float64), 3).astype(np.float32)


kernel, bias = rounded(random.normal(size=(4, 3))), rounded(random.normal(size=4))
gradients = [
    {"kernel": rounded(random.normal(size=kernel.shape)), "bias": rounded(random.normal(size=bias.shape))}
    for _ in range(STEPS)
]
rates = [float(np.float32(round(0.1 * (step + 1) / STEPS, 4))) for step in range(STEPS)]


def sgd(nesterov, decay_on_bias):
    weights = {name: torch.tensor(values) for name, values in (("kernel", kernel), ("bias", bias))}
    groups = [
        {"params": [weights["kernel"]], "weight_decay": 0.01},
        {"params": [weights["bias"]], "weight_decay": 0.01 if decay_on_bias else 0.0},
    ]
    optimizer = torch.optim.SGD(groups, lr=1.0, momentum=0.9, nesterov=nesterov)
    after = []
    for rate, gradient in zip(rates, gradients):
        for name, weight in weights.items():
            weight.grad = torch.tensor(gradient[name])
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        after.append({name: [float(value) for value in weight.flatten()] for name, weight in weights.items()})
    return after


def orthogonalized(matrix, steps=5):
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix / (np.linalg.norm(matrix) + 1e-7)
    if matrix.shape[0] > matrix.shape[1]:
        x = x.T
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


def muon(shape, steps=5, rate=0.02, momentum=0.95, decay=0.1):
    """Of a convolution in PyTorch's layout [out, in, height, width]; given in ours."""
    ours = lambda array: [float(np.float32(value)) for value in np.transpose(array, (2, 3, 1, 0)).flatten()]
    weight = rounded(random.normal(size=shape)).astype(np.float64)
    buffer = np.zeros(shape)
    case = {"shape": [shape[2], shape[3], shape[1], shape[0]], "before": ours(weight), "gradients": []}
    for _ in range(steps):
        gradient = rounded(random.normal(size=shape)).astype(np.float64)
        case["gradients"].append(ours(gradient))
        buffer = momentum * buffer + gradient
        update = gradient + momentum * buffer
        matrix = update.reshape(shape[0], -1)
        scale = max(1, matrix.shape[0] / matrix.shape[1]) ** 0.5
        weight = weight * (1 - rate * decay) - rate * scale * orthogonalized(matrix).reshape(shape)
    case["after"] = ours(weight)
    return case


matrices = [rounded(random.normal(size=shape)) for shape in ((4, 9), (9, 4), (5, 5))]


def short(value):
    """Nine digits name a float32."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {name: short(one) for name, one in value.items()}
    return [short(one) for one in value] if isinstance(value, list) else value


golden = {
    "kernel": kernel.tolist(),
    "bias": bias.tolist(),
    "gradients": [{name: values.tolist() for name, values in one.items()} for one in gradients],
    "rates": rates,
    "nag": sgd(True, False),
    "nagDecayOnAll": sgd(True, True),
    "sgd": sgd(False, False),
    "orthogonalized": [
        {"matrix": matrix.tolist(), "result": orthogonalized(matrix.astype(np.float64)).tolist()}
        for matrix in matrices
    ],
    "muon": [muon((5, 2, 3, 3)), muon((12, 1, 3, 3), steps=2)],
}
print(json.dumps(short(golden)))
