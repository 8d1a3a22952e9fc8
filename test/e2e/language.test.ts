import type { Page } from 'playwright';
import { describe, expect, inject, it } from 'vitest';
import { seriousViolations } from './axe';
import { launch, openTab, type Tab } from './browser';
import { serve } from './server';
import { withStudio } from './studio';

let tab: Tab;
let page: Page;
withStudio((opened) => {
  tab = opened;
  page = tab.page;
});

const language = () => page.locator('html').getAttribute('lang');
const widerThanScreen = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

describe('the language', () => {
  it('is English at first, and switched by keyboard without a reload, a job going on', async () => {
    expect(await language()).toBe('en');
    await page.getByRole('button', { name: 'Compress for Hailo-8' }).click();
    await page.getByRole('progressbar').waitFor();
    await page.evaluate(() => Object.assign(window, { sameVisit: true }));
    const select = page.getByLabel('Language');
    await select.focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'レシピ' }).waitFor();
    expect(await language()).toBe('ja');
    expect(await page.evaluate(() => 'sameVisit' in window)).toBe(true);
    expect(await page.getByRole('progressbar').count()).toBe(1);
    expect(await page.getByRole('tab').allTextContents()).toContain('原因');
    await page.getByRole('region', { name: '枝刈り' }).getByText('削減するMACs').waitFor();
    await page
      .getByTestId('detections-original')
      .filter({ hasText: /^検出[1-9]\d*件$/ })
      .waitFor();
    await page.getByRole('button', { name: '中止' }).click();
    await page.getByText('中止しました。何も変更していません。').waitFor();
  });

  it('is accessible in Japanese, also on a narrow screen', async () => {
    expect(await seriousViolations(page)).toEqual([]);
    await page.setViewportSize({ width: 360, height: 740 });
    expect(await seriousViolations(page)).toEqual([]);
    expect(await widerThanScreen()).toBeLessThanOrEqual(0);
    const box = (await page.getByLabel('言語').boundingBox())!;
    expect(box.x).toBeGreaterThanOrEqual(0);
    expect(box.x + box.width).toBeLessThanOrEqual(360);
    await page.setViewportSize({ width: 1400, height: 900 });
  });

  it('survives a reload', async () => {
    await page.reload();
    await page.getByRole('button', { name: 'Hailo-8 向けに圧縮' }).waitFor({ timeout: 60_000 });
    expect(await language()).toBe('ja');
    await page.getByLabel('言語').selectOption('en');
    await page.getByRole('heading', { name: 'Recipe' }).waitFor();
    expect(await language()).toBe('en');
    expect(tab.errors).toEqual([]);
  });

  it('is the browser’s on a first visit', async () => {
    const server = await serve(inject('dist'), { headers: true, base: '/' });
    const browser = await launch();
    try {
      const japanese = await openTab(browser, server.url, { locale: 'ja-JP' });
      await japanese.page.getByRole('heading', { name: 'レシピ' }).waitFor({ timeout: 60_000 });
      expect(await japanese.page.locator('html').getAttribute('lang')).toBe('ja');
    } finally {
      await browser.close();
      await server.close();
    }
  });
});
