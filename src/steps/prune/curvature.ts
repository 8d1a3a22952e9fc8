/**
 * Square roots of the curvature of the distillation loss by a network's outputs. With f the outputs in these units and v drawn
 * from N(0, 1), (∂(v·f)/∂x)² is on average the Gauss-Newton curvature by x, so random directions measure what a change
 * inside the network does to the detections (../shared/lab.md §6).
 */
import type { DetectorSpec } from '../../models';
import type { Random } from '../../numerics';
import { inferShapes, type Model, valueInfo } from '../../onnx';
import type { RunTensor, Tensors } from '../../runtime';
import { cutTo, GraphWriter, type Head, type Part, plainOutputs, planHeads, readPart } from '../../training';

export interface Curvature {
  /** Outputs of `scales` and inputs of `projected`. */
  readonly names: readonly string[];
  /** From the network's input to the scale of every compared output. */
  readonly scales: Model;
  /** A network with the same values inside, and Σ direction · output as the value `loss`. */
  projected(model: Model): { readonly model: Model; readonly loss: string };
}

/** Probabilities are kept this far from 0 and 1 where the graph gives them instead of logits. */
const MARGIN = 1e-4;

function ones(w: GraphWriter, value: string): string {
  return w.add('Expand', [w.scalar(1), w.add('Shape', [value])]);
}

interface Sensed {
  readonly part: Part;
  /** √ curvature, of the part's shape. */
  scale(w: GraphWriter): string;
}

/** √(p · (1 − p)) on logits, its inverse on probabilities. */
function bernoulli(w: GraphWriter, p: string, logits: boolean): string {
  const spread = w.add('Sqrt', [w.add('Mul', [p, w.add('Sub', [w.scalar(1), p])])]);
  return logits ? spread : w.add('Reciprocal', [spread]);
}

function probability(w: GraphWriter, part: Part, logits: boolean): string {
  const value = readPart(w, part);
  return logits ? w.add('Sigmoid', [value]) : w.add('Clip', [value, w.scalar(MARGIN), w.scalar(1 - MARGIN)]);
}

function boxScale(w: GraphWriter, { boxes, rawBoxes, boxUnit }: Head, confidence: string): string {
  const root = w.add('Sqrt', [confidence]);
  const values = readPart(w, boxes);
  const one = ones(w, values);
  if (rawBoxes) {
    const perSize = w.add('Exp', [w.add('Neg', [w.slice(values, boxes.axis, 2, 4)])]);
    return w.add('Mul', [w.add('Concat', [perSize, w.slice(one, boxes.axis, 2, 4)], { axis: boxes.axis }), root]);
  }
  const centred = w.add('Sub', [values, w.add('ReduceMean', [values], { keepdims: 0 })]);
  const deviation = () => w.add('Sqrt', [w.add('ReduceMean', [w.add('Mul', [centred, centred])], { keepdims: 0 })]);
  return w.add('Mul', [one, w.add('Div', [root, boxUnit === null ? deviation() : w.scalar(boxUnit)])]);
}

function sensedParts(head: Head): Sensed[] {
  const { gate, classes, present, boxes, logits } = head;
  const gateOf = (w: GraphWriter) => (gate ? probability(w, gate, logits) : null);
  const confidence = (w: GraphWriter): string => {
    const best = w.max(probability(w, present ?? classes, logits), classes.axis);
    const open = gateOf(w);
    return open === null ? best : w.add('Mul', [best, open]);
  };
  return [
    ...(gate ? [{ part: gate, scale: (w: GraphWriter) => bernoulli(w, gateOf(w)!, logits) }] : []),
    {
      part: classes,
      scale: (w) => {
        const own = bernoulli(w, probability(w, classes, logits), logits);
        const open = gateOf(w);
        return open === null ? own : w.add('Mul', [own, w.add('Sqrt', [open])]);
      },
    },
    { part: boxes, scale: (w) => boxScale(w, head, confidence(w)) },
  ];
}

/** @param model opset 13 or later, all sizes fixed */
export function planCurvature(model: Model, spec: DetectorSpec | null): Curvature {
  const plan = planHeads(spec, model);
  const plain = plan ? [] : plainOutputs(model);
  const values = plan?.values ?? plain;
  const sensed = (w: GraphWriter): Sensed[] =>
    plan
      ? plan.heads(w).flatMap(sensedParts)
      : plain.map((value) => ({
          part: { value, axis: 0, from: 0, to: null },
          scale: (writer) => unitScale(writer, value),
        }));
  const writer = new GraphWriter(cutTo(model, values), 'curvature');
  const scales = sensed(writer).map(({ scale }, i) => writer.as(scale(writer), `direction/${i}`));
  const scaled = writer.done(scales.map((name) => valueInfo(name, 'float32', null)));
  const known = inferShapes(scaled);
  return {
    names: scales,
    scales: scaled,
    projected(source) {
      const w = new GraphWriter(cutTo(source, values), 'projection');
      const sums = sensed(w).map(({ part }, i) => {
        const direction = w.input(scales[i]!, known.get(scales[i]!)!.shape);
        return w.sum(w.add('Mul', [readPart(w, part), direction]));
      });
      const loss = w.as(w.total(sums), 'projection');
      return { model: w.done([valueInfo(loss, 'float32', [])]), loss };
    },
  };
}

/** 1 / σ of this image's output. */
function unitScale(w: GraphWriter, value: string): string {
  const centred = w.add('Sub', [value, w.add('ReduceMean', [value], { keepdims: 0 })]);
  const variance = w.add('ReduceMean', [w.add('Mul', [centred, centred])], { keepdims: 0 });
  return w.add('Div', [ones(w, value), w.add('Sqrt', [w.add('Max', [variance, w.scalar(1e-12)])])]);
}

/** A random direction in units of the scales. */
export function randomDirection(scales: Tensors, random: Random): Record<string, RunTensor> {
  return Object.fromEntries(
    Object.entries(scales).map(([name, tensor]) => {
      const data = (tensor.data as Float32Array).map((scale) => scale * random.normal());
      return [name, { ...tensor, data }];
    }),
  );
}
