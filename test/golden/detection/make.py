"""Writes golden.json: what torchvision, pycocotools and a NumPy reading of the VOC rules say.

    python3 -m venv venv && venv/bin/pip install torch torchvision pycocotools numpy
    venv/bin/python make.py

Made with torch 2.15.0, torchvision 0.29.2, pycocotools 2.0.11, numpy 2.4.6. Boxes in the file are
[y1, x1, y2, x2]; the libraries get and give [x1, y1, x2, y2]. Coordinates are multiples of 1/4, so they are
exact in float32 and areas are exact in float64.
"""

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import torch
import torchvision
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torchvision.models.detection._utils import BoxCoder, Matcher

rng = np.random.default_rng(20181204)


def swapped(boxes):
    """[y1, x1, y2, x2] <-> [x1, y1, x2, y2]; deltas (dy, dx, dh, dw) <-> (dx, dy, dw, dh)."""
    return np.asarray(boxes, np.float64).reshape(-1, 4)[:, [1, 0, 3, 2]]


def random_boxes(count, height=200, width=300, smallest=4, largest=120):
    sizes = np.round(rng.uniform(smallest, largest, (count, 2)) * 4) / 4
    corners = np.round(rng.uniform(0, 1, (count, 2)) * (np.array([height, width]) - sizes) * 4) / 4
    return np.concatenate([corners, corners + sizes], 1)


def near(boxes, spread):
    moved = boxes + np.round(rng.normal(0, spread, boxes.shape) * 4) / 4
    moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
    return moved


def tensor(values):
    return torch.tensor(np.asarray(values), dtype=torch.float64)


def flat(values):
    return np.asarray(values, np.float64).reshape(-1).tolist()


def iou():
    a, b = random_boxes(7), random_boxes(5)
    b[:3] = near(a[:3], 8)
    b[3] = a[3]
    expected = torchvision.ops.box_iou(tensor(swapped(a)), tensor(swapped(b)))
    return {"a": flat(a), "b": flat(b), "iou": flat(expected)}


def coder():
    anchors = random_boxes(8)
    boxes = near(anchors, 10)
    cases = []
    for weights in [(1, 1, 1, 1), (10, 10, 5, 5)]:
        torch_coder = BoxCoder(weights=weights)  # (x, y, w, h); both pairs are equal here
        encoded = torch_coder.encode_single(tensor(swapped(boxes)), tensor(swapped(anchors)))
        deltas = rng.normal(0, 1, (8, 4)).astype(np.float32).astype(np.float64) * np.array(weights)
        deltas = deltas.astype(np.float32).astype(np.float64)
        deltas[0, 2] = 30.0  # beyond the clamp
        decoded = torch_coder.decode_single(tensor(swapped(deltas)), tensor(swapped(anchors)))
        cases.append(
            {
                "weights": list(weights),
                "deltas": flat(swapped(encoded.numpy())),
                "given": flat(deltas),
                "decoded": flat(swapped(decoded.numpy())),
            }
        )
    return {"anchors": flat(anchors), "boxes": flat(boxes), "cases": cases}


def matcher():
    boxes = random_boxes(6, smallest=30)
    anchors = np.concatenate([near(boxes.repeat(6, 0), 9), random_boxes(30)])
    quality = torchvision.ops.box_iou(tensor(swapped(boxes)), tensor(swapped(anchors)))
    matches = Matcher(0.5, 0.4, allow_low_quality_matches=False)(quality)
    return {"anchors": flat(anchors), "boxes": flat(boxes), "matches": matches.tolist()}


def nms():
    boxes = near(random_boxes(10).repeat(6, 0), 10)
    scores = np.round(rng.uniform(0, 1, 60), 1)  # many ties
    classes = rng.integers(0, 3, 60)
    xyxy, torch_scores = tensor(swapped(boxes)), tensor(scores)
    return {
        "boxes": flat(boxes),
        "scores": flat(scores),
        "classes": classes.tolist(),
        "kept": torchvision.ops.nms(xyxy, torch_scores, 0.5).tolist(),
        "keptPerClass": torchvision.ops.batched_nms(
            xyxy, torch_scores, torch.tensor(classes), 0.5
        ).tolist(),
    }


