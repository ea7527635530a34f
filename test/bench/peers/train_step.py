"""One PyTorch training step of a CIFAR ResNet, timed: the peer of `npm run bench -- step`.

Reads lines "N" from standard input, runs N steps for each and answers the milliseconds per step as JSON, so that the
caller can take turns with it. Arguments: depth width batch size channels precision threads.
"""
import json
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

depth, width, batch, size, channels = map(int, sys.argv[1:6])
low_precision = sys.argv[6] == "bfloat16"
torch.set_num_threads(int(sys.argv[7]))


class Block(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        same = stride == 1 and before == after
        self.shortcut = None if same else nn.Sequential(
            nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)
        )

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x)))


def network():
    layers = [nn.Conv2d(channels, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    before = width
    for group in range(3):
        for block in range((depth - 2) // 6):
            after = width << group
            layers.append(Block(before, after, 2 if group > 0 and block == 0 else 1))
            before = after
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 10))


model = network().to(memory_format=torch.channels_last)
decayed = [p for p in model.parameters() if p.ndim > 1]
others = [p for p in model.parameters() if p.ndim <= 1]
optimizer = torch.optim.SGD(
    [{"params": decayed, "weight_decay": 5e-4}, {"params": others, "weight_decay": 0.0}],
    0.01, momentum=0.9, nesterov=True,
)
images = torch.randn(batch, channels, size, size).to(memory_format=torch.channels_last)
labels = torch.arange(batch) % 10


def step():
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=low_precision):
        logits = model(images)
    F.cross_entropy(logits.float(), labels).backward()
    optimizer.step()


for _ in range(3):
    step()
print(json.dumps({"version": torch.__version__}), flush=True)
for line in sys.stdin:
    count = int(line)
    began = time.perf_counter()
    for _ in range(count):
        step()
    print(json.dumps({"milliseconds": (time.perf_counter() - began) * 1e3 / count}), flush=True)
