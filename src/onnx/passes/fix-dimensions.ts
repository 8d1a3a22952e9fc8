/** Open dimensions (batch, height, width) made definite. */
import { StudioError } from '../../numerics';
import { withGraph } from '../build';
import type { Dim, Model, ValueInfo } from '../graph';
import { inferShapes } from '../infer/infer';

export type InputDims = Readonly<Record<string, readonly number[]>>;

function bindInput(input: ValueInfo, wanted: readonly number[] | undefined, bound: Map<string, number>): readonly Dim[] | null {
  const { name, shape } = input;
  if (!wanted) {
    const [batch, ...rest] = shape ?? [];
    if (typeof batch === 'string') bound.set(batch, 1);
    return batch === undefined || typeof batch === 'number' ? shape : [1, ...rest];
  }
  if (wanted.some((d) => !Number.isInteger(d) || d < 1))
    throw new StudioError('bad-option', `[${wanted.join(', ')}] is not a shape for input "${name}".`, 'Sizes must be positive integers.');
  if (shape && shape.length !== wanted.length)
    throw new StudioError(
      'bad-option',
      `Input "${name}" has ${shape.length} dimensions, [${wanted.join(', ')}] has ${wanted.length}.`,
      'Give one size for each of them.',
    );
  wanted.forEach((size, i) => {
    const open = shape?.[i] ?? null;
    const fixed = typeof open === 'string' ? (bound.get(open) ?? size) : (open ?? size);
    if (fixed !== size)
      throw new StudioError(
        'bad-option',
        `Dimension ${i} of input "${name}" is ${fixed}, it can't become ${size}.`,
        'Export the model for the size that you need.',
      );
    if (typeof open === 'string') bound.set(open, size);
  });
  return wanted;
}

/**
 * Open dimensions of the inputs take the sizes in `dims`; an input not named there gets batch 1 (its first dimension)
 * and keeps its other open ones. Equal symbols get equal sizes; all declared shapes are inferred anew.
 * @throws StudioError 'bad-option' for an unknown input, or a size that contradicts a fixed one
 * @throws StudioError 'bad-model' where the network doesn't fit the sizes, naming the node
 */
export function fixDimensions(model: Model, dims: InputDims = {}): Model {
  const { graph } = model;
  const unknown = Object.keys(dims).find((name) => !graph.inputs.some((input) => input.name === name));
  if (unknown !== undefined)
    throw new StudioError(
      'bad-option',
      `The model has no input "${unknown}".`,
      `It has: ${graph.inputs.map((input) => input.name).join(', ')}.`,
    );
  const bound = new Map<string, number>();
  const shapes = graph.inputs.map((input) => bindInput(input, Object.hasOwn(dims, input.name) ? dims[input.name] : undefined, bound));
  const known = (shape: readonly Dim[] | null) => shape?.map((d) => (typeof d === 'string' ? (bound.get(d) ?? d) : d)) ?? null;
  const inputs = graph.inputs.map((input, i): ValueInfo => {
    const shape = known(shapes[i]!);
    return shape?.join() === input.shape?.join() ? input : { name: input.name, dtype: input.dtype, shape };
  });
  if (inputs.every((input, i) => input === graph.inputs[i])) return model;
  const bind = (info: ValueInfo): ValueInfo =>
    info.dtype === null ? info : { name: info.name, dtype: info.dtype, shape: known(info.shape) };
  const open = withGraph(model, {
    inputs,
    outputs: graph.outputs.map(bind),
    valueInfo: new Map([...graph.valueInfo].map(([name, info]) => [name, bind(info)])),
  });
  const inferred = inferShapes(open);
  const renew = (info: ValueInfo): ValueInfo => (info.rawType ? info : (inferred.get(info.name) ?? info));
  return withGraph(open, {
    outputs: open.graph.outputs.map(renew),
    valueInfo: new Map([...open.graph.valueInfo].map(([name, info]) => [name, renew(info)])),
  });
}
