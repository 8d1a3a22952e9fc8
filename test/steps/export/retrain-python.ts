/** What the tests of retrain.py share: a Python with torch, its runs, and images and networks for it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createRandom } from '../../../src/numerics';
import { type Model, tensor, withGraph } from '../../../src/onnx';
import { retrainFiles } from '../../../src/steps/export/retrain';
import type { ModelArtifact } from '../../../src/steps/types';
import { type TinyYoloxOptions, tinyYolox } from '../../fixtures/tiny-yolox';
import type { Feeds, Value } from '../../onnx/ort';
import { artifact, unzipped } from './bundle';

/** One thread, so that sums have one order. */
const ENV = { ...process.env, OMP_NUM_THREADS: '1', MKL_NUM_THREADS: '1', PYTHONDONTWRITEBYTECODE: '1' };
const NEEDS = 'import torch, numpy, onnx, PIL, torch.distributed as d; assert d.is_available()';

/** A python3 that has what retrain.py needs, or null: the tests that train are skipped then. */
export const TORCH_PYTHON: string | null =
  [process.env.BONSAI_TORCH_PYTHON, 'python3', '/usr/bin/python3'].find(
    (python) => python && spawnSync(python, ['-c', NEEDS], { env: ENV }).status === 0,
  ) ?? null;

export const SKIPPED = TORCH_PYTHON === null ? ' (skipped: no python3 with torch, numpy, onnx and Pillow; set BONSAI_TORCH_PYTHON)' : '';

/**
 * A tiny YOLOX whose values are of ordinary size for 0–255 images and whose scores start low, as a trained one's do; its
 * weights away from those of `seed` by `noise` of their size.
 */
export function calmYolox(options: TinyYoloxOptions = {}, noise = 0): Model {
  const model = tinyYolox({ height: 64, width: 64, classes: 8, ...options });
  const random = createRandom(99);
  const initializers = new Map(model.graph.initializers);
  for (const [name, { dims, data, dtype }] of initializers) {
    if (dtype !== 'float32' || !/\.(weight|bias)$/.test(name)) continue;
    const factor = name.startsWith('/backbone/stem') && name.endsWith('weight') ? 1 / 128 : /preds.*weight/.test(name) ? 0.5 : 1;
    const shift = /(obj|cls)_preds.*bias/.test(name) ? -1 : 0;
    const values = Float32Array.from(data as Float32Array, (v) => v * factor * (1 + noise * random.normal()) + shift);
    initializers.set(name, tensor(name, 'float32', dims, values));
  }
  return withGraph(model, { initializers });
}

/** The folder of a bundle's retrain/. */
export function retrainFolder(student: ModelArtifact, teacher: ModelArtifact): string {
  return join(unzipped(retrainFiles(student, teacher)), 'retrain');
}

export function tinyFolder(noise = 0.1): string {
  return retrainFolder(artifact(calmYolox({}, noise)), artifact(calmYolox()));
}

/** torch 1.13 on Python 3.11 loses the default of these two options and fails. */
const STREAMS = ['--redirects', '1', '--tee', '1'];

const command = (folder: string, processes: number, args: readonly string[]): readonly string[] => [
  ...(processes > 1 ? ['-m', 'torch.distributed.run', '--standalone', `--nproc_per_node=${processes}`, ...STREAMS] : []),
  join(folder, 'retrain.py'),
  ...args,
];

export interface LogLine {
  readonly event: string;
  readonly step?: number;
  readonly loss?: number | null;
  readonly parts?: Readonly<Record<string, number>>;
  readonly [key: string]: unknown;
}

export function logOf(out: string): readonly LogLine[] {
  const file = join(out, 'log.jsonl');
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as LogLine);
}

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** The process of forks.py, started by the first program. */
class Forks {
  readonly #child = spawn(TORCH_PYTHON!, ['test/steps/export/forks.py'], { env: ENV, stdio: ['pipe', 'pipe', 'inherit'] });
  readonly #codes = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  #last: Promise<unknown> = Promise.resolve();

  constructor() {
    this.#child.unref();
  }

  /** One program after the other. */
  run(argv: readonly string[], env: Readonly<Record<string, string>>): Promise<Ended> {
    const work = async (): Promise<Ended> => {
      const folder = unzipped(new Map());
      const [out, err] = [join(folder, 'out'), join(folder, 'err')];
      this.#child.stdin.write(`${JSON.stringify({ argv, env, out, err })}\n`);
      const { value, done } = await this.#codes.next();
      if (done) throw new Error('forks.py ended.');
      return { code: Number(value), out: readFileSync(out, 'utf8'), err: readFileSync(err, 'utf8') };
    };
    const ended = this.#last.then(work);
    this.#last = ended.catch(() => {});
    return ended;
  }
}

let forks: Forks | null = null;

/** Runs a Python program to its end. */
function python(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  forks ??= new Forks();
  return forks.run(argv, env);
}

/** Runs retrain.py to its end; `err` only where it failed, since torch has warnings of its own. */
export async function retrain(folder: string, processes: number, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const whole = command(folder, processes, args);
  if (processes === 1) {
    const { code, err } = await python(whole, env);
    return { code, err: code === 0 ? '' : err };
  }
  const { status, stderr } = spawnSync(TORCH_PYTHON!, whole, { encoding: 'utf8', env: { ...ENV, ...env }, maxBuffer: 1e9 });
  return { code: status, err: status === 0 ? '' : stderr };
}

/** Processes below one, as /proc has them. */
function descendants(pid: number): readonly number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        return [[Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])] as const];
      } catch {
        return [];
      }
    });
  const below = (of: number): number[] => parents.filter(([, parent]) => parent === of).flatMap(([child]) => [child, ...below(child)]);
  return below(pid);
}

