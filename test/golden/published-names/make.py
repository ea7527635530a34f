"""
Writes golden.json: names and shapes of the weights of published networks, by the name of each.
Made with torch 2.15.0, torchvision 0.29.2, timm 1.0.31, pytorchcv 0.0.74: python make.py

GluonCV's need MXNet, which nobody can install any more; theirs are put together here from the order in which
gluoncv/model_zoo/{resnet,mobilenet}.py add layers to a sequence.
"""

import json
import pathlib

import timm
import torchvision
from pytorchcv.model_provider import get_model

golden = {}


def note(name, model):
    golden[name] = {key: list(tensor.shape) for key, tensor in model.state_dict().items()}


note("resnet18", torchvision.models.resnet18())
note("resnet50", torchvision.models.resnet50())
note("inception_v3", torchvision.models.inception_v3(init_weights=False))
for name in ["resnet18d", "resnet50c", "resnet50d", "resnet50s", "mobilenetv1_100"]:
    note(name, timm.create_model(name))
note("resnet20_cifar10", get_model("resnet20_cifar10"))


def sequence(prefix, layers):
    """Convolution, normalisation, activation, again and again."""
    named = {}
    for index, (shape, bias) in enumerate(layers):
        named[f"{prefix}.{3 * index}.weight"] = shape
        if bias:
            named[f"{prefix}.{3 * index}.bias"] = shape[:1]
        for word in ["gamma", "beta", "running_mean", "running_var"]:
            named[f"{prefix}.{3 * index + 1}.{word}"] = shape[:1]
    return named


gluon = sequence("features", [([64, 3, 7, 7], False)])
inputs = 64
for group, (count, planes) in enumerate(zip([3, 4, 6, 3], [64, 128, 256, 512])):
    for block in range(count):
        place = f"features.{4 + group}.{block}"
        body = [([planes, inputs, 1, 1], True), ([planes, planes, 3, 3], False), ([4 * planes, planes, 1, 1], True)]
        gluon |= sequence(f"{place}.body", body)
        if block == 0:
            gluon |= sequence(f"{place}.downsample", [([4 * planes, inputs, 1, 1], False)])
        inputs = 4 * planes
golden["resnet50_v1"] = gluon | {"output.weight": [1000, 2048], "output.bias": [1000]}

channels = [64, 128, 128, 256, 256] + [512] * 6 + [1024] * 2
units = [([32, 3, 3, 3], False)]
for inputs, outputs in zip([32] + channels, channels):
    units += [([inputs, 1, 3, 3], False), ([outputs, inputs, 1, 1], False)]
golden["mobilenet1.0"] = sequence("features", units) | {"output.weight": [1000, 1024], "output.bias": [1000]}

lines = [f"{json.dumps(name)}: {json.dumps(names, separators=(',', ':'))}" for name, names in golden.items()]
pathlib.Path(__file__).with_name("golden.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
