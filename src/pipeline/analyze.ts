/** The analysis of what a recipe does to a network, and the story of one image; both work on the run's own artifacts. */
import { StudioError } from '../numerics';
import { type ImageSet, type Model, type ModelArtifact, type RangesArtifact, type StepContext, stepHash } from '../steps';
import type { AnalysisReport, AnalysisState, QuantState, Story } from '../steps/quantize';
import { cached, engineKey, imagesKey, Run } from './run';
import { STEP_META } from './table';
import type { Recipe, RunEnvironment, RunInput } from './types';

export interface AnalyzeOptions {
  /** Time for this call; what it doesn't reach is left out, and measured by the next call. Default 60. */
  readonly seconds?: number;
  /** Images looked at, spread over the calibration images. Default 4. */
  readonly images?: number;
}

const DEFAULTS = { seconds: 60, images: 4 };

interface Prepared {
  readonly run: Run;
  /** Before the quantize step's options change it. */
  readonly given: ModelArtifact;
  readonly artifact: ModelArtifact;
  readonly ranges: RangesArtifact;
  readonly float: Model;
  /** Identifies network, images and options. */
  readonly key: string;
}

/** Open, prune, prepare and calibrate as `runRecipe` does, out of the same cache. */
async function prepare(recipe: Recipe, input: RunInput, env: RunEnvironment): Promise<Prepared> {
  const run = new Run(recipe, input, env);
  const { choosePreprocess, openModel } = await import('../steps/open');
  const { quantizableModel, refuse } = await import('../steps/quantize');
  const opened = await openModel(input.name, input.model, input.external);
  refuse(opened);
  const { artifact: original } = await choosePreprocess(opened, input.calibration, recipe.preprocess, run.ctx);
  const { compress } = await import('./compress');
  const given = run.enabled('prune') || run.enabled('recover') ? (await compress(run, original)).artifact : original;
  const { artifact, ranges } = await run.ready(given);
  const inputs = [artifact.hash, JSON.stringify(artifact.spec?.preprocess ?? null), imagesKey(input.calibration), engineKey(env)];
  const options = { calibrate: run.options('calibrate'), quantize: run.options('quantize'), seed: recipe.seed };
  const key = await stepHash(STEP_META.quantize, ['analysis', ...inputs], options);
  return { run, given, artifact, ranges, float: quantizableModel(artifact.model), key };
}

/** What the recipe's repairs make of the network; null where it asks for none. */
async function repairedState({ run, artifact, ranges, float, key }: Prepared): Promise<QuantState | null> {
  const { planQuantization, readOptions, repaired, wantsRepair } = await import('../steps/quantize');
  const options = readOptions(run.options('quantize'));
  if (!wantsRepair(options)) return null;
  const start = { float, plan: planQuantization(float, ranges, options, artifact.spec) };
  const sets = { images: run.input.calibration, training: run.input.training ?? null };
  return run.kept(`state|${key}`, (ctx) => repaired(artifact, start, ranges, options, ctx, { ...ctx, ...sets }, () => undefined));
}

/** Milliseconds between two times that an analysis is kept while it goes on. */
const KEEP_EVERY = 3000;

/** Calls `put` now and then; what it keeps is sound at any time. */
function keeping(put: () => Promise<void> | undefined): () => void {
  let due = performance.now() + KEEP_EVERY;
  return () => {
    if (performance.now() < due) return;
    due = performance.now() + KEEP_EVERY;
    void put();
  };
}

/** Up to `count` images, spread over the set; those that can't be decoded are left out. */
async function fewFeeds(artifact: ModelArtifact, images: ImageSet, count: number, ctx: StepContext) {
  const { loadFeeds } = await import('../steps/quantize');
  const wanted = Math.min(count, images.entries.length);
  return loadFeeds(
    artifact,
    images,
    Array.from({ length: wanted }, (_, i) => Math.floor((i * images.entries.length) / wanted)),
    ctx,
  );
}

