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
  it('is asked for the size that was chosen', async () => {
    // The fake camera has one size, so what counts is what it was asked for.
    await page.evaluate(() => {
      const { mediaDevices } = navigator;
      const ask = mediaDevices.getUserMedia.bind(mediaDevices);
      const asked: unknown[] = [];
      Object.assign(window, { asked });
      mediaDevices.getUserMedia = (wish) => {
        asked.push(wish?.video);
        return ask(wish);
      };
    });
    await page.getByRole('button', { name: 'Webcam', exact: true }).click();
    await expect.poll(stage, { timeout: 20_000 }).toBeCloseTo(3 / 4, 2);
    await page.getByLabel('Resolution').selectOption('1280×720');
    await page.locator('.camera select').first().selectOption({ label: 'fake_device_0' });
    const asked = () => page.evaluate(() => (window as unknown as { asked: object[] }).asked);
    await expect.poll(asked).toEqual([
      { width: 640, height: 480 },
      { width: 1280, height: 720 },
      { width: 1280, height: 720, deviceId: { exact: expect.stringMatching(/^[0-9a-f]{64}$/) } },
    ]);
    await page.getByRole('button', { name: 'Mirror' }).waitFor();
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
    expect([bytes.readUInt32BE(16), bytes.readUInt32BE(20)]).toEqual([640, 480 + 36]);
  });

  it('records a clip that a browser can play', async () => {
    await page.keyboard.press('r');
    await page.getByText('Recording…').waitFor();
    await page.waitForTimeout(2500);
    const { name, bytes } = await saved('r');
    expect(name).toMatch(/\.webm$/);
    const size = await page.evaluate(async (base64) => {
      const video = document.createElement('video');
      // The page's policy forbids data: addresses; Blobs are its own.
      const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
      video.src = URL.createObjectURL(new Blob([bytes], { type: 'video/webm' }));
      await new Promise((resolve, reject) => {
        video.onloadedmetadata = resolve;
        video.onerror = () => reject(new Error('not a video'));
      });
      return [video.videoWidth, video.videoHeight];
    }, bytes.toString('base64'));
    expect(size).toEqual([640, 516]);
  });

  it('exchanges left and right', async () => {
    // The fake camera draws its clock at the left upper corner; columns are compared by their mean brightness.
    const columns = () =>
      page.getByLabel('Detections, Original').evaluate((canvas: HTMLCanvasElement) => {
        const { width, height } = canvas;
        const { data } = canvas.getContext('2d')!.getImageData(0, 0, width, height);
        const halves = [0, 0];
        for (let i = 0; i < data.length; i += 4) halves[(i / 4) % width < width / 2 ? 0 : 1]! += data[i]! + data[i + 1]! + data[i + 2]!;
        return halves[0]! > halves[1]!;
      });
    const before = await columns();
    await page.keyboard.press('m');
    expect(await page.getByRole('button', { name: 'Mirror' }).getAttribute('aria-pressed')).toBe('true');
    await expect.poll(columns, { timeout: 20_000 }).toBe(!before);
    await page.keyboard.press('m');
    await expect.poll(columns, { timeout: 20_000 }).toBe(before);
  });

  it('met no error', () => expect(errors).toEqual([]));
});
