/** The page answers while its workers compute: figures are printed, as `npm run bench` does; only a page that hangs fails. */
import type { Page } from 'playwright';
import { describe, expect, it } from 'vitest';
import { loadLight } from './light';
import { withStudio } from './studio';
import { quantile, visit, type Watched } from './visit';

/** Milliseconds. */
const HANGS = 1000;

let page: Page;
let errors: readonly string[];
withStudio((tab) => ({ page, errors } = tab));

describe('the main thread', () => {
  let parts: ReadonlyMap<string, Watched>;
  it('is watched over a whole job', async () => {
    await loadLight(page, 16);
    // Twice as hasty as people: what hangs hangs for them too.
    parts = await visit(page, 0.5);
    expect([...parts.keys()]).toEqual(['before the job', 'during the job', 'after the job']);
    expect(errors).toEqual([]);
  });

  it('has no task that computes for long', () => {
    for (const [part, { cpu }] of parts) {
      console.log(`${part}: ${cpu.length} tasks over 10 ms of CPU time, the longest ${Math.max(0, ...cpu).toFixed(0)} ms.`);
      expect(cpu.length, part).toBeGreaterThan(0);
      expect(Math.max(...cpu), part).toBeLessThan(HANGS);
    }
  });

  it('answers clicks and keys', () => {
    for (const [part, { answers }] of parts) {
      const p75 = quantile(answers, 0.75);
      console.log(`${part}: ${answers.length} interactions, 75 % answered within ${p75} ms.`);
      expect(answers.length, part).toBeGreaterThan(25);
      expect(p75, part).toBeLessThan(HANGS);
    }
  });
});
