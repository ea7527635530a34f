"""PyTorch modules from networks given as data (`test/bench/networks/Layer.ts`)."""
import torch
from torch import nn


def build(layer):
    kind = layer["kind"]
    if kind == "conv":
        groups = layer["inputs"] if layer["depthwise"] else 1
        parts = [
            nn.Conv2d(layer["inputs"], layer["outputs"], layer["size"], layer["stride"], layer["padding"],
                      groups=groups, bias=False),
            nn.BatchNorm2d(layer["outputs"]),
        ]
        return nn.Sequential(*parts, *([nn.ReLU(inplace=True)] if layer["relu"] else []))
    if kind == "max":
        return nn.MaxPool2d(layer["size"], layer["stride"], layer["padding"])
    if kind == "average":
        return nn.AvgPool2d(layer["size"], layer["stride"], layer["padding"], count_include_pad=False)
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
        self.branch = nn.Sequential(*map(build, branch))
        self.shortcut = build(shortcut) if shortcut else None
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
