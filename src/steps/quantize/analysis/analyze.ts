/**
 * The analysis: what weights and activations cost, which layers cost most, and why. Everything is measured on one
 * switchboard; the most telling measurements come first, so that a short budget leaves out detail, not the answer.
 */
import type { DetectorSpec } from '../../../models';
import { fakeQuant } from '../../../numerics';
import { type Model, parseModel, serializeModel } from '../../../onnx';
import type { Engine, RunTensor, Tensors } from '../../../runtime';
import { canonicalJson, type OptionValues } from '../../common';
import type { OutputError } from '../../output-error';
import type { CancelToken, Progress, RangesArtifact } from '../../types';
import { type QuantizeOptions, quantizeMeta } from '../meta';
import { planQuantization } from '../plan';
import type { QuantPlan } from '../plan-types';
import { buildQdq } from '../qdq';
import type { QuantState } from '../repairs/types';
import { splittable } from '../split-channels';
import { type Board, type Carried, openBoard } from './board';
import { channelPowers, floats, NO_POWER, outputPower, type Power, powerOf, sqnrOf } from './distance';
import { analysisError } from './judged';
import { type AnalysisState, checkBudget, Measurements, newAnalysisState } from './measurements';
import { assemble, costOf, type Diagnosis, layerKey } from './report';
import { chunked, findRows, NOTHING, type Row, type Rows } from './rows';
import type { AnalysisReport } from './types';
import { type ChannelShift, channelShifts, compensated, type Finding, findCauses, meanShift, type Scene, weightDb } from './verdicts';

export interface AnalysisInput {
  readonly name: string;
  /** As `quantizableModel` gives it. */
  readonly float: Model;
  /** The network's file, for what folding hides; null where there is none. */
  readonly source: { readonly bytes: Uint8Array; readonly external?: ReadonlyMap<string, Uint8Array> } | null;
  readonly spec: DetectorSpec | null;
  readonly ranges: RangesArtifact;
  readonly options: QuantizeOptions;
  /** Inputs of a few images. */
  readonly feeds: readonly Tensors[];
  /** What the recipe's repairs made of plan and weights; absent: the plan as calibrated. */
  readonly repaired?: QuantState;
  /** Prepares, calibrates and repairs the network as options ask; absent or null: such gains are not measured. */
  fit?(options: QuantizeOptions): Promise<QuantState | null>;
}

export interface AnalysisContext {
  readonly engine: Engine;
  readonly cancel: CancelToken;
  progress(p: Progress): void;
}

/** Fitting a repair can't be stopped half way: it begins only in the first part of a budget. */
const FIT_SHARE = 0.5;
/** Layers, costliest first, whose own gains are measured. */
const LAYERS = 40;
/** Options whose effect has to be fitted on images, or that change the float network, so that no plan alone shows it. */
const FITTED: ReadonlySet<string> = new Set(['splitLayers', 'equalize', 'biasCorrection', 'reconstruct']);
const flat = ({ signal, noise, product, energy }: Power): readonly number[] => [signal, noise, product, energy];

/** One measurement of a row; `db` is what rounding does to the value or weights themselves. */
interface Question {
  readonly row: Row;
  readonly of: 'value' | 'weight';
  readonly db: number;
}

/** What the float network gives for one image. */
interface Reference {
  readonly outputs: Record<string, RunTensor>;
  readonly carried: Carried;
  readonly error: OutputError;
}

/** A finding with the plan to compare with, where a plan shows its gain. */
interface Case {
  readonly row: Row;
  readonly finding: Finding;
  readonly other: QuantPlan | null;
  /** Cases of equal key have the same gain. */
  readonly key: string | null;
}

class Analysis {
  readonly exact: QuantState;
  readonly base: QuantState;
  readonly scene: Scene;
  readonly rows: Rows;
  readonly cases: Case[] = [];
  readonly #references: Reference[] = [];
  board!: Board;

