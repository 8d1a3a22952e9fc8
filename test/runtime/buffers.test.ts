import { describe, expect, it } from 'vitest';
import { buffersOf } from '../../workers/buffers';

describe('buffers that change hands', () => {
  it('are those of whole arrays anywhere inside, each once', () => {
    const whole = new Float32Array(4);
    const inMap = new Uint8Array(3);
    const shared = new Uint8Array(10);
    const value = {
      a: whole,
      again: new Uint8Array(whole.buffer),
      map: new Map([['x', { inMap }]]),
      part: shared.subarray(2, 5),
      text: 'x',
      none: null,
      atomic: new Int32Array(new SharedArrayBuffer(8)),
    };
    expect(buffersOf({ ...value, self: value })).toEqual([whole.buffer, inMap.buffer]);
    const moved = structuredClone(value, { transfer: buffersOf(value) });
    expect(whole.byteLength).toBe(0);
    expect(shared.byteLength).toBe(10);
    expect(moved.map.get('x')!.inMap).toEqual(new Uint8Array(3));
  });
});
