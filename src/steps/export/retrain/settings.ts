/** What retrain.py must know of the two networks, and how it gets into the script. */
import { type DetectorSpec, defaultPreprocess, type Preprocess } from '../../../models';
import type { Model } from '../../../onnx';
import type { ModelArtifact } from '../../types';

/** Names of the values behind which a level's scores and boxes are read: all before the sigmoid. */
export interface RetrainHead {
  readonly stride: number;
  readonly reg: string;
  readonly obj: string;
  readonly cls: string;
}

export interface RetrainSettings {
  readonly name: string;
  readonly preprocess: Preprocess;
  readonly classes: readonly string[];
  /** Heads are empty where the loss can't be told from the outputs' meaning; both or none are filled in where they are compared. */
  readonly student: { readonly heads: readonly RetrainHead[] };
  readonly teacher: { readonly heads: readonly RetrainHead[] };
}

/** The value before the sigmoid of the node that ends a branch. */
function logits(model: Model, name: string | null): string | null {
  const node = model.graph.nodes.find((n) => n.name === name);
  return (node?.op === 'Sigmoid' ? node.inputs[0] : node?.outputs[0]) ?? null;
}

/** A YOLOX head's branches, finest level first; empty for other families and for heads whose branches were not found. */
function headsOf(model: Model, spec: DetectorSpec | null): readonly RetrainHead[] {
  if (spec?.family !== 'yolox') return [];
  const heads = spec.endNodes.map(({ stride, ...ends }) => ({
    stride,
    reg: logits(model, ends.reg),
    obj: logits(model, ends.obj),
    cls: logits(model, ends.cls),
  }));
  const complete = (head: (typeof heads)[number]): head is RetrainHead => head.reg !== null && head.obj !== null && head.cls !== null;
  return heads.every(complete) ? [...heads].sort((a, b) => a.stride - b.stride) : [];
}

const grid = (spec: DetectorSpec | null) =>
  JSON.stringify([spec?.numClasses, [...(spec?.levels ?? [])].sort((a, b) => a.stride - b.stride)]);

/** Null where the network takes no image, so that no image folder can train it. */
export function retrainSettings(student: ModelArtifact, teacher: ModelArtifact): RetrainSettings | null {
  const preprocess = student.spec?.preprocess ?? defaultPreprocess(student.model);
  if (!preprocess || student.model.graph.inputs.length !== 1) return null;
  const comparable = grid(student.spec) === grid(teacher.spec);
  return {
    name: student.name,
    preprocess,
    classes: student.spec?.classNames ?? [],
    student: { heads: headsOf(student.model, student.spec) },
    teacher: { heads: comparable ? headsOf(teacher.model, teacher.spec) : [] },
  };
}

/**
 * A Python string literal with this JSON in it, on one line of plain ASCII: names come from files, and nothing in them may
 * end the literal or the line. JSON's own string syntax is Python's too.
 */
export function pythonString(value: unknown): string {
  const ascii = (text: string) => text.replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return JSON.stringify(ascii(JSON.stringify(value)));
}
