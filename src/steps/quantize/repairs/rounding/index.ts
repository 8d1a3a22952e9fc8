/** Repair 'rounding': weights go to their grid where the layer's output errs least, instead of to the nearest integer. */

import type { Gram } from '../../../../numerics';
import { fixDimensions } from '../../../../onnx';
import { lockStep } from '../../../lock-step';
import { type MatrixLayer, matrixLayers } from '../least-squares/layout';
import { feedDims, Parameters, withOwnBiases } from '../least-squares/parameters';
import { simulate } from '../least-squares/simulate';
import type { QuantState, Repair, RepairContext } from '../types';
import { roundForOutput } from './round';

const LABEL = 'Rounding weights for the least output error';
const CHOICE = { maxInputs: 1200, grouped: true };
const IMAGES = 32;

/** The layer's weights on their grid; scales stay, so rounding to the nearest integer later gives the same integers. */
function roundLayer(parameters: Parameters, layer: MatrixLayer, gram: Gram): void {
  const { inputs, outputs, groups } = layer;
  const { scale, qmin, qmax } = parameters.weight(layer).params;
  const { rows, bias } = parameters.read(layer);
  const rounded = new Float64Array(rows.length);
  for (let g = 0; g < groups; g++) {
    const own = rows.subarray(g * outputs * inputs, (g + 1) * outputs * inputs);
    const scales = scale.length === 1 ? scale : scale.slice(g * outputs, (g + 1) * outputs);
    const product = gram.inputs.subarray(g * inputs * inputs, (g + 1) * inputs * inputs);
    const integers = roundForOutput(product, own, inputs, { scale: scales, qmin, qmax });
    integers.forEach((q, i) => {
      rounded[g * outputs * inputs + i] = q * scales[scales.length === 1 ? 0 : Math.floor(i / inputs)]!;
    });
  }
  parameters.write(layer, { rows: rounded, bias }, false);
}

/** @throws StudioError 'cancelled' */
async function round(state: QuantState, ctx: RepairContext): Promise<QuantState> {
  const start = withOwnBiases(state);
  const fixed = fixDimensions(start.float, await feedDims(ctx.fit));
  const layers = matrixLayers(fixed, start.plan, ctx.spec, ctx.options.fuseActivations, CHOICE);
  if (layers.length === 0) return state;
  const parameters = new Parameters(start, ctx.options, ctx.spec);
  await lockStep({
    student: simulate(start.float, start.plan),
    teacher: null,
    layers,
    feeds: ctx.fit,
    images: IMAGES,
    engine: ctx.engine,
    cancel: ctx.cancel,
    progress: () => undefined,
    inOrder: false,
    solve(layer, gram) {
      roundLayer(parameters, layer, gram);
      return [];
    },
    ...(ctx.journal ? { journal: ctx.journal } : {}),
  });
  return parameters.state();
}

export const rounding: Repair = { id: 'rounding', label: LABEL, wanted: (options) => options.rounding === 'gptq', apply: round };
