/**
 * After a cut, before any gradient: in graph order, each layer behind it is solved again by least squares, so that from the
 * pruned network's inputs it comes closest to the unpruned network's pre-activation (../shared/lab.md §2 and §6). Kept only
 * where the distillation loss on images held back falls.
 */
import type { ImageSet } from '../../data';
import type { DetectorSpec } from '../../models';
import { type Gram, ridge, rowErrors } from '../../numerics';
import { attrInt, inferShapes, type Model, serializeModel, type Tensor, tensor, toFloat32, withGraph } from '../../onnx';
import type { RunTensor } from '../../runtime';
import { planDistillation } from '../../training';
import { type Journal, NO_JOURNAL } from '../journal';
import { fromRows, lockStep, type MatrixLayer, type Memory, matrixLayer, remembered, toRows } from '../lock-step';
import { sized } from '../sized';
import type { StepContext } from '../types';
import { confidenceWeights } from './confidence';
import { meanLoss, taughtFeeds } from './distance';
import { loadInputs } from './inputs';

export interface ResolveRequest {
  readonly pruned: Model;
  /** The network before the cut, or before all cuts. */
  readonly teacher: Model;
  readonly spec: DetectorSpec | null;
  /** The teacher's values that lost channels → indices of axis 1 that are left. */
  readonly kept: ReadonlyMap<string, readonly number[]>;
  /** The teacher's values that are gone → what stands in their place. */
  readonly replaced: ReadonlyMap<string, string>;
  readonly set: ImageSet;
  readonly ctx: StepContext;
}

export interface Resolved {
  readonly model: Model;
  /** Distillation loss on images held back; `after` is that of the model. */
  readonly before: number;
  readonly after: number;
  readonly layers: number;
}

/** Images that systems are summed over, and images that judge. */
const FIT = 72;
const HELD = 24;
/**
 * Pulls to the old weights, relative to the inputs' mean square, tried until one helps. On YOLOX-Nano at −25 % MACs, one cut:
 * loss on unseen images 7.18 → 2.03 / 1.99 / 2.04 and mAP on coco-train 2.2 → 14.4 / 15.0 / 15.6 with 0.01 / 0.03 / 0.1; 32 images
 * instead of 72: 13.0.
 */
const STRENGTHS = [3e-2, 3e-1];
/** Larger systems cost more than they give. */
const MAX_INPUTS = 1200;
/** Columns per unknown below which a system says more about its few images than about the layer. */
const MIN_COUNT = 5;

const CONTRACTING = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

/** Names of the nodes that see other inputs than in the teacher. */
function behindTheCut(pruned: Model, { kept, replaced }: ResolveRequest): ReadonlySet<string> {
  const standing = new Set(replaced.values());
  const changed = new Set<string>();
  const nodes = new Set<string>();
  for (const node of pruned.graph.nodes) {
    // A depthwise layer reads each channel alone: the others' absence is nothing to it.
    const mixes =
      CONTRACTING.has(node.op) && !(node.op === 'Conv' && attrInt(node, 'group', 1) > 1 && isDepthwise(pruned, node.inputs[1]!));
    if (!node.inputs.some((name) => changed.has(name) || standing.has(name) || (mixes && kept.has(name)))) continue;
    nodes.add(node.name);
    for (const output of node.outputs) changed.add(output);
  }
  return nodes;
}

function isDepthwise(model: Model, weight: string): boolean {
  return model.graph.initializers.get(weight)?.dims[1] === 1;
}

/** Layers to solve, in graph order; weights and biases that several nodes read are left alone. */
function solvable(pruned: Model, request: ResolveRequest): MatrixLayer[] {
  const { graph } = pruned;
  const readers = new Map<string, number>();
  for (const { inputs } of graph.nodes) for (const name of inputs) readers.set(name, (readers.get(name) ?? 0) + 1);
  const shapes = inferShapes(pruned);
  const shapeOf = (value: string): readonly number[] | null => {
    const shape = shapes.get(value)?.shape;
    return shape?.every((d) => typeof d === 'number') ? (shape as readonly number[]) : null;
  };
  const behind = behindTheCut(pruned, request);
  const own = (name: string) =>
    readers.get(name) === 1 && request.pruned.graph.initializers.has(name) ? graph.initializers.get(name) : undefined;
  return graph.nodes.flatMap((node) => {
    const weight = own(node.inputs[1] ?? '');
    if (!behind.has(node.name) || !weight || weight.dtype !== 'float32') return [];
    const found = matrixLayer(node, weight, node, shapeOf, own);
    return found && found.inputs <= MAX_INPUTS ? [{ ...found, keep: request.kept.get(found.target) }] : [];
  });
}

