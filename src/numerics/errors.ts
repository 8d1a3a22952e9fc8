/** Machine-readable reason of a {@link StudioError}; the page and the tests switch on it. */
export type ErrorCode =
  | 'bad-file' // the bytes are not what was asked for (not ONNX, truncated, not a JPEG…)
  | 'bad-model' // ONNX, but invalid or inconsistent
  | 'unsupported' // valid, but this studio can't do it
  | 'missing-data' // a further file is needed (external data, instances.json…)
  | 'bad-data' // images or annotations are wrong
  | 'bad-option' // a recipe, flag or setting is wrong
  | 'cancelled'
  | 'runtime' // ONNX Runtime, WebGPU or a worker failed
  | 'storage'; // IndexedDB or disk failed

/** Longest sentence that a page can show. */
const MAX_SENTENCE = 400;

/** A quoted name longer than this is shortened in the middle. */
const LONG_NAME = /"([^"]{50})[^"]{20,}([^"]{10})"/g;

/** Text with names from files in it, as it may be shown: one line, nothing invisible that could turn it around, no longer than a sentence. */
export function readableText(text: string): string {
  const plain = text
    .slice(0, 100_000)
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\u2028\u2029]/gu, '\ufffd')
    .replace(LONG_NAME, '"$1…$2"');
  return plain.length <= MAX_SENTENCE ? plain : `${plain.slice(0, MAX_SENTENCE - 100)} … ${plain.slice(-90)}`;
}

/**
 * An error meant for the user: `message` is one sentence that says what is wrong (with the layer or file name and
 * the values), `hint` is one sentence that says what to do. What files put into them is made readable.
 */
export class StudioError extends Error {
  override readonly name = 'StudioError';
  readonly hint: string;
  constructor(
    readonly code: ErrorCode,
    message: string,
    hint: string,
  ) {
    super(readableText(message));
    this.hint = readableText(hint);
  }
}

/** What to do about an error that only a mistake of the studio can cause. */
export const REPORT_IT = 'Try again; if it comes back, please report it with the model.';

/** Thrown by {@link CancelToken.throwIfAborted}; recognised by code, never shown as a failure. */
export function cancelled(): StudioError {
  return new StudioError('cancelled', 'Cancelled.', 'Start it again to go on.');
}

/** One sentence for any thrown value. */
export function describeError(error: unknown): string {
  if (error instanceof StudioError) return error.hint ? `${error.message} ${error.hint}` : error.message;
  return error instanceof Error ? error.message : String(error);
}
