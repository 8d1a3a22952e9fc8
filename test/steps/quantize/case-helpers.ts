/** What the tests of the public cases share. */
import { existsSync, readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { type Model, parseModel } from '../../../src/onnx';
import type { Tensors } from '../../../src/runtime';
import { buildQdq, partialPlan, planQuantization, quantizableModel, readOptions } from '../../../src/steps/quantize';
import { rangesOf, run } from './helpers';

const LEVELS = ['disabled', 'all'] as const;

/** The output at both optimization levels. */
export async function outputs(model: Model, feeds: Tensors, name = 'y'): Promise<number[][]> {
  const results = [];
  for (const level of LEVELS) results.push(Array.from((await run(model, feeds, level))[name]!.data as Float32Array));
  return results;
}

/** Largest |a − b|. */
export function farthest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a, (v, i) => Math.abs(v - b[i]!)).reduce((x, y) => Math.max(x, y), 0);
}

/** The network with int8 weights and nothing else quantized: what the weights alone cost. */
export async function weightsOnly(model: Model, feeds: readonly Tensors[], options: Record<string, string> = {}): Promise<Model> {
  const float = quantizableModel(model);
  const plan = planQuantization(float, await rangesOf(float, feeds), readOptions({ calibrator: 'minmax', ...options }), null);
  return buildQdq(float, partialPlan(plan, { activation: () => false, constant: ({ role }) => role === 'weight' }));
}

const FOLDER = `${process.env.BONSAI_DATA ?? '../shared/data'}/cases`;

/** A file of the collection of public cases; null where it isn't. */
export function caseFile(name: string): Model | null {
  const path = `${FOLDER}/${name}`;
  return existsSync(path) ? parseModel(new Uint8Array(readFileSync(path))) : null;
}
