/** A network for several images at once, where it allows that. */
import { StudioError } from '../numerics';
import { inferShapes, type Model, withGraph } from '../onnx';

/**
 * The network with another batch size, whatever size it was exported with; null where it is not free to choose (a Reshape
 * that names the batch, a join along it).
 * @param values float32 values whose leading dimension must grow with the batch; scalars are let through
 */
export function withBatch(model: Model, input: string, batch: number, values: readonly string[]): Model | null {
  const before = inferShapes(model);
  const inputs = model.graph.inputs.map((info) =>
    info.name === input && info.shape ? { ...info, shape: [batch, ...info.shape.slice(1)] } : info,
  );
  const outputs = model.graph.outputs.map((info) => ({ ...info, shape: null }));
  const wider = withGraph(model, { inputs, outputs, valueInfo: new Map() });
  let after: ReturnType<typeof inferShapes>;
  try {
    after = inferShapes(wider);
  } catch (error) {
    if (error instanceof StudioError && error.code === 'bad-model') return null;
    throw error;
  }
  const grows = values.every((name) => {
    const [from, to] = [before.get(name)?.shape, after.get(name)?.shape];
    if (!from || !to || from.length !== to.length) return false;
    return from.length === 0 || (to[0] === (from[0] as number) * batch && from.every((d, i) => i === 0 || d === to[i]));
  });
  return grows ? wider : null;
}
