/** Training in the page: curves that grow, pause, stop, a reload in the middle, and the way back to a smaller cut. */
import type { Page } from 'playwright';
import { describe, expect, it } from 'vitest';
import { seriousViolations } from './axe';
import type { Tab } from './browser';
import { withStudio } from './studio';

let tab: Tab;
let page: Page;
withStudio((opened) => {
  tab = opened;
  page = tab.page;
});

/** Two small cuts, judged by weights alone; the first recovery is short, the second one looks often. */
const RECIPE = {
  bonsai: 1,
  name: 'a short recovery',
  device: 'ort',
  steps: [
    { step: 'prune', options: { macsReduction: 10, stepSize: 5, importance: 'l2', resolve: 'off' } },
    { step: 'recover', options: { steps: 240, stepsBetween: 8 } },
    { step: 'evaluate' },
  ],
};

async function takeRecipe(): Promise<void> {
  await page
    .getByLabel('Open model or images')
    .setInputFiles([{ name: 'recipe.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(RECIPE)) }]);
  await page.getByText('Recipe “a short recovery” loaded.').waitFor();
}

const panel = () => page.getByRole('tabpanel');
const open = (name: string) => page.getByRole('tab', { name }).click();
const press = (name: string) => page.getByRole('button', { name, exact: true }).click();
const job = () => page.getByRole('region', { name: 'Working' });
const loss = () => panel().locator('figure', { has: page.getByRole('heading', { name: 'Loss', exact: true }) });
/** Rows of the table behind a curve. */
const looks = () => loss().locator('tbody tr').count();
const stages = () => panel().locator('tr[data-stage]');

async function accessible(): Promise<void> {
  expect(await seriousViolations(page)).toEqual([]);
  await press('Switch between light and dark');
  expect(await seriousViolations(page)).toEqual([]);
  await press('Switch between light and dark');
}

/** Looks at the second training run. */
const secondLooks = () =>
  loss()
    .locator('tbody tr', { has: page.locator('td:first-child', { hasText: /^2$/ }) })
    .count();
const paused = () => panel().getByText(/^Paused at image-step \d+$/);

describe('recovery', () => {
  it('learns from the same images and the same teacher on the next visit', async () => {
    await takeRecipe();
    await press('300 scenes');
    await page.getByLabel('Choose another').setInputFiles('static/models/scenes-dense.onnx');
    await expect.poll(() => page.getByTestId('teacher').textContent()).toBe('scenes-dense.onnx');
    await page.reload();
    await page.getByTestId('detections-original').filter({ hasText: /[1-9]/ }).waitFor({ timeout: 60_000 });
    await takeRecipe();
    await expect.poll(() => page.getByTestId('teacher').textContent()).toBe('scenes-dense.onnx');
    expect(await page.getByTestId('training-images').textContent()).toBe('Scenes: 300 images');
    await press('Use the original');
    await press('Use the calibration images');
    await page.reload();
    await page.getByTestId('detections-original').filter({ hasText: /[1-9]/ }).waitFor({ timeout: 60_000 });
  });

  it('says where its curves will be', async () => {
    await takeRecipe();
    await open('Training');
    await panel()
      .getByText(/^Press “Compress for ONNX Runtime.*”: training draws its curves here\.$/)
      .waitFor();
    expect(await page.getByTestId('training-images').textContent()).toBe('The calibration images: 32 images');
    expect(await page.getByTestId('teacher').textContent()).toBe('The original');
    const localization = page.getByRole('slider', { name: 'Localization' });
    await localization.focus();
    await page.keyboard.press('ArrowRight');
    expect(await localization.inputValue()).toBe('1.1');
    await press('Undo');
    expect(await localization.inputValue()).toBe('1');
  });

  it('draws its curves while it runs, a stretch for each pruning step', async () => {
    await page.getByRole('button', { name: 'Compress for ONNX Runtime' }).click();
    await panel().locator('li[data-run="2"]').waitFor({ timeout: 200_000 });
    await expect.poll(secondLooks, { timeout: 100_000 }).toBeGreaterThan(1);
    await press('Pause training');
    await paused().waitFor();
    const picture = await loss().getByRole('img').getAttribute('aria-label');
    expect(picture).toMatch(/^Loss\. Training: [\d.e-]+, Unseen images: [\d.e-]+\.$/);
    expect(await loss().locator('svg[role="img"] path').count()).toBeGreaterThanOrEqual(3);
    for (const name of ['mAP on unseen images', 'Parts of the loss', 'Learning rate'])
      expect(await panel().getByRole('img', { name }).count(), name).toBe(1);
    expect(await stages().count()).toBe(1);
    await accessible();
  }, 400_000);

  it('goes on from its checkpoint after the page was closed', async () => {
    await page.reload();
    await page.getByTestId('detections-original').filter({ hasText: /[1-9]/ }).waitFor({ timeout: 60_000 });
    await open('Training');
    await page.getByRole('button', { name: 'Compress for ONNX Runtime' }).click();
    await job()
      .getByText(/goes on from image-step [1-9]\d*/)
      .waitFor({ timeout: 120_000 });
    // The first recovery came out of the cache.
    expect(await stages().count()).toBe(1);
  });

  it('pauses: nothing moves, and goes on', async () => {
    await press('Pause training');
    await paused().waitFor();
    // The step that was on its way ends.
    await page.waitForTimeout(3000);
    const words = () => job().locator('[aria-live]').textContent();
    const before = [await words(), await looks()];
    await page.waitForTimeout(4000);
    expect([await words(), await looks()]).toEqual(before);
    await press('Resume training');
    await expect.poll(words, { timeout: 30_000 }).not.toBe(before[0]);
  });

  it('stops and keeps the best', async () => {
    await press('Stop and keep the best');
    await page.getByText(/^Done in/).waitFor({ timeout: 120_000 });
    await expect.poll(() => stages().count()).toBe(2);
    const [first, second] = await stages().allTextContents();
    expect(first).toMatch(/−[56]\.\d %/);
    expect(second).toMatch(/−1[01]\.\d %/);
    expect(await looks()).toBeLessThan(5 + 13);
    await open('Results');
    const rows = await page.locator('tr[data-row]').evaluateAll((all) => all.map((row) => row.getAttribute('data-row')));
    expect(rows).toEqual(['fp32', 'pruned']);
    await panel().getByText('Notes').click();
    await panel()
      .getByText(/Recovery after −1[01]\.\d % MACs: (\d+ of 240 image-steps|no step was better)/)
      .waitFor();
    await open('Training');
    await accessible();
  });

  it('goes back to an earlier point', async () => {
    await stages().first().getByRole('button', { name: 'Go back to this point' }).click();
    await panel()
      .getByText(/^image-step \d+ of 240/)
      .waitFor({ timeout: 120_000 });
    expect(await page.getByLabel('Remove MACs').inputValue()).toBe('5');
    await press('Stop and keep the best');
    await page.getByText(/^Done in/).waitFor({ timeout: 120_000 });
    expect(await stages().count()).toBe(1);
    expect(tab.errors).toEqual([]);
  });

  it('refuses a teacher that is none, with a sentence', async () => {
    await page
      .getByLabel('Choose another')
      .setInputFiles([{ name: 'teacher.onnx', mimeType: 'application/octet-stream', buffer: Buffer.from('no network\n') }]);
    await page.getByRole('alert').getByText('This is a text file, not an ONNX model.').waitFor();
    expect(await page.getByTestId('teacher').textContent()).toBe('The original');
    await page.getByRole('alert').getByRole('button', { name: 'Dismiss' }).click();
  });
});

describe('a detector from nothing', () => {
  it('grows, pauses, stops and opens in the studio', async () => {
    await open('Grow a detector');
    await press('Start growing');
    await expect.poll(looks, { timeout: 200_000 }).toBeGreaterThan(1);
    const scenes = panel().getByLabel(/^Scene \d with what the growing detector finds$/);
    expect(await scenes.count()).toBe(4);
    await press('Pause training');
    await paused().waitFor();
    await accessible();
    await press('Stop and keep the best');
    await press('Use this detector');
    await expect.poll(() => page.title(), { timeout: 60_000 }).toBe('grown.onnx – Bonsai Studio');
    expect(tab.errors).toEqual([]);
  });
});

describe('the sensitivity scan', () => {
  it('scans every group, each cut worth more than the one before, and is there at once the next time', async () => {
    await open('Layers');
    const section = panel().getByRole('region', { name: 'Sensitivity to pruning' }).first();
    await section.getByRole('button', { name: 'Scan sensitivity' }).click();
    await section.locator('tbody tr').first().waitFor({ timeout: 200_000 });
    const cells = await section
      .locator('tbody tr')
      .evaluateAll((rows) => rows.map((row) => [...row.querySelectorAll('td.heat')].map((cell) => Number(cell.textContent))));
    const groups = cells.filter((row) => row.length === 3);
    expect(groups.length).toBeGreaterThan(5);
    const mean = (i: number) => groups.reduce((sum, row) => sum + row[i]!, 0) / groups.length;
    expect(mean(0)).toBeLessThan(mean(2));
    await accessible();
    const start = performance.now();
    await section.getByRole('button', { name: 'Scan sensitivity' }).click();
    await section.getByRole('progressbar').waitFor({ state: 'detached' });
    await section.getByRole('button', { name: 'Scan sensitivity' }).waitFor();
    expect(performance.now() - start).toBeLessThan(15_000);
  });
});

describe('a narrow screen', () => {
  it('shows training and growing without scrolling sideways', async () => {
    await page.setViewportSize({ width: 360, height: 800 });
    for (const name of ['Training', 'Layers', 'Grow a detector']) {
      await open(name);
      await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth), { timeout: 5000, message: name }).toBe(360);
      expect(await seriousViolations(page), name).toEqual([]);
    }
  });
});
