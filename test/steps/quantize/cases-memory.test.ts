/** Q16: the memory that calibration takes doesn't grow with the number of images. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

interface Measured {
  readonly images: number;
  readonly tensors: number;
  /** KiB, of the whole process. */
  readonly peak: number;
}

/** A process of its own, so that nothing else is in the figure. */
async function calibrated(count: number): Promise<Measured> {
  const args = ['--expose-gc', '--import', 'tsx', 'test/steps/quantize/memory-child.ts', String(count)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
}

describe('Q16: calibration on many images', () => {
  it('peaks at the same memory for 8 and for 256, within 20 %', async () => {
    const few = await calibrated(8);
    const many = await calibrated(256);
    expect([few.images, many.images, few.tensors, many.tensors]).toEqual([8, 256, 4, 4]);
    // Kept images would add 200 MB, kept activations 400.
    expect(many.peak / few.peak).toBeLessThan(1.2);
    expect(few.peak).toBeLessThan(600 * 1024);
  });
});
