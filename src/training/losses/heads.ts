/** Where a detector's scores and boxes stand, so that a loss can weigh them by the teacher's confidence. */
import type { DetectorSpec } from '../../models';
import { inferShapes, type Model, type Node } from '../../onnx';
import type { GraphWriter } from './writer';

/** Channels `from`…`to` − 1 along `axis` of a value; all of them where `to` is null. */
export interface Part {
  readonly value: string;
  readonly axis: number;
  readonly from: number;
  readonly to: number | null;
}

/** The part as a value of its own. */
export function readPart(w: GraphWriter, { value, axis, from, to }: Part): string {
  return to === null ? value : w.slice(value, axis, from, to);
}

/** One set of cells with scores and boxes. */
export interface Head {
  /** Objectness that multiplies the class scores, null where there is none. */
  readonly gate: Part | null;
  readonly classes: Part;
  /** Classes that say that something is there (a background class says the opposite); null = all. */
  readonly present: Part | null;
  readonly boxes: Part;
  /** Scores before the sigmoid. */
  readonly logits: boolean;
  /** Boxes as YOLOX puts them before decoding: x, y in cells, log width, log height. */
  readonly rawBoxes: boolean;
  /** Box difference that counts as one (with rawBoxes: unused); null = the teacher's standard deviation. */
  readonly boxUnit: number | null;
}

/** How the parts are found: values to compute, and a function that joins some of them in a graph. */
export interface HeadPlan {
  /** Values of the network that the loss reads. */
  readonly values: readonly string[];
  /** Adds what joins them (if anything) and says where the parts are; `read` names the values in that graph. */
  readonly heads: (writer: GraphWriter) => readonly Head[];
}

const part = (value: string, axis: number, from = 0, to: number | null = null): Part => ({ value, axis, from, to });

/** The last convolutions' outputs of a YOLOX: box, objectness, classes per level, or one joint map per level. */
function yoloxMaps(spec: DetectorSpec, model: Model): readonly (readonly string[])[] | null {
  const byName = new Map<string, Node>(model.graph.nodes.map((node) => [node.name, node]));
  const logits = (name: string | null): string | null => {
    const node = name === null ? undefined : byName.get(name);
    if (!node) return null;
    return node.op === 'Sigmoid' ? node.inputs[0]! : node.op === 'Conv' ? node.outputs[0]! : null;
  };
  const maps =
    spec.endNodes.length > 0
      ? spec.endNodes.map(({ reg, obj, cls }) => [logits(reg), logits(obj), logits(cls)])
      : spec.protectedNodes.map((name) => [logits(name)]);
  const complete = maps.every((level) => level.every((name) => name !== null));
  const joint = spec.endNodes.length === 0 && spec.protectedNodes.length !== spec.levels.length;
  return maps.length > 0 && complete && !joint ? (maps as readonly (readonly string[])[]) : null;
}

function yoloxPlan(spec: DetectorSpec, model: Model): HeadPlan | null {
  const maps = yoloxMaps(spec, model);
  if (!maps) return null;
  const channels = 5 + spec.numClasses;
  return {
    values: maps.flat(),
    heads: (writer) => {
      const flat = maps.map((level) => {
        const map = level.length === 1 ? level[0]! : writer.add('Concat', level, { axis: 1 });
        return writer.add('Reshape', [map, writer.ints([0, channels, -1])]);
      });
      const all = flat.length === 1 ? flat[0]! : writer.add('Concat', flat, { axis: 2 });
      return [
        {
          gate: part(all, 1, 4, 5),
          classes: part(all, 1, 5, channels),
          present: null,
          boxes: part(all, 1, 0, 4),
          logits: true,
          rawBoxes: true,
          boxUnit: null,
        },
      ];
    },
  };
}

/** Pixels of a decoded box, and parts of the image, that count as one: a quarter of a smallish object. */
const PIXELS = 16;
const PART_OF_IMAGE = 0.05;

function outputHeads(spec: DetectorSpec): readonly Head[] | null {
  const { outputs, numClasses, variant } = spec;
  const common = { logits: !spec.sigmoidApplied, rawBoxes: false, gate: null, present: null, boxUnit: null };
  switch (spec.family) {
    case 'nanodet':
      if (variant === 'joined')
        return [{ ...common, classes: part(outputs[0]!, 2, 0, numClasses), boxes: part(outputs[0]!, 2, numClasses, numClasses + 32) }];
      return outputs.flatMap((name, i) => (i % 2 === 0 ? [{ ...common, classes: part(name, 2), boxes: part(outputs[i + 1]!, 2) }] : []));
    case 'ultraface':
      return [
        {
          ...common,
          classes: part(outputs[0]!, 2),
          present: part(outputs[0]!, 2, 1, 2),
          boxes: part(outputs[1]!, 2),
          boxUnit: PART_OF_IMAGE,
        },
      ];
    case 'yolox':
    case 'yolov5':
      if (outputs.length !== 1) return null;
      return [
        {
          ...common,
          gate: part(outputs[0]!, 2, 4, 5),
          classes: part(outputs[0]!, 2, 5, 5 + numClasses),
          boxes: part(outputs[0]!, 2, 0, 4),
          rawBoxes: spec.family === 'yolox' && variant === 'raw',
          boxUnit: PIXELS,
        },
      ];
    case 'yolov8':
      return outputs.length === 1
        ? [{ ...common, classes: part(outputs[0]!, 1, 4, 4 + numClasses), boxes: part(outputs[0]!, 1, 0, 4), boxUnit: PIXELS }]
        : null;
  }
}

/** null = no scores are known; every output counts alike. */
export function planHeads(spec: DetectorSpec | null, model: Model): HeadPlan | null {
  if (!spec) return null;
  const yolox = spec.family === 'yolox' ? yoloxPlan(spec, model) : null;
  if (yolox) return yolox;
  const heads = outputHeads(spec);
  return heads && { values: [...new Set(spec.outputs)], heads: () => heads };
}

/** Float outputs, which a network without known scores is compared by. */
export function plainOutputs(model: Model): readonly string[] {
  const made = new Set(model.graph.nodes.flatMap((n) => n.outputs));
  const shapes = inferShapes(model);
  return model.graph.outputs
    .filter(({ name, dtype }) => made.has(name) && (shapes.get(name)?.dtype ?? dtype) === 'float32')
    .map((o) => o.name);
}
