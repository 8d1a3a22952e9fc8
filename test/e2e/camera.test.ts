import { readFileSync } from 'node:fs';
import type { Page } from 'playwright';
import { describe, expect, it } from 'vitest';
import { withStudio } from './studio';

let page: Page;
let errors: readonly string[];
withStudio((tab) => ({ page, errors } = tab));

const stage = () => page.getByLabel('Detections, Original').evaluate((canvas: HTMLCanvasElement) => canvas.height / canvas.width);
const picture = () => page.getByLabel('Detections, Original').evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());

async function saved(press: string): Promise<{ readonly name: string; readonly bytes: Buffer }> {
  const [file] = await Promise.all([page.waitForEvent('download'), page.keyboard.press(press)]);
  return { name: file.suggestedFilename(), bytes: readFileSync(await file.path()) };
}

describe('the camera', () => {
  it('gives frames of the size that was chosen', async () => {
    await page.getByRole('button', { name: 'Webcam', exact: true }).click();
    await expect.poll(stage, { timeout: 20_000 }).toBeCloseTo(3 / 4, 2);
    await page.getByLabel('Resolution').selectOption('1280×720');
    await expect.poll(stage, { timeout: 20_000 }).toBeCloseTo(9 / 16, 2);
    await page.getByLabel('Resolution').selectOption('320×240');
    await expect.poll(stage, { timeout: 20_000 }).toBeCloseTo(3 / 4, 2);
  });

  it('offers the cameras by name', async () => {
    expect(await page.getByLabel('Camera', { exact: true }).locator('option').allTextContents()).toContainEqual(
      expect.stringContaining('fake'),
    );
  });

  it('stands still while paused and goes on', async () => {
    await page.keyboard.press('p');
    await page.getByRole('button', { name: 'Play', exact: true }).waitFor();
    await page.waitForTimeout(600);
    const still = await picture();
    await page.waitForTimeout(600);
    expect(await picture()).toBe(still);
    await page.keyboard.press('p');
    await expect.poll(picture, { timeout: 20_000 }).not.toBe(still);
  });

  it('says what each part of a frame takes', async () => {
    expect(await page.getByText(/FPS · capture [\d.]+ ms, draw [\d.]+ ms/).count()).toBe(1);
  });

  it('keeps a frame for calibration with one key', async () => {
    await page.keyboard.press('c');
    await page.getByText('1 camera frame kept').waitFor();
    await page.keyboard.press('c');
    await page.getByText('2 camera frames kept').waitFor();
  });

  it('saves a picture', async () => {
    const { name, bytes } = await saved('s');
    expect(name).toMatch(/^bonsai-[\d-]+\.png$/);
    expect([...bytes.subarray(1, 4)].map((c) => String.fromCharCode(c)).join('')).toBe('PNG');
    // Width and height of the header: the frame, and a line for its name.
    expect([bytes.readUInt32BE(16), bytes.readUInt32BE(20)]).toEqual([320, 240 + 36]);
  });

  it('records a clip that a browser can play', async () => {
    await page.keyboard.press('r');
    await page.getByText('Recording…').waitFor();
    await page.waitForTimeout(2500);
    const { name, bytes } = await saved('r');
    expect(name).toMatch(/\.webm$/);
    const size = await page.evaluate(async (base64) => {
      const video = document.createElement('video');
      const blob = await (await fetch(`data:video/webm;base64,${base64}`).catch(() => null))?.blob();
      video.src = blob ? URL.createObjectURL(blob) : `data:video/webm;base64,${base64}`;
      await new Promise((resolve, reject) => {
        video.onloadedmetadata = resolve;
        video.onerror = () => reject(new Error('not a video'));
      });
      return [video.videoWidth, video.videoHeight];
    }, bytes.toString('base64'));
    expect(size).toEqual([320, 276]);
  });

  it('exchanges left and right', async () => {
    // The fake camera's clock hand turns; its frame number does not, at a mirrored place.
    const button = page.getByRole('button', { name: 'Mirror' });
    await page.keyboard.press('m');
    expect(await button.getAttribute('aria-pressed')).toBe('true');
    await page.keyboard.press('m');
    expect(await button.getAttribute('aria-pressed')).toBe('false');
  });

  it('met no error', () => expect(errors).toEqual([]));
});
