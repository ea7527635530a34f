"""Writes NAME.json: what PyTorch makes of a network of torchvision's or timm's whose weights and pixels follow
a rule, which test/suites/zoo.ts repeats, so that neither need be stored. Computed in float64.

    python make.py [NAME …]    (needs torch, torchvision and timm; written with 2.15.0, 0.29.2 and 1.0.31, on CPU)

A network more: an entry in NETWORKS, `python make.py NAME`, and `zooSuite("NAME", architecture)` in a test.
Weights must have our names in PyTorch's state_dict.

A ReLU whose input is so near to 0 that float32 decides it otherwise than float64 moves gradients by a percent and
more, in PyTorch as well. So normalisations shift what they make to 4 standard deviations above 0, where ReLU6 has
its other corner 4 above: one or a few values in ten thousand are cut off ("cut"), and hardly any is near a corner.
Kernels sum to zero over their inputs, since that shift would otherwise pass on, to the borders, where zeros stand
beside it, and to the logits, and drown the pixels.

So it is with two values of a max-pool's window that float32 puts in another order. Inception-V3 has 3 million windows
at 299 pixels, of which PyTorch's float32 decided some otherwise for whatever images: 0.16, 0.29, 0.34 and 0.63
percent of gradients for four kinds. So channels in which the two first of a window are nearly equal are given weights of 0 by
the kernels that read them ("unread"), and no gradient comes back through them.

Evaluation is of other images, by the statistics of the training pass. Nothing is chosen by what comes out of float32;
`hold` refuses a network that PyTorch's own float32 does not compute within LOGITS and GRADIENTS, or whose logits
hardly depend on the pixels.
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
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.models.resnet import Bottleneck

BATCH, CLASSES = 4, 10
# From a ReLU's corner to the middle of what it is given, and standard deviation of that.
LIFT, SPREAD = 3, 3 / 4
# Of cells of one colour that images are made of, as exponents of 2.
OCTAVES = (0, 2, 4, 8)
# Numbers that a gradient is summed up in, as an exponent of 2.
SKETCH_BITS = 4
# Of the auxiliary classifier's loss.
AUXILIARY = 0.4
# How far float32 may be from float64: relative errors, by Euclidean norms.
LOGITS, GRADIENTS = 1e-4, 1e-3
# How far apart the logits of two images are at least, by their norm.
APART = 0.1


def bits(name, count):
    """32 of each place, hashed from name and place: FNV-1a, then C. Wellons' lowbias32."""
    offset = 0x811C9DC5
    for letter in name.encode():
        offset = (offset ^ letter) * 0x01000193 & 0xFFFFFFFF
    x = numpy.arange(count, dtype=numpy.uint32) * numpy.uint32(0x9E3779B9) + numpy.uint32(offset)
    x = (x ^ x >> 16) * numpy.uint32(0x7FEB352D)
    x = (x ^ x >> 15) * numpy.uint32(0x846CA68B)
    return x ^ x >> 16


def numbers(name, count):
    """Multiples of 2^-24 in [-0.5, 0.5)."""
    return (bits(name, count) >> 8) / 2.0**24 - 0.5


def in_our_order(module, tensor):
    """Kernels as [height, width, in, out], or [in, out]."""
    if isinstance(module, nn.Conv2d) and tensor.dim() == 4:
        return tensor.permute(2, 3, 1, 0)
    return tensor.T if isinstance(module, nn.Linear) and tensor.dim() == 2 else tensor


def kernel(values):
    """
    Keeps the variance, and sums to zero over the inputs but for colours. A depthwise one reads its centre in the
    first place, and its borders less.
    """
    inputs = values.shape[-2]
    if inputs == 1:
        values = values / 4
        values[1, 1] += 1 / 2
        return values
    if inputs > 3:
        values = values - values.mean(axis=-2, keepdims=True)
    return values * math.sqrt(12 / math.prod(values.shape[:-1]))


def fill(network, closing):
    """What closes a residual branch has a quarter of the others' scale, and hardly a shift."""
    for prefix, module in network.named_modules():
        for key, tensor in module.named_parameters(recurse=False):
            place = in_our_order(module, tensor.data)
            values = numbers(f"{prefix}.{key}", tensor.numel()).reshape(place.shape)
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1
                closes = closing is not None and re.search(closing, prefix) is not None
                if key == "weight":
                    values = SPREAD * (1 + values / 2) / (4 if closes else 1)
                else:
                    values = (values + 1 / 2) / 4 if closes else values / 2 + LIFT
            elif key == "weight":
                values = kernel(values)
            place.copy_(torch.from_numpy(values.astype(numpy.float32)))


