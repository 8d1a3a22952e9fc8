import type { Page } from 'playwright';
import { describe, expect, it } from 'vitest';
import { seriousViolations } from './axe';
import type { Tab } from './browser';
import { withStudio } from './studio';

let tab: Tab;
let page: Page;
withStudio(
  (opened) => {
    tab = opened;
    page = opened.page;
  },
  { hash: '#tour', locale: 'ja-JP' },
);

const head = () => page.locator('.tour h2').textContent();
const done = () => page.locator('.job .primary:enabled').waitFor({ timeout: 240_000 });
const next = async () => {
  await done();
  await page.locator('.tour h2').click();
  await page.keyboard.press('ArrowRight');
};
const figures = async () => (await page.locator('.tour .outcome').textContent())!.match(/\d+(\.\d+)?/g)!.map(Number);

describe('the tour, in Japanese', () => {
  it('begins by the address, with a detector that works', async () => {
    await page.locator('.tour').waitFor({ timeout: 60_000 });
    expect(await head()).toBe('正しく動いている検出器');
    expect(await page.locator('html').getAttribute('lang')).toBe('ja');
    expect(await seriousViolations(page)).toEqual([]);
  });

  it('shows what plain INT8 makes of it', async () => {
    await next();
    await page.locator('.tour .outcome').waitFor({ timeout: 240_000 });
    const [before, after] = await figures();
    expect(before!).toBeGreaterThan(60);
    expect(after!).toBeLessThan(before! / 2);
  });

  it('names the layer at fault', async () => {
    await next();
    await page.locator('.tour .outcome').waitFor({ timeout: 240_000 });
    expect(await page.getByRole('tab', { selected: true }).textContent()).toBe('原因');
  });

  it('repairs it in 8 bits', async () => {
    await next();
    await page.locator('.tour .outcome').waitFor({ timeout: 240_000 });
    const [before, after] = await figures();
    expect(after!).toBeGreaterThan(0.85 * before!);
  });

  it('goes back without computing again, and on to the bundle', async () => {
    await done();
    await page.locator('.tour h2').click();
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowLeft');
    await expect.poll(head).toBe('同じ検出器を INT8 にすると');
    await page.locator('.tour .outcome').waitFor({ timeout: 10_000 });
    await page.getByRole('button', { name: /デバイスへ$/ }).click();
    await done();
    await page.locator('a[download$=".zip"]').waitFor({ timeout: 240_000 });
    expect(await page.getByRole('button', { name: 'カメラ', exact: true }).getAttribute('aria-pressed')).toBe('true');
  });

  it('leaves nothing behind for the next visitor', async () => {
    await page.getByRole('button', { name: '次の来場者へ' }).click();
    await expect.poll(head, { timeout: 60_000 }).toBe('正しく動いている検出器');
    const left = await page.evaluate(async () => {
      const db = await new Promise<IDBDatabase>((resolve, reject) => {
        const open = indexedDB.open('bonsai-studio');
        open.onsuccess = () => resolve(open.result);
        open.onerror = () => reject(open.error);
      });
      const counts: Record<string, number> = {};
      for (const table of db.objectStoreNames)
        counts[table] = await new Promise((resolve) => {
          const count = db.transaction(table).objectStore(table).count();
          count.onsuccess = () => resolve(count.result);
        });
      db.close();
      return counts;
    });
    expect(left).toMatchObject({ models: 0, datasets: 0, runs: 0, artifacts: 0 });
  });

  it('ends with Escape', async () => {
    await page.locator('.tour h2').click();
    await page.keyboard.press('Escape');
    await expect.poll(() => page.locator('.tour').count()).toBe(0);
    expect(new URL(page.url()).hash).toBe('');
  });

  it('met no error', () => expect(tab.errors).toEqual([]));
});
