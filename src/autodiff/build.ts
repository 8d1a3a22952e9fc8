/** From a network with a loss to one graph that computes the loss and its gradients. */
import { REPORT_IT, StudioError } from '../numerics';
import {
  attrInt,
  attrString,
  fixDimensions,
  foldConstants,
  inferShapes,
  type Model,
  type Node,
  opType,
  reads,
  removeDead,
  removeIdentity,
  toNumbers,
  upgradeOpset,
  type ValueInfo,
  valueInfo,
  withGraph,
} from '../onnx';
import { lowerBatchNorms } from './batch-norm';
import { type Dims, Emitter, product, type Target } from './emitter';
import { asIdentity, type FakeQuantForm, fakeQuantGradient, isFakeQuant, type LoweredFakeQuant, lowerNode } from './fake-quant';
import { lowerMaxPools } from './max-pool';
import { listOutputsLast } from './order';
import { Recomputation } from './recompute';
import { GRADIENTS } from './rules';
import { silu } from './rules/activations';
import { planSegments, type Recompute } from './segments';
import type { Gradient, GradientContext, GradientRule } from './types';

export interface TrainingGraphOptions {
  /** A value of one element that the network computes. */
  readonly loss: string;
  /** Initializers (which become inputs) or inputs to differentiate by; float32. */
  readonly trainable: readonly string[];
  /** Further values to give out, in this order after the loss. */
  readonly extraOutputs?: readonly string[];
  /** The backend that will run the graph: the forms that are fastest there. Default 'node'. */
  readonly target?: Target;
  /**
   * Computes activations again on the way back, a segment of the network at a time, instead of keeping them all: 'segments' as
   * many as need the least memory, or a number of them. The gradients are the same to the bit where the runtime doesn't fuse
   * nodes (optimization 'disabled'). Default 'none'.
   */
  readonly recompute?: Recompute;
  /** Default 'pairs'; 'arithmetic' for the target 'webgpu'. */
  readonly fakeQuant?: FakeQuantForm;
}

export interface TrainingGraph {
  /** Ordinary ONNX; outputs: loss, extra outputs, gradients in the order of `trainable`. */
  readonly model: Model;
  /** Trainable → the output that holds dL/d(trainable), of its shape. */
  readonly gradients: ReadonlyMap<string, string>;
}

const OLDEST_OPSET = 13;

function bad(message: string): StudioError {
  return new StudioError('bad-option', message, REPORT_IT);
}

/** Trainables are inputs, outputs are what is asked for, and what follows from constants is one. */
function prepare(model: Model, { loss, trainable, extraOutputs = [] }: TrainingGraphOptions): Model {
  const recent = fixDimensions((model.opsets[''] ?? 0) < OLDEST_OPSET ? upgradeOpset(model, OLDEST_OPSET) : model);
  const { graph } = recent;
  const made = new Set(graph.nodes.flatMap((n) => n.outputs));
  const missing = [loss, ...extraOutputs].find((name) => !made.has(name));
  if (missing !== undefined) throw bad(`The network computes no value "${missing}".`);
  const given = new Set(graph.inputs.map(({ name }) => name));
  const inputs = trainable.flatMap((name): ValueInfo[] => {
    const t = graph.initializers.get(name);
    if (!t && !given.has(name)) throw bad(`"${name}" is neither a weight nor an input of the network: it can't be trained.`);
    return t && !given.has(name) ? [valueInfo(name, t.dtype, t.dims)] : [];
  });
  const moved = new Set(inputs.map(({ name }) => name));
  const cut = removeDead(
    withGraph(recent, {
      inputs: [...graph.inputs, ...inputs],
      outputs: [...new Set([loss, ...extraOutputs])].map((name) => valueInfo(name, null, null)),
      initializers: new Map([...graph.initializers].filter(([name]) => !moved.has(name))),
      valueInfo: new Map(),
    }),
  );
  const read = new Set(cut.graph.nodes.flatMap(reads));
  const unused = trainable.find((name) => !read.has(name));
  if (unused !== undefined) throw bad(`The loss "${loss}" does not depend on "${unused}".`);
  // Dropout, which does nothing here, runs on the CPU only.
  return foldConstants(withGraph(removeIdentity(cut), { inputs: cut.graph.inputs.filter(({ name }) => read.has(name)) }));
}

const UNKNOWN_OPERATOR = 'the studio does not know this operator';

/** The way back of a node; FakeQuant is handled apart. */
function gradientOf(n: Node): Gradient {
  const op = opType(n);
  if (op === null) return { missing: UNKNOWN_OPERATOR };
  if (op === 'Cast' && attrInt(n, 'to', 0) !== 1) return { flat: true };
  return GRADIENTS[op];
}

/** Mul(x, Sigmoid(x)) in either order, with x first; null for any other node. */
function asSilu(n: Node, producer: ReadonlyMap<string, Node>): Node | null {
  if (opType(n) !== 'Mul') return null;
  const [a, b] = n.inputs as readonly [string, string];
  const gates = (s: string, x: string) => {
    const p = producer.get(s);
    return p !== undefined && opType(p) === 'Sigmoid' && p.inputs[0] === x;
  };
  if (gates(b, a)) return n;
  return gates(a, b) ? { ...n, inputs: [b, a] } : null;
}

