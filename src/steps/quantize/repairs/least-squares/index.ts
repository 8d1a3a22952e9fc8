/**
 * Reconstruction by least squares: in graph order, each layer's weights and bias are solved again so that, given the
 * quantized network's inputs, it comes closest to the float network's pre-activation, which is linear in both.
 * (Layer-wise reconstruction without gradients, as Hubara et al. 2020, "Improving post training neural quantization".)
 */

import { type Gram, ridge, rowErrors } from '../../../../numerics';
import { fixDimensions } from '../../../../onnx';
import { type Journal, NO_JOURNAL } from '../../../journal';
import { lockStep, type Memory, remembered } from '../../../lock-step';
import { buildQdq } from '../../qdq';
import type { QuantState, Repair, RepairContext } from '../types';
import { onGrid } from './grid';
import { type LayerChoice, type MatrixLayer, matrixLayers } from './layout';
import { feedDims, Parameters, withOwnBiases } from './parameters';
import { simulate } from './simulate';

export interface LeastSquaresSettings extends LayerChoice {
  /** Images that the systems are summed over, at most. */
  readonly images: number;
  /** Pull to the old weights, relative to the inputs' mean square. */
  readonly lambda: number;
  /** Integers chosen for the least output error at once, so that later layers make up for what is left of it. */
  readonly round: boolean;
}

/** Chosen by the output error on images of coco-train; 64 images are better by a tenth for twice the time. */
export const LEAST_SQUARES: LeastSquaresSettings = { images: 48, lambda: 3e-2, maxInputs: 1200, grouped: true, round: false };

/** Columns per unknown below which a system says more about its few images than about the layer (squeeze-and-excite). */
const MIN_COUNT = 5;

const sum = (values: Float64Array): number => values.reduce((a, b) => a + b, 0);

/** Solves one layer; keeps the new weights only if, once quantized, they err less on this layer's own inputs. */
function solveLayer(parameters: Parameters, layer: MatrixLayer, gram: Gram, { lambda, round }: LeastSquaresSettings): boolean {
  if (gram.counts.some((count) => count < MIN_COUNT * layer.inputs)) return false;
  const old = parameters.read(layer);
  const solved = ridge(gram, old, layer, lambda, layer.bias !== null);
  if (!solved) return false;
  const before = sum(rowErrors(gram, parameters.quantized(layer), layer));
  parameters.write(layer, solved, true);
  if (round) {
    const { ratio, affine } = onGrid(layer, gram, solved, parameters.weight(layer).params.scale);
    if (parameters.rescale(layer, ratio)) parameters.write(layer, affine, false);
  }
  if (sum(rowErrors(gram, parameters.quantized(layer), layer)) < before) return true;
  parameters.write(layer, old, true);
  return false;
}

/** @throws StudioError 'cancelled' */
export async function reconstruct(
  state: QuantState,
  ctx: RepairContext,
  settings: LeastSquaresSettings = LEAST_SQUARES,
): Promise<QuantState> {
  const start = withOwnBiases(state);
  const fixed = fixDimensions(start.float, await feedDims(ctx.fit));
  const layers = matrixLayers(fixed, start.plan, ctx.spec, ctx.options.fuseActivations, settings);
  if (layers.length === 0) {
    ctx.note('Least squares found no convolution or linear layer that it can solve.');
    return state;
  }
  const parameters = new Parameters(start, ctx.options, ctx.spec);
  let solved = 0;
  const memory: Memory = {
    save: () => ({ parameters: parameters.save(), solved }),
    load(saved) {
      const { parameters: before, solved: count } = saved as { parameters: unknown; solved: number };
      parameters.load(before);
      solved = count;
    },
  };
  const solveAll = (journal: Journal) =>
    lockStep({
      student: simulate(start.float, start.plan),
      teacher: ctx.teacher,
      layers,
      feeds: ctx.fit,
      images: settings.images,
      engine: ctx.engine,
      cancel: ctx.cancel,
      progress: (done, total) => ctx.progress({ step: 'quantize', label: LABEL, done, total }),
      inOrder: true,
      solve(layer, gram) {
        if (!solveLayer(parameters, layer, gram, settings)) return [];
        solved++;
        return parameters.simulated(layer);
      },
      journal,
      memory,
    });
  await remembered(ctx.journal ?? NO_JOURNAL, memory, solveAll);
  ctx.note(`Least squares solved ${solved} of ${start.plan.layers.length} layers again.`);
  return solved === 0 ? state : parameters.state();
}

const LABEL = 'Solving weights again by least squares';

/** Pulls to the old weights, tried until unseen images say that it helps: NanoDet wants a stronger one than YOLOX. */
const STRENGTHS = [LEAST_SQUARES.lambda, 10 * LEAST_SQUARES.lambda];

export const leastSquares: Repair = {
  id: 'least-squares',
  label: LABEL,
  wanted: ({ reconstruct }) => reconstruct === 'least-squares',
  async apply(state, ctx) {
    const { weights, rounding } = ctx.options;
    const { journal = NO_JOURNAL } = ctx;
    const score = ({ float, plan }: QuantState) => journal.next((inner) => ctx.judge.score(buildQdq(float, plan), inner));
    const before = await score(state);
    let next = state;
    for (const lambda of STRENGTHS) {
      next = await reconstruct(state, ctx, { ...LEAST_SQUARES, lambda, round: weights === 'per-tensor' || rounding === 'gptq' });
      if (next === state || (await score(next)) < before) break;
    }
    return next;
  },
};
