/**
 * `npm run fuzz`: damaged models, images and documents, thousands of them, each in a process that is watched.
 *
 *   npm run fuzz -- [--runs 10000] [--seed 1] [--only models|images|documents] [--case CASE.json]
 *
 * `--runs` counts models; images and documents are a fifth as many each. Run i of a family is drawn from seed + i, so
 * `--only models --seed N --runs 1` repeats one. A failure is made smaller and printed with its seed, its path and the
 * descriptor that test/fuzz/seeds.json keeps; `--case` takes a file of such descriptors.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { type Case, FAMILIES, type FamilyName } from './cases';
import { createExaminer, type Examiner, MAX_SECONDS } from './examiner';
import { readLargeAnnotations } from './large';

/** Runs after which what is kept for good (bases, compiled code) is in memory. */
const WARM_UP = 300;
/** Bytes; growth beyond this is a leak. */
const MAX_GROWTH = 16 * 2 ** 20;
/** Seconds to spend on making one failure smaller. */
const SHRINK_SECONDS = 20;

/** Seconds for the annotations of a whole training set. */
const MAX_READ_SECONDS = 10;

interface Tally {
  results: number;
  readonly refusals: Map<string, number>;
  failures: number;
  slowest: number;
}

async function one(family: FamilyName, seed: number, examiner: Examiner, tally: Tally): Promise<void> {
  let first = true;
  const property = fc.asyncProperty(FAMILIES[family], async (drawn) => {
    const { outcome, cpu } = await examiner.examine(drawn);
    if (first) {
      tally.slowest = Math.max(tally.slowest, cpu);
      if (outcome.kind === 'result') tally.results++;
      else if (outcome.kind === 'refusal') tally.refusals.set(outcome.code, (tally.refusals.get(outcome.code) ?? 0) + 1);
    }
    first = false;
    if (outcome.kind === 'failure') throw new Error(outcome.text);
  });
  const details = await fc.check(property, { seed, numRuns: 1, interruptAfterTimeLimit: SHRINK_SECONDS * 1000 });
  if (!details.failed) return;
  tally.failures++;
  const why = details.errorInstance instanceof Error ? details.errorInstance.message : String(details.errorInstance);
  const drawn = JSON.stringify(details.counterexample?.[0]);
  console.error(`\nFAILED ${family}, seed ${seed}, path ${details.counterexamplePath}\n${drawn}\n${why}\n`);
}

const megabytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1);

/** @returns whether nothing failed and nothing leaked */
async function runFamily(family: FamilyName, runs: number, seed: number): Promise<boolean> {
  const examiner = createExaminer();
  const tally: Tally = { results: 0, refusals: new Map(), failures: 0, slowest: 0 };
  const start = performance.now();
  const seconds = () => ((performance.now() - start) / 1000).toFixed(0);
  let before = Number.NaN;
  let counted = 0;
  for (let i = 0; i < runs; i++) {
    await one(family, seed + i, examiner, tally);
    // A process that had to be replaced starts its count anew.
    if (i + 1 === WARM_UP || (i >= WARM_UP && examiner.processes !== counted)) {
      before = await examiner.memory();
      counted = examiner.processes;
    }
    if ((i + 1) % 500 === 0 && i + 1 < runs) console.log(`${i + 1} of ${runs} ${family}, ${seconds()} s, ${tally.failures} failures`);
  }
  const after = await examiner.memory();
  examiner.close();
  const refusals = [...tally.refusals].sort((a, b) => b[1] - a[1]).map(([code, count]) => `${code} ${count}`);
  const leak = after - before > MAX_GROWTH;
  const said = [
    `${runs} ${family} in ${seconds()} s from seed ${seed}: ${tally.results} results`,
    `${refusals.join(', ') || 'no refusals'}, ${tally.failures} failures; slowest ${tally.slowest.toFixed(2)} s`,
  ].join(', ');
  console.log(Number.isNaN(before) ? `${said}.` : `${said}; memory after collection ${megabytes(before)} → ${megabytes(after)} MB.`);
  if (leak) console.error(`The memory grew by ${megabytes(after - before)} MB.`);
  return tally.failures === 0 && !leak;
}

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: { runs: { type: 'string', default: '10000' }, seed: { type: 'string' }, only: { type: 'string' }, case: { type: 'string' } },
  });
  if (values.case !== undefined) {
    const examiner = createExaminer();
    const cases = [JSON.parse(readFileSync(values.case, 'utf8'))].flat() as (Case | { readonly case: Case })[];
    for (const given of cases) console.log(await examiner.examine('case' in given ? given.case : given));
    examiner.close();
    return true;
  }
  const runs = Number(values.runs);
  const seed = values.seed === undefined ? Date.now() % 1_000_000_000 : Number(values.seed);
  const families = (Object.keys(FAMILIES) as FamilyName[]).filter((name) => values.only === undefined || values.only === name);
  console.log(
    `${runs} damaged models (a fifth as many images and documents) from seed ${seed}, one process at a time, ` +
      `at most ${MAX_SECONDS} s of processor time each: ${Math.ceil(runs / 1000)} to ${Math.ceil(runs / 300)} minutes.`,
  );
  let good = families.length > 0;
  for (const family of families)
    good = (await runFamily(family, family === 'models' || values.only ? runs : Math.ceil(runs / 5), seed)) && good;
  if (values.only === undefined || values.only === 'documents') {
    const { megabytes: size, boxes, parse, read } = readLargeAnnotations();
    console.log(
      `An annotation file of ${size.toFixed(0)} MB: ${boxes} boxes, parsed in ${parse.toFixed(1)} s, read in ${read.toFixed(1)} s.`,
    );
    good = boxes > 500_000 && read < MAX_READ_SECONDS && good;
  }
  return good;
}

process.exit((await main()) ? 0 : 1);