  constructor(
    readonly input: AnalysisInput,
    readonly ctx: AnalysisContext,
    readonly measurements: Measurements,
  ) {
    const { float, ranges, options, spec, repaired } = input;
    this.base = repaired ?? { float, plan: planQuantization(float, ranges, options, spec) };
    this.exact = { float, plan: { ...this.base.plan, ...NOTHING } };
    this.rows = findRows(this.base.float, this.base.plan, options, spec);
    const source = input.source && parseModel(input.source.bytes, input.source.external);
    const cut = splittable(input.float, ranges);
    this.scene = { float: this.base.float, plan: this.base.plan, options, spec, ranges, rows: this.rows, splittable: cut, source };
    for (const row of this.rows.rows) for (const finding of findCauses(this.scene, row)) this.cases.push(this.#caseOf(row, finding));
  }

  #caseOf(row: Row, finding: Finding): Case {
    if (finding.unmended) return { row, finding, other: finding.unmended, key: `unmended|${row.node}` };
    const keys = Object.keys(finding.repair ?? {});
    // After fitted repairs a plan made anew would throw them away, and the comparison would be unfair.
    if (keys.length === 0 || this.input.repaired) return { row, finding, other: null, key: null };
    const key = canonicalJson(finding.repair);
    if (keys.some((k) => FITTED.has(k))) return { row, finding, other: null, key };
    const known = this.cases.find((c) => c.key === key)?.other;
    return { row, finding, other: known ?? this.#planned(finding.repair!), key };
  }

  #planned(repair: OptionValues): QuantPlan {
    const { float, ranges, options, spec } = this.input;
    return planQuantization(float, ranges, { ...options, ...repair }, spec);
  }

  async open(): Promise<void> {
    const plans = [this.base.plan, ...new Set(this.cases.flatMap(({ other }) => other ?? []))];
    const taps = this.rows.rows.flatMap(({ value, rawValue }) => [value, rawValue]);
    this.board = await openBoard(this.base.float, plans, [...new Set(taps)], this.ctx.engine, {
      exact: this.input.float,
      starts: true,
    });
  }

  async reference(image: number): Promise<Reference> {
    const known = this.#references[image];
    if (known) return known;
    const { outputs: all, carried } = await this.board.carry(this.input.feeds[image]!);
    const outputs = floats(all);
    return (this.#references[image] = { outputs, carried, error: analysisError(this.input.spec, outputs) });
  }

  /** Output error of any state on one image. */
  async errorOf(image: number, state: QuantState): Promise<number> {
    const { error, carried } = await this.reference(image);
    return error(floats(await this.board.run(this.input.feeds[image]!, state, [], carried)));
  }

  with(plan: QuantPlan): QuantState {
    return { float: this.base.float, plan };
  }

  /** Weights only, activations only, both; and every value alone and accumulated. */
  async whole(image: number): Promise<void> {
    const { plan } = this.base;
    const parts = {
      weights: { ...plan, activations: NOTHING.activations },
      activations: { ...plan, constants: NOTHING.constants },
      both: plan,
    };
    for (const [name, part] of Object.entries(parts))
      await this.measurements.always(`whole|${name}|${image}`, async () => {
        const { outputs, error } = await this.reference(image);
        const other = floats(await this.board.run(this.input.feeds[image]!, this.with(part)));
        return [error(other), ...flat(outputPower(outputs, other))];
      });
    await this.measurements.always(`taps|${image}`, async () => {
      const powers = new Map<Row, readonly number[]>();
      for (const chunk of chunked(
        this.input.float,
        this.rows.rows.map((row) => ({ row })),
      )) {
        this.ctx.cancel.throwIfAborted();
        const names = chunk.map(({ row }) => row.value);
        const feeds = this.input.feeds[image]!;
        const [exact, both] = [await this.board.run(feeds, this.exact, names), await this.board.run(feeds, this.base, names)];
        for (const { row } of chunk) {
          const x = exact[row.value] ?? feeds[row.value]!;
          const planned = plan.activations.get(row.value);
          const alone = planned
            ? powerOf(x, { ...x, data: fakeQuant({ dims: x.dims, data: x.data as Float32Array }, planned.params) })
            : NO_POWER;
          powers.set(row, [...flat(alone), ...flat(powerOf(x, both[row.value] ?? x))]);
        }
      }
      return this.rows.rows.flatMap((row) => powers.get(row)!);
    });
  }

  /** What is to be measured of each row, worst-looking first by what rounding does to the value or weights themselves. */
  #ordered(): readonly Question[] {
    const taps = this.measurements.get('taps|0')!;
    const questions = this.rows.rows.flatMap((row, i): Question[] => {
      const [signal, noise] = taps.slice(i * 8, i * 8 + 2) as [number, number];
      return [
        ...(row.quantized ? [{ row, of: 'value' as const, db: sqnrOf({ ...NO_POWER, signal, noise }) }] : []),
        ...(row.hasWeights ? [{ row, of: 'weight' as const, db: weightDb(this.scene, row.made) }] : []),
      ];
    });
    return questions.sort((a, b) => a.db - b.db);
  }

