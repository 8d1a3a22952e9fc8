import { type Model, makeModel, type Node, node, type Tensor, tensor, valueInfo } from '../../src/onnx';

/** Builds detector heads on three bare feature maps; weights are zero, since only operators and shapes tell a family. */
export class HeadBuilder {
  readonly nodes: Node[] = [];
  readonly initializers: Tensor[] = [];
  #count = 0;

  constructor(
    readonly size: number,
    readonly prefix = 'n',
  ) {}

  name(): string {
    return `${this.prefix}${this.#count++}`;
  }

  op(op: string, inputs: readonly string[], attributes: Parameters<typeof node>[3] = {}, output = this.name()): string {
    this.nodes.push(node(op, inputs, [output], attributes, `node_${output}`));
    return output;
  }

  constant(values: readonly number[]): string {
    const name = this.name();
    this.initializers.push(tensor(name, 'int64', [values.length], BigInt64Array.from(values.map(BigInt))));
    return name;
  }

  conv(input: string, from: number, to: number, kernel = 1, stride = 1, output = this.name()): string {
    const weight = `w_${output}`;
    this.initializers.push(tensor(weight, 'float32', [to, from, kernel, kernel], new Float32Array(to * from * kernel * kernel)));
    return this.op('Conv', [input, weight], { kernel_shape: [kernel, kernel], strides: [stride, stride] }, output);
  }

  /** A map of 8 channels per stride. */
  features(strides: readonly number[] = [8, 16, 32]): { stride: number; map: string; cells: number }[] {
    return strides.map((stride) => ({ stride, map: this.conv('images', 3, 8, stride, stride), cells: (this.size / stride) ** 2 }));
  }

  concat(inputs: readonly string[], axis: number, output = this.name()): string {
    return this.op('Concat', inputs, { axis }, output);
  }

  reshape(input: string, shape: readonly number[], output = this.name()): string {
    return this.op('Reshape', [input, this.constant(shape)], {}, output);
  }

  transpose(input: string, perm: readonly number[], output = this.name()): string {
    return this.op('Transpose', [input], { perm }, output);
  }

  model(outputs: readonly (readonly [string, readonly number[]])[], metadata: Readonly<Record<string, string>> = {}): Model {
    const made = makeModel({
      inputs: [valueInfo('images', 'float32', [1, 3, this.size, this.size])],
      outputs: outputs.map(([name, shape]) => valueInfo(name, 'float32', shape)),
      nodes: this.nodes,
      initializers: this.initializers,
    });
    return { ...made, metadata };
  }
}

interface YoloxOptions {
  readonly classes: number;
  readonly size?: number;
  readonly sigmoid?: boolean;
  readonly form: 'raw' | 'decoded' | 'levels' | 'cut';
  /** Class branch joined before the box: nothing but the graph tells which is which. */
  readonly shuffled?: boolean;
}

/** A YOLOX head: box and objectness on one map, classes on another. */
export function yoloxModel({ classes, size = 64, sigmoid = true, form, shuffled = false }: YoloxOptions): Model {
  const b = new HeadBuilder(size);
  const levels = b.features().map(({ stride, map, cells }) => {
    const clsFeature = b.op('Relu', [b.conv(map, 8, 8)]);
    const regFeature = b.op('Relu', [b.conv(map, 8, 8)]);
    const gate = (value: string) => (sigmoid ? b.op('Sigmoid', [value]) : value);
    const cls = gate(b.conv(clsFeature, 8, classes, 1, 1, `cls${stride}`));
    const reg = b.conv(regFeature, 8, 4, 1, 1, `reg${stride}`);
    const obj = gate(b.conv(regFeature, 8, 1, 1, 1, `obj${stride}`));
    return { stride, cells, reg, obj, cls, side: size / stride };
  });
  if (form === 'cut') {
    const parts = levels.flatMap(({ reg, obj, cls, side }) => [
      [reg, [1, 4, side, side]] as const,
      [obj, [1, 1, side, side]] as const,
      [cls, [1, classes, side, side]] as const,
    ]);
    return b.model(shuffled ? [...parts].reverse() : parts);
  }
  const maps = levels.map(({ reg, obj, cls }) => b.concat([reg, obj, cls], 1));
  const k = 5 + classes;
  if (form === 'levels') return b.model(maps.map((map, i) => [map, [1, k, levels[i]!.side, levels[i]!.side]]));
  const rows = b.concat(
    maps.map((map, i) => b.reshape(map, [1, k, levels[i]!.cells])),
    2,
  );
  const n = levels.reduce((sum, { cells }) => sum + cells, 0);
  const raw = b.transpose(rows, [0, 2, 1]);
  if (form === 'raw') return b.model([[raw, [1, n, k]]]);
  const slice = (from: number, to: number) => b.op('Slice', [raw, b.constant([from]), b.constant([to]), b.constant([2])]);
  const decoded = b.concat([slice(0, 2), b.op('Exp', [slice(2, 4)]), slice(4, k)], 2);
  return b.model([[decoded, [1, n, k]]]);
}

