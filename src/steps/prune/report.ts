/** What pruning did, as plain data for the page, the CLI and the bundle. */
import type { ChannelGroup } from './groups';
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

export interface PruneReport {
  readonly method: 'structured' | 'unstructured';
  readonly macs: { readonly before: number; readonly after: number };
  readonly parameters: { readonly before: number; readonly after: number };
  /** Empty for unstructured pruning. */
  readonly groups: readonly GroupReport[];
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

const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`;

export function structuredNotes(
  groups: readonly GroupReport[],
  plan: Plan,
  multiple: number,
  macs: { readonly before: number; readonly after: number },
  wanted: number,
): string[] {
  const notes = [`Pruned ${percent(macs.before - macs.after, macs.before)} of the MACs.`];
  const odd = groups.filter(({ channelsAfter, channelsBefore }) => channelsAfter < channelsBefore && channelsAfter % multiple !== 0);
  if (odd.length > 0)
    notes.push(
      `${odd.length} group(s) are left with no multiple of ${multiple}, because they are narrow or a whole block would have overshot (${odd.map(({ source }) => source).join(', ')}).`,
    );
  if (plan.exhausted)
    notes.push(`The limits (minimum channels, largest share per group, protected layers) allow no more: ${wanted} % was asked.`);
  return notes;
}

export function sparsityNote(report: SparsityReport): string {
  const size = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`;
  return `${percent(report.zerosAfter, report.weights)} of the weights are zero: gzip makes ${size(report.compressedBefore)} → ${size(report.compressedAfter)}, the file itself stays ${size(report.bytesAfter)} and there is no speed-up, because every MAC is still computed.`;
}
