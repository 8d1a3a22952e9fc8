/** Runs jobs one after the other, in the order they were handed in; a failed job doesn't stop the next. */
export type Queue = <T>(job: () => Promise<T>) => Promise<T>;

/**
 * ONNX Runtime Web hangs or fails when create, run and release overlap on WebGPU (measured on 1.30.0), so an engine
 * sends every call through one queue.
 */
export function createQueue(): Queue {
  let tail: Promise<unknown> = Promise.resolve();
  return <T>(job: () => Promise<T>): Promise<T> => {
    const result = tail.then(job);
    tail = result.catch(() => undefined);
    return result;
  };
}
