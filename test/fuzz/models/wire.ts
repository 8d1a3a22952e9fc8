/** Damage to single protobuf fields where they lie in the file, without mending the lengths around them. */

export interface WireMutation {
  readonly kind: 'wire';
  /** Which field, over all messages that are walked. */
  readonly field: number;
  readonly change: 'number' | 'type' | 'length' | 'repeat';
  readonly value: number;
}

interface Field {
  readonly tag: number;
  readonly body: number;
  readonly end: number;
  readonly wire: number;
}

/** Messages by their path of field numbers: model → graph → node, tensor, value; node → attribute → tensor, graph. */
const NESTED: Readonly<Record<string, readonly number[]>> = { model: [7, 8, 14], graph: [1, 5, 11, 12, 13], node: [5], type: [] };
const INNER: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  model: { 7: 'graph', 8: 'type', 14: 'type' },
  graph: { 1: 'node', 5: 'type', 11: 'type', 12: 'type', 13: 'type' },
  node: { 5: 'type' },
};

function varint(bytes: Uint8Array, at: number): readonly [number, number] {
  let value = 0;
  let factor = 1;
  for (let i = at; i < Math.min(at + 10, bytes.length); i++) {
    value += (bytes[i]! & 127) * factor;
    factor *= 128;
    if (bytes[i]! < 128) return [value, i + 1];
  }
  return [Number.NaN, bytes.length];
}

/** Fields of the messages that NESTED names, in file order. Stops at the first that can't be read. */
function fieldsOf(bytes: Uint8Array, from: number, to: number, message: string, found: Field[]): void {
  for (let at = from; at < to; ) {
    const [tag, body] = varint(bytes, at);
    const wire = tag & 7;
    let end = body;
    if (wire === 0) end = varint(bytes, body)[1];
    else if (wire === 1) end = body + 8;
    else if (wire === 5) end = body + 4;
    else if (wire === 2) {
      const [length, start] = varint(bytes, body);
      end = start + length;
      if (!(end <= to)) return;
      found.push({ tag: at, body, end, wire });
      if (NESTED[message]!.includes(tag >> 3)) fieldsOf(bytes, start, end, INNER[message]![tag >> 3]!, found);
      at = end;
      continue;
    } else return;
    if (!(end <= to)) return;
    found.push({ tag: at, body, end, wire });
    at = end;
  }
}

export function damageFields(bytes: Uint8Array, { field, change, value }: WireMutation): Uint8Array {
  const found: Field[] = [];
  fieldsOf(bytes, 0, bytes.length, 'model', found);
  if (found.length === 0) return bytes;
  const { tag, body, end, wire } = found[field % found.length]!;
  if (change === 'repeat') {
    const out = new Uint8Array(bytes.length + end - tag);
    out.set(bytes.subarray(0, end));
    out.set(bytes.subarray(tag, end), end);
    out.set(bytes.subarray(end), end + end - tag);
    return out;
  }
  const out = bytes.slice();
  if (change === 'number') out[tag] = ((value & 15) << 3) | wire;
  else if (change === 'type') out[tag] = (out[tag]! & 0xf8) | (value & 7);
  // The length becomes as large as its bytes can say.
  else if (wire === 2) for (let i = body; i < Math.min(body + 1 + (value & 7), out.length); i++) out[i] = 0xff;
  return out;
}
