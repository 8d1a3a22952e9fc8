import { describe, expect, it } from 'vitest';
import type { Model } from '../../src/onnx';
import { repair } from '../../src/steps/quantize/repairs';
import type { QuantState, Repair, RepairContext } from '../../src/steps/quantize/repairs/types';
import { splitRepairNotes } from '../../src/ui/results/repair-notes';

describe('what the repairs said', () => {
  it('is found among the notes by the sentences that a run writes', async () => {
    // Judged 4, then 1 (better), then 2 (worse): the runner keeps the first repair and leaves the second out.
    const scores = [4, 1, 2];
    const notes: string[] = ['The decode tail stays in float.'];
    const state = { float: emptyModel(), plan: { activations: new Map(), constants: [], layers: [], notes: [] } } as unknown as QuantState;
    const ctx = {
      options: {},
      held: { count: 9 },
      judge: { score: async () => scores.shift()! },
      cancel: { throwIfAborted() {} },
      progress() {},
      note: (text: string) => notes.push(text),
    } as unknown as RepairContext;
    const some = (id: Repair['id']): Repair => ({ id, label: id, wanted: () => true, apply: async (s) => ({ ...s }) });
    await repair(state, ctx, [some('least-squares'), some('bias-correction')]);
    const { repairs, others } = splitRepairNotes(notes);
    expect(repairs).toEqual([
      { id: 'least-squares', kept: true, sentence: 'Output error on 9 unseen images 4.00 → 1.00.' },
      {
        id: 'bias-correction',
        kept: false,
        sentence: 'The output error on 9 unseen images would have risen from 1.00 to 2.00.',
      },
    ]);
    expect(others).toEqual(['The decode tail stays in float.']);
  });
});

function emptyModel(): Model {
  return {
    irVersion: 8,
    opsets: { '': 13 },
    producer: '',
    producerVersion: '',
    notes: [],
    graph: { name: 'g', nodes: [], inputs: [], outputs: [], initializers: new Map(), valueInfo: new Map() },
  } as unknown as Model;
}
