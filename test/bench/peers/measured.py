"""A peer of `npm run bench -- runtime` in a process of its own: PyTorch, or ONNX Runtime.

Argument: a JSON object `{library, assignment, recipe}` (see `test/bench/runtime/cases.ts`). Says what it is once its first
step is done, then reads lines "N" from standard input, runs N steps for each and answers what they took, as JSON.
"""
import json
import os
import resource
import sys
import tempfile
import time

import torch
import torch.nn.functional as F

from network import classifier

told = json.loads(sys.argv[1])
assignment, recipe = told["assignment"], told["recipe"]
threads = assignment["threads"]
low = assignment["precision"] == "bfloat16"
torch.set_num_threads(threads)


def images(case):
    shape = (case["batch"], 3, case["size"], case["size"])
    return torch.randn(shape).to(memory_format=torch.channels_last)


def autocast():
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=low)


def training(case):
    model = classifier(case["network"], case["numClasses"])
    teacher = classifier(case["teacher"], case["numClasses"]).eval() if "teacher" in case else None
    kernels = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.SGD(
        [{"params": kernels, "weight_decay": recipe["weightDecay"]}, {"params": others, "weight_decay": 0.0}],
        recipe["learningRate"], momentum=recipe["momentum"], nesterov=True,
    )
    x = images(case)
    labels = torch.arange(case["batch"]) % case["numClasses"]
    temperature = recipe["temperature"]

    def step():
        optimizer.zero_grad(set_to_none=True)
        with autocast():
            logits = model(x).float()
        loss = F.cross_entropy(logits, labels, label_smoothing=recipe["labelSmoothing"])
        if teacher is not None:
            with torch.no_grad(), autocast():
                wanted = teacher(x).float()
            soft = F.kl_div(
                F.log_softmax(logits / temperature, 1), F.log_softmax(wanted / temperature, 1),
                reduction="batchmean", log_target=True,
            )
            loss = loss + temperature**2 * soft
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def inference(case):
    model = classifier(case["network"], case["numClasses"]).eval()
    x = images(case)

    def step():
        with torch.inference_mode(), autocast():
            return model(x).float().numpy()

    return step


def onnx_inference(case):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    x = images(case).contiguous()
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "network.onnx")
        model = classifier(case["network"], case["numClasses"]).eval().to(memory_format=torch.contiguous_format)
        torch.onnx.export(model, (x,), file, input_names=["images"], dynamo=False)
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    fed = {"images": x.numpy()}
    return lambda: session.run(None, fed)


def matmul(size, count):
    dtype = torch.bfloat16 if low else torch.float32
    matrix = (torch.randn(size, size) / size**0.5).to(dtype)

    def step():
        product = matrix
        for _ in range(count):
            product = product @ matrix
        return product.float().mean().item()

    return step


def opened():
    if assignment["what"] == "matmul":
        return matmul(assignment["size"], assignment["count"])
    if assignment["what"] == "training":
        return training(assignment["case"])
    return (onnx_inference if told["library"] == "ONNX Runtime" else inference)(assignment["case"])


def peak_mebibytes():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def version():
    if told["library"] == "PyTorch":
        return torch.__version__
    import onnxruntime

    return onnxruntime.__version__


def timing(step, count):
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    for _ in range(count):
        step()
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    system = after.ru_stime - before.ru_stime
    return {
        "wall": wall * 1e3 / count,
        "cpu": (after.ru_utime - before.ru_utime + system) * 1e3 / count,
        "system": system * 1e3 / count,
        "pageFaults": (after.ru_minflt - before.ru_minflt) / count,
        "peakMebibytes": peak_mebibytes(),
    }


step = opened()
step()
print(json.dumps({"version": version()}), flush=True)
for line in sys.stdin:
    print(json.dumps(timing(step, int(line))), flush=True)
