/**
 * Signed first derivatives by channels and branches, from one backward graph by gates: each gate's gradient is Σ y · ∂/∂y over
 * the pixels where the channel is read, and a channel that is read in several places sums over them, for it goes from all.
 */
import { buildTrainingGraph } from '../../autodiff';
import type { DetectorSpec } from '../../models';
import { createRandom, type Random } from '../../numerics';
import { type Model, serializeModel } from '../../onnx';
import type { RunTensor, Session, Tensors } from '../../runtime';
import { PLAIN_WEIGHTS, planDistillation } from '../../training';
import { timer } from '../common';
import { NO_JOURNAL } from '../journal';
import { sized } from '../sized';
import type { StepContext } from '../types';
import type { Branch } from './branches';
import { planCurvature, randomDirection } from './curvature';
import { type GatedModel, gatedModel, openGates } from './gates';
import { find } from './space';
import type { Trace } from './trace';

/** One entry for each image and random direction. */
export interface Signal {
  /** Class root → derivative. */
  readonly classes: Float64Array;
  /** Per branch, the derivative by each channel of its output. */
  readonly branches: readonly Float32Array[];
}

export interface Signals {
  /** Class root → position in a signal. */
  readonly position: ReadonlyMap<number, number>;
  readonly list: readonly Signal[];
}

export interface SignalRequest {
  readonly trace: Trace;
  readonly spec: DetectorSpec | null;
  readonly branches: readonly Branch[];
  readonly inputs: readonly RunTensor[];
  readonly ctx: StepContext;
}

/** A gated network whose gradients by all gates that reach the loss are read. */
class GateGradients {
  readonly #gated: GatedModel;
  readonly #session: Session;
  readonly #gradients: ReadonlyMap<string, string>;
  readonly #trace: Trace;
  readonly #open: Record<string, RunTensor>;
  readonly position = new Map<number, number>();

  private constructor(trace: Trace, gated: GatedModel, session: Session, gradients: ReadonlyMap<string, string>) {
    this.#trace = trace;
    this.#gated = gated;
    this.#session = session;
    this.#gradients = gradients;
    const open = openGates(gated);
    this.#open = Object.fromEntries(Object.entries(open).filter(([name]) => session.inputNames.includes(name)));
    for (const { labels } of gated.gates)
      for (const atom of labels) {
        const root = find(trace.space, atom);
        if (!this.position.has(root)) this.position.set(root, this.position.size);
      }
  }

  static async open(trace: Trace, gated: GatedModel, student: Model, loss: string, ctx: StepContext): Promise<GateGradients> {
    const read = new Set(student.graph.nodes.flatMap(({ inputs }) => inputs));
    const trainable = [...gated.gates, ...gated.branches].map(({ input }) => input).filter((name) => read.has(name));
    const { model, gradients } = buildTrainingGraph(student, { loss, trainable, target: ctx.engine.backend });
    return new GateGradients(trace, gated, await ctx.engine.create(serializeModel(model)), gradients);
  }

