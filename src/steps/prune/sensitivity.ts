/**
 * Sensitivity scan: the distillation loss with one group of channels alone cut by so much, or one residual branch alone gone,
 * masked by gates. One session serves all of it; nothing is rebuilt.
 */
import type { ImageSet } from '../../data';
import { StudioError } from '../../numerics';
import { serializeModel } from '../../onnx';
import { planDistillation } from '../../training';
import { stepHash, timer } from '../common';
import { NO_JOURNAL } from '../journal';
import { sized } from '../sized';
import type { ModelArtifact, StepContext } from '../types';
import { type Branch, residualBranches } from './branches';
import { judge } from './costs';
import { meanLoss, taughtFeeds } from './distance';
import { gatedModel, openGates, shutGates } from './gates';
import { channelGroups } from './groups';
import { loadInputs } from './inputs';
import { pruneMeta } from './meta';
import type { Cut } from './plan';
import type { Region } from './regions';

import type { Trace } from './trace';

export interface SensitivityOptions {
  /** Shares of each group that are cut, 0–1. Default 0.25, 0.5, 0.75. */
  readonly fractions?: readonly number[];
  /** Images that the loss is the mean of. Default 6. */
  readonly images?: number;
}

/** Plain data. */
export interface SensitivityReport {
  /** From {@link sensitivityHash}. */
  readonly hash: string;
  readonly modelHash: string;
  readonly images: number;
  readonly fractions: readonly number[];
  /** Groups that may be pruned, in graph order. */
  readonly groups: readonly {
    readonly id: number;
    /** Node that first makes the channels. */
    readonly source: string;
    readonly region: Region;
    readonly channels: number;
    /** Saved by removing one channel from the whole model. */
    readonly macsPerChannel: number;
    /** By fraction: channels that were cut (at least one stays), and the loss, 0 = answers as before. */
    readonly cuts: readonly { readonly channels: number; readonly loss: number }[];
  }[];
  /** Residual branches. */
  readonly blocks: readonly { readonly name: string; readonly region: Region; readonly loss: number }[];
}

const FRACTIONS = [0.25, 0.5, 0.75];
const IMAGES = 6;
/** Images that say which channels of a group are the least important. */
const JUDGED_ON = 16;

/** Key of a scan: equal for equal networks, images and options. */
export function sensitivityHash(
  artifact: ModelArtifact,
  images: ImageSet,
  { fractions = FRACTIONS, images: count = IMAGES }: SensitivityOptions = {},
): Promise<string> {
  const seen = `${images.name}:${images.fingerprint ?? ''}:${images.entries.map(({ id, fileName }) => `${id}/${fileName}`).join()}`;
  return stepHash(pruneMeta, [artifact.hash, seen], { scan: 1, fractions, count });
}

/** The distillation loss of a network with gates shut. */
async function openGatedLoss(
  artifact: ModelArtifact,
  trace: Trace,
  branches: readonly Branch[],
  images: ImageSet,
  count: number,
  ctx: StepContext,
) {
  const inputs = await loadInputs(artifact.model, artifact.spec, images, count, ctx);
  if (inputs.length === 0) throw new StudioError('bad-data', `No image of ${images.name} can be used for a scan.`, 'Add images.');
  const input = artifact.model.graph.inputs[0]!.name;
  const dims = { [input]: inputs[0]!.dims };
  const gated = gatedModel(trace, branches);
  const teacher = sized(artifact.model, dims);
  const plan = planDistillation(teacher, artifact.spec);
  const student = plan.student(sized(gated.model, dims));
  const feeds = await taughtFeeds(plan, teacher, inputs, ctx);
  const session = await ctx.engine.create(serializeModel(student.model));
  const open = openGates(gated);
  const loss = (cut: Cut): Promise<number> => meanLoss(session, student.loss, feeds, ctx, { ...open, ...shutGates(gated, trace, cut) });
  return { loss, images: feeds.length, release: () => session.release() };
}

/**
 * Scans every prunable group and residual branch.
 * @throws StudioError 'bad-data' where no image can be used, 'cancelled'
 */
export async function scanSensitivity(
  artifact: ModelArtifact,
  images: ImageSet,
  ctx: StepContext,
  options: SensitivityOptions = {},
): Promise<SensitivityReport> {
  const { fractions = FRACTIONS, images: count = IMAGES } = options;
  const { journal = NO_JOURNAL } = ctx;
  const protectedNodes = artifact.spec?.protectedNodes ?? [];
  const { trace, groups } = channelGroups(artifact.model, { protectedNodes });
  const branches = residualBranches(trace, new Set(protectedNodes));
  const prunable = groups.filter(({ reason, channels }) => reason === null && channels > 1);
  const costs = await judge({
    artifact,
    trace,
    groups: prunable,
    branches: [],
    importance: 'gauss-newton',
    reduction: 'sum',
    images: JUDGED_ON,
    ranges: null,
    set: images,
    teacher: null,
    ctx,
  });
  await costs.release();
  const total = prunable.length * fractions.length + branches.length;
  const left = timer(total);
  let done = 0;
  const opened = await openGatedLoss(artifact, trace, branches, images, count, ctx);
  const measure = async (cut: Cut): Promise<number> => {
    const loss = await journal.next(() => opened.loss(cut));
    done++;
    ctx.progress({ step: 'prune', label: 'Scanning sensitivity', done, total, secondsLeft: left(done) });
    return loss;
  };
  try {
    const rows = [];
    for (const [g, group] of prunable.entries()) {
      const order = [...costs.scores[g]!.keys()].sort((a, b) => costs.scores[g]![a]! - costs.scores[g]![b]! || a - b);
      const cuts = [];
      for (const fraction of fractions) {
        const channels = Math.min(group.channels - 1, Math.max(1, Math.round(group.channels * fraction)));
        const classes = new Set(order.slice(0, channels).map((at) => group.classes[at]!));
        cuts.push({ channels, loss: await measure({ classes, branches: new Set() }) });
      }
      const { id, source, region, channels, macsPerChannel } = group;
      rows.push({ id, source, region, channels, macsPerChannel, cuts });
    }
    const blocks = [];
    for (const [at, { name, region }] of branches.entries())
      blocks.push({ name, region, loss: await measure({ classes: new Set(), branches: new Set([at]) }) });
    const hash = await sensitivityHash(artifact, images, options);
    return { hash, modelHash: artifact.hash, images: opened.images, fractions, groups: rows, blocks };
  } finally {
    await opened.release();
  }
}
