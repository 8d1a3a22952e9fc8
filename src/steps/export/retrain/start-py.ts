/** Opening of retrain.py: what it is, its imports, what the studio baked in, and how it speaks. */

/** @param settings a Python string literal that holds JSON, see `pythonString` */
export const startPy = (settings: string): string => String.raw`#!/usr/bin/env python3
"""Retrains the bundle's network: distils from the original, learns from COCO labels, or both. See README.md beside it.

One process:     python3 retrain.py --data FOLDER --out runs/1
All local GPUs:  torchrun --nproc_per_node=gpu retrain.py --data FOLDER --out runs/1

Needs torch (1.13 or newer), numpy, onnx and Pillow. Killed runs go on where they were: start the same command again.
"""
import argparse
import functools
import hashlib
import json
import math
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.distributed as dist
import torch.nn.functional as F
from onnx import numpy_helper
from PIL import Image, ImageOps
from torch import nn

HERE = Path(__file__).resolve().parent
# Preprocessing, classes and the heads' values, as the studio saw them when it wrote this file.
SETTINGS = json.loads(${settings})


def fail(message):
    sys.exit("retrain.py: " + message)


class Log:
    """One JSON object a line on stdout and in OUT/log.jsonl, from rank 0 only."""

    def __init__(self, path, speaks):
        self.path, self.speaks = path, speaks

    def __call__(self, event, **values):
        if not self.speaks:
            return
        line = json.dumps({"event": event, "time": round(time.time(), 3), **values})
        print(line, flush=True)
        with open(str(self.path), "a", encoding="utf-8") as f:
            f.write(line + "\n")


def replace_file(path, write):
    """Writes a file so that a kill at any moment leaves the old one or the new one, never half of one."""
    part = path.with_name(path.name + ".part")
    with open(str(part), "wb") as f:
        write(f)
        f.flush()
        os.fsync(f.fileno())
    os.replace(str(part), str(path))


`;
