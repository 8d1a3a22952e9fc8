"""Writes embedded.json beside the trained detectors, from the files themselves: publish.py static/models"""
import hashlib
import json
import pathlib
import sys

import onnx

TITLES = {"scenes-depthwise.onnx": "Scenes, depthwise (like YOLOX-Nano)", "scenes-dense.onnx": "Scenes, dense (like YOLOX-Tiny)"}


def entry(path):
    data = path.read_bytes()
    notes = {p.key: p.value for p in onnx.load_from_string(data).metadata_props}
    return {
        "file": path.name,
        "title": TITLES[path.name],
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "classes": list(json.loads(notes["names"]).values()),
        "heldOutMap": float(notes["heldOutMap"]),
        "heldOutScenes": {"seed": 500000, "count": 400},
        "seed": int(notes["seed"]),
    }


folder = pathlib.Path(sys.argv[1])
entries = [entry(folder / name) for name in TITLES]
(folder / "embedded.json").write_text(json.dumps(entries, indent=2) + "\n")