def images(name, height, width):
    """Sums of chequered patterns, from single pixels to one colour all over."""
    pixels = numpy.zeros((BATCH, height, width, 3))
    rows, columns = numpy.arange(height), numpy.arange(width)
    for octave in OCTAVES:
        shape = (BATCH, (height >> octave) + 1, (width >> octave) + 1, 3)
        cells = numbers(f"{name} {octave}", math.prod(shape)).reshape(shape)
        pixels += 2 * cells[:, rows >> octave][:, :, columns >> octave]
    return torch.from_numpy(pixels.astype(numpy.float32)).permute(0, 3, 1, 2)


def rounded(values, digits=6):
    return [float(f"{value:.{digits}g}") for value in values]


def sketch(name, gradient):
    """
    Each element with a sign of its own to one of a few sums: of a difference between gradients, the sums' norm is
    that of the difference, give or take a fifth (Charikar, Chen & Farach-Colton 2002).
    """
    flat = gradient.flatten().numpy()
    hashed = bits(f"sketch {name}", flat.size)
    signs = 1.0 - 2.0 * (hashed >> (31 - SKETCH_BITS) & 1)
    return numpy.bincount(hashed >> (32 - SKETCH_BITS), signs * flat, 1 << SKETCH_BITS)


class Windows(TorchDispatchMode):
    """Takes from the readers of a max-pool the channels in which a window's two first are closer than its margin."""

    def __init__(self, network, pools):
        super().__init__()
        self.network, self.pools, self.unread = network, list(pools), {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if self.pools and func.overloadpacket is torch.ops.aten.max_pool2d_with_indices:
            self.separate(args[0], *self.pools.pop(0))
        return func(*args, **(kwargs or {}))

    def separate(self, x, margin, offset, readers):
        first, second = functional.unfold(x.flatten(0, 1)[:, None], 3, stride=2).topk(2, dim=1).values.unbind(1)
        nearest = (first - second).reshape(len(x), x.shape[1], -1).amin((0, 2))
        channels = (offset + torch.nonzero(nearest < margin).flatten()).tolist()
        for reader in readers:
            self.network.get_parameter(f"{reader}.conv.weight").data[:, channels] = 0
            self.unread[f"{reader}.conv.weight"] = channels


class Corners(TorchDispatchMode):
    """Counts what ReLUs are given, and what they cut off."""

    given, cut = 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket in (torch.ops.aten.relu, torch.ops.aten.relu_):
            self.count(args[0], math.inf)
        if func.overloadpacket in (torch.ops.aten.hardtanh, torch.ops.aten.hardtanh_):
            self.count(args[0], args[2])
        return func(*args, **(kwargs or {}))

    def count(self, x, most):
        self.given += x.numel()
        self.cut += ((x < 0) | (x > most)).sum().item()


def passes(network, size):
    """Logits of evaluation; those of training, the auxiliary classifier's behind them; gradients by name."""
    dtype = next(network.parameters()).dtype
    factors = torch.from_numpy(numbers("factors", BATCH * CLASSES)).reshape(BATCH, CLASSES).to(dtype)
    network.zero_grad()
    training = network.train()(images("training", *size).to(dtype))
    logits = list(training) if isinstance(training, tuple) else [training]
    sum(weight * (each * factors).sum() for weight, each in zip((1, AUXILIARY), logits)).backward()
    gradients = {
        f"{prefix}.{key}": in_our_order(module, parameter.grad).double()
        for prefix, module in network.named_modules()
        for key, parameter in module.named_parameters(recurse=False)
    }
    with torch.no_grad():
        evaluation = network.eval()(images("evaluation", *size).to(dtype))
    return evaluation.double(), torch.cat(logits).detach().double(), gradients


def scale_of(name, gradients):
    """
    What a gradient's error is measured by: its norm. Scale and shift of a normalisation count as one, because they
    sum up the same, and the next normalisation takes most of a shift away again: what is left is small beside it.
    """
    norms = [gradients[name].norm().item()]
    pair = re.sub(r"\.(weight|bias)$", "", name)
    if gradients[name].dim() == 1 and f"{pair}.weight" in gradients and gradients[f"{pair}.weight"].dim() == 1:
        norms = [gradients[f"{pair}.{key}"].norm().item() for key in ("weight", "bias")]
    return math.hypot(*norms)


def observed(network, closing, size, pools=()):
    fill(network, closing)
    with torch.no_grad(), Windows(network.double(), pools) as windows:
        network.train()(images("training", *size).double())
    single = passes(network.float(), size)
    evaluation, training, gradients = passes(network.double(), size)
    with torch.no_grad(), Corners() as corners:
        network.train()(images("training", *size).double())
    scales = {name: scale_of(name, gradients) for name in gradients}
    errors = {name: (single[2][name] - gradients[name]).norm().item() / scales[name] for name in gradients}
    summed = {
        name: {
            "scale": rounded([scales[name]])[0],
            "float32": rounded([errors[name]], 2)[0],
            "sketch": rounded(sketch(name, gradient)),
        }
        for name, gradient in gradients.items()
    }
    return {
        "batch": BATCH,
        "height": size[0],
        "width": size[1],
        "classes": CLASSES,
        # What is known of the point, and how far PyTorch's own float32 is from float64.
        "apart": rounded([min(torch.pdist(evaluation)) / max(evaluation.norm(dim=1))], 2)[0],
        "cut": rounded([corners.cut / corners.given], 2)[0],
        "float32": {
            "evaluation": rounded([(single[0] - evaluation).norm() / evaluation.norm()], 2)[0],
            "training": rounded([(single[1] - training).norm() / training.norm()], 2)[0],
            "gradients": rounded([max(errors.values())], 2)[0],
        },
        **({"unread": windows.unread} if windows.unread else {}),
        "evaluation": rounded(evaluation.flatten().tolist()),
        "training": rounded(training.flatten().tolist()),
        "gradients": summed,
    }


def hold(golden):
    apart, single = golden["apart"], golden["float32"]
    assert apart > APART, f"logits hardly depend on the pixels: {apart}"
    assert max(single["evaluation"], single["training"]) <= LOGITS, f"PyTorch's logits in float32: {single}"
    assert single["gradients"] <= GRADIENTS, f"PyTorch's gradients in float32: {single}"


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


def inception(auxiliary):
    network = of_torchvision("inception_v3", init_weights=False, dropout=0.0)
    if not auxiliary:
        network.aux_logits, network.AuxLogits = False, None
    return network


BASIC = r"^layer\d\.\d+\.bn2$"
BOTTLENECK = r"^layer\d\.\d+\.bn3$"
# Of each max-pool: the margin, five times and more what float32 errs there; where its channels begin for its
# readers; and these.
INCEPTION_POOLS = (
    (1e-5, 0, ("Conv2d_3b_1x1",)),
    (2e-5, 0, [f"Mixed_5b.{branch}" for branch in ("branch1x1", "branch5x5_1", "branch3x3dbl_1", "branch_pool")]),
    (3e-5, 480, [f"Mixed_6b.{branch}" for branch in ("branch1x1", "branch7x7_1", "branch7x7dbl_1", "branch_pool")]),
    (3e-5, 512, [f"Mixed_7b.{branch}" for branch in ("branch1x1", "branch3x3_1", "branch3x3dbl_1", "branch_pool")]),
)
RESNET, MOBILENET = (56, 72), (72, 88)

# What builds the network, the names of the normalisations that close a residual branch, the images' size, and the
# max-pools whose windows are looked at.
NETWORKS = {
    "resnet18-d": (lambda: of_timm("resnet18d"), BASIC, RESNET),
    "resnet50-a": (lambda: stride_in_first(of_torchvision("resnet50")), BOTTLENECK, RESNET),
    "resnet50-b": (lambda: of_torchvision("resnet50"), BOTTLENECK, RESNET),
    "resnet50-b-dilated": (
        lambda: of_torchvision("resnet50", replace_stride_with_dilation=[False, True, True]),
        BOTTLENECK,
        RESNET,
    ),
    "resnet50-d": (lambda: of_timm("resnet50d"), BOTTLENECK, RESNET),
    "resnet152-d": (lambda: of_timm("resnet152d"), BOTTLENECK, RESNET),
    "mobilenet-v1": (lambda: of_timm("mobilenetv1_100", act_layer=nn.ReLU), None, MOBILENET),
    "mobilenet-v1-relu6": (lambda: of_timm("mobilenetv1_100"), None, MOBILENET),
    "mobilenet-v1-dilated": (lambda: of_timm("mobilenetv1_100", output_stride=8), None, MOBILENET),
    "inception-v3": (lambda: inception(False), None, (139, 155), INCEPTION_POOLS),
    "inception-v3-auxiliary": (lambda: inception(True), None, (299, 299), INCEPTION_POOLS),
}


def main(names):
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__, "timm": timm.__version__}
    for name in names or NETWORKS:
        build, *how = NETWORKS[name]
        golden = {"made with": versions, **observed(build(), *how)}
        print(name, golden["apart"], golden["cut"], golden["float32"], flush=True)
        hold(golden)
        text = json.dumps(golden, separators=(",", ":")).replace('},"', '},\n"')
        pathlib.Path(__file__).with_name(f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
