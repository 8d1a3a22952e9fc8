/** `npm start`: the model catalog, with a stand-in for the other host that these tests never reach. */
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Browser, Page, Route } from 'playwright';
import { type PreviewServer, preview } from 'vite';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { CATALOG } from '../../src/models';
import { seriousViolations } from './axe';
import { launch, openTab, type Tab } from './browser';
import { detects } from './light';
import { fetchFrom, studioWorkers, watchPolicy } from './policy';

const NANO = CATALOG[0]!;
/** Plays the official file. */
const FILE = readFileSync('static/models/scenes-depthwise.onnx');

/** The built site, with the stand-in's size and SHA-256 in the catalog: a page can't be told others. */
function siteThatLists(file: Buffer): string {
  const folder = mkdtempSync(join(tmpdir(), 'bonsai-catalog-'));
  cpSync(inject('dist'), folder, { recursive: true });
  const sha256 = createHash('sha256').update(file).digest('hex');
  for (const name of readdirSync(join(folder, 'assets')).filter((one) => one.endsWith('.js'))) {
    const path = join(folder, 'assets', name);
    const script = readFileSync(path, 'utf8');
    if (script.includes(NANO.sha256))
      writeFileSync(path, script.replaceAll(NANO.sha256, sha256).replaceAll(`${NANO.bytes}`, `${file.length}`));
  }
  return folder;
}

let folder: string;
let site: PreviewServer;
let browser: Browser;
let tab: Tab;
let page: Page;
let origin: string;
let violations: () => Promise<readonly string[]>;
/** Addresses on other hosts that were asked for. */
const asked: string[] = [];
let answer: (route: Route) => Promise<void>;

/** What the host sends, and to whose pages. */
const sends =
  (body: Buffer | string, { status = 200, to = '*' } = {}) =>
  (route: Route) =>
    route.fulfill({ status, body, headers: { 'Access-Control-Allow-Origin': to } });

/** Holds back what the host sends until it is let go. */
function held() {
  let letGo = () => {};
  const gone = new Promise<void>((done) => {
    letGo = done;
  });
  answer = async (route) => {
    await gone;
    await sends(FILE)(route).catch(() => {}); // nobody waits for it any more
  };
  return letGo;
}

beforeAll(async () => {
  folder = siteThatLists(FILE);
  site = await preview({ configFile: resolve('vite.config.ts'), build: { outDir: folder }, preview: { port: 0 }, logLevel: 'warn' });
  const url = site.resolvedUrls!.local[0]!;
  origin = new URL(url).origin;
  browser = await launch();
  tab = await openTab(browser, 'about:blank', { serviceWorkers: 'block', reducedMotion: 'reduce' });
  page = tab.page;
  await page.context().route(
    (address) => address.origin !== origin && address.protocol === 'https:',
    (route) => {
      asked.push(route.request().url());
      return answer(route);
    },
  );
  violations = await watchPolicy(page);
  await page.goto(url);
  await detects(page);
});
afterAll(async () => {
  await browser?.close();
  await site?.close();
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  asked.length = 0;
});

const list = () => page.getByRole('list', { name: 'Catalog' });
const row = (name = NANO.name) => list().getByRole('listitem').filter({ hasText: name });
const button = (verb: string, name = NANO.name) => list().getByRole('button', { name: `${verb}: ${name}` });
const allow = () => page.getByRole('switch', { name: 'Allow downloads from huggingface.co' });
const isOn = () => allow().getAttribute('aria-checked');
const catalogWorkers = () => page.workers().filter((worker) => /\/catalog-[\w-]+\.js$/.test(worker.url()));
const kept = () => page.getByRole('region', { name: 'Models', exact: true }).getByRole('row').filter({ hasText: NANO.file });
const opened = () => page.getByLabel('Embedded detectors').locator('option:checked').textContent();

describe('the catalog, downloads off', () => {
  it('is found from where files are opened', async () => {
    await page.getByRole('button', { name: 'or from the catalog' }).click();
    await row().waitFor();
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('catalog');
    await expect.poll(() => page.locator('#catalog').evaluate((head) => head.getBoundingClientRect().top)).toBeLessThan(900);
    await row('YOLOX-Tiny').getByText('416×416 · 5.06 M parameters · 20.2 MB · mAP 32.8, as published · Apache-2.0').waitFor();
  });

  it('asks nobody: the button says why it is off, the release’s own page is a plain link', async () => {
    expect(await isOn()).toBe('false');
    expect(await button('Download').isDisabled()).toBe(true);
    const why = await button('Download').getAttribute('aria-describedby');
    expect(await page.locator(`#${why}`).textContent()).toMatch(/^Downloads are off\. Switch them on, or save a release file/);
    const link = list().getByRole('link', { name: `Release file: ${NANO.name}` });
    expect(await link.evaluate((a: HTMLAnchorElement) => [a.href, a.target, a.rel])).toEqual([NANO.release, '_blank', 'noreferrer']);
    await page.getByRole('button', { name: 'Nothing leaves this machine.', exact: true }).click();
    await page.getByText(/One exception can be switched on.* It is off\./).waitFor();
    await page.keyboard.press('Escape');
    expect(catalogWorkers()).toEqual([]);
    expect(asked).toEqual([]);
    expect(await seriousViolations(page)).toEqual([]);
  });
});

