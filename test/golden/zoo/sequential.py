"""Writes NAME.json: what PyTorch makes of a network without shortcuts, torchvision's or timm's, whose weights and
pixels follow a formula, which test/suites/sequentialZoo.ts repeats, so that no weights need to be stored. Computed
in float64.

    python sequential.py [NAME …]    (needs torch, torchvision, timm; written with 2.15.0, 0.29.2, 1.0.31, on CPU)

A ReLU that float32 decides otherwise than float64 moves gradients by a percent and more, and nothing damps it here.
So normalisations have scales around 1/2 and shifts around 1 or 1.5, where few values are near a corner: PyTorch's
own gradients of MobileNet-V1 in float32 are then 0.001 % away from the exact ones, and were 3 % with 1 and 0. An
Inception of 299x299 pixels has so many ReLUs that some always differ, and single gradients with them by percents.
"""
import json
import math
import pathlib
import sys

import numpy
import timm
import torch
import torchvision
from torch import nn
from torch.nn import functional

from make import in_our_order, numbers, rounded

BATCH, CLASSES = 3, 10
# Of the pattern that gradients are projected on, a prime, so that it falls out of step with every layer's shape.
PERIOD, PROJECTIONS = 1021, 4
# Of the factors of an auxiliary classifier's logits.
AUXILIARY = 0.4


def fill(network, lift, saturated):
    """
    Kernels keep the variance, given that nearly everything passes the ReLUs, and so do normalisations in evaluation.
    If `saturated`, a tenth of the channels between a depthwise convolution and a pointwise one lies beyond a ReLU6's
    upper corner.
    """
    for prefix, module in network.named_modules():
        state = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        for key, tensor in state:
            if key == "num_batches_tracked":
                continue
            place = in_our_order(module, tensor.data)
            values = numbers(f"{prefix}.{key}", tensor.numel())
            if isinstance(module, nn.BatchNorm2d):
                if key in ("weight", "running_var"):
                    values = values + 1
                if key == "weight":
                    values = values / 2
                if key == "running_var":
                    values = values / 4
                if key == "bias":
                    values = values + lift
                if key == "bias" and saturated and prefix.startswith("blocks") and prefix.endswith("bn1"):
                    values = values + 9 * (values > 1.4)
            elif key == "weight":
                values = values * math.sqrt(12 / tensor[0].numel())
            place.copy_(torch.from_numpy(values.astype(numpy.float32)).reshape(place.shape))


def images(draw, height, width):
    values = 2 * numbers(draw, BATCH * height * width * 3)
    return torch.from_numpy(values).reshape(BATCH, height, width, 3).permute(0, 3, 1, 2)


def summary(gradient):
    """
    Norm, and projections on patterns of random numbers of variance 1: two gradients whose difference is small beside
    them have projections that differ by about as much, and others do not.
    """
    flat = gradient.flatten()
    folded = functional.pad(flat, (0, -flat.numel() % PERIOD)).reshape(-1, PERIOD).sum(0)
    patterns = torch.from_numpy(numbers("patterns", PERIOD * PROJECTIONS)) * math.sqrt(12)
    return rounded(torch.cat([flat.norm()[None], folded @ patterns.reshape(PERIOD, PROJECTIONS)]))


def observed(network, size, draw, lift, saturated):
    network.double()
    with torch.no_grad():
        fill(network, lift, saturated)
        evaluation = network.eval()(images(draw, *size))
    training = network.train()(images(draw, *size))
    logits = list(training) if isinstance(training, tuple) else [training]
    factors = torch.from_numpy(numbers("factors", BATCH * CLASSES)).reshape(BATCH, CLASSES)
    sum(weight * (each * factors).sum() for weight, each in zip((1, AUXILIARY), logits)).backward()
    gradients = {
        f"{prefix}.{key}": summary(in_our_order(module, parameter.grad))
        for prefix, module in network.named_modules()
        for key, parameter in module.named_parameters(recurse=False)
    }
    return {
        "batch": BATCH,
        "height": size[0],
        "width": size[1],
        "classes": CLASSES,
        "images": draw,
        "lift": lift,
        "saturated": saturated,
        "evaluation": rounded(evaluation),
        "training": rounded(torch.cat(logits).detach()),
        "gradients": gradients,
    }


def mobilenet(**options):
    return timm.create_model("mobilenetv1_100", num_classes=CLASSES, **options)


def inception(auxiliary):
    network = torchvision.models.inception_v3(num_classes=CLASSES, init_weights=False, dropout=0.0)
    if not auxiliary:
        network.aux_logits, network.AuxLogits = False, None
    return network


# What builds the network, the size of the images, the name they are drawn by, the shifts of normalisations, and
# whether channels are saturated.
NETWORKS = {
    "mobilenet-v1": (lambda: mobilenet(act_layer=nn.ReLU), (72, 88), "images", 1, False),
    "mobilenet-v1-relu6": (mobilenet, (72, 88), "images", 1, True),
    "mobilenet-v1-dilated": (lambda: mobilenet(output_stride=8), (72, 88), "images", 1, True),
    "inception-v3": (lambda: inception(False), (139, 139), "images 0", 1.5, False),
    "inception-v3-auxiliary": (lambda: inception(True), (299, 299), "images", 1, False),
}


def main(names):
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__, "timm": timm.__version__}
    for name in names or NETWORKS:
        build, *how = NETWORKS[name]
        golden = {"made with": versions, **observed(build(), *how)}
        text = json.dumps(golden, separators=(",", ":")).replace('],"', '],\n"')
        pathlib.Path(__file__).with_name(f"{name}.json").write_text(text + "\n")


main(sys.argv[1:])
