"""PyTorch modules from networks given as data (`test/bench/networks/peerNetwork.ts`)."""
import torch
from torch import nn

ACTIVATIONS = {"relu": nn.ReLU, "relu6": nn.ReLU6}


def conv_norm(layer):
    conv = layer["conv"]
    size = conv["size"] if isinstance(conv["size"], list) else [conv["size"]] * 2
    dilation = conv.get("dilation", 1)
    padding = 0 if conv.get("padding") == "none" else [dilation * (extent - 1) // 2 for extent in size]
    groups = conv["inputs"] if conv.get("depthwise") else 1
    return [
        nn.Conv2d(conv["inputs"], conv["outputs"], size, conv["stride"], padding, dilation, groups, bias=False),
        nn.BatchNorm2d(conv["outputs"], layer["norm"].get("epsilon", 1e-5)),
    ]


def build(layer):
    kind = layer["kind"]
    if kind == "conv":
        return nn.Sequential(*conv_norm(layer), ACTIVATIONS[layer["activation"]](inplace=True))
    if kind == "max-pool":
        return nn.MaxPool2d(layer["size"], layer["stride"])
    if kind == "halving-max-pool":
        return nn.MaxPool2d(3, 2, 1)
    if kind == "average-pool":
        return nn.AvgPool2d(layer["size"], layer["stride"])
    if kind == "local-mean":
        return nn.AvgPool2d(layer["size"], 1, layer["size"] // 2)
    if kind == "sequence":
        return nn.Sequential(*map(build, layer["layers"]))
    if kind == "concat":
        return Concat(layer["branches"])
    return Residual(layer["branch"], layer.get("shortcut"))


class Concat(nn.Module):
    def __init__(self, branches):
        super().__init__()
        self.branches = nn.ModuleList(map(build, branches))

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


class Residual(nn.Module):
    def __init__(self, branch, shortcut):
        super().__init__()
        *first, last = map(conv_norm, branch)
        inner = [module for unit in first for module in (*unit, nn.ReLU(inplace=True))]
        self.branch = nn.Sequential(*inner, *last)
        self.shortcut = nn.Sequential(*conv_norm(shortcut)) if shortcut else None
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.branch(x)
        y += x if self.shortcut is None else self.shortcut(x)
        return self.relu(y)


def classifier(network, num_classes):
    """Normalised images -> logits, in the memory format that is fastest on CPUs."""
    layers = [build(layer) for layer in network["layers"]]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(network["channels"], num_classes)]
    return nn.Sequential(*layers, *head).to(memory_format=torch.channels_last)
