import type { StepMeta } from '../meta';

export const inspectMeta: StepMeta = { id: 'inspect', version: 1, options: [] };
