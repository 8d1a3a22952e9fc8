/** retrain.py for real: tiny networks on drawn scenes, one and two processes, killed and resumed. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openImageDir } from '../../../src/data/node';
import { type Model, parseModel, toNumbers } from '../../../src/onnx';
import { createNodeEngine } from '../../../src/runtime/node';
import { evaluate } from '../../../src/steps/evaluate';
import { openModel } from '../../../src/steps/open';
import { writeScenes } from '../../cli/coco-dir';
import { maxDifference, randomFeeds, runBytes } from '../../onnx/ort';
import { artifact, context, unzipped } from './bundle';
import { calmYolox, interrupted, logOf, outputFolder, retrain, retrainFolder, SKIPPED, TORCH_PYTHON, tinyFolder } from './retrain-python';

const LONG = 300_000;

const weightsOf = (model: Model) => [...model.graph.initializers].filter(([, { dtype }]) => dtype === 'float32');

const resultOf = (out: string): Model => parseModel(new Uint8Array(readFileSync(join(out, 'retrained.onnx'))));

/** Largest difference of any weight, in units of how far training moved it at most. */
function distance(a: Model, b: Model, start: Model): { readonly moved: number; readonly apart: number } {
  let [moved, apart] = [0, 0];
  for (const [name, tensor] of weightsOf(start)) {
    const [x, y, from] = [a, b, start].map((model) => toNumbers(model.graph.initializers.get(name) ?? tensor)) as [
      number[],
      number[],
      number[],
    ];
    for (let i = 0; i < from.length; i++) {
      moved = Math.max(moved, Math.abs(x[i]! - from[i]!));
      apart = Math.max(apart, Math.abs(x[i]! - y[i]!));
    }
  }
  return { moved, apart };
}

const losses = (out: string) => logOf(out).flatMap(({ event, loss }) => (event === 'step' && typeof loss === 'number' ? [loss] : []));
const unseen = (out: string) => logOf(out).flatMap(({ event, loss }) => (event === 'unseen' && typeof loss === 'number' ? [loss] : []));

