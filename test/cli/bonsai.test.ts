/** The command line as a user calls it: a process, its exit code, stdout and stderr. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sceneSet } from '../../src/data';
import { evaluateModel, PRESETS } from '../../src/pipeline';
import { createNodeEngine } from '../../src/runtime/node';
import { writeScenes } from './coco-dir';
import { bonsai, inTurn, lastLine, type Outcome } from './process';

const MODEL = 'static/models/scenes-depthwise.onnx';

/** What `--json` promises: success, and one object on the last line. */
async function json(...args: string[]): Promise<Record<string, never>> {
  const { code, stdout, stderr } = await bonsai(...args, '--json');
  expect([code, stderr.includes('Error')]).toEqual([0, false]);
  return lastLine(stdout);
}

let root: string;
let coco: string;
let calib: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'bonsai-cli-'));
  coco = join(root, 'coco');
  calib = join(root, 'calib');
  await writeScenes(coco, 500_000, 6);
  await writeScenes(calib, 0, 6, { format: 'jpg', labelled: false });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('inspect', () => {
  it('--json has the shape that the issue promises', async () => {
    const report = await json('inspect', MODEL);
    expect(report).toMatchObject({
      parameters: 154_319,
      macs: 56_611_464,
      inputs: [{ name: 'images', dtype: 'float32', shape: [1, 3, 224, 224] }],
      outputs: [{ name: 'output', dtype: 'float32', shape: [1, 1029, 13] }],
      opset: 11,
      family: 'YOLOX (raw)',
    });
    const layers = report.layers as { name: string; op: string; shape: number[]; parameters: number; macs: number }[];
    for (const layer of layers) {
      expect([typeof layer.name, typeof layer.op]).toEqual(['string', 'string']);
      expect(layer.shape.every(Number.isInteger)).toBe(true);
    }
    expect(layers.reduce((sum, layer) => sum + layer.macs, 0)).toBe(56_611_464);
    // The stem: 3×3 over Focus' 12 channels, at half size; parameters with the bias.
    const stem = layers.find((layer) => layer.op === 'Conv')!;
    const [, outputs, height, width] = stem.shape as [number, number, number, number];
    expect([height, width]).toEqual([112, 112]);
    expect(stem.macs).toBe(outputs * 12 * 9 * 112 * 112);
    expect(stem.parameters).toBe(outputs * 12 * 9 + outputs);
  });

  it('without --json it is a table', async () => {
    const { code, stdout, stderr } = await bonsai('inspect', MODEL);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout.split('\n')[0]).toBe('scenes-depthwise.onnx: YOLOX (raw), opset 11, 154,319 parameters, 56.6 MMACs');
    expect(stdout).toMatch(/^layer +op +shape +parameters +MACs$/m);
  });
});

