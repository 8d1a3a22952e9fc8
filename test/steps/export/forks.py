"""Runs Python programs that need torch, each in a fork of this process: to import torch takes longer than most of them.

A line of JSON in: {"argv": [script, ...], "env": {...}, "out": file, "err": file}. A line out: the exit code.
"""
import json
import os
import runpy
import sys
import traceback

import numpy  # noqa: F401
import onnx  # noqa: F401
import PIL.Image  # noqa: F401
import torch
import torch.distributed  # noqa: F401


def become(job):
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for descriptor, file in ((1, job["out"]), (2, job["err"])):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.environ.update(job["env"])
    sys.argv = job["argv"]
    sys.path[0] = os.path.dirname(sys.argv[0])
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


for line in sys.stdin:
    child = os.fork()
    if child == 0:
        code = become(json.loads(line))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
