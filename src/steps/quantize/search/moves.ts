/** Where a search over quantize options starts, and what it may change. */
import type { OptionValues } from '../../common';

/** Options that are the device's or the user's to choose (granularity, integer types, what is shared) are never changed. */
type Moves = Readonly<Record<string, readonly (string | number | boolean)[]>>;

const MOVES: Moves = {
  splitLayers: [0, 1, 4, 16],
  reconstruct: ['off', 'least-squares'],
  learnSteps: [0, 300, 900, 2400],
  clipping: ['calibrator', 'task'],
  calibrator: ['percentile', 'mse', 'entropy', 'minmax'],
  percentile: [99.8, 99.9, 99.99],
  headOutputs: ['minmax', 'same'],
  weightRange: ['absmax', 'mse'],
  rounding: ['nearest', 'gptq'],
  biasCorrection: [false, true],
};

/** Layers in 16 bits that are tried, below what the recipe allows. */
const SIXTEEN_BIT_LAYERS = [1, 2, 3, 5, 8, 12, 20];

/** Cheap ones first: a budget that ends early has seen the most of them. */
const STARTS: readonly OptionValues[] = [
  { calibrator: 'percentile' },
  { calibrator: 'mse' },
  { calibrator: 'entropy' },
  { calibrator: 'percentile', splitLayers: 4 },
  { calibrator: 'percentile', reconstruct: 'least-squares' },
  { calibrator: 'percentile', splitLayers: 4, reconstruct: 'least-squares' },
  { calibrator: 'mse', reconstruct: 'least-squares' },
  { calibrator: 'percentile', clipping: 'task' },
  { calibrator: 'percentile', learnSteps: 300 },
  { calibrator: 'percentile', reconstruct: 'least-squares', learnSteps: 300 },
];

/** Every repair off, as the sensible recipes build on it; 16 bits stay as the recipe has them. */
const PLAIN: OptionValues = {
  splitLayers: 0,
  reconstruct: 'off',
  learnSteps: 0,
  clipping: 'calibrator',
  rounding: 'nearest',
  biasCorrection: false,
  percentile: 99.9,
  headOutputs: 'minmax',
  weightRange: 'absmax',
};

/** Options with what doesn't matter under them set to one value, so that equal recipes are known as equal. */
export function settled(options: OptionValues): OptionValues {
  return options.calibrator === 'percentile' ? options : { ...options, percentile: PLAIN.percentile! };
}

/** The recipe as it is, then a few sensible ones. */
export function starts(base: OptionValues): readonly OptionValues[] {
  return [base, ...STARTS.map((start) => ({ ...base, ...PLAIN, ...start }))].map(settled);
}

/** Every recipe that differs from `options` in one choice; of numbers, only by one step up or down. */
export function neighbours(options: OptionValues, base: OptionValues): readonly OptionValues[] {
  const found: OptionValues[] = [];
  const layers = SIXTEEN_BIT_LAYERS.filter((n) => n <= Number(base.sixteenBitLayers));
  const moves: Moves = options.sixteenBit === 'search' ? { ...MOVES, sixteenBitLayers: layers } : MOVES;
  for (const [key, values] of Object.entries(moves)) {
    if (key === 'percentile' && options.calibrator !== 'percentile') continue;
    const current = options[key]!;
    const near =
      typeof current === 'number'
        ? [values.findLast((v) => (v as number) < current), values.find((v) => (v as number) > current)]
        : values.filter((v) => v !== current);
    for (const value of near) if (value !== undefined) found.push(settled({ ...options, [key]: value }));
  }
  return found;
}
