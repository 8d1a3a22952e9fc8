/** The main job in seconds: few images, no repairs, all the way to a bundle. */
import { readFileSync } from 'node:fs';
import { unzipSync } from 'fflate';
import type { Page } from 'playwright';
import { expect } from 'vitest';

const recipe = (images: number) => ({
  bonsai: 1,
  name: 'light',
  device: 'hailo8',
  steps: [
    { step: 'calibrate', options: { images } },
    { step: 'quantize', options: { calibrator: 'minmax', repairImages: 8 } },
    { step: 'evaluate' },
    { step: 'export' },
  ],
});

/** Waits until the detector has found something in a scene. */
export async function detects(page: Page): Promise<void> {
  await page
    .getByTestId('detections-original')
    .filter({ hasText: /[1-9]\d* detections?/ })
    .waitFor({ timeout: 60_000 });
}

/** @param images to calibrate on */
export async function loadLight(page: Page, images = 8): Promise<void> {
  const buffer = Buffer.from(JSON.stringify(recipe(images)));
  await page.getByLabel('Open model or images').setInputFiles([{ name: 'recipe.json', mimeType: 'application/json', buffer }]);
  await page.getByText('Recipe “light” loaded.').waitFor();
}

/** Loads the recipe, compresses, and looks at the table; the answer is the bundle's files. */
export async function compress(page: Page): Promise<Readonly<Record<string, Uint8Array>>> {
  await loadLight(page);
  await page.getByRole('button', { name: 'Compress for Hailo-8' }).click();
  await page.getByText(/^Done in/).waitFor({ timeout: 180_000 });
  const figure = (row: string) => page.locator(`tr[data-row="${row}"] [data-cell="figure"]`).textContent();
  expect(Number(await figure('fp32'))).toBeGreaterThan(60);
  expect(Number(await figure('int8'))).toBeGreaterThan(0);
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download bundle' }).click()]);
  return unzipSync(readFileSync(await download.path()));
}

/** Opens the camera and waits for frames that the detector has seen. */
export async function watchCamera(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Webcam' }).click();
  await page.getByText(/\d+\.\d FPS/).waitFor({ timeout: 60_000 });
}
