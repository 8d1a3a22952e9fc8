/** Worker of the long jobs: a table over the pipeline. */
import * as Comlink from 'comlink';
import { type Recipe, runRecipe } from '../src/pipeline';
import { zipPieces } from '../src/steps/export';
import { inspect } from '../src/steps/inspect';
import { openModel } from '../src/steps/open';
import { openStore } from '../src/store';
import { type Cancel, type CancelFlag, cancelToken } from './cancel';
import { checkOnDevice, cutModel, deviceProfiles, type ModelFile } from './device';
import { admit, enginesFor, reportOf } from './engines';
import { openImagesAside, prepareAside, probeImage } from './images';
import { type EngineChoice, type JobCallbacks, type JobResult, type JobSource, keepErrors } from './wire';

keepErrors();
let current: Cancel | null = null;
/** Results kept from one visit to the next; the oldest make room. */
const KEPT_ARTIFACTS = 40;
/** Calibration and evaluation results by content hash; the page says it if they can't be kept. */
const store = openStore(() => {});

const cache = {
  async get(id: string) {
    return (await (await store).get('artifacts', id))?.value;
  },
  async put(id: string, value: unknown) {
    const kept = await store;
    await kept.put([{ table: 'artifacts', record: { id, value, at: Date.now() } }]);
    const old = (await kept.all('artifacts')).slice(0, -KEPT_ARTIFACTS);
    for (const { id: oldest } of old) await kept.remove('artifacts', oldest);
  },
};

const table = {
  async inspect(name: string, bytes: Uint8Array, external?: ReadonlyMap<string, Uint8Array>) {
    return inspect(await openModel(name, bytes, external));
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

  /** Runs a recipe to the end. Throws StudioError; 'cancelled' after `cancel` or a raised flag. */
  async compress(recipe: Recipe, source: JobSource, choice: EngineChoice, flag: CancelFlag, on: Comlink.Remote<JobCallbacks>) {
    const cancel = (current = cancelToken(flag));
    const { name, model, external } = source;
    const calibration = await openImagesAside(source.calibration);
    const evaluation = source.evaluation && (await openImagesAside(source.evaluation));
    const admitted = await admit(await enginesFor(choice), await openModel(name, model, external), await probeImage(calibration));
    void on.engine(reportOf(admitted));
    const { files, ...result } = await runRecipe(
      recipe,
      { name, model, external, calibration, evaluation },
      { ...admitted, cancel, cache, prepare: prepareAside, progress: (p) => void on.progress(p), event: (e) => void on.event(e) },
    );
    const zip = new Blob(zipPieces(files) as BlobPart[], { type: 'application/zip' });
    return { ...result, zip, files: [...files].map(([path, bytes]) => ({ path, bytes: bytes.length })) } satisfies JobResult;
  },

  cancel() {
    current?.raise();
  },
};

export type StepTable = typeof table;
Comlink.expose(table);
