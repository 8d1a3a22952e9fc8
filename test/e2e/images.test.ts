/** The user's images outlive a visit: as copies, or as a folder that stays where it is. */
import type { Page } from 'playwright';
import { describe, expect, it } from 'vitest';
import { gradientJpeg, palettePng } from '../data/files';
import { seriousViolations } from './axe';
import { loadLight } from './light';
import { withStudio } from './studio';

let page: Page;
let errors: readonly string[];
withStudio((tab) => ({ page, errors } = tab));

const FILES = [
  { name: 'first.jpg', buffer: Buffer.from(gradientJpeg) },
  { name: 'second.png', buffer: Buffer.from(palettePng) },
];
const shown = (name: string) =>
  page.getByRole('region', { name: 'Detections' }).getByText(name, { exact: true }).waitFor({ timeout: 60_000 });
const source = (name: string) => page.getByRole('button', { name, exact: true });
const isOn = (name: string) => source(name).getAttribute('aria-pressed');
const detecting = () => page.getByTestId('detections-original').waitFor({ timeout: 60_000 });

async function libraryRow(name: string): Promise<string> {
  await page.getByRole('tab', { name: 'Library' }).click();
  const row = page.getByRole('region', { name: 'Image sets' }).getByRole('row').filter({ hasText: name });
  await row.waitFor({ timeout: 30_000 });
  return (await row.textContent())!.replace(/\s+/g, ' ');
}

/** A folder of the page's own, given by the picker; the browser asks about it again as it does about folders of the disk. */
async function givePicker(): Promise<void> {
  await page.addInitScript(() => {
    const asked = () => sessionStorage.getItem('asks') !== null;
    let granted = false;
    const root = navigator.storage.getDirectory();
    Object.assign(window, { showDirectoryPicker: async () => (await root).getDirectoryHandle('photos') });
    Object.assign(FileSystemHandle.prototype, {
      queryPermission: async () => (asked() && !granted ? 'prompt' : 'granted'),
      requestPermission: async () => {
        granted = true;
        return 'granted';
      },
    });
  });
  await page.reload();
  await page.evaluate(
    async (files) => {
      const root = await navigator.storage.getDirectory();
      const photos = await root.getDirectoryHandle('photos', { create: true });
      const inner = await photos.getDirectoryHandle('inner', { create: true });
      for (const [i, { name, bytes }] of files.entries()) {
        const file = await (i === 0 ? photos : inner).getFileHandle(name, { create: true });
        const stream = await file.createWritable();
        await stream.write(Uint8Array.from(bytes));
        await stream.close();
      }
    },
    FILES.map(({ name, buffer }) => ({ name, bytes: [...buffer] })),
  );
}

describe('images', () => {
  it('that were picked one by one are there again after a reload, as copies', async () => {
    await detecting();
    await page.getByLabel('Open model or images').setInputFiles(FILES.map((file) => ({ ...file, mimeType: 'image/jpeg' })));
    await shown('first.jpg');
    await page.reload();
    await shown('first.jpg');
    expect(await isOn('Images')).toBe('true');
    expect(await libraryRow('Dropped images')).toMatch(/Dropped images\s*[\d.,]+ k?B/);
  }, 120_000);

  it('can be closed, and stay closed', async () => {
    await page.getByRole('button', { name: 'Close Dropped images, and use the scenes again' }).click();
    expect(await isOn('Scenes')).toBe('true');
    await page.reload();
    await detecting();
    expect(await isOn('Scenes')).toBe('true');
  }, 120_000);

  it('in a folder stay there', async () => {
    await givePicker();
    await detecting();
    await source('Images').click();
    await page.getByRole('button', { name: 'Open a folder' }).click();
    await shown('photos/first.jpg');
    expect(await libraryRow('photos')).toMatch(/photos\s*in its folder/);
    await page.reload();
    await shown('photos/first.jpg');
    await page.getByRole('button', { name: 'Next image' }).click();
    await shown('photos/inner/second.png');
  }, 120_000);

  it('in a folder are not copied into a job’s record, and a job that died reads them there again', async () => {
    await loadLight(page);
    await page.getByRole('button', { name: 'Compress for Hailo-8' }).click();
    const recorded = () =>
      page.evaluate(async () => {
        const open = indexedDB.open('bonsai-studio');
        await new Promise((resolve, reject) => Object.assign(open, { onsuccess: resolve, onerror: reject }));
        const all = open.result.transaction('jobs').objectStore('jobs').getAll();
        await new Promise((resolve) => Object.assign(all, { onsuccess: resolve }));
        open.result.close();
        return all.result.map(({ value }) => [value.source.calibration.folder?.length, value.source.calibration.files.length]);
      });
    await expect.poll(recorded, { timeout: 60_000 }).toEqual([[64, 0]]);
    await page.reload();
    await page.getByTestId('unfinished-job').getByRole('button', { name: 'Go on' }).click({ timeout: 120_000 });
    await page.getByText(/^Done in/).waitFor({ timeout: 180_000 });
    await expect.poll(recorded).toEqual([]);
    expect(await page.locator('tr[data-row="int8"]').count()).toBe(1);
  }, 400_000);

  it('are asked about again where the browser wants it', async () => {
    await page.evaluate(() => sessionStorage.setItem('asks', ''));
    await page.reload();
    const bar = page.getByRole('region', { name: 'Images of the last visit' });
    await bar.getByText(/^photos was open on your last visit/).waitFor({ timeout: 60_000 });
    expect(await seriousViolations(page)).toEqual([]);
    expect(await isOn('Scenes')).toBe('true');
    await bar.getByRole('button', { name: 'Open them again' }).click();
    await shown('photos/first.jpg');
    expect(await bar.count()).toBe(0);
    await page.evaluate(() => sessionStorage.removeItem('asks'));
  }, 120_000);

  it('to train on are asked about as well, and can be left', async () => {
    await page.evaluate(async () => {
      const { store } = await new Promise<{ store: IDBDatabase }>((resolve, reject) => {
        const open = indexedDB.open('bonsai-studio');
        open.onsuccess = () => resolve({ store: open.result });
        open.onerror = () => reject(open.error);
      });
      const work = store.transaction('settings', 'readwrite').objectStore('settings');
      const images = await new Promise<{ value: string }>((resolve) => {
        const get = work.get('images');
        get.onsuccess = () => resolve(get.result);
      });
      work.put({ id: 'training', value: images.value });
      store.close();
      sessionStorage.setItem('asks', '');
    });
    await page.reload();
    const bar = page.getByRole('region', { name: 'Training images of the last visit' });
    await bar.getByText(/^Training learned from photos on your last visit/).waitFor({ timeout: 60_000 });
    await bar.getByRole('button', { name: 'Not now' }).click();
    expect(await bar.count()).toBe(0);
    await page.evaluate(() => sessionStorage.removeItem('asks'));
    await page.reload();
    await shown('photos/first.jpg');
    expect(await bar.count()).toBe(0);
  }, 120_000);

  it('that were moved are missed in one sentence', async () => {
    await page.evaluate(async () => (await navigator.storage.getDirectory()).removeEntry('photos', { recursive: true }));
    await page.reload();
    await page.getByText('photos is no longer where it was.').waitFor({ timeout: 60_000 });
    await detecting();
    expect(errors).toEqual([]);
  }, 120_000);
});
