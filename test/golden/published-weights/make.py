"""
Files as PyTorch and safetensors write them, and in golden.json what is in them.
Made with torch 2.15.0, safetensors 0.8.0, Python 3.11: python make.py
"""

import json
import os
import pathlib
import zipfile
from collections import OrderedDict

import safetensors.torch
import torch

here = pathlib.Path(__file__).parent
golden = {}


def described(tensors):
    return {
        name: {
            "dtype": str(tensor.dtype).removeprefix("torch."),
            "shape": list(tensor.shape),
            # As text, which JavaScript understands, where JSON has no word for it.
            "values": [
                v if abs(v) < float("inf") else str(v).replace("inf", "Infinity")
                for v in tensor.double().flatten().tolist()
            ],
        }
        for name, tensor in tensors.items()
    }


def save(file, what, tensors, **options):
    torch.save(what, here / file, **options)
    golden[file] = described(tensors)


torch.manual_seed(0)
plain = OrderedDict(
    [
        ("conv.weight", torch.randn(2, 3, 3, 3)),
        ("bn.running_mean", torch.randn(2)),
        ("bn.num_batches_tracked", torch.tensor(7)),
        ("fc.weight", torch.randn(4, 2)),
        ("fc.bias", torch.randn(4)),
    ]
)
save("zip.pth", plain, plain)
save("legacy.pth", plain, plain, _use_new_zipfile_serialization=False)
save("protocol4.pth", plain, plain, pickle_protocol=4)

model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
save("module.pth", model.state_dict(), model.state_dict())
save("parameters.pth", dict(model.named_parameters()), dict(model.named_parameters()))

parallel = OrderedDict((f"module.{name}", tensor) for name, tensor in plain.items())
checkpoint = {"epoch": 3, "state_dict": parallel, "best_prec1": torch.tensor(91.5), "arch": "resnet20"}
save("checkpoint.pth", checkpoint, plain)
save("checkpoint.legacy.pth", checkpoint, plain, _use_new_zipfile_serialization=False)

numbers = torch.tensor([0.0, -0.0, 1.0, -2.5, 65504.0, 6e-5, 6e-8, 3.3e-6, float("inf"), float("-inf"), 0.1, 100.0])
whole = torch.tensor([0, 1, -1, 127, -128, 100])
dtypes = {
    **{str(d).removeprefix("torch."): numbers.to(d) for d in [torch.float64, torch.float32, torch.float16, torch.bfloat16]},
    **{str(d).removeprefix("torch."): whole.to(d) for d in [torch.int64, torch.int32, torch.int16, torch.int8]},
    "uint8": torch.tensor([0, 1, 255], dtype=torch.uint8),
    "bool": torch.tensor([True, False, True]),
}
save("dtypes.pth", dtypes, dtypes)
save("dtypes.legacy.pth", dtypes, dtypes, _use_new_zipfile_serialization=False)
safetensors.torch.save_file(dtypes, here / "dtypes.safetensors", metadata={"format": "pt"})
golden["dtypes.safetensors"] = described(dtypes)

base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
strided = {
    "whole": base,
    "transposed": base.permute(2, 0, 1),
    "every_second": base[:, ::2, 1:3],
    "tied": base,
    "expanded": torch.tensor([[5.0], [6.0]]).expand(2, 3),
    "empty": torch.zeros(0, 3),
    "scalar": torch.tensor(1.5),
    "channels_last": torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
}
save("strided.pth", strided, strided)
save("strided.legacy.pth", strided, strided, _use_new_zipfile_serialization=False)


def repacked(file, compression, zip64):
    with zipfile.ZipFile(here / "zip.pth") as old, zipfile.ZipFile(here / file, "w", compression) as new:
        for name in old.namelist():
            with new.open(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), "w", force_zip64=zip64) as member:
                member.write(old.read(name))
    golden[file] = described(plain)


repacked("zip64.pth", zipfile.ZIP_STORED, True)
with zipfile.ZipFile(here / "zip.pth") as old, zipfile.ZipFile(here / "deflated.pth", "w") as new:
    for name in old.namelist():
        new.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), old.read(name), zipfile.ZIP_DEFLATED)
golden["deflated.pth"] = described(plain)


class Attack:
    def __reduce__(self):
        return os.system, ("true",)


torch.save({"fc.weight": torch.zeros(1), "attack": Attack()}, here / "attack.pth")
torch.save({"fc.weight": torch.zeros(1), "attack": Attack()}, here / "attack.legacy.pth", _use_new_zipfile_serialization=False)
torch.save(torch.nn.Linear(1, 1), here / "whole-model.pth")
torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), here / "torchscript.pt")

(here / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
