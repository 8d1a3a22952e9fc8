/**
 * Newer operator sets: every operator whose meaning or form changed on the way is converted
 * (changes: https://onnx.ai/onnx/operators/ "Changelog").
 */

import type { DType } from '../../numerics';
import { StudioError } from '../../numerics';
import { attrFloat, attrInt, attrInts, attrString, withGraph } from '../build';
import { fromNumbers } from '../evaluate/arrays';
import { toNumbers } from '../float';
import type { Attribute, Dim, Graph, Model, Node, Tensor } from '../graph';
import { inferShapes } from '../infer/infer';
import { freshNames, mapSubgraphs } from './rewrite';

interface Upgrade {
  readonly from: number;
  readonly to: number;
  /** Makes a constant input and gives its name. */
  constant(node: Node, what: string, dtype: DType, dims: readonly number[], values: readonly number[]): string;
  fresh(base: string): string;
  shape(value: string): readonly Dim[] | null;
  dtype(value: string): DType | null;
  /** Values of a constant, null when it isn't one. */
  values(value: string | undefined): readonly number[] | null;
  isUsed(value: string | undefined): boolean;
}

type Converter = (node: Node, u: Upgrade) => Node | readonly Node[];

const INT64_MAX = 2 ** 63;

function without(node: Node, ...names: readonly string[]): Record<string, Attribute> {
  return Object.fromEntries(Object.entries(node.attributes).filter(([name]) => !names.includes(name)));
}

/** True where the change came with opset `since`, between the model's and the target. */
const crosses = (u: Upgrade, since: number) => u.from < since && since <= u.to;

/** Integer list from an attribute to input `at`; the node as it is when the attribute is absent. */
function listToInput(node: Node, u: Upgrade, name: string, at: number): Node {
  const list = attrInts(node, name);
  if (!list) return node;
  const inputs = [...node.inputs];
  while (inputs.length < at) inputs.push('');
  inputs[at] = u.constant(node, name, 'int64', [list.length], list);
  return { ...node, inputs, attributes: without(node, name) };
}

const axesToInput =
  (since: number): Converter =>
  (node, u) =>
    crosses(u, since) ? listToInput(node, u, 'axes', 1) : node;

/** 13: Softmax normalises along one axis; before, over everything from that axis (default 1) on. */
const softmax: Converter = (node, u) => {
  if (!crosses(u, 13)) return node;
  const x = node.inputs[0]!;
  const dims = u.shape(x);
  const given = attrInt(node, 'axis', 1);
  const axis = given < 0 && dims ? given + dims.length : given;
  if (dims && (axis === dims.length - 1 || dims.slice(axis + 1).every((d) => d === 1)) && axis < dims.length)
    return { ...node, attributes: { ...node.attributes, axis: { type: 'int', value: axis } } };
  const [flat, soft] = [u.fresh(`${x}_flat`), u.fresh(`${node.outputs[0]}_flat`)];
  const part = (name: string, op: string, inputs: readonly string[], output: string, attributes: Node['attributes'] = {}): Node => ({
    name: u.fresh(`${node.name}_${name}`),
    op,
    domain: '',
    inputs,
    outputs: [output],
    attributes,
  });
  const flatten = part('flatten', 'Flatten', [x], flat, { axis: { type: 'int', value: given } });
  const main: Node = { ...node, inputs: [flat], outputs: [soft], attributes: { ...node.attributes, axis: { type: 'int', value: -1 } } };
  if (dims?.every((d) => typeof d === 'number')) {
    const target = u.constant(node, 'shape', 'int64', [dims.length], dims as number[]);
    return [flatten, main, part('reshape', 'Reshape', [soft, target], node.outputs[0]!)];
  }
  const target = u.fresh(`${x}_shape`);
  return [flatten, main, part('shape', 'Shape', [x], target), part('reshape', 'Reshape', [soft, target], node.outputs[0]!)];
};

const clip: Converter = (node, u) => {
  if (!crosses(u, 11)) return node;
  const dtype = u.dtype(node.inputs[0]!) ?? 'float32';
  const bound = (name: string) => {
    const value = attrFloat(node, name);
    return value === undefined ? '' : u.constant(node, name, dtype, [], [value]);
  };
  return { ...node, inputs: [node.inputs[0]!, bound('min'), bound('max')], attributes: without(node, 'min', 'max') };
};

