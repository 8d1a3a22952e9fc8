"""Scenes as dump-scenes.ts writes them, augmented, as batches for the detectors."""
import json

import numpy as np
import torch
import torch.nn.functional as F

PAD = 114


class Scenes:
    """images [n, h, w, 3] uint8 RGB (memory mapped); truths: per image float32 [k, 6] x, y, w, h, class, area."""

    def __init__(self, prefixes):
        self.parts, self.truths = [], []
        for prefix in prefixes:
            with open(prefix + ".json") as file:
                meta = json.load(file)
            self.classes = meta["classes"]
            shape = (len(meta["truths"]), meta["height"], meta["width"], 3)
            part = np.memmap(prefix + ".rgb", np.uint8, "r", shape=shape)
            self.parts.extend(part[i] for i in range(len(part)))
            self.truths.extend(np.array(t, np.float32).reshape(-1, 6) for t in meta["truths"])

    def __len__(self):
        return len(self.parts)


def letterbox(image, height, width, scale, left, top):
    """RGB uint8 to BGR float [3, height, width], resized by `scale` (bilinear, half-pixel centres), rounded, at (left, top)."""
    source = torch.from_numpy(np.ascontiguousarray(image[..., ::-1])).permute(2, 0, 1)[None].float()
    size = (max(1, int(image.shape[0] * scale)), max(1, int(image.shape[1] * scale)))
    small = F.interpolate(source, size=size, mode="bilinear", align_corners=False)[0]
    small = torch.floor(small + 0.5)
    canvas = torch.full((3, height, width), float(PAD))
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + size[1], width), min(top + size[0], height)
    if x1 > x0 and y1 > y0:
        canvas[:, y0:y1, x0:x1] = small[:, y0 - top : y1 - top, x0 - left : x1 - left]
    return canvas


def boxes_at(truths, scale, left, top, height, width):
    """Boxes in network pixels, cut at the border; what loses more than 70 % of its area goes."""
    box = truths[:, :4] * scale
    x1, y1 = box[:, 0] + left, box[:, 1] + top
    x2, y2 = x1 + box[:, 2], y1 + box[:, 3]
    whole = (x2 - x1) * (y2 - y1)
    x1, x2 = x1.clip(0, width), x2.clip(0, width)
    y1, y2 = y1.clip(0, height), y2.clip(0, height)
    keep = (x2 - x1) * (y2 - y1) > 0.3 * whole
    return np.stack((x1, y1, x2, y2, truths[:, 4]), 1)[keep].astype(np.float32)


def augmented(scenes, index, rng, height, width):
    image, truths = scenes.parts[index], scenes.truths[index].copy()
    if rng.random() < 0.5:
        image = image[:, ::-1]
        truths[:, 0] = image.shape[1] - truths[:, 0] - truths[:, 2]
    scale, left, top = width / image.shape[1], 0, 0
    if rng.random() < 0.6:
        scale *= rng.uniform(0.7, 1.35)
        left = int(rng.uniform(-0.15, 0.15) * width) + int((width - image.shape[1] * scale) / 2)
        top = int(rng.uniform(-0.15, 0.15) * height) + int((height - image.shape[0] * scale) / 2)
    pixels = letterbox(image, height, width, scale, left, top)
    if rng.random() < 0.7:
        gray = pixels.mean(0, keepdim=True)
        gains = torch.from_numpy((rng.uniform(0.75, 1.25) * rng.uniform(0.94, 1.06, (3, 1, 1))).astype(np.float32))
        pixels = ((gray + (pixels - gray) * rng.uniform(0.6, 1.3)) * gains).clamp(0, 255).round()
    return pixels, boxes_at(truths, scale, left, top, height, width)


def plain(scenes, index, height, width):
    """As the studio feeds a network: top-left letterbox."""
    image = scenes.parts[index]
    scale = min(height / image.shape[0], width / image.shape[1])
    return letterbox(image, height, width, scale, 0, 0), scale
