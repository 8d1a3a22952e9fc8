/**
 * Jobs that outlive what runs them: the worker and the page are killed at random moments, the page offers to go on, and the
 * bundle is that of an undisturbed run. `BONSAI_KILLS=50` kills fifty times instead of four.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createRandom } from '../../src/numerics';
import { parseRecipe } from '../../src/pipeline';
import { linkTo } from '../../src/ui/recipe/link';
import { launch } from './browser';
import { CHROMIUM, FLAGS } from './chromium';
import { type StaticServer, serve } from './server';

const KILLS = Number(process.env.BONSAI_KILLS ?? 4);
const SEED = Number(process.env.BONSAI_SEED ?? 1);

const RECIPE = parseRecipe({
  bonsai: 1,
  name: 'survivor',
  seed: 5,
  device: 'ort',
  steps: [
    { step: 'prune', options: { macsReduction: 5, images: 8, resolve: 'off' } },
    { step: 'recover', options: { steps: 12, stepsBetween: 0 } },
    { step: 'calibrate', options: { images: 8 } },
    { step: 'quantize', options: { tryCalibrators: true, learnSteps: 8, repairImages: 8 } },
    { step: 'evaluate' },
    { step: 'export' },
  ],
});

/** Without a GPU, so that every job computes on the CPU engine. */
const WITHOUT = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