/**
 * Starts retrain.py and kills every process of it once its log says `reached`; with SIGTERM twice, as `timeout` and
 * schedulers do, and waits for the log to say that it stopped, since torchrun may be gone before its workers.
 */
export async function interrupted(
  folder: string,
  processes: number,
  args: readonly string[],
  out: string,
  reached: (log: readonly LogLine[]) => boolean,
  signal: 'SIGKILL' | 'SIGTERM',
): Promise<void> {
  const child: ChildProcess = spawn(TORCH_PYTHON!, command(folder, processes, args), { env: ENV, stdio: 'ignore' });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const over = ended.then(() => true);
  while (!reached(logOf(out)) && !(await Promise.race([over, new Promise<false>((r) => setTimeout(r, 20, false))])));
  if (child.exitCode !== null) throw new Error(`retrain.py ended before it could be interrupted (${child.exitCode}).`);
  const all = [...descendants(child.pid!), child.pid!];
  for (const pid of signal === 'SIGTERM' ? [...all, ...all.slice(0, -1)] : all) process.kill(pid, signal);
  await ended;
  for (let waited = 0; signal === 'SIGTERM' && waited < 600 && logOf(out).at(-1)?.event !== 'stopped'; waited++)
    await new Promise((r) => setTimeout(r, 100));
}

const IMPORT = `
import importlib.util, json, sys
import numpy as np, onnx, torch
torch.set_num_threads(1)
spec = importlib.util.spec_from_file_location("retrain", sys.argv[1])
retrain = importlib.util.module_from_spec(spec)
spec.loader.exec_module(retrain)
`;

/** What Python with a folder's retrain.py imported as `retrain` prints; `args` follow it in sys.argv. */
export async function withScript(folder: string, code: string, args: readonly string[] = []): Promise<string> {
  const file = join(unzipped(new Map([['code.py', IMPORT + code]])), 'code.py');
  const ended = await python([file, join(folder, 'retrain.py'), ...args]);
  if (ended.code !== 0) throw new Error(ended.err);
  return ended.out;
}

const INTERPRET = `
for job in json.load(open(sys.argv[2])):
    base = job["base"]
    graph = retrain.Graph(onnx.load(base + ".onnx"), job["name"]).eval()
    x = torch.from_numpy(np.fromfile(base + ".in", np.float32).reshape(job["dims"]))
    with torch.no_grad():
        values = graph(x)
    said = []
    for i, (name, value) in enumerate(values.items()):
        value.contiguous().numpy().astype(np.float64).tofile("%s.%d" % (base, i))
        said.append([name, list(value.shape)])
    json.dump({"outputs": said, "weights": sorted(graph.index), "numbers": sum(p.numel() for p in graph.parameters())}, open(base + ".json", "w"))
`;

export interface Interpreted {
  readonly outputs: Readonly<Record<string, Value>>;
  /** Names of what would be trained. */
  readonly weights: readonly string[];
  readonly numbers: number;
}

/** Every network on its one input, computed by the interpreter of retrain.py, all in one process. */
export async function interpret(
  jobs: readonly { readonly name: string; readonly bytes: Uint8Array; readonly feeds: Feeds }[],
): Promise<Interpreted[]> {
  const folder = unzipped(new Map());
  const list = jobs.map(({ name, bytes, feeds }, i) => {
    const base = join(folder, `job${i}`);
    const [input] = Object.values(feeds);
    writeFileSync(`${base}.onnx`, bytes);
    writeFileSync(`${base}.in`, new Uint8Array((input!.data as Float32Array).buffer.slice(0)));
    return { name, base, dims: input!.dims };
  });
  writeFileSync(join(folder, 'jobs.json'), JSON.stringify(list));
  await withScript(tinyFolder(), INTERPRET, [join(folder, 'jobs.json')]);
  return list.map(({ base }) => {
    const said = JSON.parse(readFileSync(`${base}.json`, 'utf8')) as Omit<Interpreted, 'outputs'> & { outputs: [string, number[]][] };
    const outputs = said.outputs.map(([name, dims], i): [string, Value] => {
      const bytes = readFileSync(`${base}.${i}`);
      return [
        name,
        { type: 'float64', dims, data: new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)) },
      ];
    });
    return { ...said, outputs: Object.fromEntries(outputs) };
  });
}

/**
 * Largest difference over the largest value, output by output; Infinity where shapes or names differ. Scores that are all
 * below a thousandth count as if one were that large: onnxruntime's Sigmoid is off by 1e-7.
 */
export function relativeDifference(actual: Readonly<Record<string, Value>>, expected: Readonly<Record<string, Value>>): number {
  if (Object.keys(actual).sort().join() !== Object.keys(expected).sort().join()) return Number.POSITIVE_INFINITY;
  const each = Object.entries(expected).map(([name, { dims, data }]) => {
    const own = actual[name]!;
    if (own.dims.join() !== dims.join()) return Number.POSITIVE_INFINITY;
    let [worst, largest] = [0, 0];
    for (let i = 0; i < data.length; i++) {
      const difference = Math.abs(Number(own.data[i]) - Number(data[i]));
      worst = Math.max(worst, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
      largest = Math.max(largest, Math.abs(Number(data[i])));
    }
    return worst / Math.max(largest, 1e-3);
  });
  return Math.max(...each);
}

export function outputFolder(): string {
  const folder = unzipped(new Map());
  mkdirSync(join(folder, 'out'), { recursive: true });
  return join(folder, 'out');
}
