import type { Recipe, RunEnvironment, RunInput } from '../src/pipeline';
import type { StepContext } from '../src/steps';
import { choosePreprocess, openModel } from '../src/steps/open';
import type { SensitivityReport } from '../src/steps/prune';

/**
 * The network's sensitivity to pruning, on the calibration images; kept, so that it is there at once the next time.
 * @throws StudioError as scanSensitivity does
 */
export async function scanNetwork(recipe: Recipe, input: RunInput, env: RunEnvironment): Promise<SensitivityReport> {
  const { scanSensitivity, sensitivityHash } = await import('../src/steps/prune');
  const { cancel, engine, gpu, prepare, cache } = env;
  const ctx: StepContext = { cancel, engine, gpu, prepare, seed: recipe.seed, progress: (p) => env.progress(p) };
  const opened = await openModel(input.name, input.model, input.external);
  const { artifact } = await choosePreprocess(opened, input.calibration, recipe.preprocess, ctx);
  const key = `${await sensitivityHash(artifact, input.calibration)}|${JSON.stringify(artifact.spec?.preprocess ?? null)}`;
  const known = (await cache?.get(key)) as SensitivityReport | undefined;
  if (known) return known;
  const report = await scanSensitivity(artifact, input.calibration, ctx);
  await cache?.put(key, report);
  return report;
}
