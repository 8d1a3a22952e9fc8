/** `bonsai train`: the embedded detectors from random weights, with a checkpoint that a killed run goes on from. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { SCENE_CLASSES, sceneSet } from '../data';
import { StudioError } from '../numerics';
import { serializeModel } from '../onnx';
import { evaluateModel, type RunEnvironment } from '../pipeline';
import { type GrowCheckpoint, type GrowOptions, growDetector, SCENE_RECIPES } from '../training';
import { type CommandResult, withEngine } from './commands';
import { checkOutputFolder, readJsonFile } from './files';
import type { ProgressLine } from './progress';

const USAGE = `Usage: train ${Object.keys(SCENE_RECIPES).join(' | ')} [--steps N] [--seed S] [--out DIR] [--resume]`;

export interface TrainArguments {
  readonly name?: string;
  readonly steps?: number;
  readonly seed?: number;
  readonly out?: string;
  readonly resume: boolean;
  /** Held-out scenes that judge at the end; all of them unless said. */
  readonly limit?: number;
  readonly threads?: number;
}

/** Scenes that no step and no choice sees. Looks along the way judge by some of them, and change nothing. */
const HELD_OUT = { seed: 500_000, count: 400 };
const GLANCE = 40;
/** Looks of a run. */
const LOOKS = 12;

const TITLES: Readonly<Record<string, string>> = {
  'scenes-depthwise': 'Scenes, depthwise (like YOLOX-Nano)',
  'scenes-dense': 'Scenes, dense (like YOLOX-Tiny)',
};

interface Kept {
  readonly options: GrowOptions;
  readonly seconds: number;
  readonly checkpoint: GrowCheckpoint;
}

/** Either the old file or the new one, whenever the power goes. */
function writeWhole(path: string, data: Uint8Array | string): void {
  writeFileSync(`${path}.partial`, data);
  renameSync(`${path}.partial`, path);
}

function readCheckpoint(path: string, options: GrowOptions): Kept | null {
  if (!existsSync(path)) return null;
  let kept: Kept;
  try {
    kept = deserialize(readFileSync(path)) as Kept;
  } catch {
    throw new StudioError('bad-file', `${path} is not a checkpoint.`, 'Remove it.');
  }
  if (JSON.stringify(kept.options) !== JSON.stringify(options))
    throw new StudioError(
      'bad-option',
      `${path} is of a run with other options (${kept.options.steps} steps, seed ${kept.options.seed}).`,
      'Give the same --steps and --seed, or another --out.',
    );
  return kept;
}

async function meanAp(model: Uint8Array, count: number, env: RunEnvironment) {
  const quiet = { ...env, progress: () => undefined };
  return (await evaluateModel({ name: 'detector.onnx', bytes: model }, sceneSet(HELD_OUT.seed, count), 'auto', quiet)).metrics;
}

/** Replaces the entry of a detector in the list that the page reads. */
function publish(folder: string, entry: { readonly file: string }): void {
  const path = join(folder, 'embedded.json');
  const list = existsSync(path) ? (readJsonFile(path, 'the list of detectors') as { file: string }[]) : [];
  const at = list.findIndex(({ file }) => file === entry.file);
  if (at < 0) list.push(entry);
  else list[at] = entry;
  writeWhole(path, `${JSON.stringify(list, null, 2)}\n`);
}

/**
 * Writes NAME.onnx, NAME.json (curve, held-out mAP, options) and an entry in embedded.json; NAME.checkpoint while it runs.
 * @throws StudioError 'bad-option' for an unknown name, a checkpoint without --resume, or one of other options
 */
export async function trainCommand(args: TrainArguments, progress: ProgressLine): Promise<CommandResult> {
  const { name = '', out = 'trained' } = args;
  const recipe = Object.hasOwn(SCENE_RECIPES, name) ? SCENE_RECIPES[name as keyof typeof SCENE_RECIPES] : null;
  if (!recipe) throw new StudioError('bad-option', name ? `There is no detector "${name}" to train.` : 'No detector was named.', USAGE);
  checkOutputFolder(out);
  const { steps = recipe.steps, seed = recipe.seed } = args;
  const options: GrowOptions = { ...recipe, steps, seed, lookEvery: Math.ceil(steps / LOOKS) };
  const heldOut = { ...HELD_OUT, count: Math.min(HELD_OUT.count, args.limit ?? HELD_OUT.count) };
  const glance = Math.min(GLANCE, heldOut.count);
  const checkpointPath = join(out, `${name}.checkpoint`);
  if (!args.resume && existsSync(checkpointPath))
    throw new StudioError('bad-option', `${checkpointPath} is left from a run that did not end.`, 'Go on with --resume, or remove it.');
  const kept = readCheckpoint(checkpointPath, options);
  mkdirSync(out, { recursive: true });
  return withEngine(args.threads ?? 1, progress, async (env) => {
    const start = performance.now();
    const seconds = () => (kept?.seconds ?? 0) + (performance.now() - start) / 1000;
    const first = kept?.checkpoint.train.state.step ?? 0;
    const grown = await growDetector(
      options,
      {
        engine: env.engine,
        cancel: env.cancel,
        onStep({ step }) {
          const perStep = (performance.now() - start) / 1000 / (step - first);
          const secondsLeft = perStep * (options.steps - step);
          progress({ step: 'train', label: 'Training', done: step, total: options.steps, secondsLeft });
        },
        evaluate: async (model) => (await meanAp(model, glance, env)).mAP,
        onLook({ step, loss, unseen, mAP }) {
          const text = loss === null ? '' : `loss ${loss.toFixed(3)}, `;
          progress.note(`${step}: ${text}unseen ${unseen.toFixed(3)}, mAP ${mAP?.toFixed(1) ?? 'n/a'} on ${glance} scenes`);
        },
        onCheckpoint(checkpoint) {
          writeWhole(checkpointPath, serialize({ options, seconds: seconds(), checkpoint } satisfies Kept));
        },
      },
      kept?.checkpoint,
    );
    const bare = serializeModel(grown.model);
    const { mAP, AP50 } = await meanAp(bare, heldOut.count, env);
    if (mAP === null) throw new StudioError('runtime', 'The trained detector has no mAP.', 'Give images with labels.');
    const metadata = { ...grown.model.metadata, heldOutMap: mAP.toFixed(2), seed: String(options.seed) };
    const bytes = serializeModel({ ...grown.model, metadata, producer: 'bonsai-scenes' });
    const record = {
      name,
      heldOut: { ...heldOut, mAP, AP50 },
      best: grown.best,
      rollbacks: grown.rollbacks,
      seconds: Math.round(seconds()),
      engine: env.engine.version,
      options,
      curve: grown.looks,
    };
    writeWhole(join(out, `${name}.onnx`), bytes);
    writeWhole(join(out, `${name}.json`), `${JSON.stringify(record, null, 2)}\n`);
    publish(out, {
      file: `${name}.onnx`,
      ...{ title: TITLES[name], sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length },
      ...{ classes: SCENE_CLASSES, heldOutMap: Number(mAP.toFixed(2)), heldOutScenes: heldOut, seed: options.seed },
    });
    rmSync(checkpointPath, { force: true });
    const text = `${name}: mAP ${mAP.toFixed(2)} on ${heldOut.count} held-out scenes after ${options.steps} steps, ${record.seconds} s; written to ${out}`;
    return { json: record, text };
  });
}
