/** PACT's regulariser (Choi et al. 2018): clips are pulled down, so that the values inside get finer steps. */
import type { Variable, VariableMap } from '../../../../training';
import { isScaleName } from './student';

/**
 * Adds the gradient of λ · Σ (clip / clip at the start)² by the log scales; a clip is its scale times the grid's end.
 * @param decay λ
 */
export function withClipDecay(map: VariableMap, variables: readonly Variable[], decay: number): VariableMap {
  const scales = variables.filter(({ name }) => isScaleName(name));
  return {
    ...map,
    gradients(values, byInput) {
      const found = { ...map.gradients(values, byInput) };
      for (const { name, data } of scales) {
        const ratio = Math.exp(values[name]![0]! - data[0]!);
        found[name] = Float32Array.of(found[name]![0]! + 2 * decay * ratio ** 2);
      }
      return found;
    },
  };
}