/** A YOLOv8 head: 64 box channels and classes per level; the integral over distances left out. */
export function yolov8Model(classes: number, size = 64, rows = false, metadata: Readonly<Record<string, string>> = {}): Model {
  const b = new HeadBuilder(size);
  const parts = b.features().map(({ stride, map, cells }) => {
    const box = b.conv(map, 8, 64, 1, 1, `box${stride}`);
    const cls = b.conv(map, 8, classes, 1, 1, `cls${stride}`);
    return { cells, joined: b.reshape(b.concat([box, cls], 1), [1, 64 + classes, cells]) };
  });
  const n = parts.reduce((sum, { cells }) => sum + cells, 0);
  const all = b.concat(
    parts.map((part) => part.joined),
    2,
  );
  const slice = (from: number, to: number) => b.op('Slice', [all, b.constant([from]), b.constant([to]), b.constant([1])]);
  const output = b.concat([slice(0, 4), b.op('Sigmoid', [slice(64, 64 + classes)])], 1);
  return rows
    ? b.model([[b.transpose(output, [0, 2, 1]), [1, n, 4 + classes]]], metadata)
    : b.model([[output, [1, 4 + classes, n]]], metadata);
}

/** A YOLOv5 head: one convolution of 3 · (5 + C) channels per level, decoded in the graph. */
export function yolov5Model(classes: number, size = 64): Model {
  const b = new HeadBuilder(size);
  const k = 5 + classes;
  const parts = b.features().map(({ map, cells }) => b.reshape(b.op('Sigmoid', [b.conv(map, 8, 3 * k)]), [1, 3 * cells, k]));
  const n = b.features().reduce((sum, { cells }) => sum + 3 * cells, 0);
  return b.model([[b.concat(parts, 1), [1, n, k]]]);
}

/** A NanoDet v1 head: classes and 32 distance bins out of one convolution per level. */
export function nanodetModel(classes: number, size = 64): Model {
  const b = new HeadBuilder(size);
  const outputs: [string, number[]][] = [];
  for (const { map, cells } of b.features()) {
    const joint = b.conv(map, 8, classes + 32);
    const [cls, box] = [b.name(), b.name()];
    b.nodes.push(node('Split', [joint, b.constant([classes, 32])], [cls, box], { axis: 1 }, `split${cells}`));
    outputs.push([b.transpose(b.reshape(b.op('Sigmoid', [cls]), [1, classes, cells]), [0, 2, 1]), [1, cells, classes]]);
    outputs.push([b.transpose(b.reshape(box, [1, 32, cells]), [0, 2, 1]), [1, cells, 32]]);
  }
  return b.model(outputs);
}

/** Every convolution with int8 weights and a quantized input and output, as a QDQ file has them. */
export function quantized(model: Model): Model {
  const scale = tensor('q_scale', 'float32', [], Float32Array.of(0.1));
  const zero = tensor('q_zero', 'int8', [], Int8Array.of(0));
  const initializers = new Map(model.graph.initializers).set(scale.name, scale).set(zero.name, zero);
  const nodes: Node[] = [];
  const through = (value: string, as: string, id: string) => {
    nodes.push(node('QuantizeLinear', [value, scale.name, zero.name], [`${id}_q`], {}, `${id}_quantize`));
    nodes.push(node('DequantizeLinear', [`${id}_q`, scale.name, zero.name], [as], {}, `${id}_dequantize`));
  };
  for (const n of model.graph.nodes) {
    if (n.op !== 'Conv') {
      nodes.push(n);
      continue;
    }
    const [x, w] = n.inputs as [string, string];
    const [y] = n.outputs as [string];
    const weight = initializers.get(w)!;
    initializers.set(w, tensor(w, 'int8', weight.dims, new Int8Array(weight.data.length)));
    through(x, `${y}_x`, `${y}_in`);
    nodes.push(node('DequantizeLinear', [w, scale.name, zero.name], [`${w}_f`], {}, `${w}_dequantize`));
    nodes.push({ ...n, inputs: [`${y}_x`, `${w}_f`], outputs: [`${y}_raw`] });
    through(`${y}_raw`, y, y);
  }
  return { ...model, graph: { ...model.graph, nodes, initializers } };
}