const sum = (values: Float64Array): number => values.reduce((a, b) => a + b, 0);

/** New weights and bias of a layer; none where the images say too little or nothing is won. */
function solveLayer(layer: MatrixLayer, gram: Gram, lambda: number) {
  if (gram.counts.some((count) => count < MIN_COUNT * layer.inputs)) return [];
  const { weight, bias } = layer;
  const outputs = layer.groups * layer.outputs;
  const old = { rows: toRows(layer, weight), bias: bias ? Float64Array.from(toFloat32(bias.tensor)) : new Float64Array(outputs) };
  const solved = ridge(gram, old, layer, lambda, bias !== null);
  if (!solved || sum(rowErrors(gram, solved, layer)) >= sum(rowErrors(gram, old, layer))) return [];
  const replaced = [tensor(weight.name, 'float32', weight.dims, fromRows(layer, solved.rows))];
  if (bias) replaced.push(tensor(bias.tensor.name, 'float32', bias.tensor.dims, Float32Array.from(solved.bias)));
  return replaced;
}

/** Distillation loss of networks with the teacher's value names on held images. */
async function openLoss(teacher: Model, spec: DetectorSpec | null, held: readonly RunTensor[], ctx: StepContext) {
  const plan = planDistillation(teacher, spec);
  const feeds = await taughtFeeds(plan, teacher, held, ctx);
  return async (network: Model): Promise<number> => {
    const { model, loss } = plan.student(network);
    const judge = await ctx.engine.create(serializeModel(model));
    try {
      return await meanLoss(judge, loss, feeds, ctx);
    } finally {
      await judge.release();
    }
  };
}

/**
 * Solves the layers behind a cut again.
 * @returns null where there is nothing to solve or nothing to judge by
 * @throws StudioError 'cancelled'
 */
export async function resolveLayers(request: ResolveRequest): Promise<Resolved | null> {
  const { spec, set, ctx } = request;
  const inputs = await loadInputs(request.teacher, spec, set, FIT + HELD, ctx);
  const held = inputs.filter((_, i) => i % 4 === 3);
  const fit = inputs.filter((_, i) => i % 4 !== 3);
  if (held.length === 0) return null;
  const dims = { [request.teacher.graph.inputs[0]!.name]: inputs[0]!.dims };
  const teacher = sized(request.teacher, dims);
  const pruned = sized(request.pruned, dims);
  const layers = solvable(pruned, request);
  if (layers.length === 0) return null;
  const loss = await openLoss(teacher, spec, held, ctx);
  const weights = await confidenceWeights(teacher, spec, fit, ctx.engine);
  const input = teacher.graph.inputs[0]!.name;
  const { journal = NO_JOURNAL } = ctx;
  const before = await journal.next(() => loss(pruned));
  let best = { model: request.pruned, after: before, layers: 0 };
  for (const lambda of STRENGTHS) {
    let replaced = new Map<string, Tensor>();
    let solved = 0;
    const memory: Memory = {
      save: () => ({ replaced: new Map(replaced), solved }),
      load(saved) {
        const known = saved as { replaced: Map<string, Tensor>; solved: number };
        [replaced, solved] = [new Map(known.replaced), known.solved];
      },
    };
    const solveAll = (inner: Journal) =>
      lockStep({
        student: pruned,
        teacher,
        layers,
        feeds: { count: fit.length, at: async (i) => ({ [input]: fit[i]! }) },
        images: fit.length,
        engine: ctx.engine,
        cancel: ctx.cancel,
        progress: (done, total) => ctx.progress({ step: 'prune', label: 'Solving weights again by least squares', done, total }),
        inOrder: true,
        ...(weights ? { weights } : {}),
        solve(layer, gram) {
          const tensors = solveLayer(layer, gram, lambda);
          if (tensors.length > 0) solved++;
          for (const t of tensors) replaced.set(t.name, t);
          return tensors;
        },
        journal: inner,
        memory,
      });
    await remembered(journal, memory, solveAll);
    const swap = (model: Model): Model => withGraph(model, { initializers: new Map([...model.graph.initializers, ...replaced]) });
    const after = await journal.next(() => loss(swap(pruned)));
    if (after >= before) continue;
    best = { model: swap(request.pruned), after, layers: solved };
    break;
  }
  return { ...best, before };
}
