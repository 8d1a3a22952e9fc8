/** Runs a changed network beside its original, stage by stage, and adds up what each layer is given and ought to give. */

import type { Gram } from '../../numerics';
import { type Model, type Node, serializeModel, type Tensor, withGraph } from '../../onnx';
import type { Engine, RunTensor, Session, Tensors } from '../../runtime';
import { type Journal, NO_JOURNAL } from '../journal';
import type { CancelToken } from '../types';
import { type GramNodes, gramNodes } from './gram-nodes';
import type { MatrixLayer } from './layer';
import { type Schedule, schedule, segmentModel, segments } from './stages';

/** Kept values of all images together; beyond it images are given up, down to {@link FEWEST_IMAGES}. */
const KEPT_BYTES = 512e6;
const FEWEST_IMAGES = 4;

/** Prepared inputs of some images. */
export interface LockStepFeeds {
  readonly count: number;
  /** @throws StudioError 'cancelled' */
  at(index: number): Promise<Tensors>;
}

export interface LockStep<L extends MatrixLayer> {
  readonly student: Model;
  /** The original with the same value names; null where only the inputs' Gram matrices are wanted. */
  readonly teacher: Model | null;
  readonly layers: readonly L[];
  readonly feeds: LockStepFeeds;
  /** Images used at most, the first ones. */
  readonly images: number;
  readonly engine: Engine;
  readonly cancel: CancelToken;
  /** Called after each stage with the share of stages done. */
  progress(done: number, total: number): void;
  /**
   * Told each layer's Gram matrices, in graph order. What it returns replaces initializers of the student before later
   * stages run.
   */
  solve(layer: L, gram: Gram): readonly Tensor[];
  /** false: the student stays as it is, and all layers belong to one stage. */
  readonly inOrder: boolean;
  /** Only the inputs' sums are wanted: Gram matrices stay empty. */
  readonly sumsOnly?: boolean;
  /** How much each pixel of a layer's output counts, row by row; absent or null: the less the more it stands out. */
  weights?(image: number, rows: number, columns: number): Float32Array | null;
  /** Keeps the sums of the stage that goes on, and what was solved; the way up to it is run again without sums. */
  readonly journal?: Journal;
  /** What `solve` changes elsewhere: kept with the rest, brought back before the work goes on. */
  readonly memory?: Memory;
}

export interface Memory {
  /** Not changed by what comes later. */
  save(): unknown;
  load(saved: unknown): void;
}

/** Runs `work`, which changes what `memory` holds; a run that finds it done in its journal only brings that back. */
export async function remembered(journal: Journal, memory: Memory, work: (inner: Journal) => Promise<void>): Promise<void> {
  const saved = await journal.next(async (inner) => {
    await work(inner);
    return memory.save();
  });
  memory.load(saved);
}

/** Sums of more bytes are not written down every few seconds, only what was solved. */
const JOURNAL_BYTES = 64e6;

interface Saved {
  readonly stage: number;
  /** Images of that stage that are summed up. */
  readonly image: number;
  readonly grams: readonly Gram[];
  readonly replaced: ReadonlyMap<string, Tensor>;
  readonly memory: unknown;
}

/** One network's way through the stages: its segments, and each image's kept values. */
class Track {
  model: Model;
  readonly #segments;
  readonly #kept: Map<string, RunTensor>[] = [];
  bytes = 0;

  constructor(model: Model, stageOf: (node: Node) => number, wanted: readonly (readonly string[])[]) {
    this.model = model;
    this.#segments = segments(model, stageOf, wanted);
  }

  /** Whether later stages read what this one computes. */
  keeps(stage: number): boolean {
    return this.#segments[stage]!.kept.length > 0;
  }

  replace(tensors: Iterable<readonly [string, Tensor]>): void {
    this.model = withGraph(this.model, { initializers: new Map([...this.model.graph.initializers, ...tensors]) });
  }