describe.runIf(TORCH_PYTHON)(`retrain.py${SKIPPED}`, () => {
  let scenes: string;
  let tiny: string;
  const SHORT = () => ['--data', scenes, '--batch', '4', '--steps', '12', '--holdout', '0', '--log-steps', '1', '--lr', '2e-3'];

  beforeAll(async () => {
    scenes = unzipped(new Map());
    await writeScenes(scenes, 700, 20);
    tiny = tinyFolder();
  }, LONG);

  it(
    'brings a disturbed network back to the original; the studio opens the result as the next round',
    async () => {
      const out = outputFolder();
      const args = [
        '--data',
        scenes,
        '--out',
        out,
        '--batch',
        '4',
        '--steps',
        '60',
        '--holdout',
        '0.2',
        '--lr',
        '4e-3',
        '--lr-bias',
        '1e-2',
      ];
      expect(await retrain(tiny, 1, args)).toMatchObject({ code: 0, err: '' });
      const [start] = logOf(out);
      expect(start).toMatchObject({ event: 'start', images: 16, unseen: 4, labelled: 20, heads: true, one_by_one: false, processes: 1 });
      const seen = unseen(out);
      expect(Math.min(...seen)).toBeLessThan(0.6 * seen[0]!);
      expect(Object.keys(logOf(out).find(({ event }) => event === 'step')!.parts!)).toEqual(['cls', 'kl', 'loc', 'feat']);

      const student = parseModel(new Uint8Array(readFileSync(join(tiny, 'student.onnx'))));
      const result = resultOf(out);
      expect(result.graph.nodes).toEqual(student.graph.nodes);
      expect([...result.graph.initializers.keys()]).toEqual([...student.graph.initializers.keys()]);
      const opened = await openModel('retrained.onnx', new Uint8Array(readFileSync(join(out, 'retrained.onnx'))));
      expect(opened.spec).toMatchObject({ family: 'yolox', numClasses: 8 });
      const engine = await createNodeEngine({ threads: 1 });
      try {
        const images = await openImageDir(scenes);
        const target = { ...opened, environment: 'FP32' };
        const teacher = parseModel(new Uint8Array(readFileSync(join(tiny, 'teacher.onnx'))));
        const { artifact: judged } = await evaluate(target, images, {}, context({ engine }), { model: teacher });
        expect(judged.metrics).toMatchObject({ kind: 'coco', images: 20 });
      } finally {
        await engine.dispose();
      }
      // What it computes is nearer to the original than before.
      const feeds = randomFeeds(student, undefined, 4, 60);
      const [before, after, wanted] = await Promise.all(
        ['student.onnx', 'retrained.onnx', 'teacher.onnx'].map((name) =>
          runBytes(new Uint8Array(readFileSync(join(name === 'retrained.onnx' ? out : tiny, name))), feeds),
        ),
      );
      expect(maxDifference(after!, wanted!)).toBeLessThan(maxDifference(before!, wanted!));
    },
    LONG,
  );

  it(
    'two processes do what one does with the same images a step; killed in the middle, they end where they would have, bit by bit',
    async () => {
      const [one, two, killed] = [outputFolder(), outputFolder(), outputFolder()];
      const args = [...SHORT(), '--loss', 'both', '--save-steps', '3', '--holdout', '0.2', '--eval-steps', '4'];
      expect((await retrain(tiny, 1, [...args, '--out', one])).code).toBe(0);
      expect((await retrain(tiny, 2, [...args, '--out', two])).code).toBe(0);
      expect(logOf(two)[0]).toMatchObject({ processes: 2 });
      const [alone, shared] = [losses(one), losses(two)];
      expect(alone.length).toBe(12);
      for (const [i, loss] of alone.entries()) expect(Math.abs(shared[i]! - loss) / loss).toBeLessThan(1e-3);
      for (const [i, loss] of unseen(one).entries()) expect(Math.abs(unseen(two)[i]! - loss) / loss).toBeLessThan(1e-3);
      const start = parseModel(new Uint8Array(readFileSync(join(tiny, 'student.onnx'))));
      const { moved, apart } = distance(resultOf(one), resultOf(two), start);
      expect(moved).toBeGreaterThan(1e-3);
      expect(apart).toBeLessThan(1e-3 * moved);

      const reached = (log: ReturnType<typeof logOf>) => log.some(({ event, step }) => event === 'step' && step === 7);
      await interrupted(tiny, 2, [...args, '--out', killed], killed, reached, 'SIGKILL');
      expect(logOf(killed).some(({ event }) => event === 'done')).toBe(false);
      expect((await retrain(tiny, 2, [...args, '--out', killed])).code).toBe(0);
      const starts = logOf(killed).filter(({ event }) => event === 'start');
      expect(starts.map(({ step }) => step)).toEqual([0, 6]);
      expect(readFileSync(join(killed, 'retrained.onnx'))).toEqual(readFileSync(join(two, 'retrained.onnx')));
      expect(losses(killed).slice(-6)).toEqual(shared.slice(-6));
    },
    LONG,
  );

  it(
    'SIGTERM ends it after the step with a checkpoint; another number of processes goes on; other settings are refused',
    async () => {
      const out = outputFolder();
      const args = [...SHORT(), '--steps', '24', '--out', out];
      const reached = (log: ReturnType<typeof logOf>) => log.some(({ event, step }) => event === 'step' && step! >= 2);
      await interrupted(tiny, 2, args, out, reached, 'SIGTERM');
      const stopped = logOf(out).at(-1)!;
      expect(stopped).toMatchObject({ event: 'stopped' });
      expect(stopped.step).toBeLessThan(24);
      const refused = await retrain(tiny, 1, [...args, '--temperature', '2']);
      expect(refused.code).toBe(1);
      expect(refused.err).toContain(
        'is of another run (temperature was 3.0 and is 2.0). Use the same command, another --out, or --resume never.',
      );
      expect((await retrain(tiny, 1, args)).code).toBe(0);
      expect(logOf(out).filter(({ event }) => event === 'start')[1]).toMatchObject({ step: stopped.step, processes: 1 });
      expect(logOf(out).at(-1)).toMatchObject({ event: 'done', step: 24 });
    },
    LONG,
  );

  it(
    'learns from labels alone',
    async () => {
      const out = outputFolder();
      const args = [
        '--data',
        scenes,
        '--out',
        out,
        '--batch',
        '10',
        '--steps',
        '24',
        '--loss',
        'labels',
        '--no-augment',
        '--log-steps',
        '4',
      ];
      expect(await retrain(tiny, 1, [...args, '--lr', '1e-2', '--lr-bias', '3e-2', '--holdout', '0'])).toMatchObject({ code: 0, err: '' });
      const steps = logOf(out).filter(({ event }) => event === 'step');
      expect(Object.keys(steps[0]!.parts!)).toEqual(['label_box', 'label_obj', 'label_cls']);
      const [first, last] = [losses(out)[0]!, losses(out).at(-1)!];
      expect(last).toBeLessThan(0.9 * first);
    },
    LONG,
  );

  it(
    'distils into a narrower network through projections that are not part of the result',
    async () => {
      const folder = retrainFolder(artifact(calmYolox({ channels: 10, seed: 2 })), artifact(calmYolox()));
      const out = outputFolder();
      expect(await retrain(folder, 1, [...SHORT(), '--out', out, '--steps', '24'])).toMatchObject({ code: 0, err: '' });
      const narrow = parseModel(new Uint8Array(readFileSync(join(folder, 'student.onnx'))));
      expect([...resultOf(out).graph.initializers.keys()]).toEqual([...narrow.graph.initializers.keys()]);
      const parts = logOf(out).flatMap(({ event, parts }) => (event === 'step' ? [parts!] : []));
      // The best linear map leaves less than the teacher's variance.
      expect(parts[0]!.feat).toBeLessThan(1);
      expect(parts.at(-1)!.cls).toBeLessThan(parts[0]!.cls!);
    },
    LONG,
  );

  it(
    'compares outputs where the head is unknown, one image at a time where the network takes one only',
    async () => {
      const generic = (noise: number) => ({ ...artifact(calmYolox({}, noise)), spec: null });
      const [student, teacher] = [generic(0.1), generic(0)];
      const folder = retrainFolder(student, teacher);
      const out = outputFolder();
      expect(await retrain(folder, 1, [...SHORT(), '--out', out, '--steps', '24'])).toMatchObject({ code: 0, err: '' });
      expect(logOf(out)[0]).toMatchObject({ heads: false });
      expect(
        losses(out)
          .slice(-4)
          .reduce((a, b) => a + b),
      ).toBeLessThan(
        losses(out)
          .slice(0, 4)
          .reduce((a, b) => a + b),
      );
      const refused = await retrain(folder, 1, [...SHORT(), '--out', out, '--loss', 'labels']);
      expect(refused.err).toContain("labels need a YOLOX head, and this network's is not known to be one. Use --loss distil.");
    },
    LONG,
  );

  it(
    'checks everything with --dry-run and says in one sentence what is missing',
    async () => {
      const out = outputFolder();
      expect(await retrain(tiny, 1, [...SHORT(), '--out', out, '--dry-run'])).toMatchObject({ code: 0, err: '' });
      expect(logOf(out).map(({ event }) => event)).toEqual(['start']);
      expect((await retrain(tiny, 1, ['--data', join(scenes, 'nowhere'), '--out', out])).err).toContain(
        `retrain.py: there is no folder ${join(scenes, 'nowhere')}.\n`,
      );
      expect((await retrain(tiny, 1, [...SHORT(), '--out', out, '--batch', '3'], { WORLD_SIZE: '2' })).err).toContain(
        'retrain.py: --batch 3 is not a multiple of the 2 processes.\n',
      );
    },
    LONG,
  );
});
