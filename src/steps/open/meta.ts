import type { StepMeta } from '../meta';

export const openMeta: StepMeta = { id: 'open', version: 1, options: [] };
