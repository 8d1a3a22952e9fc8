import { expect, it } from 'vitest';
import { decodeImage } from '../../src/data';
import '../../src/data/node';
import { gradientJpeg, palettePng } from './files';

/** Bit 0 of one byte turned. */
const turned = (bytes: Uint8Array, at: number) => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));

// A decoder that stops in the middle keeps its stack; without a new instance both fail or hang after some hundred files.
it.each([
  ['png', palettePng, palettePng.slice(0, -30)],
  ['jpeg', gradientJpeg, turned(gradientJpeg, 205)],
])('a thousand damaged files don’t wear the %s decoder out', async (_format, good, bad) => {
  const before = await decodeImage(good, 'good');
  for (let i = 0; i < 1000; i++) await expect(decodeImage(bad, 'bad')).rejects.toMatchObject({ code: 'bad-data' });
  expect(await decodeImage(good, 'good')).toEqual(before);
});

it('files decoded side by side don’t get each other’s complaints', async () => {
  const bad = gradientJpeg.slice(0, 400);
  const all = await Promise.allSettled([bad, gradientJpeg, bad, gradientJpeg].map((bytes) => decodeImage(bytes, 'x.jpg')));
  expect(all.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected', 'fulfilled']);
});