  /** Output error of every row's value, and of its weights, alone. */
  async sensitivities(image: number): Promise<void> {
    const feeds = this.input.feeds[image]!;
    for (const chunk of chunked(this.input.float, this.#ordered())) {
      const names = new Set(chunk.flatMap(({ row, of }) => (of === 'weight' ? [row.value, row.rawValue] : [])));
      let exact: Record<string, RunTensor> | null = null;
      for (const { row, of } of chunk) {
        if (of === 'value')
          await this.measurements.ifTime(`value|${row.value}|${image}`, async () => [
            await this.errorOf(image, this.with(this.rows.valuePart(this.base.plan, row))),
          ]);
        else
          await this.measurements.ifTime(`weight|${row.node}|${image}`, async () => {
            exact ??= await this.board.run(feeds, this.exact, [...names]);
            return this.#weights(image, row, exact);
          });
      }
    }
  }

  /** Output error, power of the value, and what happened to the layer's own output, with only its weights quantized. */
  async #weights(image: number, row: Row, exact: Record<string, RunTensor>): Promise<readonly number[]> {
    const { error, carried } = await this.reference(image);
    const state = this.with(this.rows.weightPart(this.base.plan, row));
    const other = await this.board.run(this.input.feeds[image]!, state, [row.value, row.rawValue], carried);
    const raw = [exact[row.rawValue]!, other[row.rawValue]!] as const;
    const outputs = Object.fromEntries(this.input.float.graph.outputs.map(({ name }) => [name, other[name]!]));
    const power = powerOf(exact[row.value]!, other[row.value]!);
    return [error(floats(outputs)), ...flat(power), ...channelPowers(...raw)];
  }

  /** Mean shifts that the weight runs have shown. */
  findShifts(): void {
    for (const row of this.rows.rows) {
      const shifts = this.#shiftsOf(row);
      const finding = shifts.length > 0 ? meanShift(this.scene, row, shifts) : null;
      if (finding) this.cases.push(this.#caseOf(row, finding));
    }
  }

  #shiftsOf(row: Row): readonly ChannelShift[] {
    const runs = this.input.feeds.flatMap((_, image) => {
      const run = this.measurements.get(`weight|${row.node}|${image}`);
      return run ? [run.slice(5)] : [];
    });
    return channelShifts(runs);
  }

  /** Whole-network error with one repair alone; each distinct repair once. */
  async gains(fitted: boolean): Promise<void> {
    const { measurements, input } = this;
    const distinct = [...new Map(this.cases.filter(({ key }) => key !== null).map((c) => [c.key!, c]))];
    // A cut or an equalization costs one calibration, the others a fit: quick ones first.
    const rank = ({ finding }: Case): number => Math.max(-1, ...Object.keys(finding?.repair ?? {}).map((k) => [...FITTED].indexOf(k)));
    distinct.sort(([, a], [, b]) => rank(a) - rank(b));
    for (const [key, { other, finding }] of distinct) {
      if ((other === null) !== fitted || !finding) continue;
      if (other) {
        for (let image = 0; image < input.feeds.length; image++)
          await measurements.ifTime(`gain|${key}|${image}`, async () => [
            await this.errorOf(image, { float: this.base.float, plan: other }),
          ]);
        continue;
      }
      await measurements.ifTime(
        `fitted|${key}`,
        async () => {
          const state = await input.fit?.({ ...input.options, ...finding.repair });
          if (!state) return [];
          return this.#errorsOf(buildQdq(state.float, state.plan));
        },
        FIT_SHARE,
      );
    }
  }

