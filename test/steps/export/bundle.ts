/** What the export tests share: images, contexts and bundles of the small network. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { ImageSet } from '../../../src/data';
import { matchFamily, type Preprocess } from '../../../src/models';
import { createRandom, type RgbImage, StudioError } from '../../../src/numerics';
import type { Model } from '../../../src/onnx';
import type { Engine } from '../../../src/runtime';
import type { OptionValues } from '../../../src/steps/common';
import { type BundleInput, exportBundle } from '../../../src/steps/export';
import type { ModelArtifact, Progress, StepContext } from '../../../src/steps/types';
import { tinyYolox } from '../../fixtures/tiny-yolox';

export function image(seed: number, width = 48, height = 32): RgbImage {
  const random = createRandom(seed);
  return { width, height, data: Uint8Array.from({ length: width * height * 3 }, () => random.int(256)) };
}

/** `count` seeded images; those listed in `broken` can't be decoded. */
export function imageSet(count: number, broken: readonly number[] = []): ImageSet {
  const entries = Array.from({ length: count }, (_, id) => ({ id, fileName: `${id}.png`, width: null, height: null, truths: [] }));
  return {
    name: 'set',
    entries,
    categories: null,
    notes: [],
    load: async (i) => {
      if (broken.includes(i)) throw new StudioError('bad-data', `${i}.png is damaged.`, 'Choose another.');
      return image(i);
    },
  };
}

/** The export touches no engine, so any use of one fails the test. */
const noEngine = new Proxy({} as Engine, {
  get: () => {
    throw new Error('the export must not compute');
  },
});

export function context(overrides: Partial<StepContext> = {}): StepContext & { readonly seen: Progress[] } {
  const seen: Progress[] = [];
  const cancel = { aborted: false, throwIfAborted: () => {} };
  return { cancel, progress: (p) => seen.push(p), engine: noEngine, gpu: null, seed: 1, seen, ...overrides };
}

export function artifact(model: Model, name = 'tiny.onnx', preprocess: Partial<Preprocess> = {}): ModelArtifact {
  const spec = matchFamily(model);
  return {
    kind: 'model',
    hash: 'f00d',
    name,
    model,
    spec: spec && { ...spec, preprocess: { ...spec.preprocess, ...preprocess } },
  };
}

export async function bundleOf(
  float: ModelArtifact = artifact(tinyYolox()),
  options: OptionValues = {},
  rest: Partial<BundleInput> = {},
): Promise<ReadonlyMap<string, Uint8Array>> {
  const input = { float, quant: null, calibration: imageSet(6), rows: [], recipe: { bonsai: 1 }, device: 'hailo8', ...rest };
  return (await exportBundle(input, options, context())).files;
}

export const textOf = (files: ReadonlyMap<string, Uint8Array>, name: string) => new TextDecoder().decode(files.get(name));

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Writes files into a new temporary folder, removed after the tests. */
export function unzipped(files: ReadonlyMap<string, Uint8Array | string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'bonsai-bundle-'));
  folders.push(folder);
  for (const [name, bytes] of files) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  }
  return folder;
}

let interpreter: string | null = null;

/** The real python3 behind any wrapper on the PATH; the tests need it and say so. */
export function python(): string {
  try {
    interpreter ??= execFileSync('python3', ['-c', 'import sys; assert sys.version_info >= (3, 8); print(sys.executable)'], {
      encoding: 'utf8',
    }).trim();
  } catch {
    throw new Error('These tests need python3, 3.8 or newer, on the PATH.');
  }
  return interpreter;
}

export function run(folder: string, args: readonly string[], path: readonly string[] = [], more: Readonly<Record<string, string>> = {}) {
  const env = { ...process.env, ...more, PYTHONPATH: path.join(':'), PYTHONDONTWRITEBYTECODE: '1' };
  const result = spawnSync(python(), [join(folder, 'compile.py'), ...args], { encoding: 'utf8', env });
  return { code: result.status, out: result.stdout, err: result.stderr.trim() };
}
