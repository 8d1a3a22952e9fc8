/**
 * Distillation as ONNX graphs: the teacher's network gets targets as its outputs, the student's gets these targets as
 * inputs and one loss as its output. With T the teacher and S the student, over all cells and the batch:
 *
 *   L = [ Σ CE(gate_S, gate_T) + Σ gate_T · CE(classes_S, classes_T) + Σ conf · box ] / Σ gate_T
 *
 * CE(S, T) counts from the teacher's own entropy, so L = 0 where both agree; conf = gate_T · max class_T; box = |Δxy| / wh_T
 * + |Δ log wh| for raw YOLOX boxes (../shared/lab.md §8), else (Δ / unit)². Without a gate, classes count 1 each and
 * Σ conf divides. Networks without scores: squared error of every output over its variance.
 */
import type { DetectorSpec } from '../../models';
import { StudioError } from '../../numerics';
import { type Dim, inferShapes, type Model, removeDead, valueInfo, withGraph } from '../../onnx';
import { type Head, type Part, planHeads } from './heads';
import { GraphWriter } from './writer';

/** Values compared beside the outputs: Σ over tensors of the mean over channels and pixels of (S − T)² / variance_T. */
export interface FeatureLoss {
  readonly strength: number;
  readonly tensors: readonly { readonly value: string /** Per channel (axis 1), > 0. */; readonly variance: ArrayLike<number> }[];
}

export interface DistillationOptions {
  readonly features?: FeatureLoss | null;
  /** Usual variance of outputs without known scores; absent: that of the batch, which is noisy where most images are empty. */
  readonly variances?: ReadonlyMap<string, number>;
}

export interface Distillation {
  /** Outputs of the teacher's network and inputs of the student's, with the same names. */
  readonly targets: readonly string[];
  /** Values of the float network that the loss reads in either network. */
  readonly values: readonly string[];
  /** The network cut to what the loss needs; outputs = `targets`. */
  teacher(model: Model): Model;
  /**
   * The student with the loss.
   * @param model has the teacher's value names
   */
  student(model: Model): { readonly model: Model; readonly loss: string };
}

/** Target: how much there is to see on this batch, Σ gate_T or Σ conf, at least 1. What batches are weighted by. */
export const MASS = 'target/mass';

/** Probabilities are kept this far from 0 and 1 before their logarithm. */
const MARGIN = 1e-6;

function read(w: GraphWriter, { value, axis, from, to }: Part): string {
  return to === null ? value : w.slice(value, axis, from, to);
}

/** log(1 + eˣ) = max(x, 0) − log σ(|x|): safe for any x, and 20 times as fast as ONNX Runtime's own Softplus (measured). */
function softplus(w: GraphWriter, x: string): string {
  return w.add('Sub', [w.add('Relu', [x]), w.add('Log', [w.add('Sigmoid', [w.add('Abs', [x])])])]);
}

/** Σ weight · CE, given `probability` = weight · target probability; `weight` null = 1. */
function crossEntropy(w: GraphWriter, scores: string, logits: boolean, probability: string, weight: string | null): string {
  const times = (value: string, factor: string | null) => (factor === null ? value : w.add('Mul', [value, factor]));
  if (logits) return w.sum(w.add('Sub', [times(softplus(w, scores), weight), w.add('Mul', [scores, probability])]));
  const one = w.scalar(1);
  const clipped = w.add('Clip', [scores, w.scalar(MARGIN), w.scalar(1 - MARGIN)]);
  const hit = w.add('Mul', [w.add('Log', [clipped]), probability]);
  const rest = w.add('Sub', [weight ?? one, probability]);
  const miss = w.add('Mul', [w.add('Log', [w.add('Sub', [one, clipped])]), rest]);
  return w.add('Neg', [w.sum(w.add('Add', [hit, miss]))]);
}

interface Target {
  readonly name: string;
  readonly value: string;
}

/** Targets of one head, by role; the same list names the student's inputs. */
const headTarget = (head: number, role: 'gate' | 'classes' | 'boxes' | 'boxWeight' | 'entropy'): string => `target/${head}/${role}`;

