/** A network of 3,000 layers: the table and the graph draw what can be seen, and answer to keys. */
import type { Page } from 'playwright';
import { describe, expect, it } from 'vitest';
import { serializeModel } from '../../src/onnx';
import { longLine } from '../fixtures/long-line';
import { seriousViolations } from './axe';
import { withStudio } from './studio';

const COUNT = 3000;
let page: Page;
let errors: readonly string[];
withStudio((tab) => ({ page, errors } = tab));

const tab = (name: string) => page.getByRole('tab', { name }).click();
const rows = () => page.locator('tr.row');
const chosen = () => page.locator('tr.row.on .pick').textContent();
const grid = () => page.getByRole('grid', { name: 'Layers' });
const press = async (...keys: readonly string[]) => {
  for (const key of keys) await page.keyboard.press(key);
};
/** Whether the selected row lies inside the part of the table that can be seen. */
const chosenInView = () =>
  page.evaluate(() => {
    const view = document.querySelector('.scroll')!.getBoundingClientRect();
    const head = document.querySelector('thead')!.getBoundingClientRect();
    const row = document.querySelector('tr.row.on')?.getBoundingClientRect();
    return row !== undefined && row.top >= head.bottom - 1 && row.bottom <= view.bottom + 1;
  });

describe('a network of 3,000 layers', () => {
  it('is opened', async () => {
    const buffer = Buffer.from(serializeModel(longLine(COUNT)));
    await page.getByLabel('Open model or images').setInputFiles([{ name: 'line.onnx', mimeType: 'application/octet-stream', buffer }]);
    await expect.poll(() => page.title(), { timeout: 120_000 }).toBe('line.onnx – Bonsai Studio');
  });

  it('has all its layers in the table, few of them in the document', async () => {
    await tab('Layers');
    await rows().first().waitFor();
    expect(await grid().getAttribute('aria-rowcount')).toBe(`${COUNT + 1}`);
    const drawn = await rows().count();
    expect(drawn).toBeGreaterThan(10);
    expect(drawn).toBeLessThan(60);
    expect(await rows().first().getAttribute('aria-rowindex')).toBe('2');
    expect(await seriousViolations(page)).toEqual([]);
  });

  it('follows the wheel to its middle', async () => {
    await page.locator('.scroll').evaluate((view) => view.scrollTo(0, view.scrollHeight / 2));
    await expect.poll(() => rows().first().getAttribute('aria-rowindex').then(Number)).toBeGreaterThan(1400);
    expect(await rows().count()).toBeLessThan(60);
    const [index, name] = await rows()
      .nth(8)
      .evaluate((row) => [Number(row.getAttribute('aria-rowindex')), row.querySelector('.pick')!.textContent]);
    expect(name).toMatch(new RegExp(`_${Number(index) - 2}$`));
  });

  it('answers to the keys', async () => {
    await grid().focus();
    await press('End');
    await expect.poll(chosen).toBe('add_2999');
    expect(await chosenInView()).toBe(true);
    const row = page.locator(`#${await grid().getAttribute('aria-activedescendant')}`);
    expect(await row.getAttribute('aria-rowindex')).toBe(`${COUNT + 1}`);
    expect(await row.getAttribute('aria-selected')).toBe('true');
    await press('Home');
    await expect.poll(chosen).toBe('conv_0');
    expect(await chosenInView()).toBe(true);
    await press('ArrowDown', 'ArrowDown', 'ArrowUp');
    await expect.poll(chosen).toBe('relu_1');
    await press('PageDown', 'PageDown');
    const after = Number(/\d+$/.exec((await chosen())!)![0]);
    expect(after).toBeGreaterThan(15);
    expect(await chosenInView()).toBe(true);
    await press('PageUp');
    const back = Number(/\d+$/.exec((await chosen())!)![0]);
    expect(back - 1).toBe((after - 1) / 2);
    expect(await chosenInView()).toBe(true);
  });

  it('filters after a slash, and sorts', async () => {
    await press('/');
    await page.keyboard.type('conv_');
    await expect.poll(() => grid().getAttribute('aria-rowcount')).toBe(`${COUNT / 4 + 1}`);
    await page.getByRole('columnheader', { name: 'Name' }).getByRole('button').click();
    await page.getByRole('columnheader', { name: 'Name' }).getByRole('button').click();
    await expect.poll(() => rows().first().locator('.pick').textContent()).toBe('conv_996');
    await page.getByLabel('Filter layers').fill('conv_2992');
    await expect.poll(() => rows().count()).toBe(1);
    await rows().first().click();
    await page.getByLabel('Filter layers').fill('');
    await expect.poll(() => grid().getAttribute('aria-rowcount')).toBe(`${COUNT + 1}`);
  });

  it('draws the boxes of the graph that can be seen, and goes to the layer that was selected', async () => {
    await tab('Graph');
    const boxes = page.locator('.svelte-flow__node');
    await page.locator('.svelte-flow__node .box.on .name', { hasText: 'conv_2992' }).waitFor({ timeout: 120_000 });
    expect(await boxes.count()).toBeLessThan(60);
    await page.getByLabel('The network as a graph').focus();
    await press('ArrowDown');
    await page.locator('.svelte-flow__node .box.on .name', { hasText: 'relu_2993' }).waitFor();
    expect(await boxes.count()).toBeLessThan(60);
  });

  it('brings what was selected in the graph into the table’s view', async () => {
    await tab('Layers');
    await expect.poll(chosen).toBe('relu_2993');
    await expect.poll(chosenInView).toBe(true);
    expect(errors).toEqual([]);
  });
});
