"""Writes NAME.json: what PyTorch makes of a network of torchvision's or timm's whose weights and pixels follow
a formula, which test/suites/zoo.ts repeats, so that no weights need to be stored. Computed in float64.

    python make.py [NAME …]    (needs torch, torchvision and timm; written with 2.15.0, 0.29.2 and 1.0.31, on CPU)

A network more: an entry in NETWORKS, `python make.py NAME`, and `zooSuite("NAME", architecture)` in a test.
Weights must have our names in PyTorch's state_dict.

One ReLU that float32 decides otherwise than float64, because its input is nearly 0, moves gradients by a percent
and more: PyTorch's own differ so. Biases of normalisations are therefore such that few inputs lie near 0, and of
some images those are taken whose nearest one ("margin") is the furthest away.
"""
import json
import math
import pathlib
import re
import sys

import numpy
import timm
import torch
import torchvision
from torch import nn
from torch.nn import functional
from torchvision.models.resnet import Bottleneck

BATCH, HEIGHT, WIDTH, CLASSES = 2, 40, 56, 10
SAMPLES = 3
DRAWS = 12


def numbers(name, count):
    """Multiples of 2^-24 in [-0.5, 0.5), hashed from name and place: FNV-1a, then C. Wellons' lowbias32."""
    offset = 0x811C9DC5
    for letter in name.encode():
        offset = (offset ^ letter) * 0x01000193 & 0xFFFFFFFF
    x = numpy.arange(count, dtype=numpy.uint32) * numpy.uint32(0x9E3779B9) + numpy.uint32(offset)
    x = (x ^ x >> 16) * numpy.uint32(0x7FEB352D)
    x = (x ^ x >> 15) * numpy.uint32(0x846CA68B)
    x = x ^ x >> 16
    return (x >> 8) / 2.0**24 - 0.5


def in_our_order(module, tensor):
    """Kernels as [height, width, in, out], or [in, out]."""
    if isinstance(module, nn.Conv2d) and tensor.dim() == 4:
        return tensor.permute(2, 3, 1, 0)
    return tensor.T if isinstance(module, nn.Linear) and tensor.dim() == 2 else tensor


def fill(network, closing):
    """
    Kernels keep the variance; scales and variances lie around 1, biases of normalisations around 2.5, or around 0
    where they close a residual branch, which then adds a quarter of the variance.
    """
    for prefix, module in network.named_modules():
        state = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        for key, tensor in state:
            if key == "num_batches_tracked":
                continue
            place = in_our_order(module, tensor.data)
            values = numbers(f"{prefix}.{key}", tensor.numel())
            if isinstance(module, nn.BatchNorm2d):
                closes = re.search(closing, prefix) is not None
                if key in ("weight", "running_var"):
                    values = values + 1
                if key in ("weight", "bias") and closes:
                    values = values / 4
                elif key == "bias":
                    values = values * 3 + 2.5
            elif key == "weight":
                values = values * math.sqrt(24 / tensor[0].numel())
            place.copy_(torch.from_numpy(values.astype(numpy.float32)).reshape(place.shape))


def images(draw):
    values = 2 * numbers(f"images {draw}", BATCH * HEIGHT * WIDTH * 3)
    return torch.from_numpy(values).reshape(BATCH, HEIGHT, WIDTH, 3).permute(0, 3, 1, 2)


def rounded(tensor):
    return [float(f"{value:.6g}") for value in tensor.flatten().tolist()]


def summary(gradient):
    """Norm, sum, and values at equal distances."""
    flat = gradient.flatten()
    places = [(2 * k + 1) * flat.numel() // (2 * SAMPLES) for k in range(SAMPLES)]
    return rounded(torch.cat([flat.norm()[None], flat.sum()[None], flat[places]]))


def margin(network, draw):
    """How near to 0 the inputs of ReLUs come in training."""
    nearest = math.inf
    relu = functional.relu

    def noting(x, inplace=False):
        nonlocal nearest
        nearest = min(nearest, x.abs().min().item())
        return relu(x, inplace)

    functional.relu = noting
    with torch.no_grad():
        network(images(draw))
    functional.relu = relu
    return nearest


def observed(network, closing):
    network.double().train()
    fill(network, closing)
    widest, draw = max((margin(network, draw), draw) for draw in range(DRAWS))
    fill(network, closing)
    with torch.no_grad():
        evaluation = network.eval()(images(draw))
    training = network.train()(images(draw))
    factors = torch.from_numpy(numbers("factors", BATCH * CLASSES)).reshape(BATCH, CLASSES)
    (training * factors).sum().backward()
    gradients = {
        f"{prefix}.{key}": summary(in_our_order(module, parameter.grad))
        for prefix, module in network.named_modules()
        for key, parameter in module.named_parameters(recurse=False)
    }
    return {
        "batch": BATCH,
        "height": HEIGHT,
        "width": WIDTH,
        "classes": CLASSES,
        "images": f"images {draw}",
        "margin": widest,
        "evaluation": rounded(evaluation),
        "training": rounded(training.detach()),
        "gradients": gradients,
    }


def stride_in_first(network):
    """He et al. 2016 have a bottleneck's stride in its first convolution, torchvision has it in the second."""
    for module in network.modules():
        if isinstance(module, Bottleneck):
            module.conv1.stride, module.conv2.stride = module.conv2.stride, module.conv1.stride
    return network


def of_torchvision(name, **options):
    return torchvision.models.get_model(name, num_classes=CLASSES, **options)


def of_timm(name, **options):
    return timm.create_model(name, num_classes=CLASSES, **options)


BASIC = r"^layer\d\.\d+\.bn2$"
BOTTLENECK = r"^layer\d\.\d+\.bn3$"

# What builds the network, and the names of the normalisations that close a residual block's branch.
NETWORKS = {
    "resnet18-d": (lambda: of_timm("resnet18d"), BASIC),
    "resnet50-a": (lambda: stride_in_first(of_torchvision("resnet50")), BOTTLENECK),
    "resnet50-b": (lambda: of_torchvision("resnet50"), BOTTLENECK),
    "resnet50-b-dilated": (
        lambda: of_torchvision("resnet50", replace_stride_with_dilation=[False, True, True]),
        BOTTLENECK,
    ),
    "resnet50-d": (lambda: of_timm("resnet50d"), BOTTLENECK),
    "resnet152-d": (lambda: of_timm("resnet152d"), BOTTLENECK),
}


def main(names):
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__, "timm": timm.__version__}
    for name in names or NETWORKS:
        build, closing = NETWORKS[name]
        golden = {"made with": versions, **observed(build(), closing)}
        text = json.dumps(golden, separators=(",", ":")).replace('],"', '],\n"')
        pathlib.Path(__file__).with_name(f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
