import { existsSync } from 'node:fs';
import { joinSets } from '../data';
import { cancelled, StudioError } from '../numerics';
import {
  evaluateModel,
  inspectModel,
  PRESETS,
  parseRecipe,
  type Recipe,
  type ResultRow,
  type RunEnvironment,
  runRecipe,
  takeFirst,
} from '../pipeline';
import { createNodeEngine, createNodeWasmEngine } from '../runtime/node';
import { checkOutputFolder, readJsonFile, readModelFile, writeFiles } from './files';
import { openImages } from './images';
import type { ProgressLine } from './progress';
import { layerTable, resultTable } from './tables';

export interface CommandResult {
  readonly json: unknown;
  readonly text: string;
}

export interface Common {
  readonly limit?: number;
  readonly threads?: number;
  readonly preprocess: string;
}

export async function inspectCommand(args: { model?: string }): Promise<CommandResult> {
  const file = readModelFile(args.model, 'Usage: inspect MODEL [--json]');
  const report = await inspectModel(file.name, file.bytes, file.external);
  return { json: report, text: layerTable(report) };
}

/** Runs `work` with an engine that is disposed whatever happens; Ctrl+C cancels it between images. */
export async function withEngine<T>(
  threads: number | undefined,
  progress: ProgressLine,
  work: (env: RunEnvironment) => Promise<T>,
): Promise<T> {
  let aborted = false;
  const interrupt = () => {
    aborted = true;
  };
  const engine = await createNodeEngine({ threads });
  process.once('SIGINT', interrupt);
  try {
    return await work({
      engine,
      gpu: null,
      witness: createNodeWasmEngine,
      progress,
      cancel: {
        get aborted() {
          return aborted;
        },
        throwIfAborted() {
          if (aborted) throw cancelled();
        },
      },
    });
  } finally {
    process.removeListener('SIGINT', interrupt);
    await engine.dispose();
  }
}

export async function evaluateCommand(args: Common & { model?: string; coco?: string }, progress: ProgressLine): Promise<CommandResult> {
  const file = readModelFile(args.model, 'Usage: evaluate MODEL --coco DIR [--json]');
  if (!args.coco) throw new StudioError('bad-option', 'No images were given.', 'Usage: evaluate MODEL --coco DIR [--json]');
  const images = takeFirst(await openImages(args.coco), args.limit);
  return withEngine(args.threads, progress, async (env) => {
    const { metrics, preprocess, engine } = await evaluateModel(file, images, args.preprocess, env);
    for (const note of [...metrics.notes, ...images.notes]) progress.note(note);
    const json = { ...metrics, preprocess, engine };
    return { json, text: JSON.stringify(json, null, 2) };
  });
}

export function readRecipe(name: string | undefined): Recipe {
  const usage = `Give a recipe.json or one of: ${Object.keys(PRESETS).join(', ')}.`;
  if (!name) throw new StudioError('bad-option', 'No recipe was given.', usage);
  const shipped = Object.hasOwn(PRESETS, name) ? PRESETS[name] : undefined;
  if (shipped) return shipped();
  if (!existsSync(name)) throw new StudioError('bad-option', `There is no recipe "${name}".`, usage);
  return parseRecipe(readJsonFile(name, 'a recipe.json'));
}

function summary(row: ResultRow | undefined) {
  if (!row) return null;
  const { metrics, model, environment, parameters, macs, weightBytes } = row;
  return { model, environment, parameters, macs, weightBytes, ...metrics };
}

interface RunArguments extends Common {
  readonly recipe?: string;
  readonly model?: string;
  readonly calib?: string;
  readonly coco?: string;
  readonly train?: readonly string[];
  readonly teacher?: string;
  readonly out?: string;
}

export async function runCommand(args: RunArguments, progress: ProgressLine): Promise<CommandResult> {
  const usage = 'Usage: run RECIPE --model MODEL --calib DIR [--train DIR]… [--teacher MODEL] [--coco DIR] --out DIR [--json]';
  const recipe = { ...readRecipe(args.recipe), ...(args.preprocess === 'auto' ? {} : { preprocess: args.preprocess }) };
  const file = readModelFile(args.model, usage);
  if (!args.calib) throw new StudioError('bad-option', 'No calibration images were given.', usage);
  if (!args.out) throw new StudioError('bad-option', 'No output folder was given.', usage);
  checkOutputFolder(args.out);
  const calibration = await openImages(args.calib);
  const evaluation = args.coco ? takeFirst(await openImages(args.coco), args.limit) : null;
  const training = args.train ? joinSets(await Promise.all(args.train.map((dir) => openImages(dir)))) : null;
  const teacher = args.teacher === undefined ? undefined : readModelFile(args.teacher, usage);
  const start = performance.now();
  return withEngine(args.threads, progress, async (env) => {
    const input = {
      name: file.name,
      model: file.bytes,
      external: file.external,
      calibration,
      evaluation,
      training,
      ...(teacher ? { teacher: { name: teacher.name, model: teacher.bytes, external: teacher.external } } : {}),
    };
    const result = await runRecipe(recipe, input, env);
    const files = writeFiles(args.out!, result.files);
    for (const note of result.notes) progress.note(note);
    const rows = new Map(result.rows.map((row) => [row.id, row]));
    const fp32 = rows.get('fp32')!;
    const compressed = rows.get('int8') ?? rows.get('pruned') ?? fp32;
    const small = rows.get('pruned') ?? fp32;
    const json = {
      recipe: result.recipe.name,
      fp32: summary(fp32),
      pruned: summary(rows.get('pruned')),
      compressed: summary(compressed),
      parameters: { before: fp32.parameters, after: small.parameters },
      macs: { before: fp32.macs, after: small.macs },
      preprocess: result.preprocess,
      pareto: result.pareto,
      stages: result.stages,
      looks: result.looks,
      files,
      seconds: { ...result.seconds, total: (performance.now() - start) / 1000 },
      notes: result.notes,
    };
    return { json, text: resultTable(result.rows) };
  });
}

export function presetsCommand(): CommandResult {
  const all = Object.fromEntries(Object.entries(PRESETS).map(([name, make]) => [name, make()]));
  return { json: all, text: JSON.stringify(all, null, 2) };
}
