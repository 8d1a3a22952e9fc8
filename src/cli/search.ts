import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { StudioError } from '../numerics';
import { type ArtifactCache, type RecipeSearch, type SearchBudget, searchRecipe, takeFirst } from '../pipeline';
import { type CommandResult, type Common, readRecipe, withEngine } from './commands';
import { checkOutputFolder, readJsonFile, readModelFile } from './files';
import { openImages } from './images';
import type { ProgressLine } from './progress';

const USAGE =
  'Usage: search MODEL --calib DIR [--coco DIR] [--recipe RECIPE] [--seconds N] [--target PERCENT] [--trials N] [--out recipe.json] [--json]';

interface SearchArguments extends Common, SearchBudget {
  readonly model?: string;
  readonly calib?: string;
  readonly coco?: string;
  readonly recipe: string;
  readonly out?: string;
}

/** Artifacts of plain JSON in one file, written after every change. */
function jsonCache(path: string): ArtifactCache {
  const known = existsSync(path) ? readJsonFile(path, 'the trials of an earlier search') : {};
  if (typeof known !== 'object' || known === null || Array.isArray(known))
    throw new StudioError('bad-file', `${path} does not hold the trials of a search.`, 'Remove it, or give another --out.');
  const entries = new Map(Object.entries(known));
  return {
    get: async (hash) => entries.get(hash),
    async put(hash, artifact) {
      entries.set(hash, artifact);
      writeFileSync(path, JSON.stringify(Object.fromEntries(entries)));
    },
  };
}

const HEADS = { coco: 'kept %', agreement: 'agreement %', sqnr: 'dB' } as const;

/** A line for each recipe found, with the options in which they differ. */
function summary({ best, scores, kind, trials, ended, images }: RecipeSearch): string {
  const options = best.map((recipe) => recipe.steps.find(({ step }) => step === 'quantize')!.options);
  const keys = Object.keys(options[0] ?? {}).filter((key) => new Set(options.map((each) => each[key])).size > 1);
  const rows = best.map(
    ({ name }, i) => `${scores[i]!.toFixed(1).padStart(8)}  ${name}  ${keys.map((key) => `${key} ${options[i]![key]}`).join(', ')}`,
  );
  const tail = `${trials.length} trials, fitted on ${images.fit} images and scored on ${images.score}; ended: ${ended}.`;
  return [HEADS[kind].padStart(8), ...rows, tail].join('\n');
}

/** Writes the best recipe to `out`, and every trial beside it, so that the next search goes on from there. */
export async function searchCommand(args: SearchArguments, progress: ProgressLine): Promise<CommandResult> {
  const file = readModelFile(args.model, USAGE);
  if (!args.calib) throw new StudioError('bad-option', 'No calibration images were given.', USAGE);
  const read = readRecipe(args.recipe);
  const recipe = args.preprocess === 'auto' ? read : { ...read, preprocess: args.preprocess };
  const { out } = args;
  if (out) {
    if (existsSync(out) && statSync(out).isDirectory())
      throw new StudioError('bad-option', `${out} is a folder.`, 'Give --out the name of a recipe file.');
    checkOutputFolder(dirname(out));
    mkdirSync(resolve(dirname(out)), { recursive: true });
  }
  const cache = out ? jsonCache(`${out}.trials.json`) : undefined;
  const calibration = await openImages(args.calib);
  const evaluation = args.coco ? takeFirst(await openImages(args.coco), args.limit) : null;
  return withEngine(args.threads, progress, async (env) => {
    const input = { name: file.name, model: file.bytes, external: file.external, calibration, evaluation };
    const found = await searchRecipe(recipe, input, { ...env, cache }, { seconds: args.seconds, target: args.target, trials: args.trials });
    const [best] = found.best;
    if (!best) progress.note('The time was over before a recipe was measured: give --seconds more.');
    else if (out) writeFileSync(out, `${JSON.stringify(best, null, 2)}\n`);
    return { json: found, text: best ? summary(found) : '' };
  });
}