def focal():
    n, a, k = 2, 9, 3
    logits = tensor(rng.normal(0, 4, (n, a, k)).astype(np.float32))
    logits[0, 0] = tensor([60.0, -60.0, 0.0])
    labels = torch.tensor(rng.integers(-2, k, (n, a)))
    cases = []
    for alpha, gamma in [(0.25, 2.0), (0.5, 0.0), (0.75, 1.5)]:
        scores = logits.clone().requires_grad_()
        one_hot = (labels[..., None] == torch.arange(k)).to(torch.float64)
        terms = torchvision.ops.sigmoid_focal_loss(scores, one_hot, alpha=alpha, gamma=gamma)
        loss = terms[labels > -2].sum() / max(1, int((labels >= 0).sum()))
        loss.backward()
        cases.append(
            {"alpha": alpha, "gamma": gamma, "loss": loss.item(), "gradient": flat(scores.grad)}
        )
    return {"shape": [n, a, k], "logits": flat(logits), "labels": labels.reshape(-1).tolist(), "cases": cases}


def huber():
    n, a = 2, 7
    deltas = tensor(rng.normal(0, 1, (n, a, 4)).astype(np.float32))
    targets = deltas + tensor(rng.normal(0, 0.3, (n, a, 4)).astype(np.float32))
    targets = tensor(targets.numpy().astype(np.float32))
    labels = torch.tensor(rng.integers(-2, 3, (n, a)))
    cases = []
    for beta in [1 / 9, 1.0]:
        given = deltas.clone().requires_grad_()
        positive = labels >= 0
        total = torch.nn.functional.smooth_l1_loss(
            given[positive], targets[positive], beta=beta, reduction="sum"
        )
        loss = total / max(1, int(positive.sum()))
        loss.backward()
        cases.append({"beta": beta, "loss": loss.item(), "gradient": flat(given.grad)})
    return {
        "shape": [n, a, 4],
        "deltas": flat(deltas),
        "targets": flat(targets),
        "labels": labels.reshape(-1).tolist(),
        "cases": cases,
    }


def scenario(num_images, num_classes, difficult_share):
    """Images with truths and detections of all kinds: close, loose, doubled, stray, of an absent class."""
    images = []
    for index in range(num_images):
        count = 0 if index % 7 == 3 else int(rng.integers(1, 7))
        boxes = random_boxes(count, smallest=6, largest=150)
        # The last class has no truths, the one before it few.
        classes = rng.choice(num_classes - 1, count, p=[0.5, 0.3, 0.18, 0.02])
        found = rng.random(count) < 0.8
        copies = np.concatenate([near(boxes[found], 2), near(boxes[found], 12), random_boxes(2)])
        labels = np.concatenate([classes[found], classes[found], rng.integers(0, num_classes, 2)])
        if index % 11 == 5:
            copies, labels = copies[:0], labels[:0]
        images.append(
            {
                "boxes": boxes,
                "classes": classes,
                "difficult": (rng.random(count) < difficult_share).astype(int),
                "detections": copies,
                "detectionClasses": labels,
                "scores": np.round(rng.uniform(0.05, 1, len(labels)), 2),
            }
        )
    return images


class Forgiving(COCOeval):
    """pycocotools overwrites `ignore` by `iscrowd`; a difficult box is no crowd, so put it back."""

    def _prepare(self):
        super()._prepare()
        for truths in self._gts.values():
            for truth in truths:
                truth["ignore"] = truth["difficult"]


