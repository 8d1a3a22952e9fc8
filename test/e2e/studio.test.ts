import { mkdtempSync, readFileSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { strFromU8, unzipSync } from 'fflate';
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { gradientJpeg, palettePng } from '../data/files';
import { seriousViolations } from './axe';
import { launch, openTab, type Tab } from './browser';
import { type StaticServer, serve } from './server';

let server: StaticServer;
let browser: Browser;
let tab: Tab;
let page: Page;
beforeAll(async () => {
  server = await serve(inject('dist'), { headers: true, base: '/' });
  browser = await launch();
  tab = await openTab(browser, server.url);
  page = tab.page;
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

const preview = () => page.getByRole('region', { name: 'Detections' });
const found = (side: 'original' | 'compressed') => page.getByTestId(`detections-${side}`);
const someFound = (side: 'original' | 'compressed') => found(side).filter({ hasText: /^[1-9]\d* detections?$/ });
const cell = (row: string, name: 'figure' | 'interval' | 'weights' | 'macs') =>
  page.locator(`tr[data-row="${row}"] [data-cell="${name}"]`).textContent();
const environment = (row: string) => page.locator(`tr[data-row="${row}"] td`).nth(1).textContent();

/** The green values that occur on the shown picture. */
const greens = () =>
  page.getByLabel('Detections, Original').evaluate((canvas: HTMLCanvasElement) => [
    ...new Set(
      canvas
        .getContext('2d')!
        .getImageData(0, 0, canvas.width, canvas.height)
        .data.filter((_, i) => i % 4 === 1),
    ),
  ]);

describe('the main job', () => {
  it('opens already detecting in its scenes', async () => {
    await someFound('original').waitFor({ timeout: 60_000 });
    expect((await greens()).length).toBeGreaterThan(20);
    expect(await page.getByLabel('Embedded detectors').inputValue()).toBe('scenes-depthwise.onnx');
    expect(await page.getByTestId('engine').textContent()).toMatch(/^WASM, [2-9] threads/);
    expect(await page.title()).toBe('scenes-depthwise.onnx – Bonsai Studio');
  });

  it('is accessible before the run, in light and dark', async () => {
    expect(await seriousViolations(page)).toEqual([]);
    const theme = () => page.locator('html').getAttribute('data-theme');
    expect(await theme()).toBe('light');
    await page.getByRole('button', { name: 'Switch between light and dark' }).click();
    expect(await theme()).toBe('dark');
    expect(await seriousViolations(page)).toEqual([]);
    await page.reload();
    expect(await theme()).toBe('dark');
    await someFound('original').waitFor({ timeout: 60_000 });
    await page.getByRole('button', { name: 'Switch between light and dark' }).click();
  });

  it('cancels', async () => {
    await page.getByRole('button', { name: 'Compress for Hailo-8' }).click();
    await page.getByRole('progressbar').waitFor();
    await page
      .getByText(/\d+\/\d+/)
      .first()
      .waitFor({ timeout: 60_000 });
    const start = performance.now();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: 'Compress for Hailo-8' }).waitFor();
    expect(performance.now() - start).toBeLessThan(2000);
    await page.getByText('Cancelled. Nothing was changed.').waitFor();
  });

  it('compresses with one press, and fills the table', async () => {
    const long = await watchLongTasks();
    await page.getByRole('button', { name: 'Compress for Hailo-8' }).click();
    // Meanwhile: one image, layer after layer.
    await page.getByText(/^[1-9]\d* of \d+ layers in INT8$/).waitFor({ timeout: 400_000 });
    expect(await page.getByTestId('live').textContent()).toMatch(/^Quantizing, before any repair: [1-9]\d* detections in FP32, \d+ now$/);
    await page.getByRole('link', { name: 'Download bundle' }).waitFor({ timeout: 400_000 });
    expect(await page.getByTestId('live').count()).toBe(0);
    const longest = Math.max(0, ...(await long()));
    expect(await page.locator('tr[data-row]').evaluateAll((rows) => rows.map((row) => row.getAttribute('data-row')))).toEqual([
      'fp32',
      'pruned',
      'int8',
      // Nobody says how many weight scales a layer of a Hailo has.
      'int8-other',
    ]);
    expect([await environment('fp32'), await environment('pruned'), await environment('int8')]).toEqual([
      'FP32',
      'FP32',
      'INT8, simulated',
    ]);
    const map = {
      fp32: Number(await cell('fp32', 'figure')),
      pruned: Number(await cell('pruned', 'figure')),
      int8: Number(await cell('int8', 'figure')),
    };
    // The held-out figure of all 400 scenes is in embedded.json; 48 of them scatter around it.
    expect(map.fp32).toBeGreaterThan(60);
    expect(map.pruned).toBeGreaterThan(30);
    expect(map.int8).toBeGreaterThan(0);
    expect(await cell('pruned', 'macs')).toMatch(/\(−1\d %\)$/);
    expect(await cell('int8', 'weights')).toMatch(/\(−[78]\d %\)$/);
    const [low, high] = (await cell('int8', 'interval'))!.match(/[\d.]+/g)!.map(Number);
    expect(low).toBeLessThanOrEqual(map.int8);
    expect(high).toBeGreaterThanOrEqual(map.int8);
    const paired = (await page.locator('[data-paired="int8"]').textContent())!;
    expect(paired).toMatch(/against FP32 on the same 48 images:/);
    // The difference is of the figures in the table, each rounded to a tenth.
    const difference = Number(/images:\s*([−+][\d.]+)/.exec(paired)![1]!.replace('−', '-'));
    expect(Math.abs(difference - (map.int8 - map.fp32))).toBeLessThan(0.16);
    await someFound('compressed').waitFor({ timeout: 60_000 });
    expect(tab.errors).toEqual([]);
    // Wall time while every core computes: a task of 50 ms may be seen as several times that.
    expect(longest).toBeLessThan(500);
  }, 440_000);

  it('moves the divider with the arrow keys', async () => {
    const divider = page.getByRole('slider', { name: 'Divider between original and compressed' });
    expect(await divider.getAttribute('aria-valuenow')).toBe('50');
    await divider.press('ArrowRight');
    await divider.press('ArrowRight');
    await divider.press('ArrowLeft');
    expect(await divider.getAttribute('aria-valuenow')).toBe('55');
    await divider.press('Home');
    expect(await divider.getAttribute('aria-valuenow')).toBe('0');
    await page.getByRole('button', { name: 'Side by side' }).click();
    expect(await preview().locator('canvas').count()).toBe(2);
    await page.getByRole('button', { name: 'Split' }).click();
  });

  it('downloads the bundle', async () => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download bundle' }).click()]);
    expect(download.suggestedFilename()).toBe('scenes-depthwise-hailo8.zip');
    const files = unzipSync(readFileSync(await download.path()));
    for (const name of ['model.onnx', 'model.qdq.onnx', 'calib_set.npy', 'compile.py', 'compile.sh', 'recipe.json', 'README.md'])
      expect(Object.keys(files)).toContain(name);
    expect(Object.keys(files).some((name) => name.endsWith('.alls'))).toBe(true);
    expect(JSON.parse(strFromU8(files['recipe.json']!))).toMatchObject({ bonsai: 1, name: 'prune-10-int8', device: 'hailo8' });
    expect(strFromU8(files['calib_set.npy']!.subarray(1, 6))).toBe('NUMPY');
    expect(strFromU8(files['README.md']!)).toContain((await cell('int8', 'figure'))!);
  });

  it('lists the layers with their error, sorts and shows the values of one', async () => {
    await page.getByRole('tab', { name: 'Layers' }).click();
    const header = page.getByRole('columnheader', { name: 'MACs' });
    await header.getByRole('button').click();
    expect(await header.getAttribute('aria-sort')).toBe('descending');
    const cells = (column: number) => page.locator(`tr.row td:nth-child(${column})`).allTextContents();
    const values = (await cells(5)).map((text) => (text === '–' ? 0 : Number(text.replaceAll(',', ''))));
    expect(Number(await page.getByRole('grid', { name: 'Layers' }).getAttribute('aria-rowcount'))).toBeGreaterThan(50);
    expect(values.length).toBeGreaterThan(10);
    expect(values).toEqual([...values].sort((a, b) => b - a));
    expect((await cells(6)).filter((t) => / dB$/.test(t)).length).toBeGreaterThan(10);
    expect(await seriousViolations(page)).toEqual([]);
    await page.getByRole('tab', { name: 'Results' }).click();
  });

  it('says what another clip range would do to a layer’s values', async () => {
    await page.getByRole('tab', { name: 'Layers' }).click();
    await page.getByLabel('Filter layers').fill('/stem/');
    await page.getByRole('row', { name: /^\/stem\/Concat/ }).click();
    const upper = page.getByRole('slider', { name: 'Upper end of the range' });
    const plot = await page.getByRole('img', { name: /^Values of/ }).boundingBox();
    const place = (await upper.boundingBox())!;
    // The line stands on the plot, right of its axis.
    expect(place.x).toBeGreaterThan(plot!.x + 30);
    expect(place.x).toBeLessThan(plot!.x + plot!.width);
    await upper.focus();
    await page.keyboard.press('PageDown');
    const words = (await page.getByText(/^Tried/).textContent())!;
    expect(Number(/clips ([\d.]+) %/.exec(words)![1])).toBeGreaterThanOrEqual(0);
    await page.mouse.move(place.x + place.width / 2, place.y + place.height / 2);
    await upper.hover();
    await page.mouse.down();
    await page.mouse.move(plot!.x + 0.4 * plot!.width, place.y + 20, { steps: 4 });
    await page.mouse.up();
    await expect.poll(() => page.getByText(/^Tried/).textContent()).not.toBe(words);
    await page.getByRole('button', { name: 'Back to the device’s range' }).click();
    expect(await page.getByText(/^Tried/).count()).toBe(0);
    // A range that is wanted goes into the recipe, and out of it.
    await upper.focus();
    await page.keyboard.press('PageDown');
    await page.getByRole('button', { name: 'Use in the recipe' }).click();
    await page.getByText(/^Set in the recipe/).waitFor();
    await page.getByRole('tab', { name: 'Results' }).click();
    const byHand = page.getByRole('region', { name: 'Ranges set by hand' });
    expect(await byHand.getByRole('listitem').allTextContents()).toEqual([expect.stringMatching(/^\/stem\/.*\d … [\d.]+/)]);
    expect(await seriousViolations(page)).toEqual([]);
    await byHand.getByRole('button', { name: /^Leave the range of/ }).click();
    expect(await byHand.count()).toBe(0);
    await page.getByRole('tab', { name: 'Layers' }).click();
    await page.getByText(/^Drag the lines/).waitFor();
    // The repair cut the stem by its channels' ranges: each part has its own values.
    await page.getByRole('row', { name: /^\/stem\/conv\/act\/Mul/ }).click();
    await expect.poll(() => page.getByRole('img', { name: /^Values of .*_part\d:/ }).count()).toBeGreaterThan(1);
    await page.getByRole('tab', { name: 'Results' }).click();
  });

  it('shows a layer’s weights before and after', async () => {
    await page.getByRole('tab', { name: 'Layers' }).click();
    await page.getByLabel('Filter layers').fill('/stem/');
    await page.getByRole('row', { name: /^\/stem\/conv\/conv\/Conv/ }).click();
    const rows = page.getByRole('figure').filter({ hasText: 'Weights of /stem/conv/conv/Conv' }).getByRole('row');
    await expect.poll(() => rows.count(), { timeout: 20_000 }).toBe(3);
    const [before, after] = (await rows.allTextContents()).slice(1).map((text) => text.replace(/\s+/g, ' ').trim());
    expect(before).toMatch(/^Original\s*16×12×3×3\s*-?[\d.e-]+ … [\d.e-]+×$/);
    expect(after).toMatch(/^Compressed\s*\d+×12×3×3/);
    await page.getByText(/^INT8, \d+ scales, SQNR [2-9]\d\.\d dB$/).waitFor();
    expect(await seriousViolations(page)).toEqual([]);
    await page.getByLabel('Filter layers').fill('');
    await page.getByRole('tab', { name: 'Results' }).click();
  });

  it('is accessible with a result, in light and dark', async () => {
    expect(await seriousViolations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Switch between light and dark' }).click();
    expect(await seriousViolations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Switch between light and dark' }).click();
  });

  it('has the last run again after a reload', async () => {
    const before = await cell('int8', 'figure');
    await page.reload();
    await page.getByRole('link', { name: 'Download bundle' }).waitFor({ timeout: 60_000 });
    expect(await cell('int8', 'figure')).toBe(before);
    await someFound('compressed').waitFor({ timeout: 60_000 });
  });
});

/** Counts tasks of the main thread over 50 ms from now on; the answer is their lengths in ms. */
async function watchLongTasks(): Promise<() => Promise<number[]>> {
  await page.evaluate(() => {
    const lengths: number[] = [];
    Object.assign(window, { longTasks: lengths });
    new PerformanceObserver((list) => lengths.push(...list.getEntries().map((entry) => Math.round(entry.duration)))).observe({
      type: 'longtask',
    });
  });
  return () => page.evaluate(() => (window as unknown as { longTasks: number[] }).longTasks);
}

describe('the camera', () => {
  it('shows what the network sees, with the rate', async () => {
    await page.getByRole('button', { name: 'Webcam' }).click();
    await page.getByText(/\d+\.\d FPS/).waitFor({ timeout: 30_000 });
    await page.getByRole('button', { name: 'Original', exact: true }).click();
    const canvas = page.getByLabel('Detections, Original');
    const picture = () => canvas.evaluate((c: HTMLCanvasElement) => c.toDataURL());
    const first = await picture();
    await expect.poll(picture, { timeout: 10_000 }).not.toBe(first);
    await page.getByRole('button', { name: 'Scenes' }).click();
  });

  it('refused: a sentence, and the scenes instead', async () => {
    const strict = await launch(['--use-fake-ui-for-media-stream']);
    const { page: other } = await openTab(strict, server.url);
    await other.getByRole('button', { name: 'Webcam' }).click();
    await other.getByRole('alert').getByText('The camera was refused: allow it in the browser’s address bar and try again.').waitFor();
    await other.getByRole('button', { name: 'Show the scenes' }).click();
    await other.getByTestId('detections-original').filter({ hasText: /[1-9]/ }).waitFor({ timeout: 60_000 });
    await strict.close();
  });
});

describe('wrong files', () => {
  const model = () => readFileSync('static/models/scenes-depthwise.onnx');
  /** Its header is whole, its picture is missing. */
  const jpeg = Buffer.from(gradientJpeg.subarray(0, 600));
  const coco = (file: string) =>
    Buffer.from(
      JSON.stringify({
        images: [{ id: 1, file_name: file, width: 4, height: 4 }],
        annotations: [{ id: 1, image_id: 1, category_id: 1, bbox: [0, 0, 2, 2], area: 4, iscrowd: 0 }],
        categories: [{ id: 1, name: 'banana' }],
      }),
    );

  /** Waits for the sentence, sees that it isn't repeated, and dismisses it. */
  async function saidOnce(sentence: string | RegExp): Promise<void> {
    const alert = page.getByRole('alert').filter({ hasText: sentence });
    await alert.first().waitFor({ timeout: 20_000 });
    await page.waitForTimeout(2500);
    expect(await alert.count()).toBe(1);
    await alert.getByRole('button', { name: 'Dismiss' }).click();
  }

  /** Opens files of these names and waits for the sentence. */
  async function refused(files: Readonly<Record<string, Buffer>>, sentence: string | RegExp): Promise<void> {
    const payload = Object.entries(files).map(([name, buffer]) => ({ name, mimeType: 'application/octet-stream', buffer }));
    await page.getByLabel('Open model or images').setInputFiles(payload);
    await saidOnce(sentence);
  }

  it('text named as a model', async () => {
    await refused({ 'readme.onnx': Buffer.from('How to export the network\n') }, 'This is a text file, not an ONNX model.');
  });

  it('a model that was cut off', async () => {
    await refused(
      { 'half.onnx': model().subarray(0, 300_000) },
      /The file is cut off or damaged: its graph needs \d+ bytes, \d+ are there\./,
    );
  });

  it('annotations of other images', async () => {
    await refused(
      { 'one.png': Buffer.from(palettePng), 'instances.json': coco('other.jpg') },
      'The annotations are of other images: none of its 1 image is in',
    );
  });

  it('an empty folder, dropped', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bonsai-empty-'));
    const client = await page.context().newCDPSession(page);
    const data = { items: [], files: [folder], dragOperationsMask: 1 };
    for (const type of ['dragEnter', 'dragOver', 'drop'] as const)
      await client.send('Input.dispatchDragEvent', { type, x: 300, y: 300, data });
    await saidOnce('The folder is empty. Drop one with images, or an ONNX model.');
    rmdirSync(folder);
  });

  it('JSON that is none', async () => {
    await refused({ 'instances.json': Buffer.from('{"images": [') }, 'instances.json is not valid JSON');
  });

  it('a damaged JPEG alone', async () => {
    await refused({ 'photo.jpg': jpeg }, 'photo.jpg is damaged');
  });

  it('after all that, the network is still the one before, and goes on detecting', async () => {
    expect(await page.getByLabel('Embedded detectors').inputValue()).toBe('scenes-depthwise.onnx');
    await page.getByRole('button', { name: 'Scenes', exact: true }).click();
    await someFound('original').waitFor({ timeout: 60_000 });
    expect(tab.errors.filter((error) => /TypeError|ReferenceError/.test(error))).toEqual([]);
  });
});
