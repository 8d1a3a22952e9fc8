/** Recovery on the embedded detectors: a disturbed network learns from the original, from unlabelled scenes. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom, StudioError } from '../../../src/numerics';
import { fixDimensions, type Model, node, serializeModel, withGraph } from '../../../src/onnx';
import type { Engine } from '../../../src/runtime';
import { createNodeEngine } from '../../../src/runtime/node';
import { NO_JOURNAL } from '../../../src/steps/journal';
import { openModel } from '../../../src/steps/open';
import { type RecoverInput, recover } from '../../../src/steps/recover';
import type { ModelArtifact, StepContext, TrainingLook } from '../../../src/steps/types';
import { scenes } from '../../fixtures/scenes';

let engine: Engine;
let original: ModelArtifact;
let student: ModelArtifact;

async function embedded(name: string): Promise<ModelArtifact> {
  return openModel(name, new Uint8Array(readFileSync(`static/models/${name}.onnx`)), new Map());
}

/** Every weight of a convolution a few per cent off. */
function disturbed(artifact: ModelArtifact, by: number): ModelArtifact {
  const random = createRandom(7);
  const initializers = new Map(
    [...artifact.model.graph.initializers].map(([name, t]) =>
      t.dtype === 'float32' && t.dims.length === 4
        ? [name, { ...t, data: Float32Array.from(t.data as Float32Array, (v) => v * (1 + by * random.normal())) }]
        : [name, t],
    ),
  );
  return { ...artifact, hash: 'disturbed', model: withGraph(artifact.model, { initializers }) };
}

const images = scenes(900_000, 40);

function context(more: Partial<StepContext> = {}): StepContext & { looks: TrainingLook[] } {
  const looks: TrainingLook[] = [];
  return {
    engine,
    gpu: null,
    seed: 5,
    cancel: { aborted: false, throwIfAborted() {} },
    progress() {},
    look: (look) => looks.push(look),
    looks,
    ...more,
  };
}

const input = (more: Partial<RecoverInput> = {}): RecoverInput => ({
  student,
  teacher: original,
  images,
  kept: new Map(),
  label: 'Recovery',
  ...more,
});

const weights = ({ model }: { readonly model: Model }) => [...model.graph.initializers.values()].filter(({ dtype }) => dtype === 'float32');

beforeAll(async () => {
  engine = await createNodeEngine({ threads: 1 });
  original = await embedded('scenes-depthwise');
  student = disturbed(original, 0.05);
});
afterAll(() => engine.dispose());

