/**
 * The studio's FakeQuant: what QuantizeLinear and DequantizeLinear do to a float value, with gradients for the value,
 * the scale and the zero point. A node of the domain 'bonsai' that exists only until its graph is lowered to plain ONNX.
 */

import { REPORT_IT, StudioError } from '../numerics';
import { attrInt, attrString, type Dim, inferShapes, type Model, type Node, node, withGraph } from '../onnx';
import { Emitter } from './emitter';

export const BONSAI_DOMAIN = 'bonsai';

/** How gradients pass: learned scale (LSQ), learned clip only (PACT), or the value's alone (straight-through). */
export type FakeQuantGradient = 'lsq' | 'pact' | 'ste';

export interface FakeQuantOptions {
  readonly qmin: number;
  readonly qmax: number;
  readonly gradient: FakeQuantGradient;
  /** Channel axis of one-dimensional scales and zero points; absent: both are scalars. */
  readonly axis?: number;
}

/**
 * A FakeQuant node: y = (clip(round(x/s) + z, qmin, qmax) − z)·s with s = exp(logScale) and z = round(clip(zeroPoint,
 * qmin, qmax)), rounding halves to even.
 * @param zeroPoint float value; '' = 0
 */
export function fakeQuantNode(
  x: string,
  logScale: string,
  zeroPoint: string,
  y: string,
  options: FakeQuantOptions,
  name: string = y,
): Node {
  const { qmin, qmax, gradient, axis } = options;
  const attributes = { qmin, qmax, gradient, ...(axis === undefined ? {} : { axis }) };
  return {
    ...node('FakeQuant', zeroPoint === '' ? [x, logScale] : [x, logScale, zeroPoint], [y], attributes, name),
    domain: BONSAI_DOMAIN,
  };
}

export const isFakeQuant = (n: Node): boolean => n.domain === BONSAI_DOMAIN && n.op === 'FakeQuant';

/**
 * The ONNX operators that a FakeQuant becomes: QuantizeLinear and DequantizeLinear, or Div, Round, Clip and Mul. Equal to
 * the bit; on the CPU backends pairs take a third of the time, on WebGPU they fall to the CPU.
 */
export type FakeQuantForm = 'pairs' | 'arithmetic';

/** A FakeQuant written in ONNX, and what its gradient reads. */
export interface LoweredFakeQuant {
  readonly node: Node;
  /** s, spread over the axes of x where there is one for each channel. */
  readonly scale: string;
  /** Least and largest value that y can have: (qmin − z)·s and (qmax − z)·s. */
  ends(): readonly [string, string];
}

const TYPES = { '0,255': 'uint8', '-128,127': 'int8' } as const;

/** Shapes of (x, logScale, zeroPoint), as far as known. */
export type ShapeOf = (value: string) => readonly Dim[] | null;

/** [1, −1, 1, 1] and the like. */
function spreadDims(axis: number, rank: number): number[] {
  const at = axis < 0 ? axis + rank : axis;
  return Array.from({ length: rank }, (_, i) => (i === at ? -1 : 1));
}

/**
 * Appends the node's forward operators.
 * @throws StudioError 'bad-model' for a malformed node
 */
export function lowerNode(e: Emitter, n: Node, shapeOf: ShapeOf, form: FakeQuantForm): LoweredFakeQuant {
  const [x = '', logScale = '', zeroPoint = ''] = n.inputs;
  const [qmin, qmax, axis] = [attrInt(n, 'qmin'), attrInt(n, 'qmax'), attrInt(n, 'axis')];
  const gradient = attrString(n, 'gradient', 'lsq');
  if (logScale === '' || qmin === undefined || qmax === undefined || !['lsq', 'pact', 'ste'].includes(gradient))
    throw new StudioError(
      'bad-model',
      `${n.name} (FakeQuant) needs a value, a log scale, qmin, qmax and gradient lsq, pact or ste.`,
      REPORT_IT,
    );
  const rank = shapeOf(x)?.length;
  if (rank === undefined && axis !== undefined)
    throw new StudioError(
      'bad-model',
      `${n.name} (FakeQuant): the rank of "${x}" must be known for a scale per channel.`,
      'Give the inputs fixed sizes.',
    );
  e.scope = n.name;
  const spread = (v: string, given: string) => {
    if (axis !== undefined) return e.reshape(v, spreadDims(axis, rank!));
    return shapeOf(given)?.length === 0 ? v : e.reshape(v, []);
  };
  const scale = spread(e.emit('Exp', [logScale]), logScale);
  const y = n.outputs[0]!;
  const type = TYPES[`${qmin},${qmax}` as keyof typeof TYPES];
  if (form === 'pairs' && axis === undefined && type) {
    const none = e.integer(type, 0);
    const zero = zeroPoint === '' ? none : e.emit('QuantizeLinear', [spread(zeroPoint, zeroPoint), e.scalar(1), none]);
    const code = e.emit('QuantizeLinear', [x, scale, zero]);
    e.nodes.push(node('DequantizeLinear', [code, scale, zero], [y], {}, e.fresh(`${n.name}/DequantizeLinear`)));
    const end = (q: number) => e.emit('DequantizeLinear', [e.integer(type, q), scale, zero]);
    return { node: n, scale, ends: () => [end(qmin), end(qmax)] };
  }
  const range = [e.scalar(qmin), e.scalar(qmax)] as const;
  const zero = zeroPoint === '' ? null : spread(e.emit('Round', [e.emit('Clip', [zeroPoint, ...range])]), zeroPoint);
  const [low, high] = zero === null ? range : [e.sub(range[0], zero), e.sub(range[1], zero)];
  const clipped = clamp(e, e.emit('Round', [e.div(x, scale)]), low, high, axis === undefined || zero === null);
  e.nodes.push(node('Mul', [clipped, scale], [y], {}, e.fresh(`${n.name}/Mul`)));
  return { node: n, scale, ends: () => [e.mul(low, scale), e.mul(high, scale)] };
}

