/** Worker of the long jobs: a table over the pipeline. */
import * as Comlink from 'comlink';
import { parseModel } from '../src/onnx';
import { analyzeRecipe, type Recipe, type RunEnvironment, type RunInput, runRecipe, scanRecipe, tellRecipe } from '../src/pipeline';
import { zipPieces } from '../src/steps/export';
import { compareWeights, inspect } from '../src/steps/inspect';
import { openModel } from '../src/steps/open';
import { buffersOf } from './buffers';
import { cache, checkpoints, keepRun } from './cache';
import { openSwitches, type Switches, type SwitchFlags, type SwitchName } from './cancel';
import { checkOnDevice, cutModel, deviceProfiles, type ModelFile } from './device';
import { admit, enginesFor, reportOf } from './engines';
import { openImagesAside, prepareAside, probeImage } from './images';
import { type EngineChoice, type JobCallbacks, type JobResult, type JobSource, keepErrors } from './wire';

keepErrors();
let current: Switches | null = null;

/** Images opened, engines admitted and reported, for one call. */
async function opened(source: JobSource, choice: EngineChoice, flags: SwitchFlags, on: Comlink.Remote<JobCallbacks>) {
  const { cancel, control } = (current = openSwitches(flags));
  const { name, model, external, teacher } = source;
  const calibration = await openImagesAside(source.calibration);
  const evaluation = source.evaluation && (await openImagesAside(source.evaluation));
  const training = source.training && (await openImagesAside(source.training));
  const admitted = await admit(await enginesFor(choice), await openModel(name, model, external), await probeImage(calibration));
  void on.engine(reportOf(admitted));
  const input: RunInput = { name, model, external, calibration, evaluation, training, teacher };
  const env: RunEnvironment = {
    ...admitted,
    ...{ cancel, control, cache, checkpoints, prepare: prepareAside },
    resumed: (step) => void on.resumed(step),
    progress: (p) => void on.progress(p),
  };
  return { input, env };
}

const table = {
  /** Holds a lock from now on, so that the page sees when this worker is gone. */
  live(lock: string): Promise<void> {
    return new Promise((held) => {
      void navigator.locks.request(lock, () => {
        held();
        return new Promise(() => {});
      });
    });
  },

  async inspect(name: string, bytes: Uint8Array, external?: ReadonlyMap<string, Uint8Array>) {
    return inspect(await openModel(name, bytes, external));
  },

  /** Every layer's weights, and what is left of them in the networks of a result. */
  async weights({ name, bytes, external }: ModelFile, compressed: Uint8Array | null, quantized: Uint8Array | null) {
    const { model } = await openModel(name, bytes, external);
    return compareWeights({
      original: model,
      compressed: compressed && parseModel(compressed),
      quantized: quantized && parseModel(quantized),
    });
  },

  devices() {
    return deviceProfiles();
  },

  checkDevice(model: ModelFile, device: string) {
    return checkOnDevice(model, device);
  },

  cut(model: ModelFile, values: readonly string[]) {
    return cutModel(model, values);
  },

  /** Runs a recipe to the end. Throws StudioError; 'cancelled' after `turn('cancel', true)` or a raised flag. */
  async compress(
    recipe: Recipe,
    source: JobSource,
    choice: EngineChoice,
    flags: SwitchFlags,
    on: Comlink.Remote<JobCallbacks>,
    job?: string,
  ) {
    const { input, env } = await opened(source, choice, flags, on);
    const { files, ...result } = await runRecipe(recipe, input, { ...env, job, watched: true, event: (e) => void on.event(e) });
    const zip = new Blob(zipPieces(files) as BlobPart[], { type: 'application/zip' });
    const done: JobResult = { ...result, zip, files: [...files].map(([path, bytes]) => ({ path, bytes: bytes.length })) };
    const kept = await keepRun(source.name, recipe.name, done);
    // Memory that stands in for a disk holds the arrays themselves: those stay.
    return kept === null ? done : Comlink.transfer({ ...done, kept }, buffersOf(done));
  },

  /** Why the network errs as the recipe quantizes it; goes on where an earlier call stopped. Throws as compress does. */
  async analyze(recipe: Recipe, source: JobSource, choice: EngineChoice, flags: SwitchFlags, on: Comlink.Remote<JobCallbacks>) {
    const { input, env } = await opened(source, choice, flags, on);
    return analyzeRecipe(recipe, input, env);
  },

  /** One image (of the evaluation images, if any), layer by layer from float to quantized. Throws as compress does. */
  async story(
    recipe: Recipe,
    source: JobSource,
    image: number,
    choice: EngineChoice,
    flags: SwitchFlags,
    on: Comlink.Remote<JobCallbacks>,
  ) {
    const { input, env } = await opened(source, choice, flags, on);
    return tellRecipe(recipe, input, image, env);
  },

  /** What each group of channels is worth, cut alone. Throws as compress does. */
  async sensitivity(recipe: Recipe, source: JobSource, choice: EngineChoice, flags: SwitchFlags, on: Comlink.Remote<JobCallbacks>) {
    const { input, env } = await opened(source, choice, flags, on);
    return scanRecipe(recipe, input, env);
  },

  turn(name: SwitchName, on: boolean) {
    current?.turn(name, on);
  },
};

export type StepTable = typeof table;
Comlink.expose(table);
