/**
 * Repair 'bias-correction': shifts each bias by what weight rounding moves the layer's mean output (Nagel et al. 2019,
 * "Data-free quantization", §4.2), with the means of the float network's inputs. Errors of quantized activations are
 * left out on purpose: clipping makes their mean, and making up for it moves every ordinary pixel.
 */
import { fixDimensions } from '../../../onnx';
import { lockStep } from '../../lock-step';
import { matrixLayers } from './least-squares/layout';
import { feedDims, Parameters, withOwnBiases } from './least-squares/parameters';
import type { QuantState, Repair, RepairContext } from './types';

const CHOICE = { maxInputs: Number.POSITIVE_INFINITY, grouped: true };
const IMAGES = 32;

async function correct(state: QuantState, ctx: RepairContext): Promise<QuantState> {
  const start = withOwnBiases(state);
  const fixed = fixDimensions(start.float, await feedDims(ctx.fit));
  const all = matrixLayers(fixed, start.plan, ctx.spec, ctx.options.fuseActivations, CHOICE);
  const layers = all.filter(({ bias }) => bias !== null);
  if (layers.length === 0) return state;
  const parameters = new Parameters(start, ctx.options, ctx.spec);
  let moved = false;
  await lockStep({
    student: start.float,
    teacher: null,
    layers,
    feeds: ctx.fit,
    images: IMAGES,
    engine: ctx.engine,
    cancel: ctx.cancel,
    progress: () => undefined,
    inOrder: false,
    sumsOnly: true,
    solve(layer, { inputSums, counts }) {
      const { rows, bias } = parameters.read(layer);
      const quantized = parameters.quantized(layer).rows;
      const corrected = bias.map((b, row) => {
        const group = Math.floor(row / layer.outputs);
        let shift = 0;
        for (let i = 0; i < layer.inputs; i++)
          shift +=
            ((rows[row * layer.inputs + i]! - quantized[row * layer.inputs + i]!) * inputSums[group * layer.inputs + i]!) / counts[group]!;
        if (shift !== 0) moved = true;
        return b + shift;
      });
      parameters.write(layer, { rows, bias: corrected }, false);
      return [];
    },
    ...(ctx.journal ? { journal: ctx.journal } : {}),
  });
  return moved ? parameters.state() : state;
}

export const biasCorrection: Repair = {
  id: 'bias-correction',
  label: 'Correcting biases for rounded weights',
  wanted: (options) => options.biasCorrection,
  apply: correct,
};
