/** One damaged model through everything that reads it: a result, a refusal in proper form, or a failure of the studio. */
import type { ImageSet } from '../../../src/data';
import { StudioError } from '../../../src/numerics';
import { parseModel } from '../../../src/onnx';
import { exportBundle, zipBundle } from '../../../src/steps/export';
import { inspect } from '../../../src/steps/inspect';
import { openModel, serialized } from '../../../src/steps/open';
import { prune } from '../../../src/steps/prune';
import type { ModelArtifact, StepContext } from '../../../src/steps/types';
import { endStep } from '../meter';
import { type Outcome, outcomeOf } from '../outcome';
import type { ModelCase } from './arbitrary';
import { baseOf } from './bases';
import { mutate } from './mutations';

const pixels: ImageSet = {
  name: 'pixels',
  entries: [{ id: 0, fileName: '0.png', width: null, height: null, truths: [] }],
  categories: null,
  notes: [],
  load: async () => ({ width: 8, height: 6, data: Uint8Array.from({ length: 144 }, (_, i) => i) }),
};

const ctx = {
  cancel: { aborted: false, throwIfAborted: () => {} },
  progress: () => {},
  engine: new Proxy(
    {},
    {
      get: () => {
        throw new Error('nothing here may compute');
      },
    },
  ),
  gpu: null,
  seed: 1,
} as unknown as StepContext;

const DEVICES = ['hailo8', 'tflite'] as const;

/** A network that opens also gets as far as a file: what is refused here is refused in a sentence. */
async function deeper(artifact: ModelArtifact): Promise<void> {
  const refused: StudioError[] = [];
  const attempt = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof StudioError)) throw error;
      refused.push(error);
      return undefined;
    } finally {
      endStep();
    }
  };
  const pruned = await attempt(() => prune(artifact, { importance: 'l2', resolve: 'off' }, ctx));
  for (const device of DEVICES)
    await attempt(async () => {
      const input = {
        float: pruned?.artifact ?? artifact,
        original: artifact,
        quant: null,
        calibration: pixels,
        rows: [],
        recipe: { bonsai: 1 },
        device,
      };
      const bundle = await exportBundle(input, { calibrationImages: 1 }, ctx);
      for (const [name, bytes] of bundle.files) if (name.endsWith('.onnx')) parseModel(bytes);
      zipBundle(bundle.files);
    });
  if (refused[0]) throw refused[0];
}

/** What opens can be written and opened again. */
function reopen(artifact: ModelArtifact): void {
  try {
    parseModel(serialized(artifact.model));
  } catch (error) {
    throw new Error(`what was opened does not open again: ${error instanceof Error ? error.message : error}`);
  }
}

export async function examineModel({ base, mutations, deep }: ModelCase): Promise<Outcome> {
  let mutant: Uint8Array;
  let external: ReadonlyMap<string, Uint8Array> | undefined;
  try {
    const given = baseOf(base);
    external = given.external;
    mutant = mutate(given.bytes, mutations);
  } catch (error) {
    return { kind: 'failure', text: `the fuzz itself failed: ${(error as Error).stack}` };
  }
  return outcomeOf(async () => {
    const artifact = await openModel('mutant.onnx', mutant, external);
    JSON.stringify(inspect(artifact));
    endStep();
    reopen(artifact);
    endStep();
    if (deep) await deeper(artifact);
  });
}
