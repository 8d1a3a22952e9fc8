/**
 * `npm run bench [-- --images N] [--presets all|none|NAME,NAME] [--speed no] [--fluid no|only]`: markdown tables of ratios
 * measured within one run, in Node and in Chromium; of how fluid the page stays during a job; and, with the real model at hand,
 * of what each preset keeps of it and how long it takes.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Browser, chromium } from 'playwright';
import { createServer, type ViteDevServer } from 'vite';
import { findBrowser } from '../../src/cli';
import { openImageDir } from '../../src/data/node';
import { takeFirst } from '../../src/pipeline';
import { createNodeEngine } from '../../src/runtime/node';
import { openModel } from '../../src/steps/open';
import { writeScenes } from '../cli/coco-dir';
import { fluidTable } from './fluid';
import { type BenchRow, measure, toFeeds } from './measure';
import { slowest } from './nodes';
import type { PageRequest, PageResult } from './page';
import { presetTable, QUANTIZING } from './presets';

const { values } = parseArgs({
  options: {
    images: { type: 'string', default: '16' },
    presets: { type: 'string', default: 'all' },
    speed: { type: 'string', default: 'yes' },
    fluid: { type: 'string', default: 'yes' },
  },
});
const COUNT = Number(values.images);
if (!Number.isInteger(COUNT) || COUNT < 2) {
  console.error(`--images must be a whole number from 2, not "${values.images}".`);
  process.exit(2);
}
const PRESET_NAMES = values.presets === 'all' ? QUANTIZING : values.presets === 'none' ? [] : values.presets.split(',');
const stranger = PRESET_NAMES.find((name) => !QUANTIZING.includes(name));
if (stranger !== undefined) {
  console.error(`There is no preset "${stranger}" that quantizes. There are: ${QUANTIZING.join(', ')}.`);
  process.exit(2);
}
/** The page's own figures come first: nothing else is at work yet. */
if (values.fluid !== 'no') {
  const found = findBrowser();
  if (found) {
    console.error('Measuring how fluid the page stays …');
    const browser = await chromium.launch({ executablePath: found.path, args: ['--no-sandbox'] });
    try {
      console.log(await fluidTable(browser));
    } finally {
      await browser.close();
    }
  } else console.error('No Chrome or Chromium was found: how fluid the page stays was not measured.');
  if (values.fluid === 'only') process.exit(0);
}
const CORES = availableParallelism();
const EMBEDDED = resolve('static/models/scenes-depthwise.onnx');

interface Subject {
  readonly model: string;
  /** Holds images/. */
  readonly folder: string;
  readonly count: number;
  readonly warmUp: number;
  readonly rounds: number;
  readonly training: boolean;
}

interface Report {
  readonly environment: string;
  readonly subject: Subject;
  readonly rows: readonly BenchRow[];
}

async function inNode(subject: Subject, threads: number): Promise<Report> {
  const engine = await createNodeEngine({ threads });
  try {
    const images = takeFirst({ ...(await openImageDir(subject.folder)), categories: null }, subject.count);
    const model = new Uint8Array(readFileSync(subject.model));
    const rows = await measure(engine, null, { ...subject, name: basename(subject.model), model, images });
    return { environment: engine.version, subject, rows };
  } finally {
    await engine.dispose();
  }
}

/** Where a training step's time goes. */
async function slowestNodes({ model, folder }: Subject): Promise<string[]> {
  const images = takeFirst({ ...(await openImageDir(folder)), categories: null }, 1);
  const artifact = await openModel(basename(model), new Uint8Array(readFileSync(model)));
  return slowest(artifact, (await toFeeds(artifact, images))[0]!);
}

async function inPage(browser: Browser, server: ViteDevServer, subject: Subject, backend: 'wasm' | 'webgpu', threads: number) {
  const page = await browser.newPage();
  try {
    page.on('pageerror', (error) => console.error(error));
    await page.goto(new URL('test/bench/page.html', server.resolvedUrls!.local[0]).href);
    await page.waitForFunction(() => 'bench' in window);
    const home = join(subject.folder, 'images');
    const names = readdirSync(home).sort().slice(0, subject.count);
    const request: PageRequest = {
      ...{ backend, threads, name: basename(subject.model), warmUp: subject.warmUp, rounds: subject.rounds, training: subject.training },
      modelUrl: `/@fs/${subject.model}`,
      images: names.map((name) => ({ name, url: `/@fs/${join(home, name)}` })),
    };
    const { rows, version } = await page.evaluate((r): Promise<PageResult> => window.bench(r), request);
    return { environment: version, subject, rows } satisfies Report;
  } finally {
    await page.close();
  }
}

const round = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(1));

