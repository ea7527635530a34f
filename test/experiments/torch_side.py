"""PyTorch's side of an experiment: see `torchSide.ts`, which starts it.

Argument: a JSON object. Standard input, all little-endian: the first weights in the order the object names them; for each step a
learning rate, images [N, H, W, C] and targets [N, K] (float32); then batches of test images (float32) and labels (int32).
Prints a JSON object after each epoch; the last line has the test's figures too. The state is kept after each epoch.
"""
import json
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

told = json.loads(sys.argv[1])
torch.set_num_threads(told["threads"])
torch.use_deterministic_algorithms(True)


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        changes = stride != 1 or inputs != outputs
        self.downsample = (
            nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)) if changes else None
        )

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNetCifar(nn.Module):
    def __init__(self, depth, width, channels, num_classes):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        inputs = width
        for group in (1, 2, 3):
            outputs = width * 2 ** (group - 1)
            blocks = []
            for index in range((depth - 2) // 6):
                blocks.append(Block(inputs, outputs, 2 if group > 1 and index == 0 else 1))
                inputs = outputs
            setattr(self, f"layer{group}", nn.Sequential(*blocks))
        self.fc = nn.Linear(inputs, num_classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        for group in (self.layer1, self.layer2, self.layer3):
            x = group(x)
        return self.fc(x.mean((2, 3)))


def read(shape, dtype=np.float32):
    size = int(np.prod(shape)) * 4
    data = sys.stdin.buffer.read(size)
    if len(data) != size:
        raise EOFError(f"{size} bytes were due, {len(data)} came")
    values = torch.from_numpy(np.frombuffer(data, dtype).copy().reshape(shape))
    return values.double() if told["double"] and values.is_floating_point() else values


def read_images(count):
    return read([count, *told["image"]]).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


if told["double"]:
    torch.set_default_dtype(torch.float64)
model = ResNetCifar(told["depth"], told["width"], told["image"][2], told["numClasses"])
given = {weight["name"]: read(weight["shape"]) for weight in told["weights"]}
missing, unexpected = model.load_state_dict(given, strict=False)
if unexpected or any(not name.endswith("num_batches_tracked") for name in missing):
    raise SystemExit(f"other weights are wanted: missing {missing}, unexpected {unexpected}")
model = model.to(memory_format=torch.channels_last)
optimizer = torch.optim.SGD(
    [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": told["weightDecay"]},
        {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ],
    lr=told["learningRate"],
    momentum=told["momentum"],
    nesterov=True,
)
result = {"version": str(torch.__version__), "stepLosses": [], "epochLosses": [], "epochTop1": [], "top1": None, "loss": None}

if told["firstEpoch"] > 0:
    saved = torch.load(told["state"], weights_only=True)
    if saved["epochs"] != told["firstEpoch"]:
        raise SystemExit(f"the state is of epoch {saved['epochs']}, not {told['firstEpoch']}: remove {told['state']}*")
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    result = saved["result"]


def save(epochs):
    if told["state"] is None:
        return
    state = {"epochs": epochs, "model": model.state_dict(), "optimizer": optimizer.state_dict(), "result": result}
    torch.save(state, told["state"] + ".new")
    os.replace(told["state"] + ".new", told["state"])
    with open(told["state"] + ".json.new", "w") as file:
        json.dump({"epochs": epochs}, file)
    os.replace(told["state"] + ".json.new", told["state"] + ".json")


for epoch in range(told["firstEpoch"], told["epochs"]):
    model.train()
    losses, correct = [], 0
    for _ in range(told["stepsPerEpoch"]):
        rate = read([1]).item()
        images, targets = read_images(told["batchSize"]), read([told["batchSize"], told["numClasses"]])
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=told["precision"] == "bfloat16"):
            logits = model(images)
        logits = logits if told["double"] else logits.float()
        loss = -(targets * F.log_softmax(logits, 1)).sum(1).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        correct += (logits.argmax(1) == targets.argmax(1)).sum().item()
    result["stepLosses"] += losses
    result["epochLosses"].append(sum(losses) / len(losses))
    result["epochTop1"].append(correct / (len(losses) * told["batchSize"]))
    save(epoch + 1)
    print(json.dumps({"epoch": epoch + 1, "loss": result["epochLosses"][-1]}), file=sys.stderr, flush=True)

if told["numTest"] > 0:
    model.eval()
    correct, loss = 0, 0.0
    with torch.no_grad():
        for start in range(0, told["numTest"], told["testBatchSize"]):
            count = min(told["testBatchSize"], told["numTest"] - start)
            images, labels = read_images(count), read([count], np.int32).long()
            logits = model(images)
            correct += (logits.argmax(1) == labels).sum().item()
            loss += F.cross_entropy(logits, labels, reduction="sum").item()
    result["top1"], result["loss"] = correct / told["numTest"], loss / told["numTest"]
print(json.dumps(result), flush=True)