def coco_stats(images, num_classes):
    def xywh(box):
        y1, x1, y2, x2 = box
        return [x1, y1, x2 - x1, y2 - y1]

    truths, found = [], []
    for image, entry in enumerate(images):
        for box, label, difficult in zip(entry["boxes"], entry["classes"], entry["difficult"]):
            _, _, w, h = xywh(box)
            truths.append(
                {
                    "id": len(truths) + 1,
                    "image_id": image,
                    "category_id": int(label),
                    "bbox": xywh(box),
                    "area": w * h,
                    "iscrowd": 0,
                    "difficult": int(difficult),
                }
            )
        for box, label, score in zip(entry["detections"], entry["detectionClasses"], entry["scores"]):
            found.append(
                {"image_id": image, "category_id": int(label), "bbox": xywh(box), "score": float(score)}
            )
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": image} for image in range(len(images))],
            "categories": [{"id": label} for label in range(num_classes)],
            "annotations": truths,
        }
        coco.createIndex()
        evaluation = Forgiving(coco, coco.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    known = lambda values: None if (values <= -1).all() else float(values[values > -1].mean())
    precision, recall = evaluation.eval["precision"], evaluation.eval["recall"]
    names = ["ap", "ap50", "ap75", "apSmall", "apMedium", "apLarge", None, None, "ar100"]
    stats = {name: float(evaluation.stats[at]) for at, name in enumerate(names) if name}
    per_class = [
        {
            "ap": known(precision[:, :, label, 0, 2]),
            "ap50": known(precision[0, :, label, 0, 2]),
            "ap75": known(precision[5, :, label, 0, 2]),
            "ar100": known(recall[:, label, 0, 2]),
        }
        for label in range(num_classes)
    ]
    return {**stats, "perClass": per_class}


def voc_class(images, label, threshold):
    """AP by all points and by eleven, or None: the rules of the VOC development kit, read anew."""
    rows = []
    positives = 0
    claimed = set()
    for image, entry in enumerate(images):
        positives += int(((entry["classes"] == label) & (entry["difficult"] == 0)).sum())
        for at in np.flatnonzero(entry["detectionClasses"] == label):
            rows.append((image, entry["detections"][at], entry["scores"][at]))
    if positives == 0:
        return None, None
    order = np.argsort([-score for _, _, score in rows], kind="stable")
    hits = []
    for image, box, _ in (rows[at] for at in order):
        entry = images[image]
        candidates = np.flatnonzero(entry["classes"] == label)
        best, overlap = None, -1.0
        if len(candidates):
            truth = entry["boxes"][candidates]
            sides = np.minimum(truth[:, 2:], box[2:]) - np.maximum(truth[:, :2], box[:2])
            common = np.prod(np.clip(sides, 0, None), 1)
            union = np.prod(truth[:, 2:] - truth[:, :2], 1) + np.prod(box[2:] - box[:2]) - common
            best, overlap = candidates[np.argmax(common / union)], np.max(common / union)
        if best is None or overlap < threshold:
            hits.append(0)
        elif entry["difficult"][best]:
            continue
        else:
            hits.append(0 if (image, best) in claimed else 1)
            claimed.add((image, best))
    found = np.cumsum(hits)
    recall = np.concatenate([[0], found / positives, [1]])
    precision = np.concatenate([[0], found / np.arange(1, len(hits) + 1), [0]])
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    area = float(np.sum(np.diff(recall) * envelope[1:]))
    real = slice(1, -1)
    eleven = [
        max((p for p, r in zip(precision[real], recall[real]) if r >= tenth / 10), default=0)
        for tenth in range(11)
    ]
    return area, float(np.mean(eleven))


def average_precision():
    num_classes = 5
    cases = []
    for difficult_share in [0.0, 0.25]:
        images = scenario(40, num_classes, difficult_share)
        voc = [voc_class(images, label, 0.5) for label in range(num_classes)]
        cases.append(
            {
                "images": [
                    {
                        "boxes": flat(image["boxes"]),
                        "classes": image["classes"].tolist(),
                        "difficult": image["difficult"].tolist(),
                        "detections": flat(image["detections"]),
                        "detectionClasses": image["detectionClasses"].tolist(),
                        "scores": flat(image["scores"]),
                    }
                    for image in images
                ],
                "coco": coco_stats(images, num_classes),
                "vocAllPoint": [all_point for all_point, _ in voc],
                "vocElevenPoint": [eleven for _, eleven in voc],
            }
        )
    return {"numClasses": num_classes, "cases": cases}


golden = {
    "iou": iou(),
    "coder": coder(),
    "matcher": matcher(),
    "nms": nms(),
    "focal": focal(),
    "huber": huber(),
    "averagePrecision": average_precision(),
}
path = Path(__file__).with_name("golden.json")
path.write_text("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in golden.items()) + "\n}\n")
