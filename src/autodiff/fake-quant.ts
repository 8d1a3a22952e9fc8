/**
 * The studio's FakeQuant: what QuantizeLinear and DequantizeLinear do to a float value, with gradients for the value,
 * the scale and the zero point. A node of the domain 'bonsai' that exists only until its graph is lowered to plain ONNX.
 */

import { StudioError } from '../numerics';
import { attrInt, attrString, inferShapes, type Model, type Node, node, withGraph } from '../onnx';
import { Emitter, FLOAT } from './emitter';

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

/** A lowered FakeQuant and the intermediate values that its gradient reads. */
export interface LoweredFakeQuant {
  readonly node: Node;
  readonly nodes: readonly Node[];
  readonly rounded: string;
  readonly clipped: string;
  readonly scale: string;
}

/** Where `rank` is the rank of x: a per-channel parameter is spread along its axis. */
function lower(e: Emitter, n: Node, rank: number): LoweredFakeQuant {
  const start = e.nodes.length;
  e.scope = n.name;
  const [x, logScale, zeroPoint = ''] = n.inputs as readonly string[];
  const [qmin, qmax] = [attrInt(n, 'qmin', 0), attrInt(n, 'qmax', 255)];
  const axis = attrInt(n, 'axis');
  const spread = (v: string) => (axis === undefined ? v : e.reshape(v, spreadDims(axis, rank)));
  const scale = spread(e.emit('Exp', [logScale!]));
  const ends = [e.scalar(qmin), e.scalar(qmax)] as const;
  const zero = zeroPoint === '' ? null : spread(e.emit('Round', [e.emit('Clip', [zeroPoint, ...ends])]));
  const [low, high] = zero === null ? ends : [e.sub(ends[0], zero), e.sub(ends[1], zero)];
  const rounded = e.emit('Round', [e.div(x!, scale)]);
  const clipped =
    axis === undefined || zero === null ? e.emit('Clip', [rounded, low, high]) : e.emit('Min', [e.emit('Max', [rounded, low]), high]);
  const y = n.outputs[0]!;
  e.nodes.push(node('Mul', [clipped, scale], [y], {}, e.fresh(`${n.name}/Mul`)));
  return { node: n, nodes: e.nodes.slice(start), rounded, clipped, scale };
}

/** [1, −1, 1, 1] and the like. */
function spreadDims(axis: number, rank: number): number[] {
  const at = axis < 0 ? axis + rank : axis;
  return Array.from({ length: rank }, (_, i) => (i === at ? -1 : 1));
}

/** @throws StudioError 'bad-model' for a malformed node */
export function lowerNode(e: Emitter, n: Node, rank: number | null): LoweredFakeQuant {
  const [qmin, qmax] = [attrInt(n, 'qmin'), attrInt(n, 'qmax')];
  const gradient = attrString(n, 'gradient', 'lsq');
  if (n.inputs.length < 2 || qmin === undefined || qmax === undefined || !['lsq', 'pact', 'ste'].includes(gradient))
    throw new StudioError('bad-model', `${n.name} (FakeQuant) needs a value, a log scale, qmin, qmax and gradient lsq, pact or ste.`);
  if (rank === null && attrInt(n, 'axis') !== undefined)
    throw new StudioError('bad-model', `${n.name} (FakeQuant): the rank of "${n.inputs[0]}" must be known for a scale per channel.`);
  return lower(e, n, rank ?? 0);
}

/**
 * Gradients of (x, logScale, zeroPoint). In the notation of Bhalgat et al., "LSQ+" (2020), with everything expressed in
 * what is at hand: inside the range s·(r − t) = y − x, outside s·(bound − z) = y; so
 * dx = in·g; dL/dlog s = Σ g·y − Σ dx·x (PACT, Choi et al. 2018, learns from what is clipped only: Σ (g − dx)·y);
 * dL/dz = −s·Σ (g − dx).
 */
export function fakeQuantGradient(
  e: Emitter,
  { node: n, rounded, clipped, scale }: LoweredFakeQuant,
  g: string,
  dims: readonly number[],
  wants: (input: number) => boolean,
): (string | null)[] {
  const [x] = n.inputs as readonly [string];
  const y = n.outputs[0]!;
  const gradient = attrString(n, 'gradient', 'lsq');
  const dx = e.mul(g, e.emit('Cast', [e.emit('Equal', [rounded, clipped])], { to: FLOAT }));
  if (gradient === 'ste') return [dx, null, null];
  const axis = attrInt(n, 'axis');
  const channel = axis === undefined ? -1 : axis < 0 ? axis + dims.length : axis;
  const axes = dims.flatMap((_, i) => (i === channel ? [] : [i]));
  const sum = (v: string) => e.reduceSum(v, axes, false);
  const lost = () => e.sub(g, dx);
  const logScale = () => (gradient === 'pact' ? sum(e.mul(lost(), y)) : sum(e.sub(e.mul(g, y), e.mul(dx, x))));
  const zeroPoint = () => {
    const total = sum(lost());
    const flat = axis === undefined ? scale : e.reshape(scale, [-1]);
    return e.neg(e.mul(total, flat));
  };
  return [dx, wants(1) ? logScale() : null, n.inputs.length > 2 && wants(2) ? zeroPoint() : null];
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
export function lowerFakeQuant(model: Model): Model {
  const { graph } = model;
  if (!graph.nodes.some(isFakeQuant)) return model;
  const shapes = inferShapes(asIdentity(model));
  const e = new Emitter(graph, model.opsets['']!);
  for (const n of graph.nodes) {
    if (isFakeQuant(n)) lowerNode(e, n, shapes.get(n.inputs[0] ?? '')?.shape?.length ?? null);
    else e.nodes.push(n);
  }
  return withGraph(model, { nodes: e.nodes, initializers: new Map([...graph.initializers, ...e.constants]) });
}
