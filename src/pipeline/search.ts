/** Searches for the best recipe: which repairs, with what strength, within a stated time or up to a stated accuracy. */
import { describeError, StudioError } from '../numerics';
import {
  type CancelToken,
  type Detection,
  type DetectionMetrics,
  type ModelArtifact,
  type OptionValues,
  type RangesArtifact,
  resolveOptions,
  type StepContext,
  stepHash,
} from '../steps';
import type { Prepared, SearchResult, SearchSets, SearchState, SearchTrial } from '../steps/quantize';
import { stepOf } from './recipe';
import { engineKey, imagesKey, Run } from './run';
import { STEP_META } from './table';
import type { Recipe, RunEnvironment, RunInput } from './types';

/** Recipes kept. */
const KEEP = 4;

export interface SearchBudget {
  /** Wall-clock seconds, opening and calibrating included; a recipe that is being tried when they are over is dropped. Default: no limit. */
  readonly seconds?: number;
  /** Percent of the float network's figure that is enough (a generic network: dB of its outputs). Default: none. */
  readonly target?: number;
  /** Recipes measured at most, those of an earlier search included. Default: no limit. */
  readonly trials?: number;
}

export interface RecipeSearch {
  /** Best first, at most 4; none where the time was over before the first was measured. */
  readonly best: readonly Recipe[];
  /** What `best` kept, percent (dB), in the same order. */
  readonly scores: readonly number[];
  readonly trials: readonly SearchTrial[];
  readonly ended: SearchResult['ended'];
  /** What the scores are percent of: 'coco' and 'agreement' mAP, or dB ('sqnr'). */
  readonly kind: DetectionMetrics['kind'];
  /** Images that recipes were fitted on and scored on. */
  readonly images: { readonly fit: number; readonly score: number };
}

/** Cancels when its user does, and when the time is over; `overdue` tells them apart. */
class Deadline implements CancelToken {
  readonly #end: number;
  constructor(
    readonly outer: CancelToken,
    seconds: number | undefined,
  ) {
    this.#end = seconds === undefined ? Number.POSITIVE_INFINITY : performance.now() + seconds * 1000;
  }
  get overdue(): boolean {
    return performance.now() >= this.#end;
  }
  get aborted(): boolean {
    return this.outer.aborted || this.overdue;
  }
  throwIfAborted(): void {
    this.outer.throwIfAborted();
    if (this.overdue) throw new StudioError('cancelled', 'The time of the search is over.', 'Give it more time to try more recipes.');
  }
}

/** The float network's own figures on the images of a rung. */
interface Reference {
  readonly metrics: DetectionMetrics;
  readonly detections: readonly (readonly Detection[])[];
}

/** Measures recipes of one network on fixed images. */
class Bench {
  readonly #references = new Map<number, Promise<Reference>>();
  /** The float network prepared as some recipe wants it, calibrated. */
  readonly #prepared = new Map<string, Promise<Prepared>>();

  constructor(
    readonly recipe: Recipe,
    readonly original: ModelArtifact,
    readonly artifact: ModelArtifact,
    readonly calibrate: (artifact: ModelArtifact) => Promise<RangesArtifact>,
    readonly sets: SearchSets,
    readonly ctx: StepContext,
  ) {}

  reference(rung: 0 | 1): Promise<Reference> {
    const known = this.#references.get(rung);
    if (known) return known;
    const made = this.#evaluate({ ...this.original, environment: 'FP32' }, rung, null);
    this.#references.set(rung, made);
    return made;
  }

  async #evaluate(
    target: Pick<ModelArtifact, 'model' | 'hash' | 'spec'> & { readonly environment: string },
    rung: 0 | 1,
    reference: Reference | null,
  ): Promise<Reference> {
    const { evaluate } = await import('../steps/evaluate');
    const against = reference && { model: this.original.model, detections: reference.detections };
    const { artifact, detections } = await evaluate(
      target,
      this.sets.score[rung],
      stepOf(this.recipe, 'evaluate').options,
      this.ctx,
      against,
    );
    return { metrics: artifact.metrics, detections };
  }

  async #prepare(options: OptionValues): Promise<Prepared> {
    const { prepareFloat, readOptions } = await import('../steps/quantize');
    const settings = readOptions(options);
    const key = `${settings.equalize}|${settings.splitLayers}`;
    const known = this.#prepared.get(key);
    if (known) return known;
    const made = prepareFloat(this.artifact, settings, this.calibrate);
    this.#prepared.set(key, made);
    made.catch(() => this.#prepared.delete(key));
    return made;
  }

  /** @throws StudioError 'cancelled', or whatever keeps this recipe from being carried out */
  async score(options: OptionValues, rung: 0 | 1): Promise<number> {
    const { quantize } = await import('../steps/quantize');
    const reference = await this.reference(rung);
    const few = this.sets.repairImages[rung];
    const used = few === null ? options : { ...options, repairImages: Math.min(few, Number(options.repairImages)) };
    const { artifact, ranges } = await this.#prepare(options);
    const quant = await quantize(artifact, ranges, used, this.ctx, { ...this.ctx, images: this.sets.fit });
    const { metrics } = await this.#evaluate({ ...quant, environment: 'INT8, simulated' }, rung, reference);
    if (metrics.kind === 'sqnr') return metrics.sqnr!;
    const full = metrics.kind === 'agreement' ? 100 : reference.metrics.mAP;
    if (metrics.mAP === null || !full)
      throw new StudioError(
        'bad-data',
        'The float network finds nothing in the images that recipes would be scored on.',
        'Give images that show what it detects, or labelled ones.',
      );
    return (100 * metrics.mAP) / full;
  }
}

