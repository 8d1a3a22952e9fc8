"""Trains one of the embedded detectors on scenes and writes it as ONNX (opset 11, BatchNorm folded).

    npx tsx src/data/train/dump-scenes.ts /tmp/scenes/train 100000 6000
    npx tsx src/data/train/dump-scenes.ts /tmp/scenes/held 500000 400
    python3 src/data/train/train.py --kind depthwise --scenes /tmp/scenes/train --held /tmp/scenes/held --out scenes-depthwise.onnx

One thread, one seed: the same weights on the same machine and torch. Needs torch >= 1.13, onnx, numpy.
"""
import argparse
import copy
import json
import math
import os
import time

import numpy as np
import onnx
import torch

from evaluate import evaluate
from loss import detection_loss
from network import Detector, grid
from scenes import Scenes, augmented

SIZE = 224
# The scenes are 4:3, so the lower rows of the square input are border: training leaves out the last 32.
TRAIN_HEIGHT = 192


def parameter_groups(model, decay):
    convs = [m.weight for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
    known = {id(p) for p in convs}
    rest = [p for p in model.parameters() if id(p) not in known]
    return [{"params": convs, "weight_decay": decay}, {"params": rest, "weight_decay": 0.0}]


def export(model, classes, path, notes):
    model = copy.deepcopy(model).eval()
    partial = path + ".partial"
    sample = torch.zeros(1, 3, SIZE, SIZE)
    torch.onnx.export(model, sample, partial, opset_version=11, input_names=["images"], output_names=["output"], do_constant_folding=True)
    proto = onnx.load(partial)
    proto.producer_name, proto.producer_version = "bonsai-scenes", ""
    for key, value in {"names": json.dumps(dict(enumerate(classes))), **notes}.items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(proto)
    onnx.save(proto, partial)
    os.replace(partial, path)


def update_average(average, model, step):
    keep = min(0.9985, (step + 1) / (step + 10))
    with torch.no_grad():
        for slow, fast in zip(average.state_dict().values(), model.state_dict().values()):
            if slow.dtype.is_floating_point:
                slow.mul_(keep).add_(fast, alpha=1 - keep)
            else:
                slow.copy_(fast)


def rate(step, total, peak):
    warm = min(200, total // 10)
    if step < warm:
        return peak * (step + 1) / warm
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warm) / (total - warm))))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=("depthwise", "dense"), required=True)
    parser.add_argument("--scenes", nargs="+", required=True, help="prefixes of dumped training scenes")
    parser.add_argument("--held", required=True, help="prefix of dumped scenes that are never trained on")
    parser.add_argument("--out", required=True)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    train, held = Scenes(args.scenes), Scenes([args.held])
    model = Detector(args.kind, len(train.classes)).to(memory_format=torch.channels_last)
    print(args.kind, sum(p.numel() for p in model.parameters()), "parameters,", len(train), "scenes", flush=True)
    average = copy.deepcopy(model)
    optimizer = torch.optim.AdamW(parameter_groups(model, 0.02), lr=args.rate, betas=(0.9, 0.99))
    cells = grid(TRAIN_HEIGHT, SIZE)
    steps = len(train) // args.batch
    total, step, started = steps * args.epochs, 0, time.time()
    for epoch in range(args.epochs):
        model.train()
        order = rng.permutation(len(train))
        losses = []
        for i in range(steps):
            batch = [augmented(train, j, rng, TRAIN_HEIGHT, SIZE) for j in order[i * args.batch : (i + 1) * args.batch]]
            pixels = torch.stack([b[0] for b in batch]).to(memory_format=torch.channels_last)
            for group in optimizer.param_groups:
                group["lr"] = rate(step, total, args.rate)
            raw = model(pixels)
            l1 = 1.0 if epoch >= 0.8 * args.epochs else 0.0
            loss = detection_loss(raw, [torch.from_numpy(b[1]) for b in batch], cells, TRAIN_HEIGHT, SIZE, l1)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            optimizer.step()
            update_average(average, model, step)
            losses.append(float(loss.detach()))
            step += 1
            if step % 100 == 0:
                print(f"{step}/{total} loss {np.mean(losses[-100:]):.3f} {time.time() - started:.0f} s", flush=True)
        average.eval()
        last = epoch == args.epochs - 1
        count = len(held) if last else min(100, len(held))
        with torch.no_grad():
            mean, at50 = evaluate(average, held, SIZE, SIZE, count)
        print(f"epoch {epoch + 1}: held-out mAP {mean:.2f} AP50 {at50:.2f} on {count} scenes", flush=True)
        export(average, train.classes, args.out, {"heldOutMap": f"{mean:.2f}", "seed": str(args.seed)})


if __name__ == "__main__":
    main()
