/** Two networks side by side, layer by layer: what each layer is given in one, and what it gives in the other. Shared by steps. */
export { gramNodes } from './gram-nodes';
export { fromRows, type MatrixLayer, matrixLayer, type Patches, toRows } from './layer';
export { type LockStep, lockStep, type Memory, remembered } from './lock-step';