const pad: Converter = (node, u) => {
  if (!crosses(u, 11)) return node;
  const pads = attrInts(node, 'pads') ?? attrInts(node, 'paddings') ?? [];
  const inputs = [
    node.inputs[0]!,
    u.constant(node, 'pads', 'int64', [pads.length], pads),
    u.constant(node, 'value', u.dtype(node.inputs[0]!) ?? 'float32', [], [attrFloat(node, 'value', 0)]),
  ];
  return { ...node, inputs, attributes: without(node, 'pads', 'paddings', 'value') };
};

const slice: Converter = (node, u) => {
  if (!crosses(u, 10)) return node;
  const lists = ['starts', 'ends', 'axes'].map((name) => [name, attrInts(node, name)] as const);
  const inputs = lists.flatMap(([name, list]) => (list ? [u.constant(node, name, 'int64', [list.length], list)] : []));
  return { ...node, inputs: [node.inputs[0]!, ...inputs], attributes: without(node, 'starts', 'ends', 'axes') };
};

const topK: Converter = (node, u) => {
  if (!crosses(u, 10)) return node;
  const k = u.constant(node, 'k', 'int64', [1], [attrInt(node, 'k', 1)]);
  return { ...node, inputs: [node.inputs[0]!, k], attributes: without(node, 'k') };
};

/** In inference the ratio doesn't matter; a mask that is read was a float before 10. */
const dropout: Converter = (node, u) => {
  if (!crosses(u, 12)) return node;
  if (crosses(u, 10) && u.isUsed(node.outputs[1]))
    throw new StudioError(
      'unsupported',
      `The mask of ${node.name} (Dropout) is read, which opset 10 changed.`,
      'Export the model for inference.',
    );
  return { ...node, inputs: [node.inputs[0]!], attributes: without(node, 'ratio') };
};

const batchNormalization: Converter = (node, u) => {
  if (crosses(u, 9) && attrInt(node, 'spatial', 1) !== 1)
    throw new StudioError(
      'unsupported',
      `${node.name} (BatchNormalization) is not spatial, which opset 9 dropped.`,
      'Export the model again.',
    );
  if (crosses(u, 14) && node.outputs.slice(1).some((name) => u.isUsed(name)))
    throw new StudioError('unsupported', `${node.name} (BatchNormalization) is in training mode.`, 'Export the model for inference.');
  if (crosses(u, 14)) return { ...node, outputs: node.outputs.slice(0, 1), attributes: without(node, 'spatial') };
  return { ...node, attributes: without(node, 'spatial') };
};

/** 11: (X, roi, scales, sizes) and explicit coordinates; Upsample and Resize before it were "asymmetric". */
const resize: Converter = (node, u) => {
  if (!crosses(u, 11)) return node;
  const attribute = node.attributes.scales;
  const given = attribute?.type === 'floats' ? attribute.value : u.values(node.inputs[1]);
  const scales =
    attribute?.type === 'floats' ? u.constant(node, 'scales', 'float32', [attribute.value.length], attribute.value) : node.inputs[1]!;
  // Nearest took the lower neighbour when growing and the upper one when shrinking.
  const shrinks = given?.some((s) => s < 1) ?? false;
  const nearest = attrString(node, 'mode', 'nearest') === 'nearest';
  if (nearest && shrinks && given!.some((s) => s > 1))
    throw new StudioError(
      'unsupported',
      `${node.name} (${node.op}) grows one axis and shrinks another, which opset 11 can't say.`,
      'Export the model again with opset 13.',
    );
  const attributes: Record<string, Attribute> = {
    ...without(node, 'scales'),
    coordinate_transformation_mode: { type: 'string', value: 'asymmetric' },
    ...(nearest ? { nearest_mode: { type: 'string', value: shrinks && node.op === 'Resize' ? 'ceil' : 'floor' } } : {}),
  };
  return { ...node, op: 'Resize', inputs: [node.inputs[0]!, '', scales], attributes };
};

