/**
 * Distillation as ONNX graphs: the teacher's network gets targets as its outputs, the student's gets these targets as
 * inputs and one loss as its output. With T the teacher and S the student, over all cells and the batch:
 *
 *   classification = [ Σ CE(gate_S, gate_T) + Σ gate_T · CE(classes_S, classes_T) ] / Σ gate_T
 *   kl             = Σ gate_T · τ² · mean over classes of KL(class_T at τ, class_S at τ) / Σ gate_T   (Hinton et al. 2015)
 *   localization   = Σ conf · box / Σ gate_T
 *   features       = Σ over values of the mean of (S − T)² / variance_T
 *
 * CE(S, T) counts from the teacher's own entropy, so all are 0 where both agree; conf = gate_T · max class_T; box = |Δxy| / wh_T
 * + |Δ log wh| for raw YOLOX boxes (../shared/lab.md §8), else (Δ / unit)². Without a gate, classes count 1 each and
 * Σ conf divides. Networks without scores: squared error of every output over its variance, as classification.
 */
import type { DetectorSpec } from '../../models';
import { StudioError } from '../../numerics';
import { type Dim, inferShapes, type Model, valueInfo, withGraph } from '../../onnx';
import type { Variable } from '../optimizers';
import { type FeatureLoss, featureTarget, featureTerm, featureValue, projectionOf, projectionTensor } from './features';
import { type Head, plainOutputs, planHeads, readPart } from './heads';
import { crossEntropy, tempered } from './scores';
import { cutTo, GraphWriter } from './writer';

export type LossPart = 'classification' | 'kl' | 'features' | 'localization';

export interface LossWeights {
  readonly classification: number;
  readonly kl: number;
  readonly localization: number;
  /** Of the kl part. */
  readonly temperature: number;
}

/** As ../shared/lab.md §8: outputs at temperature 1 only. */
export const PLAIN_WEIGHTS: LossWeights = { classification: 1, kl: 0, localization: 1, temperature: 3 };

export interface DistillationOptions {
  readonly weights?: LossWeights;
  readonly features?: FeatureLoss | null;
  /** Usual variance of outputs without known scores; absent: that of the batch, which is noisy where most images are empty. */
  readonly variances?: ReadonlyMap<string, number>;
  /** A student of another structure than the teacher's; absent: its values have the teacher's names. */
  readonly student?: { readonly model: Model; readonly spec: DetectorSpec | null };
}

export interface Distillation {
  /** Outputs of the teacher's network and inputs of the student's, with the same names. */
  readonly targets: readonly string[];
  /** Values of the student's float network that the loss reads. */
  readonly values: readonly string[];
  /** 1×1 projections of features; they are trained too. */
  readonly projections: readonly Variable[];
  /** Why the heads are not compared; null where they are. */
  readonly headless: string | null;
  /** The network cut to what the loss needs; outputs = `targets`. */
  teacher(model: Model): Model;
  /**
   * The student with the loss.
   * @returns the loss and its weighted parts, all values of one element
   */
  student(model: Model): { readonly model: Model; readonly loss: string; readonly parts: Readonly<Partial<Record<LossPart, string>>> };
}

/** Target: how much there is to see on this batch, Σ gate_T or Σ conf, at least 1. What batches are weighted by. */
export const MASS = 'target/mass';

interface Target {
  readonly name: string;
  readonly value: string;
}

/** Targets of one head, by role; the same list names the student's inputs. */
const headTarget = (head: number, role: 'gate' | 'classes' | 'tempered' | 'boxes' | 'boxWeight' | 'entropy' | 'temperedEntropy'): string =>
  `target/${head}/${role}`;

function headTargets(w: GraphWriter, head: Head, h: number, weights: LossWeights): { targets: Target[]; mass: string } {
  const squash = (value: string) => (head.logits ? w.add('Sigmoid', [value]) : value);
  const gateScores = head.gate && readPart(w, head.gate);
  const classScores = readPart(w, head.classes);
  const gate = gateScores === null ? null : squash(gateScores);
  const classes = squash(classScores);
  const present = head.present ? squash(readPart(w, head.present)) : classes;
  const best = w.max(present, head.classes.axis);
  const confidence = gate === null ? best : w.add('Mul', [gate, best]);
  const joint = gate === null ? classes : w.add('Mul', [classes, gate]);
  const boxes = readPart(w, head.boxes);
  const entropy = [crossEntropy(w, classScores, head.logits, joint, gate)];
  if (gate !== null) entropy.push(crossEntropy(w, gateScores!, head.logits, gate, null));
  const targets = [
    ...(gate === null ? [] : [{ name: headTarget(h, 'gate'), value: gate }]),
    { name: headTarget(h, 'classes'), value: joint },
    { name: headTarget(h, 'boxes'), value: boxes },
    { name: headTarget(h, 'boxWeight'), value: boxWeight(w, head, boxes, confidence) },
    { name: headTarget(h, 'entropy'), value: w.total(entropy) },
    ...(weights.kl > 0 ? temperedTargets(w, head, h, classScores, gate, weights.temperature) : []),
  ];
  return { targets, mass: w.sum(gate ?? confidence) };
}