describe('the catalog, downloads on', () => {
  it('by keyboard, and it is said where “Nothing leaves this machine” is', async () => {
    await allow().focus();
    await page.keyboard.press('Space');
    expect(await isOn()).toBe('true');
    expect(await button('Download').isEnabled()).toBe(true);
    await page.getByRole('button', { name: 'Nothing leaves this machine. Downloads from huggingface.co are allowed.' }).click();
    await page.getByText(/One exception is switched on/).waitFor();
    expect(await seriousViolations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Switch it off' }).click();
    await page.keyboard.press('Escape');
    expect(await isOn()).toBe('false');
    await allow().click();
    expect(catalogWorkers()).toEqual([]);
    expect(asked).toEqual([]);
  });

  it.each([
    ['another file', sends(Buffer.from(FILE).fill(0, 1000, 1010)), /\(another SHA-256\): nothing was kept\. Save the release file by hand/],
    ['a longer file', sends(Buffer.concat([FILE, FILE])), /\(more than [\d,]+ bytes\): nothing was kept\./],
    ['no file', sends('gone', { status: 404 }), /huggingface\.co answered with status 404 in place of yolox_nano\.onnx\./],
    [
      'what this page may not read',
      sends(FILE, { to: 'https://example.com' }),
      /could not be fetched from huggingface\.co: it can’t be reached, or/,
    ],
    ['nothing', (route: Route) => route.abort('connectionrefused'), /could not be fetched from huggingface\.co: it can’t be reached, or/],
  ])('keeps nothing where the host sends %s', async (_, sent, sentence) => {
    answer = sent;
    await button('Download').click();
    await page.getByRole('alert').filter({ hasText: sentence }).waitFor();
    await button('Download').waitFor();
    expect(asked).toEqual([NANO.url]);
    expect(await kept().count()).toBe(0);
    await page.getByRole('button', { name: 'Dismiss' }).click();
    expect(catalogWorkers()).toEqual([]);
    tab.errors.length = 0; // the browser itself reports failed requests
  });

  it('lets the download’s worker reach the catalog’s hosts alone, and nobody else any', async () => {
    const letGo = held();
    await button('Download').focus();
    await page.keyboard.press('Enter');
    await expect.poll(() => asked).toEqual([NANO.url]);
    await row()
      .getByText(/^0 B of \d+ kB$/)
      .waitFor();
    const [worker] = catalogWorkers();
    answer = sends('x');
    // Where huggingface.co sends on to; the browser holds redirects against the same list.
    expect(await fetchFrom(worker!, 'https://us.aws.cdn.hf.co/x')).toBe('[object Response]');
    const refused = 'TypeError: Failed to fetch';
    for (const url of ['https://example.com/x', 'https://github.com/x', `${origin}/`]) expect(await fetchFrom(worker!, url)).toBe(refused);
    const others = studioWorkers(page).filter((one) => one !== worker);
    expect(others.length).toBeGreaterThan(0);
    for (const scope of [page, ...others]) expect(await fetchFrom(scope, NANO.url)).toBe(refused);
    expect(await violations()).toEqual(Array(2).fill(`connect-src ${NANO.url}`));
    expect(asked).toEqual([NANO.url, 'https://us.aws.cdn.hf.co/x']);
    tab.errors.length = 0;
    await button('Cancel').click();
    await button('Download').waitFor();
    expect(catalogWorkers()).toEqual([]);
    letGo();
    expect(await kept().count()).toBe(0);
  });

  it('is cancelled by switching them off, in another tab too', async () => {
    const letGo = held();
    await button('Download').click();
    await button('Cancel').waitFor();
    expect(await seriousViolations(page)).toEqual([]);
    const other = await page.context().newPage();
    await other.goto(`${origin}/icon.svg`);
    await other.evaluate(() => localStorage.removeItem('bonsai-downloads'));
    await expect.poll(isOn).toBe('false');
    await expect.poll(() => catalogWorkers().length).toBe(0);
    await other.evaluate(() => localStorage.setItem('bonsai-downloads', 'on'));
    await expect.poll(isOn).toBe('true');
    await other.close();
    letGo();
  });

  it('fetches the file, keeps it, and opens it', async () => {
    answer = sends(FILE);
    await button('Download').click();
    await page.getByText(`${NANO.name} is on this machine now.`).waitFor();
    await kept().getByText(`official ${NANO.name}`).waitFor();
    expect(catalogWorkers()).toEqual([]);
    expect(asked).toEqual([NANO.url]);
    await button('Open').click();
    await expect.poll(opened).toBe(NANO.file);
    await detects(page);
    expect(await kept().count()).toBe(1);
    expect(await seriousViolations(page)).toEqual([]);
    await page.reload();
    await detects(page);
    expect(await opened()).toBe(NANO.file);
    await page.getByRole('tab', { name: 'Library' }).click();
    await button('Open').waitFor();
    expect(await isOn()).toBe('true');
    expect(asked).toEqual([NANO.url]);
  });

  it('knows the file again that was dropped in, whatever it is called', async () => {
    await page.getByRole('button', { name: `Delete: ${NANO.file}` }).click();
    await button('Download').waitFor();
    await page.getByLabel('Open model or images').setInputFiles({ name: 'mine.onnx', mimeType: '', buffer: FILE });
    await button('Open').waitFor();
    await page.getByRole('region', { name: 'Models', exact: true }).getByText(`official ${NANO.name}`).waitFor();
    expect(asked).toEqual([]);
    expect(tab.errors).toEqual([]);
  });

  it('is off again for the next visitor', async () => {
    await page.getByRole('button', { name: 'Tour' }).click();
    await Promise.all([page.waitForEvent('load'), page.getByRole('button', { name: 'Next visitor' }).click()]);
    await page.getByRole('button', { name: 'Nothing leaves this machine.', exact: true }).waitFor({ timeout: 60_000 });
    expect(await page.evaluate(() => localStorage.getItem('bonsai-downloads'))).toBeNull();
    expect(asked).toEqual([]);
  });
});
