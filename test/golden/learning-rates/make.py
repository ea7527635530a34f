"""Learning rates by step, written from the paper (He et al. 2018, §3.1 and eq. 4) and from what GluonCV's
LRScheduler computes, in 40 digits and without this repository's code:

    python3 test/golden/learning-rates/make.py > test/golden/learning-rates/golden.json
"""
import json
from decimal import Decimal as D
from decimal import getcontext

getcontext().prec = 40
PI = D("3.1415926535897932384626433832795028841972")


def cos(x):
    """Taylor's series: 60 terms are plenty for x up to pi."""
    term, total = D(1), D(1)
    for k in range(1, 60):
        term *= -x * x / ((2 * k - 1) * (2 * k))
        total += term
    return total


def power(base, exponent):
    return D(0) if base == 0 else (base.ln() * D(exponent)).exp()


def paper(kind, eta, m, T, exponent):
    """i * eta / m for batch i = 1 ... m; then batch t = 0 ... T - 1 of those that are left."""
    yield from (i * eta / m for i in range(1, m + 1))
    for t in range(T):
        left = 1 - D(t) / T
        yield eta * (1 + cos(PI * t / T)) / 2 if kind == "cosine" else eta * power(left, exponent)


def gluoncv(kind, eta, m, T, exponent):
    """Each piece of N iterations from end to end: target + (base - target) * factor, t = 0 ... N - 1."""
    yield from (0 + (eta - 0) * D(t) / (m - 1) for t in range(m))
    for t in range(T):
        left = 1 - D(t) / (T - 1)
        yield eta * (1 + cos(PI * t / (T - 1))) / 2 if kind == "cosine" else eta * power(left, exponent)


def table(form, kind, exponent="2"):
    learning_rate, batch, base, epochs, warmup, steps = "0.1", 1024, 256, 8, 2, 5
    eta = D(learning_rate) * batch / base
    rates = {"paper": paper, "gluoncv": gluoncv}[form](
        kind, eta, warmup * steps, (epochs - warmup) * steps, exponent
    )
    schedule = {"kind": kind} if kind == "cosine" else {"kind": kind, "power": float(exponent)}
    return {
        "options": {
            "learningRate": float(learning_rate), "batchSize": batch, "baseBatchSize": base, "lrForm": form,
            "epochs": epochs, "warmupEpochs": warmup, "stepsPerEpoch": steps, "lrSchedule": schedule,
        },
        "rates": [float(rate) for rate in rates],
    }


tables = [
    table("paper", "cosine"),
    table("gluoncv", "cosine"),
    table("paper", "polynomial"),
    table("gluoncv", "polynomial"),
    table("paper", "polynomial", "0.9"),
]
print("[\n" + ",\n".join(json.dumps(one) for one in tables) + "\n]")
