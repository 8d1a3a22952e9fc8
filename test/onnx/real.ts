/** The real models and case files, where they are on this machine. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Dim } from '../../src/onnx';

export const DATA = process.env.BONSAI_DATA ?? '../shared/data';
export const HAS_DATA = existsSync(join(DATA, 'models'));

export function modelNames(): string[] {
  return HAS_DATA ? readdirSync(join(DATA, 'models')).filter((name) => name.endsWith('.onnx')) : [];
}

export function realModel(name: string): Uint8Array {
  return new Uint8Array(readFileSync(join(DATA, 'models', name)));
}

export function caseFile(name: string): Uint8Array {
  return new Uint8Array(readFileSync(join(DATA, 'cases', name)));
}

/** Batch 1, spatial sizes 64: small and a multiple of every stride. */
export function smallSize(_dim: Dim, index: number): number {
  return index === 0 ? 1 : index === 1 ? 3 : 64;
}