function headTargets(w: GraphWriter, head: Head, h: number): { targets: Target[]; mass: string } {
  const squash = (value: string) => (head.logits ? w.add('Sigmoid', [value]) : value);
  const gateScores = head.gate && read(w, head.gate);
  const classScores = read(w, head.classes);
  const gate = gateScores === null ? null : squash(gateScores);
  const classes = squash(classScores);
  const present = head.present ? squash(read(w, head.present)) : classes;
  const best = w.max(present, head.classes.axis);
  const confidence = gate === null ? best : w.add('Mul', [gate, best]);
  const joint = gate === null ? classes : w.add('Mul', [classes, gate]);
  const boxes = read(w, head.boxes);
  const entropy = [crossEntropy(w, classScores, head.logits, joint, gate)];
  if (gate !== null) entropy.push(crossEntropy(w, gateScores!, head.logits, gate, null));
  const targets = [
    ...(gate === null ? [] : [{ name: headTarget(h, 'gate'), value: gate }]),
    { name: headTarget(h, 'classes'), value: joint },
    { name: headTarget(h, 'boxes'), value: boxes },
    { name: headTarget(h, 'boxWeight'), value: boxWeight(w, head, boxes, confidence) },
    { name: headTarget(h, 'entropy'), value: w.total(entropy) },
  ];
  return { targets, mass: w.sum(gate ?? confidence) };
}

function boxWeight(w: GraphWriter, head: Head, boxes: string, confidence: string): string {
  const { axis } = head.boxes;
  if (head.rawBoxes) {
    const sizes = w.slice(boxes, axis, 2, 4);
    const perSize = w.add('Mul', [w.add('Exp', [w.add('Neg', [sizes])]), confidence]);
    return w.add('Concat', [perSize, confidence, confidence], { axis });
  }
  if (head.boxUnit !== null) return w.add('Mul', [confidence, w.scalar(1 / head.boxUnit ** 2)]);
  return w.add('Div', [confidence, variance(w, boxes)]);
}

/** Variance over all entries, never 0. */
function variance(w: GraphWriter, value: string): string {
  const mean = w.add('ReduceMean', [value], { keepdims: 0 });
  const centred = w.add('Sub', [value, mean]);
  return w.add('Max', [w.add('ReduceMean', [w.add('Mul', [centred, centred])], { keepdims: 0 }), w.scalar(1e-12)]);
}

/** The loss terms of one head, before the division by the mass. */
function headLoss(w: GraphWriter, head: Head, h: number): string {
  const classes = crossEntropy(w, read(w, head.classes), head.logits, headTarget(h, 'classes'), head.gate ? headTarget(h, 'gate') : null);
  const terms = [classes];
  if (head.gate) terms.push(crossEntropy(w, read(w, head.gate), head.logits, headTarget(h, 'gate'), null));
  const difference = w.add('Sub', [read(w, head.boxes), headTarget(h, 'boxes')]);
  const error = head.rawBoxes ? w.add('Abs', [difference]) : w.add('Mul', [difference, difference]);
  terms.push(w.sum(w.add('Mul', [error, headTarget(h, 'boxWeight')])));
  return w.add('Sub', [w.total(terms), headTarget(h, 'entropy')]);
}

/** Float outputs, which a network without known scores is compared by. */
function plainOutputs(model: Model): readonly string[] {
  const made = new Set(model.graph.nodes.flatMap((n) => n.outputs));
  const shapes = inferShapes(model);
  return model.graph.outputs
    .filter(({ name, dtype }) => made.has(name) && (shapes.get(name)?.dtype ?? dtype) === 'float32')
    .map((o) => o.name);
}

const plainTarget = (i: number, role: 'values' | 'weight'): string => `target/output_${i}/${role}`;
const featureTarget = (i: number): string => `target/feature_${i}`;

/** Only nodes that `values` need, the rest of the outputs gone. */
function cut(model: Model, values: readonly string[]): Model {
  return removeDead(withGraph(model, { outputs: values.map((name) => valueInfo(name, 'float32', null)) }));
}

/**
 * Plans the loss of a network by what its outputs mean.
 * @param model the float network, names and shapes as both teacher and student have them
 * @throws StudioError 'unsupported' when it has no float output to compare
 */