function temperedTargets(w: GraphWriter, head: Head, h: number, scores: string, gate: string | null, temperature: number): Target[] {
  const logits = tempered(w, scores, head.logits, temperature);
  const soft = w.add('Sigmoid', [logits]);
  const joint = gate === null ? soft : w.add('Mul', [soft, gate]);
  return [
    { name: headTarget(h, 'tempered'), value: joint },
    { name: headTarget(h, 'temperedEntropy'), value: crossEntropy(w, logits, true, joint, gate) },
  ];
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

type Terms = Partial<Record<LossPart, string[]>>;

/** The loss terms of one head by part, before the division by the mass. */
function headLoss(w: GraphWriter, head: Head, h: number, weights: LossWeights, classes: number, terms: Terms): void {
  const put = (part: LossPart, value: string) => {
    terms[part] = [...(terms[part] ?? []), value];
  };
  const gate = head.gate ? headTarget(h, 'gate') : null;
  const scores = readPart(w, head.classes);
  if (weights.classification > 0) {
    const entropies = [crossEntropy(w, scores, head.logits, headTarget(h, 'classes'), gate)];
    if (head.gate) entropies.push(crossEntropy(w, readPart(w, head.gate), head.logits, headTarget(h, 'gate'), null));
    put('classification', w.add('Sub', [w.total(entropies), headTarget(h, 'entropy')]));
  }
  if (weights.kl > 0) {
    const { temperature } = weights;
    const soft = crossEntropy(w, tempered(w, scores, head.logits, temperature), true, headTarget(h, 'tempered'), gate);
    const divergence = w.add('Sub', [soft, headTarget(h, 'temperedEntropy')]);
    put('kl', w.add('Mul', [divergence, w.scalar(temperature ** 2 / classes)]));
  }
  if (weights.localization > 0) {
    const difference = w.add('Sub', [readPart(w, head.boxes), headTarget(h, 'boxes')]);
    const error = head.rawBoxes ? w.add('Abs', [difference]) : w.add('Mul', [difference, difference]);
    put('localization', w.sum(w.add('Mul', [error, headTarget(h, 'boxWeight')])));
  }
}

const plainTarget = (i: number, role: 'values' | 'weight'): string => `target/output_${i}/${role}`;

const shapesOf = (model: Model): ReadonlyMap<string, readonly Dim[] | null> =>
  new Map([...inferShapes(model)].map(([name, { shape }]) => [name, shape]));

const sameSpec = (a: DetectorSpec, b: DetectorSpec): boolean =>
  a.family === b.family && a.variant === b.variant && a.outputs.length === b.outputs.length && a.sigmoidApplied === b.sigmoidApplied;

/** Why the outputs of two networks can't be compared cell by cell; null = they can. */
export function headMismatch(teacher: DetectorSpec | null, student: DetectorSpec | null): string | null {
  if (!teacher || !student) return "one network's outputs are not known to be a detector's";
  if (teacher.numClasses !== student.numClasses)
    return `the teacher knows ${teacher.numClasses} classes, the student ${student.numClasses}`;
  if (!sameSpec(teacher, student))
    return `the teacher's head (${teacher.family}) is of another kind than the student's (${student.family})`;
  const grid = ({ levels }: DetectorSpec) => levels.map(({ stride, rows, cols }) => `${cols}×${rows} at stride ${stride}`).join(', ');
  if (grid(teacher) !== grid(student)) return `the teacher looks at ${grid(teacher)}, the student at ${grid(student)}`;
  return null;
}

/**
 * Plans the loss of a network by what its outputs mean. Where a student of another structure has another kind of head, only
 * features are compared.
 * @param model the teacher's float network; its shapes must be known
 * @throws StudioError 'unsupported' when there is nothing that can be compared
 */
export function planDistillation(
  model: Model,
  spec: DetectorSpec | null,
  { weights = PLAIN_WEIGHTS, features = null, variances, student: other }: DistillationOptions = {},
): Distillation {
  const headless = other ? headMismatch(spec, other.spec) : null;
  const heads = headless === null ? planHeads(spec, model) : null;
  const ownHeads = other && headless === null ? planHeads(other.spec, other.model) : heads;
  const outputs = heads || other ? [] : plainOutputs(model);
  const pairs = features && features.strength > 0 ? features.tensors : [];
  if (!heads && outputs.length === 0 && pairs.length === 0)
    throw new StudioError(
      'unsupported',
      'The network has no floating-point output that could be compared with the original.',
      'Export it with raw heads.',
    );
  const watched = [...new Set([...(heads?.values ?? outputs), ...pairs.map(({ value, teacher = value }) => teacher)])];
  const values = [...new Set([...(ownHeads?.values ?? outputs), ...pairs.map(({ value }) => value)])];

  const teacher = (source: Model): Model => {
    const w = new GraphWriter(cutTo(source, watched), 'target');
    const targets: Target[] = pairs.map((pair, i) => ({ name: featureTarget(i), value: featureValue(w, pair) }));
    const masses: string[] = [];
    for (const [h, head] of (heads?.heads(w) ?? []).entries()) {
      const found = headTargets(w, head, h, weights);
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
  const shapes = shapesOf(described);
  const targets = described.graph.outputs.map(({ name }) => name);
  const unknown = targets.find((name) => !shapes.get(name)?.every((d) => typeof d === 'number'));
  if (unknown !== undefined)
    throw new StudioError(
      'unsupported',
      `The shape of "${unknown}" is not known, so nothing can be learned from it.`,
      'Fix the input size.',
    );

  const own = pairs.length > 0 ? shapesOf(other?.model ?? model) : shapes;
  const width = (known: ReadonlyMap<string, readonly Dim[] | null>, name: string) => known.get(name)?.[1] as number | undefined;
  const projected = new Map<number, Variable>();
  if (other)
    for (const [i, { value, keep }] of pairs.entries()) {
      const [from, to] = [width(own, value), width(shapes, featureTarget(i))];
      if (!keep && from !== undefined && to !== undefined && from !== to) projected.set(i, projectionOf(i, from, to));
    }

  const student: Distillation['student'] = (source) => {
    const trimmed = cutTo(source, values);
    const initializers = new Map(trimmed.graph.initializers);
    for (const projection of projected.values()) initializers.set(projection.name, projectionTensor(projection));
    const w = new GraphWriter(withGraph(trimmed, { initializers }), 'loss');
    const batched = other ? shapes : shapesOf(teacher(source));
    for (const name of targets) w.input(name, batched.get(name) ?? shapes.get(name)!);
    const terms: Terms = {};
    for (const [h, head] of (ownHeads?.heads(w) ?? []).entries()) headLoss(w, head, h, weights, spec?.numClasses ?? 1, terms);
    for (const [i, value] of outputs.entries()) {
      const difference = w.add('Sub', [value, plainTarget(i, 'values')]);
      const mean = w.add('ReduceMean', [w.add('Mul', [difference, difference])], { keepdims: 0 });
      terms.classification = [...(terms.classification ?? []), w.add('Mul', [mean, plainTarget(i, 'weight')])];
    }
    const parts: Partial<Record<LossPart, string>> = {};
    const part = (name: LossPart, sum: string, factor: number) => {
      const value = factor === 1 ? sum : w.add('Mul', [sum, w.scalar(factor)]);
      parts[name] = w.as(value, `loss/${name}`);
    };
    for (const name of ['classification', 'kl', 'localization'] as const) {
      const list = terms[name];
      if (list) part(name, w.add('Div', [w.total(list), MASS]), weights[name]);
    }
    if (pairs.length > 0) {
      const each = pairs.map((pair, i) => featureTerm(w, pair, i, batched.get(featureTarget(i)) ?? [], projected.get(i)));
      part('features', w.total(each), features!.strength);
    }
    const loss = w.as(w.total(Object.values(parts)), 'loss');
    return { model: w.done([valueInfo(loss, 'float32', [])]), loss, parts };
  };
  return { targets, values, projections: [...projected.values()], headless, teacher, student };
}
