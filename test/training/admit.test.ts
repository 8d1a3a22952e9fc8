/** Which engine trains. */
import { describe, expect, it } from 'vitest';
import { StudioError } from '../../src/numerics';
import type { Engine } from '../../src/runtime';
import { type GraphObjective, gradientCosine, openAdmitted, type Variable } from '../../src/training';

const CPU = { backend: 'node' } as Engine;
const GPU = { backend: 'webgpu' } as Engine;
const variables: readonly Variable[] = [
  { name: 'w', dims: [2], data: Float32Array.of(1, 2), unit: Float32Array.of(1), rate: 1 },
  { name: 'b', dims: [1], data: Float32Array.of(3), unit: Float32Array.of(1), rate: 1 },
];

interface Behaviour {
  readonly gradients?: readonly number[];
  readonly loss?: number;
  readonly ms?: number;
  readonly breaks?: 'open' | 'run';
}

/** @returns what was chosen, what was released, and what the user is told */
async function choose(gpu: Behaviour | null, cpu: Behaviour = { ms: 30 }) {
  const released: string[] = [];
  const notes: string[] = [];
  const open = async (engine: Engine): Promise<GraphObjective & { id: string }> => {
    const { gradients = [1, -2, 0.5], loss = 4, ms = 1, breaks } = engine === GPU ? gpu! : cpu;
    const id = engine === GPU ? 'gpu' : 'cpu';
    const broken = () => new StudioError('runtime', 'The device was lost.', 'Try again.');
    if (breaks === 'open') throw broken();
    return {
      id,
      async gradients(values) {
        expect(values).toEqual({ w: Float32Array.of(1, 2), b: Float32Array.of(3) });
        if (breaks === 'run') throw broken();
        await new Promise((resolve) => setTimeout(resolve, ms));
        const [a, b, c] = gradients as readonly [number, number, number];
        return { loss, gradients: { w: Float32Array.of(a, b), b: Float32Array.of(c) } };
      },
      judge: async () => 0,
      release: async () => void released.push(id),
    };
  };
  const chosen = (await openAdmitted(open, { engine: CPU, gpu: gpu && GPU }, variables, (text) => notes.push(text))) as unknown as {
    id: string;
  };
  return { id: chosen.id, released, notes };
}

describe('training', () => {
  it('runs on the CPU where there is no GPU, and nobody is told', async () => {
    expect(await choose(null)).toEqual({ id: 'cpu', released: [], notes: [] });
  });

  it('runs on the GPU where its gradients agree and it is faster', async () => {
    const { id, released, notes } = await choose({ gradients: [1.001, -2.002, 0.5005], loss: 4.001 });
    expect([id, released]).toEqual(['gpu', ['cpu']]);
    expect(notes).toEqual([
      expect.stringMatching(
        /^Training runs on the GPU, whose gradients agree with the CPU's \(\d+ ms a step there, \d+ ms on the CPU\)\.$/,
      ),
    ]);
  });

  it('stays on the CPU where the GPU is slower', async () => {
    const { id, released, notes } = await choose({ ms: 40 }, { ms: 1 });
    expect([id, released]).toEqual(['cpu', ['gpu']]);
    expect(notes[0]).toContain('the GPU agrees with it but is slower');
  });

  it.each<[string, Behaviour]>([
    ['gradients point elsewhere', { gradients: [1, -2, 0.8] }],
    ['a gradient is no number', { gradients: [1, Number.NaN, 0.5] }],
    ['the loss is another', { loss: 4.2 }],
  ])('stays on the CPU where %s', async (_, gpu) => {
    const { id, released, notes } = await choose(gpu);
    expect([id, released]).toEqual(['cpu', ['gpu']]);
    expect(notes[0]).toContain("the GPU's gradients differ from its");
  });

  it.each(['open', 'run'] as const)('stays on the CPU where the GPU fails to %s', async (breaks) => {
    const { id, released, notes } = await choose({ breaks });
    expect([id, released]).toEqual(['cpu', breaks === 'run' ? ['gpu'] : []]);
    expect(notes).toEqual(['Training runs on the CPU: the GPU could not run the training graph (The device was lost.)']);
  });

  it('compares gradients of all variables together', () => {
    expect(
      gradientCosine({ a: Float32Array.of(3), b: Float32Array.of(0, 4) }, { a: Float32Array.of(4), b: Float32Array.of(0, 3) }),
    ).toBeCloseTo(0.96, 6);
    expect(gradientCosine({ a: Float32Array.of(0) }, { a: Float32Array.of(0) })).toBe(1);
    expect(gradientCosine({ a: Float32Array.of(1) }, {})).toBeNaN();
  });
});