  async at(feeds: Tensors): Promise<Signal> {
    const results = await this.#session.run({ ...this.#open, ...feeds }, [...this.#gradients.values()]);
    const gradient = (input: string): Float32Array | null => {
      const output = this.#gradients.get(input);
      return output === undefined ? null : (results[output]!.data as Float32Array);
    };
    const classes = new Float64Array(this.position.size);
    for (const { input, labels } of this.#gated.gates) {
      const values = gradient(input);
      if (!values) continue;
      for (let i = 0; i < labels.length; i++) classes[this.position.get(find(this.#trace.space, labels[i]!))!]! += values[i]!;
    }
    return { classes, branches: this.#gated.branches.map(({ input, dims }) => gradient(input) ?? new Float32Array(dims[1]!)) };
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

/** Runs `work`, which draws from `random`, for every image, with progress; releases the sessions. */
async function eachImage(
  { inputs, ctx }: SignalRequest,
  random: Random,
  opened: readonly { release(): Promise<void> }[],
  work: (image: RunTensor) => Promise<readonly Signal[]>,
): Promise<Signal[]> {
  const { journal = NO_JOURNAL } = ctx;
  const list: Signal[] = [];
  const left = timer(inputs.length);
  try {
    for (const [done, image] of inputs.entries()) {
      ctx.cancel.throwIfAborted();
      ctx.progress({ step: 'prune', label: 'Judging channels', done, total: inputs.length, secondsLeft: left(done) });
      const { signals, drawn } = await journal.next(async () => ({ signals: await work(image), drawn: random.save() }));
      random.load(drawn);
      list.push(...signals);
    }
  } finally {
    for (const each of opened) await each.release();
  }
  return list;
}

/**
 * Derivatives of random directions of the outputs, in units of the loss's curvature: their mean squares are Gauss-Newton
 * removal costs.
 * @param vectors random directions an image
 * @throws StudioError 'unsupported' for a layer without a gradient
 */
export async function gaussNewtonSignals(request: SignalRequest, vectors: number): Promise<Signals> {
  const { trace, spec, branches, inputs, ctx } = request;
  const input = trace.model.graph.inputs[0]!.name;
  const dims = { [input]: inputs[0]!.dims };
  const plan = planCurvature(sized(trace.model, dims), spec);
  const gated = gatedModel(trace, branches);
  const student = plan.projected(sized(gated.model, dims));
  const random: Random = createRandom(ctx.seed);
  const gradients = await GateGradients.open(trace, gated, student.model, student.loss, ctx);
  const opened: { release(): Promise<void> }[] = [gradients];
  const scales = await ctx.engine.create(serializeModel(plan.scales));
  opened.push(scales);
  const list = await eachImage(request, random, opened, async (image) => {
    const known = await scales.run({ [input]: image }, plan.names);
    const signals: Signal[] = [];
    for (let v = 0; v < vectors; v++) signals.push(await gradients.at({ [input]: image, ...randomDirection(known, random) }));
    return signals;
  });
  return { position: gradients.position, list };
}

/** Noise on the student's input where teacher and student are the same network, in units of the input's σ. */
const NOISE = 0.1;

function perturbed(image: RunTensor, random: Random): RunTensor {
  const data = image.data as Float32Array;
  let sum = 0;
  let squares = 0;
  for (const value of data) {
    sum += value;
    squares += value * value;
  }
  const sigma = Math.sqrt(Math.max(squares / data.length - (sum / data.length) ** 2, 0));
  const noisy = (image.data as Float32Array).map((value) => value + NOISE * sigma * random.normal());
  return { ...image, data: noisy };
}

/**
 * Derivatives of the distillation loss against `teacher`. A network that is its own teacher has none, so it then sees its
 * images with noise.
 * @param teacher null = the network itself
 * @throws StudioError 'unsupported' for a layer without a gradient
 */
export async function taylorSignals(request: SignalRequest, teacher: Model | null): Promise<Signals> {
  const { trace, spec, branches, inputs, ctx } = request;
  const input = trace.model.graph.inputs[0]!.name;
  const dims = { [input]: inputs[0]!.dims };
  const reference = sized(teacher ?? trace.model, dims);
  const plan = planDistillation(reference, spec, { weights: PLAIN_WEIGHTS });
  const gated = gatedModel(trace, branches);
  const student = plan.student(sized(gated.model, dims));
  const random = createRandom(ctx.seed);
  const gradients = await GateGradients.open(trace, gated, student.model, student.loss, ctx);
  const opened: { release(): Promise<void> }[] = [gradients];
  const targets = await ctx.engine.create(serializeModel(plan.teacher(reference)));
  opened.push(targets);
  const list = await eachImage(request, random, opened, async (image) => [
    await gradients.at({ ...(await targets.run({ [input]: image })), [input]: teacher ? image : perturbed(image, random) }),
  ]);
  return { position: gradients.position, list };
}
