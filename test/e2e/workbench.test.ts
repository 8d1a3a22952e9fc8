import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright';
import { describe, expect, it } from 'vitest';
import { seriousViolations } from './axe';
import { withStudio } from './studio';

let page: Page;
let errors: readonly string[];
withStudio((tab) => ({ page, errors } = tab));

const tab = (name: string) => page.getByRole('tab', { name }).click();
const boxes = () => page.locator('.svelte-flow__node');
const chosen = () => page.locator('.svelte-flow__node .box.on .name');

describe('the graph', () => {
  it('lays the network out and stays accessible', async () => {
    await tab('Graph');
    await boxes().first().waitFor({ timeout: 30_000 });
    expect(await boxes().count()).toBeGreaterThan(5);
    expect(await seriousViolations(page)).toEqual([]);
  });

  it('selects the same layer here and in the table', async () => {
    await page.getByLabel('The network as a graph').focus();
    await page.keyboard.press('ArrowDown');
    await chosen().waitFor();
    const first = await chosen().textContent();
    await page.keyboard.press('ArrowDown');
    await expect.poll(() => chosen().textContent()).not.toBe(first);
    const name = await chosen().textContent();
    await tab('Layers');
    expect(await page.locator('tr.on .pick').textContent()).toBe(name);
    await page.locator('tr.row').nth(20).click();
    const picked = await page.locator('tr.on .pick').textContent();
    await tab('Graph');
    await expect.poll(() => chosen().textContent(), { timeout: 20_000 }).toBe(picked);
  });

  it('is coloured by what was chosen', async () => {
    await page.getByLabel('Colour by').selectOption('device');
    await expect.poll(() => page.locator('.svelte-flow__node .words', { hasText: 'runs' }).count(), { timeout: 20_000 }).toBeGreaterThan(3);
    await page.getByLabel('Colour by').selectOption('error');
    await page.getByText('Run the recipe to see this.').waitFor();
  });
});

describe('the library', () => {
  const row = (name: string) => page.getByRole('row', { name: new RegExp(`^${name}`) });

  it('is empty at first', async () => {
    await tab('Library');
    await page.getByText('Nothing is kept yet').waitFor();
  });

  it('keeps a model that was dropped in, under a name of its own', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bonsai-'));
    writeFileSync(join(folder, 'mine.onnx'), readFileSync('static/models/scenes-dense.onnx'));
    await page.locator('header input[type=file]').setInputFiles(join(folder, 'mine.onnx'));
    await page.getByText('Opened mine.onnx.').waitFor({ timeout: 30_000 });
    await tab('Results');
    await tab('Library');
    await row('mine')
      .getByRole('button', { name: /^Rename/ })
      .click();
    await page.getByLabel('New name of mine.onnx').fill('tiny.onnx');
    await page.keyboard.press('Enter');
    await row('tiny').waitFor();
  });

  it('finds by name, deletes and takes it back', async () => {
    await page.getByLabel('Search by name').fill('nothing like it');
    await page.getByText('Nothing here is called that.').waitFor();
    await page.getByLabel('Search by name').fill('TIN');
    await row('tiny')
      .getByRole('button', { name: /^Delete/ })
      .click();
    await page.getByText('Deleted tiny.onnx.').waitFor();
    expect(await row('tiny').count()).toBe(0);
    await page.getByRole('button', { name: 'Undo', exact: true }).last().click();
    await row('tiny').waitFor();
    expect(await seriousViolations(page)).toEqual([]);
  });

  it('travels to another machine in one file', async () => {
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export workspace' }).click()]);
    const path = await file.path();
    await page.getByRole('button', { name: 'Delete everything' }).click();
    // The page begins anew: what is on show until then is the old one's.
    await Promise.all([page.waitForEvent('load'), page.getByRole('button', { name: 'Yes, delete everything' }).click()]);
    await page.getByTestId('detections-original').filter({ hasText: /[1-9]/ }).waitFor({ timeout: 60_000 });
    await tab('Library');
    await page.getByText('Nothing is kept yet').waitFor();
    await page.locator('input[accept=".bonsai"]').setInputFiles(path);
    await row('tiny').waitFor();
    await row('tiny').getByRole('button', { name: 'Open' }).click();
    await expect.poll(() => page.title(), { timeout: 30_000 }).toBe('tiny.onnx – Bonsai Studio');
  });

  it('refuses another file in one sentence', async () => {
    await page.locator('input[accept=".bonsai"]').setInputFiles('static/models/scenes-dense.onnx');
    await page.getByText('This is not a workspace of Bonsai Studio.').waitFor();
  });

  it('met no error', () => expect(errors).toEqual([]));
});