/** The network as the recipe's own run would prune and recover it, judged on the images that fit. */
async function compressed(recipe: Recipe, artifact: ModelArtifact, sets: SearchSets, input: RunInput, env: RunEnvironment) {
  if (!stepOf(recipe, 'prune').enabled && !stepOf(recipe, 'recover').enabled) return artifact;
  const { compress } = await import('./compress');
  return (await compress(new Run(recipe, { ...input, calibration: sets.fit }, env), artifact)).artifact;
}

/**
 * Tries recipes that differ from `recipe` in the options of its quantize step: a few sensible ones, then neighbours of the
 * best. What belongs to the device (granularity, integer types, shared scales, whether 16 bits are allowed) stays. A quarter
 * of the calibration images is held back to score on, unless `input.evaluation` is given. Equal networks are calibrated once.
 *
 * Deterministic in the number of trials. With `env.cache` the trials are kept: the same search goes on where it ended.
 * @throws StudioError 'bad-data' for fewer than 4 images, 'cancelled' once `env.cancel` says so, and what opening,
 *   calibrating and every single recipe throw
 */
export async function searchRecipe(recipe: Recipe, input: RunInput, env: RunEnvironment, budget: SearchBudget = {}): Promise<RecipeSearch> {
  if (input.calibration.entries.length < 4)
    throw new StudioError(
      'bad-data',
      `A search needs at least 4 images; ${input.calibration.name} has ${input.calibration.entries.length}.`,
      'Add images.',
    );
  const { choosePreprocess, openModel } = await import('../steps/open');
  const { calibrate } = await import('../steps/calibrate');
  const { neighbours, searchRecipes, searchSets, starts } = await import('../steps/quantize');
  const cancel = new Deadline(env.cancel, budget.seconds);
  const { engine, gpu, prepare } = env;
  const ctx: StepContext = { cancel: env.cancel, engine, gpu, prepare, seed: recipe.seed, progress: (p) => env.progress(p) };
  const sets = searchSets(input.calibration, input.evaluation);
  const opened = await openModel(input.name, input.model, input.external);
  const { artifact: original } = await choosePreprocess(opened, input.calibration, recipe.preprocess, ctx);
  const artifact = await compressed(recipe, original, sets, input, env);
  const calibrated = new Map<string, Promise<RangesArtifact>>();
  // Networks that differ in nothing but their quantization are calibrated once; opening and calibrating always finish.
  const ranges = (network: ModelArtifact): Promise<RangesArtifact> => {
    const known = calibrated.get(network.hash);
    if (known) return known;
    const made = calibrate(network, sets.fit, stepOf(recipe, 'calibrate').options, ctx);
    calibrated.set(network.hash, made);
    return made;
  };
  await ranges(artifact);
  const bench = new Bench(recipe, original, artifact, ranges, sets, { ...ctx, cancel });
  const base = resolveOptions(STEP_META.quantize, stepOf(recipe, 'quantize').options);

  const sources = [artifact.hash, original.hash, JSON.stringify(artifact.spec?.preprocess ?? null), engine.version, engineKey(env)];
  const images = [imagesKey(sets.fit), imagesKey(sets.score[1])];
  const id = await stepHash(STEP_META.quantize, ['search', ...sources, ...images, String(recipe.seed)], stepOf(recipe, 'evaluate').options);
  let done = 0;
  const found = await searchRecipes({
    starts: starts(base),
    neighbours: (options) => neighbours(options, base),
    keep: KEEP,
    target: budget.target ?? null,
    limit: budget.trials ?? null,
    known: (await env.cache?.get(id)) as SearchState | undefined,
    save: async (state) => env.cache?.put(id, state),
    measure: async (options, rung) => {
      const start = performance.now();
      const trial = (score: number | null, note?: string): SearchTrial => ({
        options,
        rung,
        score,
        seconds: (performance.now() - start) / 1000,
        ...(note === undefined ? {} : { note }),
      });
      try {
        cancel.throwIfAborted();
        const score = await bench.score(options, rung);
        env.progress({ step: 'quantize', label: `Searching: recipe ${++done} keeps ${score.toFixed(1)}`, done: 0, total: 1 });
        return trial(score);
      } catch (error) {
        env.cancel.throwIfAborted();
        if (cancel.overdue) return null;
        if (error instanceof StudioError && (error.code === 'unsupported' || error.code === 'missing-data'))
          return trial(null, describeError(error));
        throw error;
      }
    },
  });
  return {
    best: found.best.map(({ options }, i) => withOptions(recipe, options, i)),
    scores: found.best.map(({ score }) => score!),
    trials: found.trials,
    ended: found.ended,
    kind: artifact.spec ? (sets.score[1].categories ? 'coco' : 'agreement') : 'sqnr',
    images: { fit: sets.fit.entries.length, score: sets.score[1].entries.length },
  };
}

/** The recipe with these options of its quantize step; its name says which of the found ones it is. */
function withOptions(recipe: Recipe, options: OptionValues, rank: number): Recipe {
  const steps = recipe.steps.map((step) =>
    step.step === 'quantize' ? { ...step, enabled: true, options } : step.step === 'calibrate' ? { ...step, enabled: true } : step,
  );
  return { ...recipe, name: `${recipe.name}-found-${rank + 1}`, steps };
}
