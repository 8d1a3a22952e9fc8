/** Describes a bundle's network to the stand-in of the compiler: one layer per convolution, with its activation fused in. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { attrInt, consumers, inferShapes, type Model, type Node, parseModel, producers, toNumbers } from '../../../src/onnx';
import { python, run } from './bundle';

interface Layer {
  readonly ends: readonly string[];
  original_names: readonly string[] | null;
  kernel: readonly number[];
}

export interface Variant {
  /** Whether layers say which ONNX nodes they came from: all, none, or only those for which it holds. */
  readonly originalNames?: (node: string) => boolean;
  /** Alters the description further. */
  readonly change?: (layers: Layer[]) => void;
}

/** The Conv's own node, then Sigmoid or Sigmoid and Mul behind it. */
function fused(conv: Node, model: Model): Node[] {
  const readers = consumers(model.graph).get(conv.outputs[0]!) ?? [];
  return [conv, ...readers.filter((n) => n.op === 'Sigmoid' || n.op === 'Mul')];
}

/** OIHW → HWIO; depthwise [C, 1, h, w] → [h, w, C, 1]. */
function kernel(dims: readonly number[], values: readonly number[], depthwise: boolean) {
  const [out, inner, rows, cols] = dims as [number, number, number, number];
  const flat: number[] = [];
  for (let y = 0; y < rows; y++)
    for (let x = 0; x < cols; x++)
      for (let i = 0; i < inner; i++) for (let o = 0; o < out; o++) flat.push(values[((o * inner + i) * rows + y) * cols + x]!);
  return { kernel: flat, kernel_shape: depthwise ? [rows, cols, out, 1] : [rows, cols, inner, out] };
}

export function describe(model: Model, { originalNames = () => true }: Variant = {}) {
  const shapes = inferShapes(model);
  const made = producers(model.graph);
  const ends = new Set(model.graph.outputs.map((output) => made.get(output.name)!.name));
  const count = { conv: 0, dw: 0 };
  const layers = model.graph.nodes
    .filter((n) => n.op === 'Conv')
    .map((conv) => {
      const weight = model.graph.initializers.get(conv.inputs[1]!)!;
      const depthwise = attrInt(conv, 'group', 1) > 1;
      const type = depthwise ? 'dw' : 'conv';
      const names = fused(conv, model).map((n) => n.name);
      const [, c, h, w] = shapes.get(conv.outputs[0]!)!.shape as number[];
      return {
        name: `${type}${++count[type]}`,
        type,
        shape: [h, w, c],
        ends: names.filter((name) => ends.has(name)),
        original_names: originalNames(conv.name) ? names : null,
        bias: toNumbers(model.graph.initializers.get(conv.inputs[2]!)!),
        ...kernel(weight.dims, toNumbers(weight), depthwise),
      };
    });
  return { onnx_nodes: model.graph.nodes.map((n) => n.name), input: model.graph.inputs[0]!.name, layers };
}

const FIXTURES = resolve('test/fixtures');

/** compile.py of an unzipped bundle against the stand-in. */
export function compile(
  folder: string,
  args: readonly string[] = [],
  variant: Variant = {},
  numpy: readonly string[] = [join(FIXTURES, 'fake_numpy')],
) {
  const model = parseModel(new Uint8Array(readFileSync(join(folder, 'model.onnx'))));
  const description = describe(model, variant);
  variant.change?.(description.layers);
  writeFileSync(join(folder, 'hn.json'), JSON.stringify(description));
  const result = run(folder, args, [FIXTURES, ...numpy], { HAILO_STAND_IN: join(folder, 'hn.json') });
  const path = (name: string) => join(folder, name);
  const read = (name: string) => (existsSync(path(name)) ? readFileSync(path(name), 'utf8') : null);
  const calls = JSON.parse(read('calls.json') ?? '{}');
  return { ...result, description, calls, read };
}

/** True where the python3 that runs compile.py has the real NumPy. */
export function hasNumpy(): boolean {
  return spawnSync(python(), ['-c', 'import numpy']).status === 0;
}
