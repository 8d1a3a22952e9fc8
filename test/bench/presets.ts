/** What each preset keeps of the real detector, and how long it takes: mAP with its interval, seconds, ratios. */
import { readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { openImageDir } from '../../src/data/node';
import { inputDims, preprocess } from '../../src/models';
import { serializeModel } from '../../src/onnx';
import { PRESETS, type Recipe, type ResultRow, type RunEnvironment, runRecipe } from '../../src/pipeline';
import { createNodeEngine } from '../../src/runtime/node';
import { openModel } from '../../src/steps/open';

export const QUANTIZING: readonly string[] = Object.keys(PRESETS).filter((name) => /^(int8|tflite|qat)/.test(name));

/** Without export: the bundle is no part of a preset's time. */
function judged(recipe: Recipe): Recipe {
  return { ...recipe, steps: recipe.steps.map((step) => (step.step === 'export' ? { ...step, enabled: false } : step)) };
}

/** Seconds that the float network alone needs for the calibration images, decoding left out. */
async function bareSeconds(model: Uint8Array, folder: string, env: Pick<RunEnvironment, 'engine'>): Promise<number> {
  const opened = await openModel('model.onnx', model);
  const images = await openImageDir(folder);
  const p = opened.spec!.preprocess;
  const session = await env.engine.create(serializeModel(opened.model));
  let total = 0;
  try {
    for (let i = -5; i < images.entries.length; i++) {
      const { input } = preprocess(await images.load(Math.max(i, 0)), p);
      const start = performance.now();
      await session.run({ [opened.spec!.input]: { dtype: p.dtype, dims: inputDims(p), data: input } });
      if (i >= 0) total += performance.now() - start;
    }
  } finally {
    await session.release();
  }
  return total / 1000;
}

const number = (value: number | null | undefined, digits = 1): string =>
  value === null || value === undefined ? 'n/a' : value.toFixed(digits);

function cells(name: string, row: ResultRow, seconds: Readonly<Record<string, number>>, bare: number): string[] {
  const { mAP, interval, paired, images } = row.metrics!;
  const range = (r: { low: number; high: number } | null | undefined) => (r ? ` [${number(r.low)}, ${number(r.high)}]` : '');
  const made = (seconds.calibrate ?? 0) + (seconds.quantize ?? 0);
  return [
    name,
    `${number(mAP, 2)}${range(interval)}`,
    paired ? `${number(paired.kept)} %${range(paired.keptInterval)}` : '',
    String(images),
    row.id === 'fp32' ? '' : number(made),
    row.id === 'fp32' ? '' : number(made / bare),
  ];
}

/**
 * Runs presets on YOLOX-Nano: calibrated on coco-calib, evaluated on coco-val.
 * @param data the folder that the README calls BONSAI_DATA
 * @returns a markdown table
 */
export async function presetTable(data: string, names: readonly string[], say: (what: string) => void): Promise<string> {
  const path = resolve(data, 'models/yolox_nano.onnx');
  const model = new Uint8Array(readFileSync(path));
  const calibration = await openImageDir(resolve(data, 'coco-calib'));
  const evaluation = await openImageDir(resolve(data, 'coco-val'));
  const engine = await createNodeEngine();
  const env: RunEnvironment = { engine, gpu: null, cancel: { aborted: false, throwIfAborted() {} }, progress() {} };
  const lines: string[][] = [];
  try {
    const bare = await bareSeconds(model, resolve(data, 'coco-calib'), env);
    for (const name of names) {
      say(`preset ${name}`);
      const input = { name: basename(path), model, calibration, evaluation };
      const { rows, seconds } = await runRecipe(judged(PRESETS[name]!()), input, env);
      if (lines.length === 0) lines.push(cells('FP32', rows.find((row) => row.id === 'fp32')!, seconds, bare));
      lines.push(cells(`\`${name}\``, rows.find((row) => row.id === 'int8')!, seconds, bare));
      say(lines.at(-1)!.join(' | '));
    }
  } finally {
    await engine.dispose();
  }
  const head = ['preset', 'mAP [95 %]', 'kept of FP32 [95 %]', 'images', 's to calibrate and quantize', '÷ bare inference'];
  return [head, head.map(() => '---'), ...lines].map((line) => `| ${line.join(' | ')} |`).join('\n');
}