function noRule(n: Node, why: string): StudioError {
  return new StudioError(
    'unsupported',
    `${n.name} (${n.op}) has no gradient here: ${why}.`,
    'Freeze the layers up to this one (frozen layers of the recovery), or cut the network before it.',
  );
}

const NO_NAMES: ReadonlyMap<string, string> = new Map();

const renamed = (names: ReadonlyMap<string, string>, value: string): string => names.get(value) ?? value;

function renamedNode(names: ReadonlyMap<string, string>, n: Node): Node {
  const rename = (value: string) => renamed(names, value);
  return { ...n, inputs: n.inputs.map(rename), outputs: n.outputs.map(rename) };
}

class Backward {
  readonly e: Emitter;
  readonly #shapes: ReadonlyMap<string, ValueInfo>;
  readonly #producer = new Map<string, Node>();
  readonly #lowered = new Map<Node, LoweredFakeQuant>();
  /** Values that a trainable can change. */
  readonly #depends: Set<string>;
  readonly #parts = new Map<string, string[]>();
  readonly #again: Recomputation | null;

  constructor(
    readonly model: Model,
    trainable: readonly string[],
    form: FakeQuantForm,
    target: Target,
    recompute: Recompute,
  ) {
    this.e = new Emitter(model.graph, model.opsets['']!, target);
    this.#shapes = inferShapes(asIdentity(model));
    this.#depends = new Set(trainable);
    const emitted: Node[][] = [];
    for (const n of model.graph.nodes) {
      const start = this.e.nodes.length;
      for (const y of n.outputs) this.#producer.set(y, n);
      if (isFakeQuant(n))
        this.#lowered.set(
          n,
          lowerNode(this.e, n, (value) => this.#shapes.get(value)?.shape ?? null, form),
        );
      else this.e.nodes.push(n);
      emitted.push(this.e.nodes.slice(start));
      const from = isFakeQuant(n) && attrString(n, 'gradient', 'lsq') === 'ste' ? n.inputs.slice(0, 1) : n.inputs;
      if (!from.some((x) => this.#depends.has(x)) || (!isFakeQuant(n) && 'flat' in gradientOf(n))) continue;
      for (const y of n.outputs) if (y !== '' && this.#shapes.get(y)?.dtype !== 'int64') this.#depends.add(y);
    }
    const float = (value: string) => this.#shapes.get(value)?.dtype === 'float32';
    const shape = (value: string) => (this.#shapes.get(value)?.shape ?? []) as number[];
    const segments = planSegments(model.graph.nodes, (value) => 4 * product(shape(value)), recompute);
    const fixed = new Set([...model.graph.initializers.keys(), ...trainable]);
    const activation = (value: string) => !fixed.has(value) && float(value) && shape(value).length > 0;
    this.#again = segments && new Recomputation(this.e, model.graph.nodes, emitted, segments, activation);
  }

  dims(value: string): Dims {
    const info = this.#shapes.get(value);
    const shape = info?.shape;
    if (!shape?.every((d) => typeof d === 'number')) {
      const strange = this.model.graph.nodes.find((n) => opType(n) === null && !isFakeQuant(n));
      if (strange) throw noRule(strange, UNKNOWN_OPERATOR);
      throw new StudioError('bad-model', `The shape of "${value}" isn't known.`, 'Give the inputs fixed sizes.');
    }
    if (this.#depends.has(value) && info?.dtype !== 'float32')
      throw new StudioError(
        'unsupported',
        `"${value}" is ${info?.dtype}: only float32 values are trained.`,
        'Convert the model to float32.',
      );
    return shape as readonly number[];
  }

  add(value: string, gradient: string): void {
    const list = this.#parts.get(value);
    if (list) list.push(gradient);
    else this.#parts.set(value, [gradient]);
  }

  /** The sum of what came back to a value; null where nothing did. */
  total(value: string): string | null {
    const parts = this.#parts.get(value);
    if (!parts) return null;
    const sum = parts.reduce(this.e.add);
    this.#parts.set(value, [sum]);
    return sum;
  }

  #context(n: Node, gradients: readonly (string | null)[], names: ReadonlyMap<string, string>): GradientContext {
    const constant = (i: number) => {
      const t = this.model.graph.initializers.get(n.inputs[i] ?? '');
      return t ? toNumbers(t) : null;
    };
    return {
      node: n,
      e: this.e,
      g: gradients[0]!,
      gradient: (i) => gradients[i] ?? null,
      x: (i) => renamed(names, n.inputs[i]!),
      y: (i) => renamed(names, n.outputs[i]!),
      dims: (i) => this.dims(n.inputs[i]!),
      outDims: (i) => this.dims(n.outputs[i]!),
      wants: (i) => this.#depends.has(n.inputs[i] ?? ''),
      constant,
      fixed: (i) => {
        const values = constant(i);
        if (values) return values;
        throw noRule(n, `its input "${n.inputs[i]}" is computed while the network runs`);
      },
      has: (i) => (n.inputs[i] ?? '') !== '',
    };
  }

  #rule(n: Node): { node: Node; rule: GradientRule } {
    const fused = asSilu(n, this.#producer);
    if (fused) return { node: fused, rule: silu };
    const gradient = gradientOf(n);
    if ('rule' in gradient) return { node: n, rule: gradient.rule };
    throw noRule(n, 'missing' in gradient ? gradient.missing : 'its outputs do not follow its inputs');
  }

  /** Hands the gradients of a node's outputs on to its inputs. */
  visit(n: Node): void {
    if (!n.outputs.some((y) => this.#depends.has(y) && this.#parts.has(y))) return;
    this.e.scope = `${n.name}/grad`;
    const gradients = n.outputs.map((y) => this.total(y));
    const lowered = this.#lowered.get(n);
    const names = this.#again?.names(n, gradients.find((g) => g !== null)!) ?? NO_NAMES;
    const run = (): { inputs: readonly string[]; found: readonly (string | null)[] } => {
      if (lowered) {
        const dims = (i: number) => this.dims(n.inputs[i]!);
        const wants = (i: number) => this.#depends.has(n.inputs[i] ?? '');
        return {
          inputs: n.inputs,
          found: fakeQuantGradient(this.e, { ...lowered, node: renamedNode(names, n) }, gradients[0]!, dims, wants),
        };
      }
      if (n.op !== 'Split' && gradients.some((g, i) => i > 0 && g !== null)) throw noRule(n, 'a value besides its first is read');
      const { node, rule } = this.#rule(n);
      return { inputs: node.inputs, found: rule(this.#context(node, gradients, names)) };
    };
    const { inputs, found } = run();
    found.forEach((gradient, i) => {
      const x = inputs[i] ?? '';
      if (gradient !== null && this.#depends.has(x)) this.add(x, gradient);
    });
  }
}

/**
 * A graph that computes `loss` and its gradients by `trainable`, by a rule per operator (reverse-mode differentiation).
 * All shapes must be static once open batch sizes are set to 1. FakeQuant nodes are lowered; layers that no trainable
 * can change get no gradient nodes. Each layer's gradient nodes follow one another from the last layer to the first, so
 * that activations are freed on the way.
 * @throws StudioError 'bad-option' for a loss or trainable that isn't there, or on which the loss doesn't depend
 * @throws StudioError 'unsupported' naming a layer without a gradient rule between a trainable and the loss
 */
export function buildTrainingGraph(model: Model, options: TrainingGraphOptions): TrainingGraph {
  const { loss } = options;
  const trainable = [...new Set(options.trainable)];
  const { target = 'node', fakeQuant = target === 'webgpu' ? 'arithmetic' : 'pairs', recompute = 'none' } = options;
  if (typeof recompute === 'number' && !(Number.isInteger(recompute) && recompute > 0))
    throw bad(`${recompute} is not a number of segments: it must be a whole number from 1.`);
  const prepared = prepare(model, { ...options, trainable });
  const shapes = inferShapes(asIdentity(prepared));
  const known = (value: string): Dims => (shapes.get(value)?.shape ?? []) as Dims;
  const plain = target === 'webgpu' ? lowerBatchNorms(prepared, known) : prepared;
  const changing = new Set(trainable);
  for (const n of plain.graph.nodes) if (n.inputs.some((x) => changing.has(x))) for (const y of n.outputs) changing.add(y);
  const ready = lowerMaxPools(plain, known, (n) => changing.has(n.inputs[0]!));

  const back = new Backward(ready, trainable, fakeQuant, target, recompute);
  const { e } = back;
  const dims = back.dims(loss);
  if (dims.some((d) => d !== 1)) throw bad(`The loss "${loss}" has the shape [${dims.join(', ')}]: it must be a single value.`);
  back.add(loss, e.floats(dims, [1]));
  for (const n of [...ready.graph.nodes].reverse()) back.visit(n);

  const gradients = new Map<string, string>();
  const totals = new Map<string, string>();
  const outputs = ready.graph.outputs.map(({ name }) => back.dims(name) && valueInfo(name, shapes.get(name)!.dtype, back.dims(name)));
  const values = outputs.map(({ name }) => name);
  for (const name of trainable) {
    e.scope = name;
    const total = back.total(name);
    if (total === null) throw bad(`The loss "${loss}" does not depend on "${name}".`);
    const output = e.fresh(`${name}_grad`);
    gradients.set(name, output);
    totals.set(output, total);
    outputs.push(valueInfo(output, 'float32', back.dims(name)));
  }
  const nodes = listOutputsLast(e.nodes, totals, values);
  const initializers = new Map([...ready.graph.initializers, ...e.constants]);
  return { model: removeDead(withGraph(ready, { nodes, outputs, initializers })), gradients };
}
