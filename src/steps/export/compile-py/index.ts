/**
 * compile.py of the bundle, Python 3.8 or newer: the same text for every bundle, so nothing from a model can reach it. Kept
 * as text in modules because Node and the page must both read it.
 */
import { CHECKS_PY } from './checks';
import { COMPILE_PY } from './compile';
import { CONVERT_PY } from './convert';
import { filesPy } from './files';

export const COMPILE_SCRIPT = filesPy('compile.py', 'Bonsai Studio bundle -> HEF.', 'the Hailo Dataflow Compiler') + CHECKS_PY + COMPILE_PY;

/** convert.py of the bundle for TensorFlow Lite; as above. */
export const CONVERT_SCRIPT =
  filesPy('convert.py', 'Bonsai Studio bundle -> full-integer TensorFlow Lite file.', 'onnx2tf and TensorFlow') + CONVERT_PY;

/** Runs compile.py and keeps its log, where the compiler says in one line which optimization level it really used. */
export const COMPILE_SHELL = `#!/usr/bin/env bash
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p out
python3 compile.py "$@" 2>&1 | tee out/compile.log
`;
