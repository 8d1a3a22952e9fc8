/** Several losses on one student, each with its weight: distillation and labels at once. */
import { REPORT_IT, StudioError } from '../../numerics';
import { type Model, type Node, type Tensor, type ValueInfo, valueInfo, withGraph } from '../../onnx';
import type { TargetSource } from '../objective';
import { GraphWriter } from './writer';

/** A loss of a network: what plans' `student` gives. */
export interface NetworkLoss {
  readonly model: Model;
  readonly loss: string;
  readonly parts?: Readonly<Partial<Record<string, string>>>;
}

export interface WeightedLoss {
  /** ≥ 0 */
  readonly weight: number;
  student(model: Model): NetworkLoss;
}

export interface JoinedLoss {
  student(model: Model): NetworkLoss & { readonly parts: Readonly<Record<string, string>> };
}

/** Everything of all graphs, once; what they share comes from the same network and has the same names. */
function union(base: Model, models: readonly Model[]): Model {
  const known = new Set(base.graph.nodes.flatMap((n) => n.outputs));
  const used = new Set(models.flatMap(({ graph }) => graph.nodes.flatMap((n) => n.outputs)));
  const shared = base.graph.nodes.filter((n) => n.outputs.some((name) => used.has(name)));
  const own: Node[] = [];
  const made = new Set<string>();
  for (const { graph } of models)
    for (const n of graph.nodes) {
      if (n.outputs.every((name) => known.has(name))) continue;
      const twice = n.outputs.find((name) => made.has(name));
      if (twice !== undefined) throw new StudioError('bad-option', `Two losses both compute "${twice}".`, REPORT_IT);
      for (const name of n.outputs) made.add(name);
      own.push(n);
    }
  const inputs = new Map<string, ValueInfo>(models.flatMap(({ graph }) => graph.inputs.map((i) => [i.name, i] as const)));
  const initializers = new Map<string, Tensor>(models.flatMap(({ graph }) => [...graph.initializers]));
  return withGraph(base, { nodes: [...shared, ...own], inputs: [...inputs.values()], initializers, outputs: [] });
}

/**
 * The weighted sum of losses of the same network. Those of weight 0 are left out.
 * @throws StudioError 'bad-option' when nothing is left
 */
export function joinLosses(losses: readonly WeightedLoss[]): JoinedLoss {
  const wanted = losses.filter(({ weight }) => weight > 0);
  if (wanted.length === 0)
    throw new StudioError(
      'bad-option',
      'Every loss has the weight 0: nothing would be learned.',
      'Give at least one of them a weight above 0.',
    );
  return {
    student(model) {
      const made = wanted.map(({ student }) => student(model));
      const w = new GraphWriter(
        union(
          model,
          made.map((each) => each.model),
        ),
        'joined',
      );
      const times = (value: string, weight: number) => (weight === 1 ? value : w.add('Mul', [value, w.scalar(weight)]));
      const parts: Record<string, string> = {};
      for (const [i, { parts: own = {} }] of made.entries())
        for (const [part, value] of Object.entries(own)) parts[part] = times(value!, wanted[i]!.weight);
      const sum = w.total(made.map(({ loss }, i) => times(loss, wanted[i]!.weight)));
      const loss = w.as(sum, 'joined/loss');
      return { model: w.done([valueInfo(loss, 'float32', [])]), loss, parts };
    },
  };
}

/**
 * Targets of all sources. Micro-batches count by the mean of the sources' masses, so that with several of them each loss
 * is near, not exactly, that of one large batch.
 */
export function joinSources(sources: readonly TargetSource[]): TargetSource {
  return {
    moving: sources.some(({ moving }) => moving),
    async targets(batch, values) {
      const all = [];
      for (const source of sources) all.push(await source.targets(batch, values));
      const mass = all.reduce((sum, each) => sum + each.mass, 0) / all.length;
      return { feeds: Object.assign({}, ...all.map(({ feeds }) => feeds)), mass };
    },
    async release() {
      for (const source of sources) await source.release();
    },
  };
}
