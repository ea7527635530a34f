"""What Python makes of an export: python exports.py FOLDER TORCHVISION_MODEL|-

Prints one JSON document: for each library that can be imported, its version and the largest difference from
the reference's logits, in units of the largest of them. FOLDER holds images.bin and reference.json besides.
"""
import importlib.util
import json
import os
import sys

import numpy as np

folder, torchvision_model = sys.argv[1:]
with open(os.path.join(folder, "card.json")) as file:
    card = json.load(file)
with open(os.path.join(folder, "reference.json")) as file:
    reference = np.array(json.load(file), np.float32).reshape(-1, len(card["classes"]))
_, height, width, channels = card["input"]["shape"]
images = np.fromfile(os.path.join(folder, "images.bin"), np.uint8).reshape(-1, height, width, channels)
images = images.astype(np.float32)
found = {}


def compare(name, version, logits):
    relative = float(np.abs(logits - reference).max() / np.abs(reference).max())
    found[name] = {"version": version, "relativeDifference": relative}


def has(*names):
    return all(importlib.util.find_spec(name) for name in names)


if has("tensorflow"):
    import tensorflow as tf

    model = tf.saved_model.load(os.path.join(folder, "saved-model"))
    compare("tensorflow", tf.__version__, model.signatures["serving_default"](images=images)["logits"].numpy())
if has("onnx", "onnxruntime"):
    import onnx
    import onnxruntime

    onnx.checker.check_model(os.path.join(folder, "model.onnx"), full_check=True)
    session = onnxruntime.InferenceSession(os.path.join(folder, "model.onnx"), providers=["CPUExecutionProvider"])
    compare("onnxruntime", onnxruntime.__version__, session.run(["logits"], {"images": images})[0])
if has("torch", "torchvision") and torchvision_model != "-":
    import torch
    import torchvision

    with open(os.path.join(folder, "model.safetensors"), "rb") as file:
        raw = file.read()
    start = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:start])
    state = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            values = np.frombuffer(raw[start + begin : start + end], np.float32).reshape(entry["shape"])
            state[name] = torch.from_numpy(values.copy())
    options = {"init_weights": False, "transform_input": False} if torchvision_model == "inception_v3" else {}
    model = getattr(torchvision.models, torchvision_model)(num_classes=len(card["classes"]), **options)
    model.load_state_dict(state, strict=True)
    model.eval()
    mean, std = (torch.tensor(card["preprocessing"][key]) for key in ("mean", "std"))
    with torch.no_grad():
        inputs = ((torch.from_numpy(images) / 255 - mean) / std).permute(0, 3, 1, 2)
        compare("torchvision", torchvision.__version__, model(inputs).numpy())
print(json.dumps(found))
