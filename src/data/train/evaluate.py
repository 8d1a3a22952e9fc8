"""COCO mAP on scenes, independent of the studio's own: score >= 0.01, NMS per class at 0.65, 100 detections."""
import numpy as np
import torch

from network import decode, grid
from scenes import plain

THRESHOLDS = np.arange(0.5, 0.96, 0.05)


def overlaps(a, b):
    lt = np.maximum(a[:, None, :2], b[None, :, :2])
    rb = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = (rb - lt).clip(0).prod(2)
    area = lambda r: (r[:, 2:] - r[:, :2]).prod(1)
    return inter / (area(a)[:, None] + area(b)[None] - inter + 1e-12)


def detect(raw, cells, scale):
    """raw [N, 5 + C] with sigmoid scores to [k, 6]: x1, y1, x2, y2 in image pixels, score, class."""
    boxes = decode(raw, cells).numpy() / scale
    scores = (raw[:, 4:5] * raw[:, 5:]).numpy()
    found = []
    for c in range(scores.shape[1]):
        keep = np.nonzero(scores[:, c] >= 0.01)[0]
        keep = keep[np.argsort(-scores[keep, c], kind="stable")]
        while len(keep):
            best, keep = keep[0], keep[1:]
            found.append([*boxes[best], scores[best, c], c])
            if len(keep):
                keep = keep[overlaps(boxes[best : best + 1], boxes[keep])[0] <= 0.65]
    found.sort(key=lambda d: -d[4])
    return np.array(found[:100], np.float64).reshape(-1, 6)


def average_precision(detections, truths, threshold):
    """One class: detections per image [k, 5] (box, score), truths per image [m, 4]. 101-point interpolation."""
    total = sum(len(t) for t in truths)
    if total == 0:
        return None
    scored = []
    for d, t in zip(detections, truths):
        taken = np.zeros(len(t), bool)
        table = overlaps(d[:, :4], t) if len(d) and len(t) else np.zeros((len(d), len(t)))
        for i in range(len(d)):
            free = np.where(taken, -1.0, table[i])
            best = int(free.argmax()) if len(t) else -1
            hit = best >= 0 and free[best] >= threshold
            if hit:
                taken[best] = True
            scored.append((d[i, 4], hit))
    if not scored:
        return 0.0
    scored.sort(key=lambda s: -s[0])
    hits = np.cumsum([s[1] for s in scored])
    precision = hits / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(hits / total, np.linspace(0, 1, 101), side="left")
    return float(np.mean([precision[i] if i < len(precision) else 0.0 for i in at]))


def mean_average_precision(detections, truths, classes):
    """In percent: (mAP 0.5:0.95, AP50)."""
    table = []
    for c in range(classes):
        d = [x[x[:, 5] == c][:, :5] for x in detections]
        t = [x[x[:, 4] == c][:, :4] for x in truths]
        row = [average_precision(d, t, threshold) for threshold in THRESHOLDS]
        if row[0] is not None:
            table.append(row)
    return 100 * float(np.mean(table)), 100 * float(np.mean(table, 0)[0])


def evaluate(run, scenes, height, width, count):
    """`run` maps a [1, 3, H, W] tensor to [1, N, 5 + C]."""
    cells = grid(height, width)
    detections, truths = [], []
    for i in range(count):
        pixels, scale = plain(scenes, i, height, width)
        detections.append(detect(run(pixels[None])[0], cells, scale))
        t = scenes.truths[i]
        truths.append(np.concatenate((t[:, :2], t[:, :2] + t[:, 2:4], t[:, 4:5]), 1))
    return mean_average_precision(detections, truths, len(scenes.classes))