  /** What one image feeds a stage with. */
  feeds(stage: number, image: number, inputs: Tensors): Record<string, RunTensor> {
    const kept = this.#kept[image];
    return Object.fromEntries(this.#segments[stage]!.inputs.map((name) => [name, kept?.get(name) ?? inputs[name]!]));
  }

  stageModel(stage: number, feeds: Readonly<Record<string, RunTensor>>, outputs: readonly string[]): Model {
    return segmentModel(this.model, this.#segments[stage]!, feeds, outputs);
  }

  /** Keeps of a stage's results what later stages read, drops what none does. */
  keep(stage: number, image: number, results: Tensors): void {
    const kept = (this.#kept[image] ??= new Map());
    const { kept: names, spent } = this.#segments[stage]!;
    for (const name of names) {
      kept.set(name, results[name]!);
      this.bytes += results[name]!.data.byteLength;
    }
    for (const name of spent) {
      this.bytes -= kept.get(name)?.data.byteLength ?? 0;
      kept.delete(name);
    }
  }

  /** Gives up an image. */
  drop(image: number): void {
    for (const { data } of this.#kept[image]?.values() ?? []) this.bytes -= data.byteLength;
    this.#kept[image] = new Map();
  }
}

interface Sums<L extends MatrixLayer> {
  readonly layer: L;
  readonly part: GramNodes;
  /** Input that weighs its pixels. */
  readonly weights: string | null;
  readonly gram: Gram;
}

const bytesOf = ({ inputs, cross, inputSums, targetSums, counts }: Gram): number =>
  [inputs, cross, inputSums, targetSums, counts].reduce((sum, { byteLength }) => sum + byteLength, 0);

function emptyGram({ groups, inputs, outputs }: MatrixLayer, targets: boolean, sumsOnly: boolean): Gram {
  return {
    inputs: new Float64Array(sumsOnly ? 0 : groups * inputs * inputs),
    cross: new Float64Array(targets ? groups * inputs * outputs : 0),
    inputSums: new Float64Array(groups * inputs),
    targetSums: new Float64Array(targets ? groups * outputs : 0),
    counts: new Float64Array(groups),
  };
}

/** Adds one image's float32 products to the sums in double precision. */
function accumulate({ layer, gram, part }: Sums<MatrixLayer>, results: Tensors): void {
  const { groups, inputs, outputs, columns } = layer;
  const sums = results[part.sums]!.data as Float32Array;
  const width = sums.length / groups;
  if (part.products) {
    const products = results[part.products]!.data as Float32Array;
    for (let row = 0; row < groups * inputs; row++) {
      const from = row * width;
      for (let j = 0; j < inputs; j++) gram.inputs[row * inputs + j]! += products[from + j]!;
      for (let j = inputs; j < width; j++) gram.cross[row * outputs + j - inputs]! += products[from + j]!;
    }
  }
  for (let g = 0; g < groups; g++) {
    for (let i = 0; i < inputs; i++) gram.inputSums[g * inputs + i]! += sums[g * width + i]!;
    for (let o = inputs; o < width; o++) gram.targetSums[g * outputs + o - inputs]! += sums[g * width + o]!;
  }
  const counts = part.counts && (results[part.counts]!.data as Float32Array);
  for (let g = 0; g < groups; g++) gram.counts[g]! += counts ? counts[g % counts.length]! : columns;
}

/** Stages of the teacher: as the student's, but a solved layer's target is needed one stage before the student runs it. */
function teacherStage(student: Schedule, layers: readonly MatrixLayer[], inOrder: boolean): (node: Node) => number {
  const early = new Set(inOrder ? layers.flatMap(({ node, bias }) => [node.name, bias?.node.name ?? node.name]) : []);
  return ({ name }) => (student.get(name) ?? 0) - (early.has(name) ? 1 : 0);
}

function withGrams(model: Model, sums: readonly Sums<MatrixLayer>[], targets: Readonly<Record<string, RunTensor>>): Model {
  const { graph } = model;
  const parts = sums.map(({ part }) => part);
  return withGraph(model, {
    inputs: [...graph.inputs, ...Object.entries(targets).map(([name, { dtype, dims }]) => ({ name, dtype, shape: dims }))],
    nodes: [...graph.nodes, ...parts.flatMap(({ nodes }) => nodes)],
    initializers: new Map([...graph.initializers, ...parts.flatMap(({ initializers }) => initializers.map((t) => [t.name, t] as const))]),
    outputs: [
      ...graph.outputs,
      ...parts.flatMap((p) => [p.products, p.sums, p.counts]).flatMap((name) => (name ? [{ name, dtype: null, shape: null }] : [])),
    ],
  });
}

const weightName = ([rows, columns]: readonly [number, number]): string => `weights:${rows}x${columns}`;

const targetName = (value: string): string => `target:${value}`;

/** @throws StudioError 'cancelled' */
export async function lockStep<L extends MatrixLayer>(job: LockStep<L>): Promise<void> {
  const { student, teacher, layers, inOrder, engine } = job;
  const plan = schedule(student, new Set(inOrder ? layers.map(({ node }) => node.name) : []));
  const stageOf = (layer: L): number => (inOrder ? plan.get(layer.node.name)! - 1 : 0);
  const stages = Math.max(...layers.map(stageOf)) + 1;
  const byStage = Array.from({ length: stages }, (_, stage) => layers.filter((layer) => stageOf(layer) === stage));
  const byName = new Map(student.graph.nodes.map((node) => [node.name, node]));
  const inputOf = (layer: L): string => byName.get(layer.node.name)?.inputs[0] ?? layer.input;
  const flat = inOrder ? (node: Node) => plan.get(node.name)! : () => 0;
  const own = new Track(
    student,
    flat,
    byStage.map((list) => list.map(inputOf)),
  );
  const reference = teacher
    ? new Track(
        teacher,
        inOrder ? teacherStage(plan, layers, inOrder) : () => 0,
        byStage.map((list) => list.map(({ target }) => target)),
      )
    : null;
  let images = Math.min(job.images, job.feeds.count);
  const { journal = NO_JOURNAL, memory } = job;
  const saved = journal.saved<Saved>();
  const replaced = new Map(saved?.replaced);
  if (saved) {
    // A layer's node runs after the stage that solves it, so the stages before see the weights that they saw.
    own.replace(replaced);
    memory?.load(saved.memory);
  }

  for (let stage = 0; stage < stages; stage++) {
    const over = saved !== undefined && stage < saved.stage;
    const resumed = saved !== undefined && stage === saved.stage;
    const group = over ? [] : byStage[stage]!;
    const kept = own.keeps(stage) || (reference?.keeps(stage) ?? false);
    const weighed = teacher !== null && job.weights !== undefined && images > 0;
    const sums = group.map((layer, i): Sums<L> => {
      const size = weighed ? layer.patches?.out : undefined;
      const weights = size && job.weights!(0, ...size) ? weightName(size) : null;
      const part = gramNodes(layer, inputOf(layer), teacher && targetName(layer.target), `gram:${i}:`, { sumsOnly: job.sumsOnly, weights });
      return { layer, part, weights, gram: (resumed && saved.grams[i]) || emptyGram(layer, teacher !== null, job.sumsOnly ?? false) };
    });
    const targets = byStage[stage]!.map(({ target }) => target);
    const grams = sums.map(({ gram }) => gram);
    const small = grams.reduce((bytes, gram) => bytes + bytesOf(gram), 0) <= JOURNAL_BYTES;
    const sessions: { teacher?: Session; student?: Session } = {};
    try {
      for (let image = 0; image < images; image++) {
        job.cancel.throwIfAborted();
        const summed = over || (resumed && image < saved.image);
        if (summed && !kept) continue;
        const inputs = await job.feeds.at(image);
        let wanted: Record<string, RunTensor> = {};
        if (reference) {
          const feeds = reference.feeds(stage, image, inputs);
          sessions.teacher ??= await engine.create(serializeModel(reference.stageModel(stage, feeds, targets)), { optimization: 'basic' });
          const results = await sessions.teacher.run(feeds);
          reference.keep(stage, image, results);
          wanted = Object.fromEntries(targets.map((name) => [targetName(name), results[name]!]));
          for (const { layer, weights } of sums)
            if (weights) {
              const [rows, columns] = layer.patches!.out;
              wanted[weights] ??= { dtype: 'float32', dims: [1, 1, rows, columns], data: job.weights!(image, rows, columns)! };
            }
        }
        const feeds = own.feeds(stage, image, inputs);
        sessions.student ??= await engine.create(serializeModel(withGrams(own.stageModel(stage, feeds, []), sums, wanted)), {
          optimization: 'disabled',
        });
        const results = await sessions.student.run({ ...feeds, ...wanted });
        own.keep(stage, image, results);
        if (!summed) for (const sum of sums) accumulate(sum, results);
        while (images > FEWEST_IMAGES && own.bytes + (reference?.bytes ?? 0) > KEPT_BYTES) {
          images--;
          own.drop(images);
          reference?.drop(images);
        }
        if (!summed && small) await journal.save({ stage, image: image + 1, grams, replaced, memory: memory?.save() } satisfies Saved);
      }
    } finally {
      await sessions.teacher?.release();
      await sessions.student?.release();
    }
    for (const { layer, gram } of sums) for (const t of job.solve(layer, gram)) replaced.set(t.name, t);
    // After the last stage the caller has everything.
    if (group.length > 0 && stage + 1 < stages) {
      own.replace(replaced);
      await journal.save({ stage: stage + 1, image: 0, grams: [], replaced, memory: memory?.save() } satisfies Saved);
    }
    job.progress(stage + 1, stages);
  }
}
