/** What channels and branches are worth, by the importance that a recipe asks for and what there is to judge by. */
import type { ImageSet } from '../../data';
import { StudioError } from '../../numerics';
import type { Model } from '../../onnx';
import type { ModelArtifact, RangesArtifact, StepContext } from '../types';
import type { Branch } from './branches';
import { type ChannelGroup, withSizes } from './groups';
import { hasBatchNorms, IMPORTANCES, type PlainImportanceId } from './importance';
import { loadInputs } from './inputs';
import { measureOn } from './measure';
import type { ImportanceId, Reduction } from './meta';
import type { Cut, Pricing } from './plan';
import { reconstructionOn } from './reconstruction';
import { gaussNewtonSignals, type Signal, type Signals, taylorSignals } from './signals';
import type { Trace } from './trace';

export interface CostRequest {
  readonly artifact: ModelArtifact;
  readonly trace: Trace;
  readonly groups: readonly ChannelGroup[];
  readonly branches: readonly Branch[];
  readonly importance: ImportanceId;
  readonly reduction: Reduction;
  /** 0 = as many as the method needs. */
  readonly images: number;
  readonly ranges: RangesArtifact | null;
  readonly set: ImageSet | null;
  /** The network before any pruning, for importance 'taylor'; null = the artifact is that. */
  readonly teacher: Model | null;
  readonly ctx: StepContext;
}

export interface Costs {
  /** Per group, importance per channel. */
  readonly scores: readonly Float64Array[];
  readonly branchCosts: readonly number[];
  readonly pricing: Pricing | null;
  /** What it went by in the end. */
  readonly importance: ImportanceId;
  readonly notes: readonly string[];
  release(): Promise<void>;
}

/** Images that each method looks at unless told otherwise. */
const IMAGES: Partial<Readonly<Record<ImportanceId, number>>> = { measured: 6, 'gauss-newton': 48, taylor: 48, reconstruction: 24 };
/** Random directions an image. */
const VECTORS = 1;
/** Channel sizes take one run an image, prices hundreds: sizes are measured on so many times more images. */
const SIZES_PER_PRICE = 5;

const nothing = async (): Promise<void> => {};

/** A branch is worth what the cheapest way to silence it is: all channels of a group inside it. */
function branchesByScores({ trace, groups, branches }: CostRequest, scores: readonly Float64Array[]): number[] {
  return branches.map(({ nodes }) => {
    const inside = new Set([...nodes].map((at) => trace.model.graph.nodes[at]!.name));
    const sums = groups.flatMap(({ members }, g) =>
      members.every(({ node }) => inside.has(node)) ? [scores[g]!.reduce((a, b) => a + b, 0)] : [],
    );
    return Math.min(Number.POSITIVE_INFINITY, ...sums);
  });
}

function plain(request: CostRequest, importance: PlainImportanceId, notes: readonly string[]): Costs {
  const { trace, groups, ranges, ctx } = request;
  const scores = IMPORTANCES[importance]({ trace, groups, ranges, seed: ctx.seed });
  return { scores, branchCosts: branchesByScores(request, scores), pricing: null, importance, notes, release: nothing };
}

/** By groups and branches: the mean over signals of what `each` makes of one derivative. */
function reduced(
  { groups }: CostRequest,
  { position, list }: Signals,
  each: (derivative: number) => number,
  whole: (mean: number) => number,
): Pick<Costs, 'scores' | 'branchCosts'> {
  const over = (value: (signal: Signal) => number): number =>
    whole(list.reduce((sum, signal) => sum + each(value(signal)), 0) / list.length);
  const scores = groups.map(({ classes }) =>
    Float64Array.from(classes, (root) => {
      const at = position.get(root);
      return at === undefined ? 0 : over(({ classes: own }) => own[at]!);
    }),
  );
  const branchCosts = list[0]!.branches.map((channels, b) =>
    Array.from(channels.keys()).reduce((sum, c) => sum + over(({ branches }) => branches[b]![c]!), 0),
  );
  return { scores, branchCosts };
}

