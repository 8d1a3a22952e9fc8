import type { ImageSet } from '../data';
import { type Preprocess, type Preprocessed, preprocess } from '../models';
import { StudioError } from '../numerics';
import type { OptionMeta, OptionValue, StepMeta } from './meta';
import type { StepContext } from './types';

export type OptionValues = Readonly<Record<string, OptionValue>>;

/** JSON with sorted keys, so that equal values give equal text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value && typeof value === 'object') {
    const entries = Object.entries(value).filter(([, v]) => v !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonicalJson(v)}`).join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}

/** Key of an artifact: SHA-256 (hex) of the step, its version, its inputs' hashes and its options. */
export async function stepHash(meta: StepMeta, inputs: readonly string[], options: unknown): Promise<string> {
  const text = canonicalJson({ step: meta.id, version: meta.version, inputs, options });
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function checkOption(step: string, option: OptionMeta, value: unknown): void {
  const wrong = (hint: string) =>
    new StudioError('bad-option', `The recipe's option ${step}.${option.key} is ${JSON.stringify(value)}.`, hint);
  if (option.type === 'number') {
    if (typeof value !== 'number' || !Number.isFinite(value) || value < option.min || value > option.max)
      throw wrong(`It must be a number from ${option.min} to ${option.max}.`);
  } else if (option.type === 'choice') {
    if (typeof value !== 'string' || !option.choices.includes(value)) throw wrong(`It must be one of: ${option.choices.join(', ')}.`);
  } else if (option.type === 'ranges') {
    if (!isRanges(value)) throw wrong('It must name values with a low end ≤ 0 and a high end ≥ 0 each, as {"/conv/out": [-0.5, 6]}.');
  } else if (typeof value !== 'boolean') {
    throw wrong('It must be true or false.');
  }
}

function isRanges(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((range) => {
    if (!Array.isArray(range) || range.length !== 2 || !range.every(Number.isFinite)) return false;
    const [low, high] = range as [number, number];
    return low <= 0 && high >= 0 && low < high;
  });
}

/**
 * The options with every default filled in.
 * @throws StudioError 'bad-option' naming an unknown key or a value out of range.
 */
export function resolveOptions(meta: StepMeta, values: OptionValues): OptionValues {
  const known = new Map(meta.options.map((option) => [option.key, option]));
  for (const [key, value] of Object.entries(values)) {
    const option = known.get(key);
    if (!option)
      throw new StudioError(
        'bad-option',
        `The recipe's step "${meta.id}" has no option "${key}".`,
        `It has: ${[...known.keys()].join(', ')}.`,
      );
    checkOption(meta.id, option, value);
  }
  return Object.fromEntries(meta.options.map((option) => [option.key, values[option.key] ?? option.default]));
}

/** Measures progress of a step and estimates the seconds left from the mean so far. */
export function timer(total: number, now: () => number = () => performance.now()): (done: number) => number | undefined {
  const start = now();
  return (done) => (done > 0 && done < total ? ((now() - start) / 1000 / done) * (total - done) : undefined);
}

/** Image `index` as a network's input; beside the caller's work where the context can. Throws what `images.load` throws. */
export async function prepareImage(
  ctx: Pick<StepContext, 'prepare'>,
  images: ImageSet,
  index: number,
  p: Preprocess,
): Promise<Preprocessed> {
  return ctx.prepare ? ctx.prepare(images, index, p) : preprocess(await images.load(index), p);
}
