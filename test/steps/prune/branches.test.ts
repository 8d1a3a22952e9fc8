/** Residual branches: found where only the sum reads them, and gone as a whole where the plan says so. */
import { describe, expect, it } from 'vitest';
import { analyze, type Model, withGraph } from '../../../src/onnx';
import { applyRemoval, channelGroups, prune, removeBranches, residualBranches } from '../../../src/steps/prune';
import { keptIndices } from '../../../src/steps/prune/space';
import { difference, masked, Net, zeroed } from './helpers';
import { artifactOf, context, detector, pictures } from './images';

/** a → (b → SiLU → c) + a = s → (d) + s = t → y; `leak` lets y read the branch too. */
function chain(leak = false): Model {
  const net = new Net(4);
  net.conv('a', 'x', 3, 8);
  net.silu('b', net.conv('b0', 'a', 8, 12));
  net.conv('c', 'b', 12, 8, 3);
  net.op('Add', 's', ['c', 'a']);
  net.conv('d', 's', 8, 8, 3);
  net.op('Add', 't', ['s', 'd']);
  if (leak) net.op('Concat', 'all', ['t', 'b'], { axis: 1 });
  net.conv('y', leak ? 'all' : 't', leak ? 20 : 8, 4);
  return net.model([['y', [1, 4, 8, 8]]]);
}

/** The model with the last layers of these branches at 0. */
function silenced(model: Model, weights: readonly string[]): Model {
  const initializers = new Map(model.graph.initializers);
  for (const [name, t] of model.graph.initializers) {
    if (!weights.includes(name.replace(/_masked_\d+$/, ''))) continue;
    initializers.set(name, zeroed(t, 0, new Set(Array.from({ length: t.dims[0]! }, (_, i) => i))));
  }
  return withGraph(model, { initializers });
}

const branchesOf = (model: Model) => residualBranches(channelGroups(model).trace);

describe('residual branches', () => {
  it('are found on either side of the sum, one behind the other', () => {
    expect(branchesOf(chain()).map(({ name, value, trunk, side }) => [name, value, trunk, side])).toEqual([
      ['s', 'c', 'a', 0],
      ['t', 'd', 's', 1],
    ]);
  });

  it('are left alone where something else reads them, or a protected layer is inside', () => {
    expect(branchesOf(chain(true)).map(({ name }) => name)).toEqual(['t']);
    expect(residualBranches(channelGroups(chain()).trace, new Set(['d'])).map(({ name }) => name)).toEqual(['s']);
  });

  it.each([
    [[0], ['c_w', 'c_b']],
    [[1], ['d_w', 'd_b']],
    [
      [0, 1],
      ['c_w', 'c_b', 'd_w', 'd_b'],
    ],
  ])('gone (%j), the network equals the original with them at 0', async (which, weights) => {
    const model = chain();
    const branches = branchesOf(model);
    const smaller = removeBranches(
      model,
      which.map((i) => branches[i]!),
      model,
    );
    expect(await difference(silenced(model, weights), smaller)).toBeLessThan(1e-5);
    expect(smaller.graph.nodes.length).toBe(model.graph.nodes.length - which.reduce((n, i) => n + branches[i]!.nodes.size, 0));
    expect([...smaller.graph.initializers.keys()].some((name) => weights.includes(name))).toBe(false);
  });

  it('go together with channels of their trunk', async () => {
    const model = chain();
    const { trace, groups } = channelGroups(model);
    const trunk = groups.find(({ source }) => source === 'a')!;
    const classes = new Set(trunk.classes.slice(2, 5));
    const branch = residualBranches(trace)[0]!;
    const smaller = removeBranches(applyRemoval(trace, classes), [branch], model);
    expect(await difference(silenced(masked(trace, classes), ['c_w', 'c_b']), smaller)).toBeLessThan(1e-5);
  });

  it('are candidates of the plan, with the values that stand for theirs', async () => {
    const artifact = await artifactOf(detector());
    const options = { removeBlocks: true, macsReduction: 30, maxGroupReduction: 5, channelMultiple: 4, resolve: 'off' };
    const { artifact: pruned, report, replaced, kept } = await prune(artifact, options, await context(), null, pictures(6));
    expect(report.blocks.length).toBeGreaterThan(0);
    const names = new Set(pruned.model.graph.nodes.map(({ name }) => name));
    for (const { nodes, name } of report.blocks) {
      expect(nodes).toContain(name);
      expect(nodes.some((node) => names.has(node))).toBe(false);
    }
    const values = new Set(pruned.model.graph.nodes.flatMap(({ outputs }) => outputs));
    expect([...replaced.keys()].some((value) => values.has(value))).toBe(false);
    expect([...replaced.values()].every((value) => values.has(value))).toBe(true);
    expect([...kept.keys()].every((value) => values.has(value))).toBe(true);
    expect(report.macs.after).toBe(analyze(pruned.model).macs);
    // The proof: every channel that went and every branch at 0 in the original.
    const { trace, groups } = channelGroups(artifact.model, { protectedNodes: artifact.spec!.protectedNodes });
    const gone = new Set(report.blocks.flatMap(({ nodes }) => nodes));
    const classes = new Set(
      report.groups.flatMap(({ removed, nodes }, i) =>
        nodes.every((node) => gone.has(node)) ? [] : removed.map((at) => groups[i]!.classes[at]!),
      ),
    );
    const last = residualBranches(trace)
      .filter(({ name }) => gone.has(name))
      .flatMap(({ value }) => {
        const conv = value.replace('/act/Mul_out', '/conv/Conv');
        return [`${conv}.weight`, `${conv}.bias`];
      });
    expect(await difference(silenced(masked(trace, classes), last), pruned.model)).toBeLessThan(1e-4);
  });

  it('stay without the option', async () => {
    const { report } = await prune(await artifactOf(detector()), { macsReduction: 10, resolve: 'off' }, await context(), null, pictures(4));
    expect(report.blocks).toEqual([]);
  });
});

describe('kept', () => {
  it('names the channels that are left, by value, as the graph has them', async () => {
    const artifact = await artifactOf(detector());
    const { artifact: pruned, kept } = await prune(artifact, { macsReduction: 15, importance: 'flow' }, await context());
    const { trace } = channelGroups(artifact.model, { protectedNodes: artifact.spec!.protectedNodes });
    const widths = new Map([...channelGroups(pruned.model).trace.layouts].map(([value, { dims }]) => [value, dims[1]]));
    expect(kept.size).toBeGreaterThan(10);
    for (const [value, indices] of kept) expect(widths.get(value)).toBe(indices.length);
    for (const [value, { dims }] of trace.layouts) if (!kept.has(value)) expect(widths.get(value)).toBe(dims[1]);
    expect(keptIndices(trace.space, trace.layouts.get([...kept.keys()][0]!)!.labels[1]!, new Set()).length).toBeGreaterThan(
      [...kept.values()][0]!.length,
    );
  });
});
