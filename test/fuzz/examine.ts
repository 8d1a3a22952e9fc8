/** One damaged model through everything that reads it: a result, a refusal in proper form, or a failure of the studio. */
import type { ImageSet } from '../../src/data';
import { StudioError } from '../../src/numerics';
import { parseModel } from '../../src/onnx';
import { exportBundle, zipBundle } from '../../src/steps/export';
import { inspect } from '../../src/steps/inspect';
import { openModel, serialized } from '../../src/steps/open';
import { prune } from '../../src/steps/prune';
import type { ModelArtifact, StepContext } from '../../src/steps/types';
import type { ModelCase } from './arbitrary';
import { baseOf } from './bases';
import { mutate } from './mutations';

export type Outcome =
  | { readonly kind: 'result' }
  | { readonly kind: 'refusal'; readonly code: string; readonly text: string }
  | { readonly kind: 'failure'; readonly text: string };

/** Longest message and hint that a page can show as a sentence. */
const MAX_TEXT = 500;

/** What is wrong with the form of a refusal, or null: one line, one end, a hint. */
export function complaint(error: StudioError): string | null {
  const { message, hint } = error;
  if (!/[.!?…]["”)]?$/.test(message)) return 'the message does not end like a sentence';
  if (hint === '') return 'there is no hint';
  if (!/[.!?…]$/.test(hint)) return 'the hint does not end like a sentence';
  for (const [what, text] of [
    ['message', message],
    ['hint', hint],
  ] as const) {
    if (/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u.test(text)) return `the ${what} has control characters`;
    if (text.length > MAX_TEXT) return `the ${what} has ${text.length} characters`;
  }
  return null;
}

/** What came of `work`. */
export async function outcomeOf(work: () => Promise<unknown>): Promise<Outcome> {
  try {
    await work();
    return { kind: 'result' };
  } catch (error) {
    if (error instanceof StudioError) {
      const wrong = complaint(error);
      if (wrong)
        return {
          kind: 'failure',
          text: `${wrong}: [${error.code}] ${JSON.stringify(error.message)} ${JSON.stringify(error.hint)}\n${error.stack}`,
        };
      return { kind: 'refusal', code: error.code, text: `${error.message} ${error.hint}` };
    }
    return { kind: 'failure', text: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

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

export async function examine({ base, mutations, deep }: ModelCase): Promise<Outcome> {
  const { bytes, external } = baseOf(base);
  let mutant: Uint8Array;
  try {
    mutant = mutate(bytes, mutations);
  } catch (error) {
    return { kind: 'failure', text: `the fuzz itself failed: ${(error as Error).stack}` };
  }
  return outcomeOf(async () => {
    const artifact = await openModel('mutant.onnx', mutant, external);
    JSON.stringify(inspect(artifact));
    reopen(artifact);
    if (deep) await deeper(artifact);
  });
}