  /** Output error on every image of a network that the board can't be. */
  async #errorsOf(model: Model): Promise<number[]> {
    const session = await this.ctx.engine.create(serializeModel(model), { optimization: 'disabled' });
    try {
      const errors: number[] = [];
      for (const [image, feeds] of this.input.feeds.entries()) {
        this.ctx.cancel.throwIfAborted();
        const { error } = await this.reference(image);
        errors.push(error(floats(await session.run(feeds))));
      }
      return errors;
    } finally {
      await session.release();
    }
  }

  /** Error with nothing quantized but what a verdict is about, before and after its repair; for the costliest layers. */
  async layerGains(): Promise<void> {
    const { plan } = this.base;
    const cost = new Map(this.rows.rows.map((row) => [row, costOf(this.diagnosis(), row)]));
    const ranked = [...this.rows.rows].sort((a, b) => cost.get(b)! - cost.get(a)!);
    for (const row of ranked.slice(0, LAYERS))
      for (const { finding, other } of this.cases.filter((c) => c.row === row)) {
        const changed = finding.kind === 'mean-shift' ? compensated(this.scene, row, this.#shiftsOf(row)) : null;
        if (!other && !changed) continue;
        const values = new Set(finding.values ?? [row.value]);
        const part = (whole: QuantPlan): QuantPlan => ({
          ...whole,
          activations: new Map([...whole.activations].filter(([value]) => values.has(value))),
          constants: values.size === 0 ? this.rows.weightPart(whole, row).constants : [],
        });
        const after: QuantState = { float: changed ?? this.base.float, plan: part(other ?? plan) };
        const known = values.size === 0 ? `weight|${row.node}` : finding.values ? null : `value|${row.value}`;
        for (let image = 0; image < this.input.feeds.length; image++)
          await this.measurements.ifTime(`${layerKey(row, finding)}|${image}`, async () => [
            (known === null ? undefined : this.measurements.get(`${known}|${image}`)?.[0]) ??
              (await this.errorOf(image, this.with(part(plan)))),
            await this.errorOf(image, after),
          ]);
      }
  }

  diagnosis(): Diagnosis {
    return { input: this.input, rows: this.rows, cases: this.cases, measurements: this.measurements };
  }

  get total(): number {
    const { rows } = this.rows;
    const perImage = 4 + rows.filter(({ quantized }) => quantized).length + rows.filter(({ hasWeights }) => hasWeights).length;
    return this.input.feeds.length * (perImage + this.cases.filter(({ other }) => other !== null).length);
  }
}

/**
 * Analyses a quantized network on a few images.
 * @param budget seconds for this call (the first figures of every image are measured whatever it says), and what an
 *   earlier call has measured with the same input; it is added to, and stays valid when the call is cancelled
 * @throws StudioError 'cancelled', 'bad-option', or of a network that doesn't run
 */
export async function analyzeQuantization(
  input: AnalysisInput,
  budget: { readonly seconds: number; readonly state?: AnalysisState },
  ctx: AnalysisContext,
): Promise<AnalysisReport> {
  checkBudget(budget.seconds, input.feeds.length);
  const state = budget.state ?? newAnalysisState();
  const report = (): void =>
    ctx.progress({
      step: quantizeMeta.id,
      label: 'Analysing layers',
      done: Math.min(Object.keys(state.measured).length, analysis.total),
      total: analysis.total,
    });
  const measurements = new Measurements(state, budget.seconds, ctx.cancel, report);
  const analysis = new Analysis(input, ctx, measurements);
  await analysis.open();
  try {
    const images = input.feeds.map((_, image) => image);
    for (const image of images) await analysis.whole(image);
    await analysis.gains(false);
    for (const image of images) await analysis.sensitivities(image);
    analysis.findShifts();
    await analysis.gains(true);
    await analysis.layerGains();
    return assemble(analysis.diagnosis());
  } finally {
    await analysis.board.release();
  }
}
