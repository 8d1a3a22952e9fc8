/**
 * `npm run shots`: pictures of every screen, taken from the running page (light, dark, narrow, Japanese), into shots/; the
 * README's picture is made anew. `npm run shots -- NAME` takes only looks whose name contains NAME; `-- readme` the README's alone.
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Browser, Page } from 'playwright';
import { launch, openTab, type Tab } from './e2e/browser';
import { buildSite } from './e2e/build';
import { serve } from './e2e/server';

const OUT = resolve('shots');
const README = resolve('static/screenshot.png');
const only = process.argv[2] ?? '';
const readmeOnly = only === 'readme';

const WIDE = { width: 1400, height: 900 };
const NARROW = { width: 360, height: 740 };

interface Look {
  readonly name: string;
  readonly viewport?: { readonly width: number; readonly height: number };
  readonly dark?: boolean;
  readonly locale?: string;
}

const LOOKS: readonly Look[] = [
  { name: 'light' },
  { name: 'dark', dark: true },
  { name: 'narrow', viewport: NARROW },
  { name: 'ja', locale: 'ja-JP' },
  { name: 'ja-narrow-dark', viewport: NARROW, dark: true, locale: 'ja-JP' },
];

const primary = (page: Page) => page.locator('.job .primary');

/** Waits until no job is on its way. */
async function idle(page: Page): Promise<void> {
  await primary(page).and(page.locator(':enabled')).waitFor({ timeout: 300_000 });
}

const tab = (page: Page, index: number) => page.locator('.tab').nth(index).click();

interface Screen {
  readonly name: string;
  show(page: Page): Promise<void>;
}

/** In the order of a visit: each goes on from the one before. */
const SCREENS: readonly Screen[] = [
  { name: '1-first', show: async () => {} },
  {
    name: '2-running',
    async show(page) {
      await primary(page).click();
      await page.locator('progress, [role=progressbar]').first().waitFor();
      await page.waitForTimeout(1500);
    },
  },
  {
    name: '3-results',
    async show(page) {
      await page.locator('a[download$=".zip"]').waitFor({ timeout: 300_000 });
    },
  },
  { name: '4-training', show: (page) => tab(page, 1) },
  {
    name: '5-causes',
    async show(page) {
      await tab(page, 2);
      await page.locator('[role=tabpanel] .button').first().click();
      await idle(page);
    },
  },
  {
    name: '6-layers',
    show: async (page) => {
      await tab(page, 3);
      await page.locator('tr.row').nth(4).click();
    },
  },
  {
    name: '7-graph',
    async show(page) {
      await tab(page, 4);
      await page.locator('.svelte-flow__node').first().waitFor({ timeout: 60_000 });
      await page.waitForTimeout(500);
    },
  },
  { name: '8-device', show: (page) => tab(page, 5) },
  { name: '9-grow', show: (page) => tab(page, 6) },
  { name: '10-library', show: (page) => tab(page, 7) },
];

async function visit(browser: Browser, url: string, look: Look): Promise<void> {
  const { viewport = WIDE, dark = false, locale = 'en-US' } = look;
  const opened: Tab = await openTab(browser, url, { viewport, locale, colorScheme: dark ? 'dark' : 'light', reducedMotion: 'reduce' });
  const { page } = opened;
  await page.getByTestId('detections-original').filter({ hasText: /[1-9]/ }).waitFor({ timeout: 60_000 });
  for (const { name, show } of SCREENS) {
    await show(page);
    await page.waitForTimeout(300);
    if (!readmeOnly) await page.screenshot({ path: join(OUT, `${name}-${look.name}.png`), fullPage: true });
    if (name === '3-results' && look.name === 'light') await page.screenshot({ path: README });
    if (name === '3-results' && readmeOnly) break;
    console.log(`${name}-${look.name}`);
  }
  for (const error of opened.errors) console.error(`${look.name}: ${error}`);
  await opened.close();
}

async function tour(browser: Browser, url: string, look: Look): Promise<void> {
  const { viewport = WIDE, dark = false, locale = 'en-US' } = look;
  const opened = await openTab(browser, `${url}#tour`, { viewport, locale, colorScheme: dark ? 'dark' : 'light', reducedMotion: 'reduce' });
  const { page } = opened;
  await page.locator('.tour').waitFor({ timeout: 60_000 });
  for (let scene = 1; scene <= 5; scene++) {
    await idle(page);
    await page.waitForTimeout(800);
    await page.screenshot({ path: join(OUT, `tour-${scene}-${look.name}.png`), fullPage: true });
    console.log(`tour-${scene}-${look.name}`);
    if (scene < 5) await page.locator('.tour .primary').click();
    await page.waitForTimeout(800);
  }
  for (const error of opened.errors) console.error(`tour ${look.name}: ${error}`);
  await opened.close();
}

if (!only) rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT, { recursive: true });
if (!existsSync('dist') || !process.env.BONSAI_NO_BUILD) await buildSite('production');
const server = await serve(resolve('dist'), { headers: true, base: '/' });
const browser = await launch();
try {
  for (const look of LOOKS) if (look.name.includes(readmeOnly ? 'light' : only)) await visit(browser, server.url, look);
  for (const look of LOOKS) if (`tour-${look.name}`.includes(only) && look.name !== 'dark') await tour(browser, server.url, look);
} finally {
  await browser.close();
  await server.close();
}
