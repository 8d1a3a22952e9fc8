/** Memory that can change hands: a transferred buffer is moved in microseconds, a cloned one is copied twice. */

/** Buffers that the arrays anywhere inside `value` have for themselves; who transfers them must not use the arrays again. */
export function buffersOf(value: unknown, seen = new Set<unknown>()): ArrayBuffer[] {
  if (typeof value !== 'object' || value === null || seen.has(value)) return [];
  seen.add(value);
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteLength } = value;
    if (!(buffer instanceof ArrayBuffer) || buffer.byteLength !== byteLength || seen.has(buffer)) return [];
    seen.add(buffer);
    return [buffer];
  }
  if (value instanceof Blob || value instanceof ArrayBuffer) return [];
  const parts = value instanceof Map || value instanceof Set ? [...value.values()] : Object.values(value);
  return parts.flatMap((part) => buffersOf(part, seen));
}