describe('evaluate', () => {
  it('scores PNG scenes as the library scores the scenes themselves, drawn for it or for the command line', async () => {
    const metrics = await json('evaluate', MODEL, '--coco', coco, '--threads', '1');
    const drawn = await json('evaluate', MODEL, '--coco', 'scenes:500000:6');
    expect([drawn.mAP, drawn.images]).toEqual([metrics.mAP, 6]);
    const engine = await createNodeEngine({ threads: 1 });
    const env = { engine, gpu: null, cancel: { aborted: false, throwIfAborted() {} }, progress() {} };
    const bytes = new Uint8Array(readFileSync(MODEL));
    const direct = await evaluateModel({ name: 'scenes-depthwise.onnx', bytes }, sceneSet(500_000, 6), 'auto', env);
    await engine.dispose();
    expect([metrics.mAP, metrics.AP50, metrics.images]).toEqual([direct.metrics.mAP, direct.metrics.AP50, 6]);
    expect(metrics.classHistogram).toEqual(direct.metrics.classHistogram);
    expect(metrics.mAP).toBeGreaterThan(50);
    expect(metrics.kind).toBe('coco');
  });

  it('--limit takes the first ones, --preprocess overrides the family', async () => {
    const fewer = await json('evaluate', MODEL, '--coco', coco, '--limit', '2', '--threads', '1');
    expect(fewer.images).toBe(2);
    const wrong = await json('evaluate', MODEL, '--coco', coco, '--threads', '1', '--preprocess', 'rgb-0-1-letterbox-corner');
    expect(wrong.mAP).toBeLessThan(10);
    expect(wrong.preprocess).not.toBe(fewer.preprocess);
  });

  it('a damaged image is left out and said on stderr', async () => {
    const folder = join(root, 'damaged');
    cpSync(coco, folder, { recursive: true });
    writeFileSync(join(folder, 'images/003.png'), readFileSync(join(coco, 'images/003.png')).subarray(0, 300));
    const { code, stdout, stderr } = await bonsai('evaluate', MODEL, '--coco', folder, '--threads', '1', '--json');
    expect([code, JSON.parse(stdout).images]).toEqual([0, 5]);
    expect(stderr).toContain('1 of 6 images could not be read and were left out.\n');
  });
});