function table(reports: readonly Report[]): string {
  const lines = reports.flatMap(({ environment, subject, rows }) =>
    rows.map(({ what, value, unit, ratio, setUp }) => [
      environment,
      `${basename(subject.model)}, ${subject.count}`,
      what,
      `${round(value)} ${unit}`,
      ratio === null ? '' : ratio.toFixed(2),
      setUp === null ? '' : `${round(setUp)} ms`,
    ]),
  );
  const head = ['engine', 'model, images', 'what', 'measured', 'ratio', 'set-up'];
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

const data = process.env.BONSAI_DATA ?? (existsSync('../shared/data') ? '../shared/data' : '');
if (data && PRESET_NAMES.length > 0)
  console.log(`${await presetTable(data, PRESET_NAMES, (what) => console.error(`Measuring ${what} …`))}\n`);
else if (PRESET_NAMES.length > 0)
  console.error('Presets are measured on the real model: set BONSAI_DATA to the folder that holds models/ and coco-val/.');
if (values.speed === 'no') process.exit(0);
const scratch = mkdtempSync(join(tmpdir(), 'bonsai-bench-'));
const browserPath = findBrowser();
const load = loadavg();
try {
  await writeScenes(scratch, 0, COUNT, { format: 'jpg', labelled: false });
  const embedded: Subject = { model: EMBEDDED, folder: scratch, count: COUNT, warmUp: 15, rounds: 3, training: true };
  const main: Subject = data
    ? { ...embedded, model: resolve(data, 'models/yolox_nano.onnx'), folder: resolve(data, 'coco-train') }
    : embedded;
  const reports: Report[] = [];
  const add = async (what: string, work: Promise<Report>) => {
    console.error(`Measuring ${what} …`);
    reports.push(await work);
  };
  await add('Node, 1 thread', inNode(main, 1));
  if (CORES > 1) await add(`Node, ${Math.min(4, CORES)} threads`, inNode(main, Math.min(4, CORES)));
  const notes: string[] = await slowestNodes(main);
  let browserVersion = 'no browser';
  if (browserPath) {
    const server = await createServer({
      logLevel: 'error',
      cacheDir: 'node_modules/.vite-bench',
      // Found late, a dependency would make the server reload the page in the middle of a measurement.
      optimizeDeps: { entries: ['test/bench/page.ts', 'workers/decode.ts'] },
      server: { port: 0, hmr: false, watch: null, fs: { allow: ['.', scratch, ...(data ? [resolve(data)] : [])] } },
    });
    await server.listen();
    const browser = await chromium.launch({
      executablePath: browserPath.path,
      args: ['--no-sandbox', '--enable-unsafe-webgpu', ...(process.env.BONSAI_GPU ? [] : ['--use-webgpu-adapter=swiftshader'])],
    });
    browserVersion = `Chromium ${browser.version()}`;
    try {
      await add('Chromium, WASM, 1 thread', inPage(browser, server, main, 'wasm', 1));
      if (CORES > 1) await add('Chromium, WASM, all threads', inPage(browser, server, main, 'wasm', Math.min(4, CORES)));
      const small = { ...embedded, count: Math.min(COUNT, 4), warmUp: 3, rounds: 1, training: Boolean(process.env.BONSAI_GPU) };
      await add('Chromium, WebGPU', inPage(browser, server, small, 'webgpu', 1));
      if (!process.env.BONSAI_GPU)
        notes.push('WebGPU runs on SwiftShader, a software GPU: its times say nothing about a real one. BONSAI_GPU=1 takes the real one.');
    } finally {
      await browser.close();
      await server.close();
    }
  } else notes.push('No Chrome or Chromium was found: only Node was measured.');
  console.log(table(reports));
  console.log(`
- ${CORES} cores (${cpus()[0]?.model.trim() ?? 'unknown CPU'}), Node ${process.versions.node}, ${browserVersion}, ${process.platform} ${process.arch}; load ${load[0]!.toFixed(1)} before, ${loadavg()[0]!.toFixed(1)} after.
- Ratios are within one run: calibration and evaluation ÷ bare inference of the same images at the same optimization level,
  a preview frame ÷ two bare inferences. The best of ${main.rounds} rounds. Set-up is spent once, whatever the number of images.
- Training: one image a step, weights and biases trained, distillation from the network itself; forward, backward and update ÷ the
  forward pass of the same image with weights as inputs. Fake-quant: learned scales and zero points on every layer's output.
- In Chromium another worker decodes and preprocesses the JPEGs; in Node the same process does, between inferences.
- The preview's frame is decoded before the clock starts; it covers preprocessing once, inference and decoding of detections twice.
${notes.map((note) => `- ${note}\n`).join('')}`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