let server: StaticServer;
let browser: Browser;
beforeAll(async () => {
  server = await serve(inject('dist'), { headers: true, base: '/' });
  browser = await launch(WITHOUT);
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

/** A tab of a visitor, whose workers the test can end. */
async function visit(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  await page.addInitScript(() => {
    const started: { name: string; worker: Worker }[] = [];
    Object.assign(globalThis, { started });
    globalThis.Worker = class extends Worker {
      constructor(address: string | URL, options?: WorkerOptions) {
        super(address, options);
        started.push({ name: options?.name ?? '', worker: this });
      }
    };
  });
  await page.goto(url);
  await page.getByTestId('detections-original').filter({ hasText: /[1-9]/ }).waitFor({ timeout: 120_000 });
  return page;
}

const goOn = (page: Page) => page.getByTestId('unfinished-job').getByRole('button', { name: 'Go on' });
const cancel = (page: Page) => page.getByRole('button', { name: 'Cancel', exact: true });
const bundle = (page: Page) => page.getByRole('link', { name: 'Download bundle' });

/** SHA-256 of the finished job's bundle. */
async function digest(page: Page): Promise<string> {
  return bundle(page).evaluate(async (link: HTMLAnchorElement) => {
    const bytes = await (await fetch(link.href)).arrayBuffer();
    return [...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  });
}

async function start(context: BrowserContext): Promise<Page> {
  const page = await visit(context, linkTo(RECIPE, server.url));
  await page.getByRole('button', { name: /^Compress for/ }).click();
  await cancel(page).waitFor();
  return page;
}

const ended = (page: Page, timeout: number): Promise<boolean> =>
  bundle(page)
    .waitFor({ timeout })
    .then(
      () => true,
      () => false,
    );

/** Ways to die; each gives the page on which the job goes on. */
const DEATHS = {
  async worker(page: Page) {
    await page.evaluate(() => {
      const { started } = globalThis as unknown as { started: { name: string; worker: Worker }[] };
      started.findLast(({ name }) => name === 'step')!.worker.terminate();
    });
    // The job goes on by itself once; then it is offered.
    await Promise.race([cancel(page).waitFor(), goOn(page).waitFor(), bundle(page).waitFor()]);
    if (await goOn(page).isVisible()) await goOn(page).click();
    return page;
  },
  async reload(page: Page) {
    await page.reload();
    await goOn(page).click({ timeout: 120_000 });
    return page;
  },
  async close(page: Page) {
    const context = page.context();
    await page.close();
    const next = await visit(context, server.url);
    await goOn(next).click();
    return next;
  },
  async crash(page: Page) {
    const context = page.context();
    const crashed = page.waitForEvent('crash');
    const session = await context.newCDPSession(page);
    void session.send('Page.crash').catch(() => {});
    await crashed;
    await page.close();
    const next = await visit(context, server.url);
    await goOn(next).click();
    return next;
  },
} satisfies Record<string, (page: Page) => Promise<Page>>;

let known: { readonly digest: string; readonly ms: number } | null = null;

/** The undisturbed run. */
async function quietRun(): Promise<NonNullable<typeof known>> {
  if (known) return known;
  const context = await browser.newContext();
  const page = await start(context);
  const begun = performance.now();
  expect(await ended(page, 240_000)).toBe(true);
  known = { ms: performance.now() - begun, digest: await digest(page) };
  await context.close();
  return known;
}

describe('a job', () => {
  it(`gives the same bundle, killed ${KILLS} times at random`, { timeout: 240_000 + KILLS * 120_000 }, async () => {
    const { digest: expected, ms: lasts } = await quietRun();
    const random = createRandom(SEED);
    const names = Object.keys(DEATHS) as (keyof typeof DEATHS)[];
    let [kills, jobs] = [0, 0];
    while (kills < KILLS) {
      const context = await browser.newContext();
      let page = await start(context);
      // Killed early and late, until the job is through or the number is reached.
      while (kills < KILLS && !(await ended(page, 500 + random.next() * Math.min(lasts / 2, 15_000)))) {
        page = await DEATHS[names[kills % names.length]!](page);
        kills++;
      }
      expect(await ended(page, 240_000)).toBe(true);
      expect(await digest(page)).toBe(expected);
      await page.reload();
      await page.getByTestId('detections-original').filter({ hasText: /[1-9]/ }).waitFor({ timeout: 60_000 });
      expect(await goOn(page).count()).toBe(0);
      jobs++;
      await context.close();
    }
    console.log(`${kills} kills in ${jobs} jobs of ${(lasts / 1000).toFixed(0)} s; every bundle is ${expected.slice(0, 12)}….`);
  });

  it('goes on after the whole browser was killed', { timeout: 480_000 }, async () => {
    const { digest: expected, ms } = await quietRun();
    const profile = mkdtempSync(join(tmpdir(), 'bonsai-profile-'));
    const options = { executablePath: CHROMIUM, args: FLAGS.filter((flag) => !WITHOUT.includes(flag)) };
    try {
      const first = await chromium.launchPersistentContext(profile, options);
      const died = new Promise((resolve) => first.once('close', resolve));
      await (await start(first)).waitForTimeout(ms / 2);
      // As a machine that loses power: nothing is told to end.
      expect(spawnSync('pkill', ['-KILL', '-f', profile]).status).toBe(0);
      await died;
      const second = await chromium.launchPersistentContext(profile, options);
      const page = await visit(second, server.url);
      await goOn(page).click({ timeout: 60_000 });
      expect(await ended(page, 240_000)).toBe(true);
      expect(await digest(page)).toBe(expected);
      await second.close();
    } finally {
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    }
  });

  it('can be forgotten, and is over when it is cancelled', { timeout: 240_000 }, async () => {
    const context = await browser.newContext();
    const page = await start(context);
    await page.waitForTimeout(1000);
    await page.reload();
    await page.getByTestId('unfinished-job').getByRole('button', { name: 'Forget it' }).click({ timeout: 120_000 });
    await page.reload();
    const button = page.getByRole('button', { name: /^Compress for/ });
    await button.click({ timeout: 120_000 });
    await page.waitForTimeout(1000);
    await cancel(page).click();
    await button.waitFor({ timeout: 60_000 });
    await page.reload();
    await button.waitFor({ timeout: 120_000 });
    expect(await page.getByTestId('unfinished-job').count()).toBe(0);
    await context.close();
  });

  it('is seen by a second tab, which starts none meanwhile and takes over when the first is closed', { timeout: 240_000 }, async () => {
    const context = await browser.newContext();
    const first = await start(context);
    const second = await visit(context, server.url);
    const other = second.getByTestId('other-job');
    await other.filter({ hasText: /Another tab is running “survivor” on scenes-depthwise\.onnx/ }).waitFor({ timeout: 30_000 });
    // How far it is.
    await other.filter({ hasText: /\d+\/\d+/ }).waitFor({ timeout: 60_000 });
    expect(await second.getByRole('button', { name: /^Compress for/ }).isDisabled()).toBe(true);
    expect(await goOn(second).count()).toBe(0);
    await first.close();
    await goOn(second).click({ timeout: 30_000 });
    await cancel(second).waitFor({ timeout: 30_000 });
    expect(await other.count()).toBe(0);
    const third = await visit(context, server.url);
    await third.getByTestId('other-job').waitFor({ timeout: 30_000 });
    await cancel(second).click();
    await third.getByTestId('other-job').waitFor({ state: 'detached', timeout: 60_000 });
    expect(await third.getByRole('button', { name: /^Compress for/ }).isEnabled()).toBe(true);
    expect(await goOn(third).count()).toBe(0);
    await context.close();
  });
});
