/**
 * Writes scenes for train.py: `npx tsx src/data/train/dump-scenes.ts OUT SEED COUNT` makes OUT.rgb (COUNT × 240 × 320 × 3
 * bytes) and OUT.json ({ width, height, classes, truths: [[[x, y, w, h, classIndex, area], …], …] }).
 */
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { drawScene, SCENE_CLASSES } from '../scenes/draw';

const [out, seed, count] = process.argv.slice(2);
if (!out || !seed || !count) {
  process.stderr.write('Usage: dump-scenes.ts OUT SEED COUNT\n');
  process.exit(2);
}
const file = openSync(`${out}.rgb`, 'w');
const truths: number[][][] = [];
let size = { width: 0, height: 0 };
for (let i = 0; i < Number(count); i++) {
  const scene = drawScene(Number(seed) + i);
  writeSync(file, scene.image.data);
  size = { width: scene.image.width, height: scene.image.height };
  truths.push(scene.truths.map((t) => [...t.bbox, t.categoryId - 1, t.area]));
}
closeSync(file);
writeFileSync(`${out}.json`, JSON.stringify({ ...size, classes: SCENE_CLASSES, truths }));
