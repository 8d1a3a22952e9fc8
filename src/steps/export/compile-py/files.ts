/** Opening of the bundle's scripts: imports, files, and just enough of protobuf to read an ONNX. */

/** @param doc what the script does, one line; @param needs what it needs beside Python */
export const filesPy = (script: 'compile.py' | 'convert.py', doc: string, needs: string): string => String.raw`#!/usr/bin/env python3
"""${doc}

Needs ${needs}; --dry-run only checks the bundle and needs Python 3.8 or newer, nothing else.
"""
import argparse
import array
import ast
import importlib.util
import json
import math
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOLE = re.compile(r"\{\{\s*(.+?)\s*\}\}")  # {{onnx node name}} -> Hailo layer name
PLAIN = re.compile(r"[A-Za-z0-9_./]+\Z")
FULL_CALIBRATION = 1024


def fail(message):
    sys.exit("${script}: " + message)


# ---- files ----------------------------------------------------------------------------------------------------------


def read(name):
    path = HERE / name
    if not path.is_file():
        fail("%s is missing; unzip the whole bundle again." % name)
    return path.read_bytes()


def read_json(name):
    try:
        return json.loads(read(name).decode("utf-8"))
    except ValueError as error:
        fail("%s is not valid JSON (%s)." % (name, error))


def npy_header(name):
    """(shape, dtype, fortran order, bytes of data behind the header) of a .npy file."""
    path = HERE / name
    if not path.is_file():
        fail("%s is missing; unzip the whole bundle again." % name)
    with open(str(path), "rb") as f:
        if f.read(6) != b"\x93NUMPY":
            fail("%s is not a .npy file." % name)
        width = 2 if f.read(2)[0] == 1 else 4  # format 1.0 has a 2-byte length field, 2.0 a 4-byte one
        length = int.from_bytes(f.read(width), "little")
        try:
            head = ast.literal_eval(f.read(length).decode("latin1"))
            shape = tuple(int(d) for d in head["shape"])
        except (ValueError, SyntaxError, KeyError, TypeError):
            fail("%s has a damaged header." % name)
        return shape, head["descr"], head["fortran_order"], path.stat().st_size - f.tell()


# ---- ONNX, just enough of protobuf ----------------------------------------------------------------------------------


def varint(buf, at):
    value = shift = 0
    while True:
        byte = buf[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(buf):
    """(field number, value) pairs of a message; length-delimited values are memoryviews."""
    at, end = 0, len(buf)
    while at < end:
        key, at = varint(buf, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(buf, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value, at = buf[at:at + size], at + size
        elif kind == 2:
            size, at = varint(buf, at)
            value, at = buf[at:at + size], at + size
        else:
            raise ValueError("wire type %d" % kind)
        if at > end:
            raise ValueError("truncated")
        yield key >> 3, value


def text(view):
    return bytes(view).decode("utf-8", "replace")


def integers(value):
    """A repeated int64 field, packed or not."""
    if isinstance(value, int):
        return [value]
    at, found = 0, []
    while at < len(value):
        number, at = varint(value, at)
        found.append(number)
    return found


def value_info(buf):
    name, dims, dtype = "", None, None
    for number, value in fields(buf):
        if number == 1:
            name = text(value)
        elif number == 2:
            for kind, tensor in fields(value):
                if kind != 1:
                    continue
                for key, part in fields(tensor):
                    if key == 1:
                        dtype = part
                    elif key == 2:
                        dims = []
                        for _, dim in fields(part):
                            size = dict(fields(dim)).get(1)
                            dims.append(size if isinstance(size, int) else None)
    return name, dims, dtype


def onnx_node(buf):
    node = {"name": "", "op": "", "inputs": [], "outputs": [], "attributes": {}}
    for number, value in fields(buf):
        if number == 1:
            node["inputs"].append(text(value))
        elif number == 2:
            node["outputs"].append(text(value))
        elif number == 3:
            node["name"] = text(value)
        elif number == 4:
            node["op"] = text(value)
        elif number == 5:
            name, ints = "", []
            for key, part in fields(value):
                if key == 1:
                    name = text(part)
                elif key == 8:
                    ints += integers(part)
            node["attributes"][name] = ints
    return node


def onnx_tensor(buf):
    name, dims, data = "", [], b""
    for number, value in fields(buf):
        if number == 1:
            dims += integers(value)
        elif number in (4, 9) and not isinstance(value, int):
            data = value  # packed float_data has the same bytes as raw_data
        elif number == 8:
            name = text(value)
    return name, dims, data


def parse_onnx(name):
    raw = memoryview(read(name))
    model = {"ir": 0, "opset": 0, "nodes": [], "weights": {}, "inputs": [], "outputs": []}
    try:
        for number, value in fields(raw):
            if number == 1:
                model["ir"] = value
            elif number == 8:
                pair = dict(fields(value))
                if text(pair.get(1, b"")) in ("", "ai.onnx"):
                    model["opset"] = pair.get(2, 0)
            elif number == 7:
                for key, part in fields(value):
                    if key == 1:
                        model["nodes"].append(onnx_node(part))
                    elif key == 5:
                        tensor, dims, data = onnx_tensor(part)
                        model["weights"][tensor] = (dims, data)
                    elif key == 11:
                        model["inputs"].append(value_info(part))
                    elif key == 12:
                        model["outputs"].append(value_info(part))
    except (ValueError, IndexError, TypeError):
        fail("%s is damaged or not an ONNX file." % name)
    if not model["nodes"]:
        fail("%s is damaged or not an ONNX file." % name)
    model["by_name"] = {node["name"]: node for node in model["nodes"]}
    model["producer"] = {value: node for node in model["nodes"] for value in node["outputs"]}
    return model


def head_conv(model, name):
    """The convolution at or before an end node."""
    node = model["by_name"].get(name)
    while node is not None and node["op"] not in ("Conv", "ConvTranspose"):
        node = model["producer"].get(node["inputs"][0]) if node["inputs"] else None
    return node


`;