/** 13: sizes are an input; 18: equal parts must be asked for by number. */
const split: Converter = (node, u) => {
  const moved = crosses(u, 13) ? listToInput(node, u, 'split', 1) : node;
  if (!crosses(u, 18) || moved.inputs.length > 1) return moved;
  return { ...moved, attributes: { ...moved.attributes, num_outputs: { type: 'int', value: node.outputs.length } } };
};

const CONVERTERS: Readonly<Record<string, Converter>> = {
  Softmax: softmax,
  LogSoftmax: softmax,
  Hardmax: softmax,
  Clip: clip,
  Pad: pad,
  Slice: slice,
  TopK: topK,
  Dropout: dropout,
  BatchNormalization: batchNormalization,
  Resize: resize,
  Upsample: resize,
  Split: split,
  Squeeze: axesToInput(13),
  Unsqueeze: axesToInput(13),
  ReduceSum: axesToInput(13),
  ReduceMean: axesToInput(18),
  ReduceMax: axesToInput(18),
  ReduceMin: axesToInput(18),
  ReduceProd: axesToInput(18),
  ReduceL1: axesToInput(18),
  ReduceL2: axesToInput(18),
  ReduceLogSum: axesToInput(18),
  ReduceLogSumExp: axesToInput(18),
  ReduceSumSquare: axesToInput(18),
  Scatter: (node, u) => (crosses(u, 11) ? { ...node, op: 'ScatterElements' } : node),
};

function upgradeGraph(graph: Graph, model: Model, from: number, to: number, fresh: (base: string) => string): Graph {
  const added = new Map<string, Tensor>();
  const facts = inferShapes({ ...model, graph });
  const used = new Set([...graph.nodes.flatMap((n) => n.inputs), ...graph.outputs.map((o) => o.name)]);
  const upgrade: Upgrade = {
    from,
    to,
    fresh,
    constant(node, what, dtype, dims, values) {
      const name = fresh(`${node.name}_${what}`);
      const toInt64 = (v: number) => (v >= INT64_MAX ? 2n ** 63n - 1n : BigInt(Math.max(v, -INT64_MAX)));
      const t = dtype === 'int64' ? { name, dtype, dims, data: BigInt64Array.from(values, toInt64) } : fromNumbers(dtype, dims, values);
      if (!t)
        throw new StudioError(
          'unsupported',
          `${node.name} (${node.op}) works on ${dtype}, which can't be converted.`,
          'Export the model again with opset 13.',
        );
      added.set(name, { ...t, name });
      return name;
    },
    shape: (value) => facts.get(value)?.shape ?? null,
    dtype: (value) => facts.get(value)?.dtype ?? null,
    values: (value) => {
      const t = graph.initializers.get(value ?? '');
      return t ? toNumbers(t) : null;
    },
    isUsed: (value) => value !== undefined && value !== '' && used.has(value),
  };
  const nodes = graph.nodes.flatMap((node): readonly Node[] => {
    const inner = mapSubgraphs(node, (sub) => upgradeGraph(sub, model, from, to, fresh));
    const converter = inner.domain === '' && Object.hasOwn(CONVERTERS, inner.op) ? CONVERTERS[inner.op] : undefined;
    return converter ? [converter(inner, upgrade)].flat() : [inner];
  });
  return { ...graph, nodes, initializers: new Map([...graph.initializers, ...added]) };
}

/** The last target whose changes the table above covers. */
const NEWEST_TARGET = 21;

/**
 * The same network declared for opset `target` (13 to 21); unchanged where it is that new already.
 * @throws StudioError 'unsupported' for what the newer set can't express, naming the node
 */
export function upgradeOpset(model: Model, target = 13): Model {
  const from = model.opsets[''];
  if (from === undefined || from >= target) return model;
  if (target > NEWEST_TARGET)
    throw new StudioError(
      'bad-option',
      `Models can be upgraded to opset ${NEWEST_TARGET} at most, not ${target}.`,
      'Ask for an older one.',
    );
  const graph = upgradeGraph(model.graph, model, from, target, freshNames(model.graph));
  return { ...withGraph(model, graph), irVersion: Math.max(model.irVersion, 7), opsets: { ...model.opsets, '': target } };
}