/** Mean over signals of (Σ of all that is gone)²: what the quadratic model says of everything together. */
function jointPricing({ position, list }: Signals): Pricing {
  const sumOf = ({ classes, branches }: Signal, cut: Cut): number => {
    let sum = 0;
    for (const root of cut.classes) sum += classes[position.get(root) ?? -1] ?? 0;
    for (const b of cut.branches) sum += branches[b]!.reduce((x, y) => x + y, 0);
    return sum;
  };
  let known: { size: number; sums: number[] } = { size: -1, sums: [] };
  return async (gone, next) => {
    const size = gone.classes.size + gone.branches.size;
    if (known.size !== size) known = { size, sums: list.map((signal) => sumOf(signal, gone)) };
    return (
      list.reduce((total, signal, i) => {
        const more = sumOf(signal, next);
        return total + more * (more + 2 * known.sums[i]!);
      }, 0) / list.length
    );
  };
}

const square = (x: number): number => x * x;

function byCurvature(request: CostRequest, signals: Signals): Pick<Costs, 'scores' | 'branchCosts' | 'pricing'> {
  const { reduction } = request;
  const plainly = reduced(request, signals, square, reduction === 'root' ? Math.sqrt : (mean) => mean);
  return { ...plainly, pricing: reduction === 'joint' ? jointPricing(signals) : null };
}

/** Without images: ranges or weights decide. */
function withoutImages(request: CostRequest): Costs {
  return request.ranges
    ? plain(request, 'activation', ['No images were given: channels were judged by calibrated ranges.'])
    : plain(request, 'flow', ['No images were given: channels were judged by their weights alone.']);
}

async function withImages(request: CostRequest, set: ImageSet): Promise<Costs> {
  const { artifact, trace, groups, branches, importance, ctx } = request;
  const count = request.images || IMAGES[importance]!;
  const wanted = importance === 'measured' ? SIZES_PER_PRICE * count : count;
  const inputs = await loadInputs(withSizes(artifact.model), artifact.spec, set, wanted, ctx);
  if (inputs.length === 0) return withoutImages(request);
  const notes: readonly string[] = [];
  if (importance === 'measured') {
    const { pricing, sizes, release } = await measureOn(trace, artifact.spec, branches, inputs, count, ctx);
    const scores = IMPORTANCES.measured({ trace, groups, ranges: null, sizes, seed: ctx.seed });
    return { scores, branchCosts: [], pricing, importance, notes, release };
  }
  if (importance === 'reconstruction') {
    const { pricing, scores: known } = await reconstructionOn(trace, inputs, ctx);
    const scores = groups.map(({ classes }) => Float64Array.from(classes, (root) => known.get(root) ?? Number.POSITIVE_INFINITY));
    const branchCosts = branchesByScores(request, scores);
    const withBranches: Pricing = async (gone, next) => {
      const [branch] = next.branches;
      return branch === undefined ? pricing(gone, next) : branchCosts[branch]!;
    };
    return { scores, branchCosts, pricing: withBranches, importance, notes, release: nothing };
  }
  const job = { trace, spec: artifact.spec, branches, inputs, ctx };
  try {
    const found =
      importance === 'taylor'
        ? { ...reduced(request, await taylorSignals(job, request.teacher), Math.abs, (mean) => mean), pricing: null }
        : byCurvature(request, await gaussNewtonSignals(job, VECTORS));
    return { ...found, importance, notes, release: nothing };
  } catch (error) {
    // A layer without a gradient: what removal does can still be measured.
    if (!(error instanceof StudioError) || error.code !== 'unsupported') throw error;
    const instead = await withImages({ ...request, importance: 'measured', images: 0 }, set);
    return { ...instead, notes: [`Channels were measured by removing them: ${error.message}`] };
  }
}

/** @throws StudioError 'cancelled' */
export async function judge(request: CostRequest): Promise<Costs> {
  const { importance, set, ranges, trace } = request;
  if (importance in IMAGES) return set ? withImages(request, set) : withoutImages(request);
  if (importance === 'activation' && !ranges)
    return plain(request, 'activation', ['No calibration was given: channels were judged by their weights alone.']);
  if (importance === 'bn-scale' && !hasBatchNorms(trace))
    return plain(request, 'bn-scale', ['This network has no BatchNorm any more: channels were judged by the size of their weights.']);
  return plain(request, importance as PlainImportanceId, []);
}
