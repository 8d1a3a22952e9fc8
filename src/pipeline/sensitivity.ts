/** What each group of channels of a network is worth, cut alone: opens, scans, keeps. */
import type { StepContext } from '../steps';
import { choosePreprocess, openModel } from '../steps/open';
import type { SensitivityReport } from '../steps/prune';
import { openJournal } from './journal';
import type { Recipe, RunEnvironment, RunInput } from './types';

/**
 * The network's sensitivity to pruning, on the calibration images; kept, so that it is there at once the next time. With
 * checkpoints, a scan that was cancelled or died goes on where it was.
 * @throws StudioError as scanSensitivity does
 */
export async function scanRecipe(recipe: Recipe, input: RunInput, env: RunEnvironment): Promise<SensitivityReport> {
  const { scanSensitivity, sensitivityHash } = await import('../steps/prune');
  const { cancel, engine, gpu, prepare, cache, checkpoints, now } = env;
  const ctx: StepContext = { cancel, engine, gpu, prepare, seed: recipe.seed, progress: (p) => env.progress(p) };
  const opened = await openModel(input.name, input.model, input.external);
  const { artifact } = await choosePreprocess(opened, input.calibration, recipe.preprocess, ctx);
  const key = `${await sensitivityHash(artifact, input.calibration)}|${JSON.stringify(artifact.spec?.preprocess ?? null)}`;
  const known = (await cache?.get(key)) as SensitivityReport | undefined;
  if (known) return known;
  const journal = checkpoints && (await openJournal(checkpoints, `${key}|${engine.version}|${gpu?.version ?? ''}|${recipe.seed}`, now));
  const report = await scanSensitivity(artifact, input.calibration, { ...ctx, ...(journal ? { journal } : {}) });
  await cache?.put(key, report);
  await journal?.close();
  return report;
}
