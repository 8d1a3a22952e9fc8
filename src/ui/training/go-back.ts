/** From a point of the pruning curve to the recipe that ends there. */
import { type Recipe, stepOf } from '../../pipeline';

/** Percent of the MACs that are to be gone after each of a recipe's pruning steps with recovery. */
export function stageTargets(recipe: Recipe): readonly number[] {
  const prune = stepOf(recipe, 'prune');
  if (!prune.enabled || !stepOf(recipe, 'recover').enabled || prune.options.method === 'unstructured') return [];
  const target = Number(prune.options.macsReduction);
  const count = Math.max(1, Math.ceil(target / Number(prune.options.stepSize)));
  return Array.from({ length: count }, (_, i) => (target * (i + 1)) / count);
}

/**
 * The recipe that prunes as far as stage `index` of this one did and no further, everything else unchanged. Its first
 * steps are the same, so they come out of the cache. Null for a stage that the recipe doesn't have, or its last one.
 */
export function goBack(recipe: Recipe, index: number): Recipe | null {
  const targets = stageTargets(recipe);
  const target = targets[index];
  if (target === undefined || index === targets.length - 1) return null;
  const { record: _, ...rest } = recipe;
  const steps = rest.steps.map((step) => (step.step === 'prune' ? { ...step, options: { ...step.options, macsReduction: target } } : step));
  return { ...rest, name: 'custom', steps };
}
