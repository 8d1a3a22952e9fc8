/** What pruning did, as plain data for the page, the CLI and the bundle. */
import type { Branch } from './branches';
import type { ChannelGroup } from './groups';
import type { ImportanceId } from './meta';
import type { Objective } from './objective';
import type { Plan } from './plan';
import type { Region } from './regions';
import type { SparsityReport } from './unstructured';

export interface GroupReport {
  readonly id: number;
  /** Node that first makes the channels. */
  readonly source: string;
  readonly region: Region;
  /** Nodes that make or read them. */
  readonly nodes: readonly string[];
  readonly channelsBefore: number;
  readonly channelsAfter: number;
  /** Positions of the channels that went, among the group's own. */
  readonly removed: readonly number[];
  /** Saved by removing one channel from the whole model. */
  readonly macsPerChannel: number;
  readonly parametersPerChannel: number;
  /** Channels that go at once; null = nothing may go. */
  readonly block: number | null;
  /** Why nothing may go, else null. */
  readonly reason: string | null;
}

/** What least squares behind the cut brought. */
export interface ResolveReport {
  /** Layers solved again; 0 where the old weights were better. */
  readonly layers: number;
  /** Distillation loss on images held back. */
  readonly lossBefore: number;
  readonly lossAfter: number;
}

/** A residual branch that went as a whole. */
export interface BlockReport {
  /** Name of the Add that ended it. */
  readonly name: string;
  /** Names of the nodes that went. */
  readonly nodes: readonly string[];
}

export interface PruneReport {
  readonly method: 'structured' | 'unstructured';
  readonly macs: { readonly before: number; readonly after: number };
  readonly parameters: { readonly before: number; readonly after: number };
  /** What was to shrink; the MACs for unstructured pruning. */
  readonly objective: { readonly id: Objective; readonly before: number; readonly after: number };
  /** What channels were judged by in the end; null for unstructured pruning. */
  readonly importance: ImportanceId | null;
  /** Empty for unstructured pruning. */
  readonly groups: readonly GroupReport[];
  readonly blocks: readonly BlockReport[];
  /** Null where nothing was solved again. */
  readonly resolved: ResolveReport | null;
  /** Null for structured pruning. */
  readonly sparsity: SparsityReport | null;
  /** Sentences for the user. */
  readonly notes: readonly string[];
}

export function groupReports(groups: readonly ChannelGroup[], plan: Plan): GroupReport[] {
  return groups.map((group, i) => ({
    id: group.id,
    source: group.source,
    region: group.region,
    nodes: [...new Set(group.members.map(({ node }) => node))],
    channelsBefore: group.channels,
    channelsAfter: group.channels - plan.removed[i]!.length,
    removed: plan.removed[i]!,
    macsPerChannel: group.macsPerChannel,
    parametersPerChannel: group.parametersPerChannel,
    block: plan.blocks[i]!,
    reason: group.reason ?? (plan.blocks[i] === null ? 'too narrow for the minimum number of channels' : null),
  }));
}

export function blockReports(
  branches: readonly Branch[],
  gone: ReadonlySet<number>,
  nodes: readonly { readonly name: string }[],
): BlockReport[] {
  return [...gone].map((at) => ({ name: branches[at]!.name, nodes: [...branches[at]!.nodes].map((node) => nodes[node]!.name) }));
}

const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`;

const OBJECTIVE_NAMES: Readonly<Record<Objective, string>> = {
  macs: 'MACs',
  parameters: 'parameters',
  'weight-bytes': "weights' bytes",
  'activation-bytes': "activations' bytes",
};

export function structuredNotes(
  report: Pick<PruneReport, 'groups' | 'blocks' | 'objective'>,
  plan: Plan,
  multiple: number,
  wanted: number,
): string[] {
  const { groups, blocks, objective } = report;
  const notes = [`Pruned ${percent(objective.before - objective.after, objective.before)} of the ${OBJECTIVE_NAMES[objective.id]}.`];
  if (blocks.length > 0) notes.push(`${blocks.length} residual block(s) went as a whole (${blocks.map(({ name }) => name).join(', ')}).`);
  const odd = groups.filter(({ channelsAfter, channelsBefore }) => channelsAfter < channelsBefore && channelsAfter % multiple !== 0);
  if (odd.length > 0)
    notes.push(
      `${odd.length} group(s) are left with no multiple of ${multiple}, because they are narrow or a whole block would have overshot (${odd.map(({ source }) => source).join(', ')}).`,
    );
  if (plan.exhausted)
    notes.push(
      `The limits (minimum channels, largest share per group, protected layers) allow no more: ${Number(wanted.toFixed(1))} % was asked.`,
    );
  return notes;
}

export function sparsityNote(report: SparsityReport): string {
  const size = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`;
  return `${percent(report.zerosAfter, report.weights)} of the weights are zero: gzip makes ${size(report.compressedBefore)} → ${size(report.compressedAfter)}, the file itself stays ${size(report.bytesAfter)} and there is no speed-up, because every MAC is still computed.`;
}
