"""Writes golden.json: what torchvision's detector and segmenter parts make of weights and pixels that follow
a formula, which test/lib/models/dense-models.test.ts repeats.

    python make.py    (needs torch and torchvision; written with 2.15.0 and 0.29.2, on CPU, float32)
"""
import json
import math
import pathlib

import torch
import torchvision
from torch import nn
from torch.nn import functional as F
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.models.resnet import BasicBlock, ResNet
from torchvision.models.segmentation.fcn import FCNHead
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelP6P7

CHANNELS, ANCHORS, CLASSES = 8, 2, 3
# Rows are even after the stem and columns odd; c5 doubled must be cropped to c4, c4 doubled fits c3.
HEIGHT, WIDTH = 47, 61


def numbers(name, count):
    """Values in [-0.5, 0.5), by place and name: whole numbers only, so any language gets the same."""
    offset = sum(ord(letter) * (place + 1) for place, letter in enumerate(name))
    i = torch.arange(count, dtype=torch.int64)
    return ((31 * i * i + 7919 * i + offset) % 10007).double() / 10007 - 0.5


def fill(module, prefix):
    """Kernels count their values in the order height, width, in, out; scales and variances lie around 1."""
    shapes = {}
    state = module.state_dict()
    for key, tensor in state.items():
        name = prefix + key
        if key.endswith("num_batches_tracked") or key.startswith("fc."):
            continue
        values = numbers(name, tensor.numel())
        if tensor.dim() == 4:
            out, into, height, width = tensor.shape
            values = values * math.sqrt(24 / (into * height * width))
            values = values.reshape(height, width, into, out).permute(3, 2, 0, 1)
            shapes[name] = [height, width, into, out]
        else:
            shapes[name] = list(tensor.shape)
            if key.endswith(("weight", "running_var")):
                values = values + 1
        tensor.copy_(values.reshape(tensor.shape).float())
    return shapes


def rounded(tensor):
    """Channels last, row-major."""
    if tensor.dim() == 4:
        tensor = tensor.permute(0, 2, 3, 1)
    return {"shape": list(tensor.shape), "values": [float(f"{value:.6g}") for value in tensor.flatten().tolist()]}


class Count:
    """Multiply-accumulates and parameters of everything that runs."""

    def __init__(self, modules):
        self.macs = 0
        self.parameters = sum(
            p.numel() for module in modules for name, p in module.named_parameters() if not name.startswith("fc.")
        )
        for module in modules:
            for part in module.modules():
                if isinstance(part, nn.Conv2d):
                    part.register_forward_hook(self.add)

    def add(self, conv, _, output):
        self.macs += conv.weight[0].numel() * output[0].numel()


@torch.no_grad()
def main():
    backbone = ResNet(BasicBlock, [1, 1, 1, 1]).eval()
    pyramid = FeaturePyramidNetwork([128, 256, 512], CHANNELS, LastLevelP6P7(CHANNELS, CHANNELS)).eval()
    head = RetinaNetHead(CHANNELS, ANCHORS, CLASSES).eval()
    classifier = FCNHead(512, CLASSES).eval()
    skip = nn.Conv2d(128, CLASSES, 1).eval()
    detector = fill(backbone, "") | fill(pyramid, "fpn.") | fill(head, "head.")
    segmenter = fill(backbone, "") | fill(classifier, "classifier.") | fill(skip, "classifier.skip.")
    images = numbers("images", HEIGHT * WIDTH * 3).reshape(1, HEIGHT, WIDTH, 3).permute(0, 3, 1, 2).float()

    def features():
        x = backbone.maxpool(backbone.relu(backbone.bn1(backbone.conv1(images))))
        c2 = backbone.layer1(x)
        c3 = backbone.layer2(c2)
        c4 = backbone.layer3(c3)
        return {"c3": c3, "c4": c4, "c5": backbone.layer4(c4)}

    counted = Count([backbone, pyramid, head])
    maps = features()
    levels = pyramid(dict(maps))
    detections = head(list(levels.values()))
    detector_counts = {"parameters": counted.parameters, "macs": counted.macs}

    counted = Count([backbone, classifier, skip])
    maps = features()
    scores = F.interpolate(classifier(maps["c5"]), size=maps["c3"].shape[-2:], mode="bilinear") + skip(maps["c3"])
    logits = F.interpolate(scores, size=(HEIGHT, WIDTH), mode="bilinear")
    segmenter_counts = {"parameters": counted.parameters, "macs": counted.macs}

    golden = {
        "made with": {"torch": torch.__version__, "torchvision": torchvision.__version__},
        "height": HEIGHT,
        "width": WIDTH,
        "detector": {
            "weights": detector,
            **detector_counts,
            "c5": rounded(maps["c5"].mean(1, keepdim=True)),
            "levels": [rounded(level) for level in levels.values()],
            "logits": rounded(detections["cls_logits"]),
            "deltas": rounded(detections["bbox_regression"]),
        },
        "segmenter": {
            "weights": segmenter,
            **segmenter_counts,
            "scores": rounded(scores),
            # Every third row and fifth column: all phases of the interpolation, in little room.
            "logits": rounded(logits[:, :, ::3, ::5]),
        },
    }
    path = pathlib.Path(__file__).with_name("golden.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


main()
