/** How many nodes and weights a file has, counted before it is decoded: decoding millions would take minutes. */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { StudioError } from '../numerics';

/** Ten times any detector's; beyond it each step would take minutes. */
const MAX_NODES = 10_000;
const MAX_WEIGHTS = 50_000;

type Message = 'model' | 'graph' | 'node' | 'attribute' | 'weight';

/** Fields that hold the messages which can hold nodes and weights, by field number. */
const INSIDE: Readonly<Record<Message, Readonly<Record<number, Message>>>> = {
  model: { 7: 'graph' },
  graph: { 1: 'node', 5: 'weight' },
  node: { 5: 'attribute' },
  attribute: { 6: 'graph', 11: 'graph' },
  weight: {},
};

function refuse(count: number, what: string, most: number): void {
  if (count > most)
    throw new StudioError(
      'unsupported',
      `The network has more than ${most.toLocaleString('en')} ${what}.`,
      'Simplify it (for example with onnxsim), or export the detector alone.',
    );
}

/**
 * Counts in the whole model, subgraphs included. What isn't a message is left to the decoder.
 * @throws StudioError 'unsupported' beyond 10,000 nodes or 50,000 weights
 */
export function checkSize(bytes: Uint8Array): void {
  const reader = new BinaryReader(bytes);
  const open: { readonly message: Message; readonly end: number }[] = [{ message: 'model', end: reader.len }];
  let nodes = 0;
  let weights = 0;
  for (let top = open.at(-1); top; top = open.at(-1)) {
    if (reader.pos >= top.end) {
      open.pop();
      continue;
    }
    try {
      const [field, wire] = reader.tag();
      const inner = wire === WireType.LengthDelimited ? INSIDE[top.message][field] : undefined;
      if (!inner) {
        reader.skip(wire, field);
        continue;
      }
      const length = reader.uint32();
      const end = reader.pos + length;
      if (end > top.end) return;
      if (inner === 'node') nodes++;
      if (inner === 'weight') {
        weights++;
        reader.pos = end;
      } else open.push({ message: inner, end });
    } catch {
      return;
    }
    refuse(nodes, 'nodes', MAX_NODES);
    refuse(weights, 'weights', MAX_WEIGHTS);
  }
}