export function planDistillation(
  model: Model,
  spec: DetectorSpec | null,
  { features = null, variances }: DistillationOptions = {},
): Distillation {
  const heads = planHeads(spec, model);
  const outputs = heads ? [] : plainOutputs(model);
  if (!heads && outputs.length === 0)
    throw new StudioError('unsupported', 'The network has no floating-point output that could be compared with the original.');
  const featureValues = features?.tensors.map(({ value }) => value) ?? [];
  const values = [...new Set([...(heads?.values ?? outputs), ...featureValues])];
  const shapes = new Map<string, readonly Dim[] | null>();

  const teacher = (source: Model): Model => {
    const w = new GraphWriter(cut(source, values), 'target');
    const targets: Target[] = featureValues.map((value, i) => ({ name: featureTarget(i), value }));
    const masses: string[] = [];
    for (const [h, head] of (heads?.heads(w) ?? []).entries()) {
      const found = headTargets(w, head, h);
      targets.push(...found.targets);
      masses.push(found.mass);
    }
    for (const [i, value] of outputs.entries()) {
      targets.push({ name: plainTarget(i, 'values'), value });
      const usual = variances?.get(value);
      const weight = usual ? w.scalar(1 / usual) : w.add('Reciprocal', [variance(w, value)]);
      targets.push({ name: plainTarget(i, 'weight'), value: weight });
    }
    targets.push({ name: MASS, value: masses.length > 0 ? w.add('Max', [w.total(masses), w.scalar(1)]) : w.scalar(1) });
    const named = targets.map(({ name, value }) => w.as(value, name));
    return w.done(named.map((name) => valueInfo(name, 'float32', null)));
  };

  const described = teacher(model);
  for (const [name, info] of inferShapes(described)) shapes.set(name, info.shape);
  const targets = described.graph.outputs.map(({ name }) => name);
  const unknown = targets.find((name) => !shapes.get(name)?.every((d) => typeof d === 'number'));
  if (unknown !== undefined)
    throw new StudioError(
      'unsupported',
      `The shape of "${unknown}" is not known, so nothing can be learned from it.`,
      'Fix the input size.',
    );

  const student = (source: Model): { model: Model; loss: string } => {
    const w = new GraphWriter(cut(source, values), 'loss');
    const batched = shapesOf(teacher(source));
    for (const name of targets) w.input(name, batched.get(name) ?? shapes.get(name)!);
    const terms: string[] = (heads?.heads(w) ?? []).map((head, h) => headLoss(w, head, h));
    for (const [i, value] of outputs.entries()) {
      const difference = w.add('Sub', [value, plainTarget(i, 'values')]);
      const mean = w.add('ReduceMean', [w.add('Mul', [difference, difference])], { keepdims: 0 });
      terms.push(w.add('Mul', [mean, plainTarget(i, 'weight')]));
    }
    const parts = terms.length > 0 ? [w.add('Div', [w.total(terms), MASS])] : [];
    for (const [i, feature] of (features?.tensors ?? []).entries()) parts.push(featureTerm(w, feature, i, features!.strength, batched));
    const loss = w.as(w.total(parts), 'loss');
    return { model: w.done([valueInfo(loss, 'float32', [])]), loss };
  };
  return { targets, values, teacher, student };
}

const shapesOf = (model: Model): ReadonlyMap<string, readonly Dim[] | null> =>
  new Map([...inferShapes(model)].map(([name, { shape }]) => [name, shape]));

function featureTerm(
  w: GraphWriter,
  { value, variance: channels }: FeatureLoss['tensors'][number],
  i: number,
  strength: number,
  shapes: ReadonlyMap<string, readonly Dim[] | null>,
): string {
  const dims = shapes.get(featureTarget(i)) as readonly number[];
  const elements = dims.reduce((a, b) => a * b, 1);
  const weights = Float32Array.from(channels, (v) => strength / (Math.max(v, 1e-12) * elements));
  const difference = w.add('Sub', [value, featureTarget(i)]);
  const weighted = w.add('Mul', [difference, w.floats('feature', [1, weights.length, ...dims.slice(2).map(() => 1)], weights)]);
  return w.sum(w.add('Mul', [weighted, difference]));
}
