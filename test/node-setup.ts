/** Typed arrays of the same bits are equal at once: Vitest would compare a network's bytes one by one, for seconds. */
import { expect } from 'vitest';

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer => Buffer.from(buffer, byteOffset, byteLength);

expect.addEqualityTesters([
  // Where bits differ Vitest decides, and shows where.
  (a: unknown, b: unknown) =>
    (ArrayBuffer.isView(a) && ArrayBuffer.isView(b) && a.constructor === b.constructor && bytesOf(a).equals(bytesOf(b))) || undefined,
]);
