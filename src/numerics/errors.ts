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

/**
 * An error meant for the user: `message` is one sentence that says what is wrong (with the layer or file name and
 * the values), `hint` is one sentence that says what to do.
 */
export class StudioError extends Error {
  override readonly name = 'StudioError';
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly hint = '',
  ) {
    super(message);
  }
}

/** Thrown by {@link CancelToken.throwIfAborted}; recognised by code, never shown as a failure. */
export function cancelled(): StudioError {
  return new StudioError('cancelled', 'Cancelled.');
}

/** One sentence for any thrown value. */
export function describeError(error: unknown): string {
  if (error instanceof StudioError) return error.hint ? `${error.message} ${error.hint}` : error.message;
  return error instanceof Error ? error.message : String(error);
}
