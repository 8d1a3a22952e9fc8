/** From a network that INT8 hurts to its causes, a repair, and the repaired run; and what a device makes of the network. */
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

/** Few images, no pruning, no bundle: the worst that a converter does by default, told in seconds. */
const RECIPE = {
  bonsai: 1,
  name: 'naive, few images',
  device: 'ort',
  steps: [
    { step: 'calibrate', options: { images: 8 } },
    { step: 'quantize', options: { weights: 'per-tensor', calibrator: 'minmax', repairImages: 8 } },
    { step: 'evaluate' },
  ],
};

const panel = () => page.getByRole('tabpanel');
/** How many layers the device was asked about. */
const checked = async () => Math.max(...((await panel().locator('.summary').textContent()) ?? '').match(/\d+/g)!.map(Number));
const open = (name: string) => page.getByRole('tab', { name }).click();
const switchTheme = () => page.getByRole('button', { name: 'Switch between light and dark' }).click();

async function accessible(): Promise<void> {
  expect(await seriousViolations(page)).toEqual([]);
  await switchTheme();
  expect(await seriousViolations(page)).toEqual([]);
  await switchTheme();
}

describe('the device', () => {
  it('states what it does, each statement with its mark and source', async () => {
    await page.getByLabel('Device', { exact: true }).selectOption({ label: 'Hailo-10H' });
    await page.getByRole('button', { name: 'Compress for Hailo-10H' }).waitFor();
    await page.getByRole('button', { name: 'What this device does' }).click();
    const sheet = page.getByRole('dialog', { name: 'What Hailo-10H does' });
    const scales = sheet.getByRole('listitem').filter({ hasText: 'Weight scales' });
    expect(await scales.textContent()).toMatch(/not stated publicly\s*inferred/);
    for (const mark of ['verified', 'seen once', 'inferred'])
      expect(await sheet.getByText(mark, { exact: true }).count(), mark).toBeGreaterThan(0);
    expect(await seriousViolations(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await sheet.waitFor({ state: 'hidden' });
  });

  it('is asked about every layer; the list filters by state and by words', async () => {
    await open('Device check');
    const rows = panel().locator('li[data-state]');
    await rows.first().waitFor();
    /** The list draws more of itself where it is scrolled. */
    const scrolledTo = (count: number) =>
      expect
        .poll(
          async () => {
            await panel()
              .locator('.scroll')
              .evaluate((view) => view.scrollTo(0, view.scrollHeight));
            return rows.count();
          },
          { timeout: 30_000 },
        )
        .toBe(count);
    const all = await checked();
    expect(await rows.count()).toBeLessThan(all);
    await scrolledTo(all);
    const counts = await Promise.all(
      ['unsupported', 'falls back', 'runs differently', 'runs'].map(async (state) =>
        Number(
          (await panel()
            .getByRole('button', { name: new RegExp(`^${state} \\d`) })
            .textContent())!.match(/\d+/)![0],
        ),
      ),
    );
    expect(counts.reduce((a, b) => a + b, 0)).toBe(all);
    await panel()
      .getByRole('button', { name: /^runs differently/ })
      .click();
    await scrolledTo(counts[2]!);
    await panel().getByLabel('Filter layers').fill('one scale');
    const filtered = await rows.allTextContents();
    expect(filtered.length).toBeGreaterThan(0);
    expect(filtered.length).toBeLessThan(counts[2]!);
    for (const row of filtered) expect(row).toContain('one scale');
    expect(await seriousViolations(page)).toEqual([]);
  });

  it('offers a cut; the cut network is still a detector, and can be taken back', async () => {
    await panel().getByRole('button', { name: 'Cut here' }).click();
    await page.getByText('The network now ends at 9 values.').waitFor({ timeout: 30_000 });
    expect(await page.title()).toBe('scenes-depthwise-cut.onnx – Bonsai Studio');
    await page.getByTestId('detections-original').filter({ hasText: /[1-9]/ }).waitFor({ timeout: 30_000 });
    await panel().locator('li[data-state]').first().waitFor();
    expect(await panel().getByRole('button', { name: 'Cut here' }).count()).toBe(0);
    const short = await checked();
    await page.getByRole('button', { name: 'Take the whole network again' }).click();
    await expect.poll(() => page.title(), { timeout: 30_000 }).toBe('scenes-depthwise.onnx – Bonsai Studio');
    await expect.poll(checked, { timeout: 30_000 }).toBeGreaterThan(short);
  });
});

describe('the causes', () => {
  it('start from a recipe that breaks', async () => {
    await page
      .getByLabel('Open model or images')
      .setInputFiles([{ name: 'recipe.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(RECIPE)) }]);
    await page.getByText('Recipe “naive, few images” loaded.').waitFor();
    expect(await page.getByLabel('Strength').inputValue()).toBe('');
    await open('Results');
    await page.getByRole('button', { name: 'Compress for ONNX Runtime' }).click();
    await page.getByText(/^Done in/).waitFor({ timeout: 180_000 });
    await page.locator('[data-paired="int8"]').waitFor();
  });

  it('can be cancelled within two seconds, without a trace', async () => {
    await open('Causes');
    await page.getByRole('button', { name: 'Find the causes' }).click();
    await panel().getByRole('progressbar').waitFor();
    await panel()
      .getByText(/\d+\/\d+/)
      .waitFor({ timeout: 60_000 });
    const start = performance.now();
    await panel().getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: 'Find the causes' }).waitFor();
    // The worker is ended after two seconds; the rest is the page on a busy machine.
    expect(performance.now() - start).toBeLessThan(4000);
    expect(await panel().getByRole('alert').count()).toBe(0);
  });

  it('answer the first question with three figures, and rank the layers', async () => {
    await page.getByRole('button', { name: 'Find the causes' }).click();
    await panel().locator('[data-part="both"]').waitFor({ timeout: 120_000 });
    const db = async (part: string) => Number.parseFloat((await panel().locator(`[data-part="${part}"] strong`).textContent())!);
    expect(await db('both')).toBeLessThanOrEqual(Math.min(await db('weightsOnly'), await db('activationsOnly')) + 1);
    const sensitivities = await panel().locator('tbody td.error').allTextContents();
    const measured = sensitivities.map((s) => Number.parseFloat(s)).filter((value) => Number.isFinite(value));
    expect(measured.length).toBeGreaterThan(5);
    expect(measured).toEqual([...measured].sort((a, b) => b - a));
  });

  it('give a verdict with its evidence, at the keyboard too', async () => {
    await panel().getByLabel('With a cause only').check();
    const rows = panel().locator('tbody tr');
    expect(await rows.count()).toBeGreaterThan(0);
    const pick = rows.first().getByRole('button');
    await pick.focus();
    await page.keyboard.press('Enter');
    expect(await pick.getAttribute('aria-pressed')).toBe('true');
    const verdict = panel().getByTestId('verdict').first();
    expect((await verdict.textContent())!.length).toBeGreaterThan(30);
    expect(await panel().locator('article').first().getByRole('img').count()).toBeGreaterThan(0);
    await accessible();
  });

  it('offer a repair that helps, as one edit of the recipe', async () => {
    const helpful = panel().getByRole('region', { name: 'Repairs that help' });
    await helpful.getByRole('button', { name: 'Apply to recipe' }).first().waitFor({ timeout: 10_000 });
    const figures = (await helpful.getByRole('listitem').first().textContent())!;
    const [before, after] = /([\d.e-]+) → ([\d.e-]+)/.exec(figures)!.slice(1).map(Number);
    expect(after).toBeLessThan(before!);
    await helpful.getByRole('button', { name: 'Apply to recipe' }).first().click();
    await helpful.getByText('In the recipe.').first().waitFor();
    await panel().getByText('The recipe has changed since').waitFor();
    await page.getByRole('button', { name: 'Undo' }).click();
    await helpful.getByRole('button', { name: 'Apply to recipe' }).first().waitFor();
    await page.getByRole('button', { name: 'Redo' }).click();
    await helpful.getByText('In the recipe.').first().waitFor();
  });

  it('and the repaired run is better, on the same images', async () => {
    const kept = async () => Number(/keeps ([\d.]+) %/.exec((await page.locator('[data-paired="int8"]').textContent())!)![1]);
    await open('Results');
    const before = await kept();
    await open('Causes');
    await page.getByRole('button', { name: 'Run with the repairs' }).click();
    await open('Results');
    await page.locator('[data-paired="int8"]').waitFor({ state: 'detached', timeout: 20_000 });
    await page.getByText(/^Done in/).waitFor({ timeout: 180_000 });
    expect(await kept()).toBeGreaterThan(before);
    expect(tab.errors).toEqual([]);
  });
});

describe('the story of one image', () => {
  it('quantizes one layer after the other', async () => {
    await open('Causes');
    await page.getByRole('button', { name: 'Quantize one layer after the other' }).click();
    const slider = page.getByRole('slider', { name: 'Layers quantized' });
    await slider.waitFor({ timeout: 120_000 });
    expect(await slider.getAttribute('aria-valuetext')).toBe('Nothing quantized yet (FP32)');
    const picture = () => page.getByLabel(/^Detections: /).evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
    const float = await picture();
    await slider.press('End');
    expect(await slider.getAttribute('aria-valuetext')).toMatch(/^(\d+) of \1 layers quantized$/);
    await expect.poll(picture).not.toBe(float);
    await accessible();
  });
});

describe('a narrow screen', () => {
  it('shows every panel without scrolling sideways', async () => {
    await page.setViewportSize({ width: 360, height: 800 });
    for (const name of ['Results', 'Causes', 'Layers', 'Device check']) {
      await open(name);
      await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth), { timeout: 5000, message: name }).toBe(360);
      expect(await seriousViolations(page), name).toEqual([]);
    }
  });
});
