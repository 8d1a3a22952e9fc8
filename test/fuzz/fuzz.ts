/**
 * `npm run fuzz`: damaged models, thousands of them, each in a process that is watched.
 *
 *   npm run fuzz -- [--runs 10000] [--seed 1] [--one CASE.json]
 *
 * Run i is drawn from seed + i, so `--seed N --runs 1` repeats one. A failure is shrunk and printed with its seed, its path
 * and the descriptor that test/fuzz/seeds.json keeps.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { type ModelCase, modelCase } from './arbitrary';
import { createExaminer, type Examiner } from './examiner';

/** Runs after which what is kept for good (bases, compiled code) is in memory. */
const WARM_UP = 300;
/** Growth beyond this is a leak. */
const MAX_GROWTH = 16 * 2 ** 20;
/** Seconds to spend on making one failure smaller. */
const SHRINK_SECONDS = 20;

interface Tally {
  results: number;
  readonly refusals: Map<string, number>;
  failures: number;
  slowest: number;
}

async function one(seed: number, examiner: Examiner, tally: Tally): Promise<void> {
  let first = true;
  const property = fc.asyncProperty(modelCase, async (drawn) => {
    const { outcome, cpu } = await examiner.examine(drawn);
    if (first) {
      tally.slowest = Math.max(tally.slowest, cpu);
      if (outcome.kind === 'result') tally.results++;
      else if (outcome.kind === 'refusal') tally.refusals.set(outcome.code, (tally.refusals.get(outcome.code) ?? 0) + 1);
    }
    first = false;
    if (outcome.kind === 'failure') throw new Error(outcome.text);
  });
  const details = await fc.check(property, {
    seed,
    numRuns: 1,
    interruptAfterTimeLimit: SHRINK_SECONDS * 1000,
    markInterruptAsFailure: false,
  });
  if (!details.failed) return;
  tally.failures++;
  console.error(
    `\nFAILED seed ${seed}, path ${details.counterexamplePath}\n${JSON.stringify(details.counterexample?.[0])}\n${details.errorInstance instanceof Error ? details.errorInstance.message : ''}\n`,
  );
}

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '10000' }, seed: { type: 'string' }, one: { type: 'string' } },
});
const examiner = createExaminer();
if (values.one !== undefined) {
  const cases = [JSON.parse(readFileSync(values.one, 'utf8'))].flat() as (ModelCase | { readonly case: ModelCase })[];
  for (const given of cases) console.log(await examiner.examine('case' in given ? given.case : given));
  examiner.close();
  process.exit(0);
}
const [runs, seed] = [Number(values.runs), values.seed === undefined ? Date.now() % 1_000_000_000 : Number(values.seed)];
console.log(
  `${runs} damaged models from seed ${seed}, one process, each at most 2 s of processor time; about ${Math.ceil(runs / 1000)} to ${Math.ceil(runs / 250)} minutes.`,
);
const tally: Tally = { results: 0, refusals: new Map(), failures: 0, slowest: 0 };
const start = performance.now();
let before = Number.NaN;
let counted = 0;
for (let i = 0; i < runs; i++) {
  await one(seed + i, examiner, tally);
  // A process that had to be replaced starts its count anew.
  if (i + 1 === WARM_UP || (examiner.processes !== counted && i >= WARM_UP))
    [before, counted] = [await examiner.memory(), examiner.processes];
  if ((i + 1) % 250 === 0)
    console.log(`${i + 1} of ${runs}, ${((performance.now() - start) / 1000).toFixed(0)} s, ${tally.failures} failures`);
}
const after = await examiner.memory();
examiner.close();
const grown = Number.isNaN(before) ? 0 : after - before;
const refused = [...tally.refusals].sort((a, b) => b[1] - a[1]).map(([code, count]) => `${code} ${count}`);
console.log(
  `${runs} models in ${((performance.now() - start) / 1000).toFixed(0)} s from seed ${seed}: ${tally.results} results, ${refused.length > 0 ? refused.join(', ') : 'no refusals'}, ${tally.failures} failures; ` +
    `slowest ${tally.slowest.toFixed(2)} s; memory after collection ${(before / 2 ** 20).toFixed(1)} → ${(after / 2 ** 20).toFixed(1)} MB.`,
);
if (grown > MAX_GROWTH) console.error(`The memory grew by ${(grown / 2 ** 20).toFixed(1)} MB.`);
process.exit(tally.failures > 0 || grown > MAX_GROWTH ? 1 : 0);
