import { partName } from '../../pipeline';

/** The tensors that a layer's output became: itself, or the parts that a repair cut it into, in their order. */
export function tensorsOf<T>(output: string, tensors: ReadonlyMap<string, T>): readonly T[] {
  const whole = tensors.get(output);
  if (whole !== undefined) return [whole];
  const parts: T[] = [];
  for (let i = 1; ; i++) {
    const part = tensors.get(partName(output, i));
    if (part === undefined) return parts;
    parts.push(part);
  }
}
