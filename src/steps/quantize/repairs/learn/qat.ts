/**
 * Quantization-aware training: weights, scales, zero points and biases together, with the float network as the teacher.
 * Activations by LSQ+ (Bhalgat et al. 2020) or PACT (Choi et al. 2018); rates as ../shared/lab.md §3 and §11 found them.
 */
import type { Repair } from '../types';
import { LEARN_SETTINGS, learnOrLeave } from './index';

/** One scale a layer needs larger changes of the weights: channels have to come nearer to each other. */
const WEIGHT_RATES = { 'per-channel': 3e-4, 'per-tensor': 1e-3 } as const;

/**
 * One long cosine leaves the rate high for longer than a calibrated network bears: over 12,000 image-steps of YOLOX-Nano the
 * unseen loss was least (0.110) at 600, before the rate had risen, and 0.14 … 0.21 for the 3,000 after it.
 */
const CYCLE = 1500;

/** λ of PACT's regulariser. */
const CLIP_DECAY = 1e-4;

export const qat: Repair = {
  id: 'qat',
  label: 'Quantization-aware training',
  wanted: ({ qatSteps }) => qatSteps > 0,
  apply: (state, ctx) => {
    const { qatSteps, qatMethod, qatPatience, weights } = ctx.options;
    return learnOrLeave(state, ctx, {
      ...LEARN_SETTINGS,
      id: 'qat',
      label: qat.label,
      imageSteps: qatSteps,
      cycle: CYCLE,
      patience: qatPatience > 0 ? qatPatience : Number.POSITIVE_INFINITY,
      rates: { scale: 1e-2, bias: 2e-3, gain: 0 },
      weights: { weight: WEIGHT_RATES[weights], scale: 1e-2 },
      gradient: qatMethod,
      clipDecay: qatMethod === 'pact' ? CLIP_DECAY : 0,
      features: 0.3,
    });
  },
};