/** Clip takes scalar bounds only. */
function clamp(e: Emitter, x: string, low: string, high: string, scalars: boolean): string {
  return scalars ? e.emit('Clip', [x, low, high]) : e.emit('Min', [e.emit('Max', [x, low]), high]);
}

/**
 * Gradients of (x, logScale, zeroPoint). In the notation of Bhalgat et al., "LSQ+" (2020), with everything expressed in
 * what is at hand: inside the range s·(r − t) = y − x, outside s·(bound − z) = y; so with dx = in·g,
 * dL/dlog s = Σ g·y − Σ dx·x (PACT, Choi et al. 2018, learns from what is clipped only: Σ g·y − Σ dx·y) and
 * dL/dz = s·(Σ dx − Σ g).
 */
export function fakeQuantGradient(
  e: Emitter,
  { node: n, scale, ends }: LoweredFakeQuant,
  g: string,
  dims: (input: number) => readonly number[],
  wants: (input: number) => boolean,
): (string | null)[] {
  const x = n.inputs[0]!;
  const y = n.outputs[0]!;
  const gradient = attrString(n, 'gradient', 'lsq');
  const axis = attrInt(n, 'axis');
  const half = e.times(scale, 0.5);
  const [least, most] = ends();
  const within = clamp(e, x, e.sub(least, half), e.add(most, half), axis === undefined);
  const dx = e.mul(g, e.indicator('Equal', within, x));
  if (gradient === 'ste') return [dx, null, null];
  const rank = dims(0).length;
  const axes = dims(0).flatMap((_, i) => (axis !== undefined && i === (axis < 0 ? axis + rank : axis) ? [] : [i]));
  const sum = (v: string) => (axis === undefined ? e.sumAll(v, dims(0)) : e.reduceSum(v, axes, false));
  const shaped = (v: string, input: number) => (axis === undefined && dims(input).length > 0 ? e.reshape(v, dims(input)) : v);
  const flat = () => (axis === undefined ? scale : e.reshape(scale, [-1]));
  const toScale = () => e.sub(sum(e.mul(g, y)), sum(e.mul(dx, gradient === 'pact' ? y : x)));
  const toZero = () => e.mul(e.sub(sum(dx), sum(g)), flat());
  return [dx, wants(1) ? shaped(toScale(), 1) : null, n.inputs.length > 2 && wants(2) ? shaped(toZero(), 2) : null];
}

/** FakeQuant nodes as Identity: same types and shapes, which inference knows. */
export function asIdentity(model: Model): Model {
  const nodes = model.graph.nodes.map((n) => (isFakeQuant(n) ? node('Identity', [n.inputs[0]!], n.outputs, {}, n.name) : n));
  return withGraph(model, { nodes });
}

/**
 * The model with every FakeQuant written as ONNX operators, for running it forward only. Values keep their names.
 * @throws StudioError 'bad-model' for a malformed node
 */
export function lowerFakeQuant(model: Model, form: FakeQuantForm = 'pairs'): Model {
  const { graph } = model;
  if (!graph.nodes.some(isFakeQuant)) return model;
  const shapes = inferShapes(asIdentity(model));
  const e = new Emitter(graph, model.opsets['']!);
  for (const n of graph.nodes) {
    if (isFakeQuant(n)) lowerNode(e, n, (value) => shapes.get(value)?.shape ?? null, form);
    else e.nodes.push(n);
  }
  return withGraph(model, { nodes: e.nodes, initializers: new Map([...graph.initializers, ...e.constants]) });
}