/**
 * Why the network errs once it is quantized as `recipe` says: which layers, for what reason, and what helps. Measured on a
 * few calibration images. With a cache, calls with equal input go on where the last one stopped, cancelled ones too.
 * @throws StudioError as {@link runRecipe} does
 */
export async function analyzeRecipe(
  recipe: Recipe,
  input: RunInput,
  env: RunEnvironment,
  options: AnalyzeOptions = {},
): Promise<AnalysisReport> {
  const { seconds = DEFAULTS.seconds, images = DEFAULTS.images } = options;
  const { analyzeQuantization, newAnalysisState, planQuantization, quantizableModel, readOptions, repaired } = await import(
    '../steps/quantize'
  );
  const prepared = await prepare(recipe, input, env);
  const { run, artifact, ranges, float } = prepared;
  const key = `${prepared.key}|${images}`;
  const state = structuredClone(((await env.cache?.get(key)) as AnalysisState | undefined) ?? newAnalysisState());
  const settings = readOptions(run.options('quantize'));
  const feeds = (await fewFeeds(artifact, input.calibration, images, run.ctx)).map((one) => one.feeds);
  const repairedNetwork = await repairedState(prepared);
  const keep = keeping(() => env.cache?.put(key, state));
  try {
    return await analyzeQuantization(
      {
        name: artifact.name,
        float,
        source: { bytes: input.model, external: input.external },
        spec: artifact.spec,
        ranges,
        options: settings,
        feeds,
        ...(repairedNetwork ? { repaired: repairedNetwork } : {}),
        fit: async (wanted) => {
          const ready = await run.ready(prepared.given, { ...wanted });
          const network = quantizableModel(ready.artifact.model);
          const start = { float: network, plan: planQuantization(network, ready.ranges, wanted, artifact.spec) };
          return repaired(ready.artifact, start, ready.ranges, wanted, run.ctx, { ...run.ctx, images: input.calibration }, () => undefined);
        },
      },
      { seconds, state },
      {
        ...run.ctx,
        progress(p) {
          run.ctx.progress(p);
          keep();
        },
      },
    );
  } finally {
    await env.cache?.put(key, state);
  }
}

/**
 * The detections of one image as the layers get quantized one after the other.
 * @param image index into the evaluation images, or the calibration images where there are none
 * @throws StudioError 'unsupported' for a network that is no known detector, 'bad-option' for an image that doesn't exist,
 *   'bad-data' for one that can't be decoded, else as {@link runRecipe} does
 */
export async function tellRecipe(recipe: Recipe, input: RunInput, image: number, env: RunEnvironment): Promise<Story> {
  const { loadFeeds, planQuantization, readOptions, tellStory } = await import('../steps/quantize');
  const images = input.evaluation ?? input.calibration;
  const entry = images.entries[image];
  if (!entry)
    throw new StudioError(
      'bad-option',
      `There is no image ${image} in ${images.name}.`,
      `It has the images 0 to ${images.entries.length - 1}.`,
    );
  const prepared = await prepare(recipe, input, env);
  const { run, artifact, ranges, float, key } = prepared;
  const { spec } = artifact;
  if (!spec)
    throw new StudioError(
      'unsupported',
      `${artifact.name} is no detector that the studio knows, so it has no boxes to follow.`,
      'The analysis of its layers works.',
    );
  const [loaded] = await loadFeeds(artifact, images, [image], run.ctx);
  const options = readOptions(run.options('quantize'));
  const end = (await repairedState(prepared)) ?? { float, plan: planQuantization(float, ranges, options, spec) };
  const storyKey = `story|${key}|${imagesKey(images)}|${image}`;
  const shown = { index: image, fileName: entry.fileName };
  return cached(env.cache, storyKey, () =>
    tellStory({ float, spec, options, end, image: shown, feeds: loaded!.feeds, placement: loaded!.placement }, run.ctx),
  );
}