describe('recover', () => {
  it('lowers the loss on unseen images, tells it by parts, and keeps the graph', async () => {
    const ctx = context();
    const { artifact, report } = await recover(input(), { steps: 32, batch: 2 }, ctx);
    expect(report.after).toBeLessThan(0.9 * report.before);
    expect(ctx.looks[0]).toMatchObject({ run: 'Recovery', step: 0, total: 32, loss: null, unseen: report.before, mAP: null });
    const last = ctx.looks.at(-1)!;
    expect(last.step).toBe(32);
    expect(Object.keys(last.parts).sort()).toEqual(['classification', 'features', 'kl', 'localization']);
    expect(Object.values(last.parts).reduce((a, b) => a + b, 0)).toBeCloseTo(last.loss!, 4);
    expect(artifact.model.graph.nodes).toEqual(student.model.graph.nodes);
    expect(artifact.hash).not.toBe(student.hash);
    expect(weights(artifact).map(({ dims }) => dims)).toEqual(weights(student).map(({ dims }) => dims));
    expect(report.notes[0]).toContain('32 of 32 image-steps on 36 images; loss on 4 unseen images');
  });

  it('gives the same bits for the same seed, cut in the middle or not', async () => {
    const whole = await recover(input(), { steps: 16, batch: 2 }, context());
    let kept: unknown;
    const journal = {
      ...NO_JOURNAL,
      saved: <T>() => kept as T | undefined,
      save: async (state: unknown) => {
        kept = structuredClone(state);
      },
    };
    const resumedAt: number[] = [];
    let steps = 0;
    const cancel = {
      aborted: false,
      throwIfAborted() {
        if (steps >= 5) throw new StudioError('cancelled', 'Cancelled.', '');
      },
    };
    const progress = ({ step, label }: { step: string; label: string }) => {
      if (step === 'recover' && label === 'Recovery') steps++;
    };
    await expect(recover(input(), { steps: 16, batch: 2 }, context({ journal, cancel, progress }))).rejects.toThrow('Cancelled');
    const { step } = (kept as { training: { state: { step: number } } }).training.state;
    const rest = await recover(input(), { steps: 16, batch: 2 }, context({ journal, resumed: (step) => resumedAt.push(step) }));
    expect(resumedAt).toEqual([step]);
    expect(Buffer.from(serializeModel(rest.artifact.model)).equals(Buffer.from(serializeModel(whole.artifact.model)))).toBe(true);
    expect(rest.report.curve).toEqual(whole.report.curve);
  });

  it('waits while paused, and ends with the best so far when stopped', async () => {
    let [asked, waited] = [0, 0];
    const control = {
      async paused() {
        if (++asked === 3) await new Promise((resolve) => setTimeout(resolve, 5)).then(() => waited++);
      },
      stopped: () => asked > 9,
    };
    const ctx = context({ control });
    const { report } = await recover(input(), { steps: 2000, batch: 2 }, ctx);
    expect(waited).toBe(1);
    expect(ctx.looks.at(-1)!.step).toBe(18);
    expect(report.after).toBe(Math.min(...ctx.looks.map(({ unseen }) => unseen)));
  });

  it('learns from another network with the same kind of head, level by level', async () => {
    const teacher = await embedded('scenes-dense');
    const ctx = context();
    const { report } = await recover(input({ teacher, kept: null }), { steps: 20, batch: 2 }, ctx);
    expect(report.after).toBeLessThan(report.before);
    expect(ctx.looks.at(-1)!.parts.features).toBeGreaterThan(0);
    expect(report.notes.join(' ')).not.toContain('Only features');
  });

  it('compares features alone, with more weight, where the heads differ, and says why', async () => {
    const dense = await embedded('scenes-dense');
    const teacher = { ...dense, spec: { ...dense.spec!, numClasses: dense.spec!.numClasses + 1 } };
    const ctx = context();
    const { report } = await recover(input({ teacher, kept: null }), { steps: 16, batch: 2 }, ctx);
    expect(Object.keys(ctx.looks.at(-1)!.parts)).toEqual(['features']);
    expect(report.notes[0]).toMatch(
      /^Only features are compared, with 3 times their weight: the teacher knows \d+ classes, the student \d+\.$/,
    );
  });

  it('refuses a teacher that sees other pictures', async () => {
    const p = { ...original.spec!.preprocess, width: original.spec!.preprocess.width + 32 };
    const wide = { ...original, spec: { ...original.spec!, preprocess: p } };
    await expect(recover(input({ teacher: wide }), {}, context())).rejects.toThrow(/The teacher .* sees \d+×\d+ pixels/);
    const rgb = { ...original.spec!.preprocess, channels: 'rgb' as const };
    const other = { ...original, spec: { ...original.spec!, preprocess: rgb } };
    await expect(recover(input({ teacher: other, kept: null }), {}, context())).rejects.toThrow('prepare their images differently');
  });

  it('leaves a network alone that is as good as its teacher', async () => {
    const { artifact, report } = await recover(input({ student: original }), { steps: 8, batch: 2 }, context());
    expect(artifact.model).toBe(original.model);
    expect(report.after).toBe(report.before);
    expect(report.notes[0]).toContain('stays as it was');
  });

  it('leaves frozen layers as they are, and trains behind a layer that has no gradient', async () => {
    const odd = (artifact: ModelArtifact): ModelArtifact => {
      const { nodes } = artifact.model.graph;
      const at = nodes.findIndex(({ op }) => op === 'Conv') + 1;
      const [value] = nodes[at - 1]!.outputs as readonly [string];
      const rest = nodes.slice(at).map((n) => ({ ...n, inputs: n.inputs.map((x) => (x === value ? 'odd' : x)) }));
      const lrn = node('LRN', [value], ['odd'], { size: 1, alpha: 1e-9 }, 'normalise');
      return { ...artifact, model: withGraph(artifact.model, { nodes: [...nodes.slice(0, at), lrn, ...rest] }) };
    };
    const own = { student: odd(student), teacher: odd(original) };
    const options = { steps: 20, batch: 2 };
    await expect(recover(input(own), options, context())).rejects.toThrow('normalise (LRN) has no gradient here');
    const frozenLayers = 6;
    const { artifact, report } = await recover(input(own), { ...options, frozenLayers }, context());
    expect(report.after).toBeLessThan(report.before);
    const layers = artifact.model.graph.nodes.filter(({ op }) => op === 'Conv');
    const valuesOf = ({ model }: ModelArtifact, name: string) => model.graph.initializers.get(name)!.data as Float32Array;
    const bits = (a: ModelArtifact, name: string) => Buffer.from(valuesOf(a, name).slice().buffer);
    const same = layers.map(({ inputs }) => bits(artifact, inputs[1]!).equals(bits(own.student, inputs[1]!)));
    expect(same.indexOf(false)).toBe(frozenLayers);
    await expect(recover(input(own), { ...options, frozenLayers: 10_000 }, context())).rejects.toThrow(
      'nothing of scenes-depthwise is left',
    );
  });

  it('asks the teacher and the frozen layers once an image where images stay as they are', async () => {
    let runs = 0;
    const counting: Engine = {
      ...engine,
      async create(bytes, options) {
        const session = await engine.create(bytes, options);
        return {
          ...session,
          run(feeds, fetches) {
            runs++;
            return session.run(feeds, fetches);
          },
        };
      },
    };
    const count = async (augment: boolean, steps: number) => {
      runs = 0;
      const few = input({ images: { ...images, entries: images.entries.slice(0, 12) } });
      await recover(few, { steps, batch: 2, frozenLayers: 8, augment }, context({ engine: counting }));
      return runs;
    };
    // 8 images: each of the second 8 image-steps needs the training graph alone, or the teacher and the frozen part before.
    expect((await count(false, 16)) - (await count(false, 8))).toBe(8);
    expect((await count(true, 16)) - (await count(true, 8))).toBe(3 * 8);
  });

  it('trains on channels that are left after pruning against the same channels of the original', async () => {
    const { prune } = await import('../../../src/steps/prune');
    const few = { ...images, entries: images.entries.slice(0, 12) };
    const { artifact: pruned, kept } = await prune(original, { macsReduction: 20, importance: 'l2' }, context(), null, few);
    expect(kept.size).toBeGreaterThan(0);
    const ctx = context();
    const { artifact, report } = await recover(input({ student: pruned, kept }), { steps: 20, batch: 2 }, ctx);
    expect(report.after).toBeLessThan(report.before);
    expect(ctx.looks.at(-1)!.parts.features).toBeGreaterThan(0);
    const bytes = serializeModel(fixDimensions(artifact.model));
    expect(bytes.length).toBeLessThan(serializeModel(original.model).length);
  });
});