describe('run', () => {
  it('int8-percentile writes the bundle and reports before and after', async () => {
    const out = join(root, 'out');
    const result = await json('run', 'int8-percentile', '--model', MODEL, '--calib', calib, '--coco', coco, '--out', out, '--threads', '1');
    const { fp32, compressed, files, seconds } = result as unknown as {
      fp32: { mAP: number; macs: number; environment: string };
      compressed: { mAP: number; weightBytes: number; environment: string };
      files: string[];
      seconds: Record<string, number>;
    };
    expect(result.parameters).toEqual({ before: 154_319, after: 154_319 });
    expect(result.macs).toEqual({ before: 56_611_464, after: 56_611_464 });
    expect([fp32.environment, compressed.environment]).toEqual(['FP32', 'INT8, simulated']);
    expect(fp32.mAP).toBeGreaterThan(50);
    expect(compressed.weightBytes).toBeLessThan(154_319 * 4 * 0.4);
    expect(files).toEqual(expect.arrayContaining(['model.onnx', 'model.qdq.onnx', 'recipe.json', 'compile.py', 'calib_set.npy']));
    const written = readdirSync(out, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(written.map((entry) => relative(out, join(entry.parentPath, entry.name))).sort()).toEqual([...files].sort());
    expect(seconds.total).toBeGreaterThan(seconds.quantize!);

    const again = await json('evaluate', join(out, 'model.qdq.onnx'), '--coco', coco, '--threads', '1');
    expect(again.mAP).toBe(compressed.mAP);

    const replayed = join(root, 'replayed');
    const recipe = join(out, 'recipe.json');
    const replay = await json('run', recipe, '--model', MODEL, '--calib', calib, '--coco', coco, '--out', replayed, '--threads', '1');
    expect(replay.compressed).toEqual(result.compressed);
    for (const name of ['model.onnx', 'model.qdq.onnx', 'recipe.json'])
      expect(readFileSync(join(replayed, name)).equals(readFileSync(join(out, name))), name).toBe(true);
  });

  it('prune-10 without labels: fewer MACs, judged by agreement, progress on stderr', async () => {
    const out = join(root, 'pruned');
    const args = ['run', 'prune-10', '--model', MODEL, '--calib', calib, '--out', out, '--threads', '1', '--json'];
    const { code, stdout, stderr } = await bonsai(...args);
    const { macs, compressed } = JSON.parse(stdout);
    expect([code, stdout.trimEnd().includes('\n')]).toEqual([0, false]);
    expect(macs.after / macs.before).toBeLessThanOrEqual(0.905);
    expect(compressed.kind).toBe('agreement');
    expect(stderr).toMatch(/^Evaluating 6\/6$/m);
    const { macs: measured } = await json('inspect', join(out, 'model.onnx'));
    expect(measured).toBe(macs.after);
  });
});

it('presets are the shipped recipes', async () => {
  expect(await json('presets')).toEqual(Object.fromEntries(Object.entries(PRESETS).map(([name, make]) => [name, make()])));
});

it('--help and no command explain the usage', async () => {
  for (const { code, stdout } of await inTurn([['--help'], []]))
    expect([code, stdout.startsWith('Usage: npm run -s bonsai -- <command>')]).toEqual([0, true]);
});

describe('bad input: exit code 2, one sentence and a hint on stderr, nothing on stdout', () => {
  const path = (name: string) => join(root, name);
  beforeAll(() => {
    writeFileSync(path('text.onnx'), 'this is not a model\n');
    writeFileSync(path('half.onnx'), readFileSync(MODEL).subarray(0, 300_000));
    writeFileSync(path('empty.onnx'), '');
    mkdirSync(path('empty'));
    mkdirSync(path('foreign/images'), { recursive: true });
    cpSync(join(coco, 'images/000.png'), path('foreign/images/zzz.png'));
    cpSync(join(coco, 'instances.json'), path('foreign/instances.json'));
    cpSync(coco, path('broken'), { recursive: true });
    writeFileSync(path('broken/instances.json'), '{"images": [');
    cpSync(coco, path('unreadable'), { recursive: true });
    for (const name of readdirSync(path('unreadable/images'))) writeFileSync(path(`unreadable/images/${name}`), 'GIF89a');
    writeFileSync(path('broken.json'), '{');
    writeFileSync(path('later.json'), '{"bonsai": 9, "steps": []}');
    writeFileSync(path('device.json'), JSON.stringify({ bonsai: 1, device: 'abacus', steps: [{ step: 'export' }] }));
  });

  const run = (...args: string[]) => ['run', ...args, '--model', MODEL, '--calib', '<calib>', '--out', '<root>/never'];
  const drawn = ['scenes', 'scenes:x:3', 'scenes:1', 'scenes:1:0', 'scenes:1:999999'];
  const cases: [string, string[], string | RegExp][] = [
    ...drawn.map((name): [string, string[], RegExp] => [
      `${name} for scenes`,
      ['evaluate', MODEL, '--coco', name],
      new RegExp(`^"${name}" names no scenes\\. Give scenes:FIRST:COUNT`),
    ]),
    ['no model', ['inspect'], 'No model was given. Usage: inspect MODEL [--json]'],
    ['missing file', ['inspect', '<root>/no.onnx'], 'There is no file <root>/no.onnx. Give the path of an ONNX model.'],
    ['a folder for a model', ['inspect', '<root>'], '<root> is not a file. Give the path of an ONNX model.'],
    ['text as a model', ['inspect', '<root>/text.onnx'], 'This is a text file, not an ONNX model. Choose a file that ends in .onnx.'],
    ['a truncated model', ['inspect', '<root>/half.onnx'], /(truncated|cut off|damaged|incomplete)/],
    ['an empty model', ['inspect', '<root>/empty.onnx'], /empty/],
    ['no images', ['evaluate', MODEL], 'No images were given. Usage: evaluate MODEL --coco DIR [--json]'],
    [
      'missing folder',
      ['evaluate', MODEL, '--coco', '<root>/nowhere'],
      'There is no folder <root>/nowhere. Give a folder of images, or one with instances.json and images/.',
    ],
    [
      'empty folder',
      ['evaluate', MODEL, '--coco', '<root>/empty'],
      'There are no images in empty. Choose a folder with JPEG or PNG files.',
    ],
    [
      'annotations of other images',
      ['evaluate', MODEL, '--coco', '<root>/foreign'],
      'The annotations are of other images: none of its 6 images is in foreign (it lists 000.png). Choose the folder that belongs to this annotation file.',
    ],
    [
      'broken annotations',
      ['evaluate', MODEL, '--coco', '<root>/broken'],
      /^<root>\/broken\/instances\.json is not valid JSON \(.+\)\. Export/,
    ],
    [
      'no readable image',
      ['evaluate', MODEL, '--coco', '<root>/unreadable'],
      'None of the 6 images of "unreadable" could be read. Choose JPEG or PNG images.',
    ],
    [
      'unknown preprocessing',
      ['evaluate', MODEL, '--coco', '<coco>', '--preprocess', 'sepia'],
      /^There is no preprocessing "sepia"\. Use auto or one of: [^.]+\.$/,
    ],
    ['unknown preset', run('int9'), `There is no recipe "int9". Give a recipe.json or one of: ${Object.keys(PRESETS).join(', ')}.`],
    ['an inherited name as preset', run('constructor'), /^There is no recipe "constructor"\. /],
    ['a broken recipe', run('<root>/broken.json'), /^<root>\/broken\.json is not valid JSON \(.+\)\. Give the path of a recipe\.json\.$/],
    ['a later recipe', run('<root>/later.json'), 'The recipe\'s version is 9. This studio reads recipes with "bonsai": 1.'],
    ['an unknown device', run('<root>/device.json'), /"abacus"/],
    ['no calibration', ['run', 'prune-10', '--model', MODEL, '--out', '<root>/never'], /^No calibration images were given\. Usage: /],
    ['no output folder', ['run', 'prune-10', '--model', MODEL, '--calib', '<calib>'], /^No output folder was given\. Usage: /],
    [
      'output folder is a file',
      ['run', 'prune-10', '--model', MODEL, '--calib', '<calib>', '--out', MODEL],
      /static\/models\/scenes-depthwise\.onnx is not a folder\. Give another folder to --out\.$/,
    ],
    ['unknown flag', ['inspect', MODEL, '--foo'], "Unknown option '--foo'. See --help."],
    ['flag without a value', ['evaluate', MODEL, '--coco'], "Option '--coco' argument is ambiguous. See --help."],
    ['unknown command', ['shrink'], 'There is no command "shrink". Commands are: inspect, evaluate, run, analyze, search, train, presets.'],
    ['one argument too many', ['inspect', MODEL, MODEL], `"${MODEL}" is one argument too many. See --help.`],
    ['a limit of nothing', ['evaluate', MODEL, '--coco', '<coco>', '--limit', '0'], '--limit is "0". It must be a whole number from 1.'],
    [
      'threads in words',
      ['evaluate', MODEL, '--coco', '<coco>', '--threads', 'all'],
      '--threads is "all". It must be a whole number from 1.',
    ],
  ];
  const fill = (text: string) => text.replaceAll('<root>', root).replaceAll('<coco>', coco).replaceAll('<calib>', calib);
  const filled = (args: readonly string[]) => [...args.map(fill), '--json'];
  let outcomes: readonly Outcome[];
  beforeAll(async () => {
    outcomes = await inTurn(cases.map(([, args]) => filled(args)));
  });

  it.each(cases.map(([name, , expected], i) => [name, expected, i] as const))('%s', (_, expected, i) => {
    const { code, stdout, stderr } = outcomes[i]!;
    const lines = stderr.trimEnd().split('\n');
    const sentence = lines.pop()!;
    expect({ code, stdout, lines: lines.filter((line) => !/^Evaluating \d\/6/.test(line)) }).toEqual({ code: 2, stdout: '', lines: [] });
    if (typeof expected === 'string') expect(sentence).toBe(fill(expected));
    else expect(sentence).toMatch(new RegExp(fill(expected.source)));
  });

  it('a process of its own says and ends the same', async () => {
    for (const name of ['no readable image', 'unknown command']) {
      const i = cases.findIndex(([known]) => known === name);
      expect(await bonsai(...filled(cases[i]![1]))).toEqual(outcomes[i]);
    }
  });
});
