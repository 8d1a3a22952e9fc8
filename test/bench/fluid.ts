/** How fluid the built page stays over one visit with the embedded job: a row per part of the visit. */
import { resolve } from 'node:path';
import type { Browser } from 'playwright';
import { openTab } from '../e2e/browser';
import { buildSite } from '../e2e/build';
import { serve } from '../e2e/server';
import { LOOK, quantile, visit } from '../e2e/visit';

const LONG_MS = 50;

/** A markdown table, and what its figures mean. */
export async function fluidTable(browser: Browser): Promise<string> {
  await buildSite('production');
  const server = await serve(resolve('dist'), { headers: true, base: '/' });
  const tab = await openTab(browser, server.url);
  try {
    await tab.page.getByTestId('detections-original').filter({ hasText: /[1-9]/ }).waitFor({ timeout: 120_000 });
    const lines = [...(await visit(tab.page))].map(([part, { tasks, cpu, answers }]) => {
      const long = cpu.filter((ms) => ms > LONG_MS);
      return [
        part,
        `${long.length}, longest ${Math.max(0, ...cpu).toFixed(0)} ms`,
        `${tasks.length}, longest ${Math.max(0, ...tasks).toFixed(0)} ms`,
        `${quantile(answers, 0.75)} ms`,
        `${answers.length}`,
      ];
    });
    const head = ['embedded job', 'tasks over 50 ms of CPU time', 'by the clock', 'interaction to next paint, p75', 'interactions'];
    const table = [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
    return `${table}\n\n- Main thread of the built page. By the clock includes waiting for a core while the job uses all of them. What was done: ${LOOK}; a step
  switched off and on before, the divider moved by keys after.\n`;
  } finally {
    await tab.close();
    await server.close();
  }
}
