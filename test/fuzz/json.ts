/** Damage to JSON documents as printable descriptors. */
import fc from 'fast-check';

export type JsonMutation =
  /** The value at the k-th place becomes this JSON text. */
  | { readonly kind: 'value'; readonly at: number; readonly text: string }
  | { readonly kind: 'remove'; readonly at: number }
  /** A further key in the k-th object; written into the text, so that "__proto__" is a key of its own. */
  | { readonly kind: 'key'; readonly at: number; readonly key: string; readonly text: string }
  /** The k-th element of a list once more. */
  | { readonly kind: 'repeat'; readonly at: number }
  | { readonly kind: 'bury'; readonly at: number; readonly depth: number }
  /** The text itself. */
  | { readonly kind: 'cut'; readonly at: number }
  | { readonly kind: 'swap'; readonly at: number; readonly character: string };

interface Place {
  readonly holder: Record<string, unknown>;
  readonly key: string;
}

function placesOf(root: Record<string, unknown>): Place[] {
  const found: Place[] = [];
  const stack: unknown[] = [root];
  for (let value = stack.pop(); value !== undefined; value = stack.pop())
    for (const key of Object.keys(value as object)) {
      found.push({ holder: value as Record<string, unknown>, key });
      const inner = (value as Record<string, unknown>)[key];
      if (typeof inner === 'object' && inner !== null) stack.push(inner);
    }
  return found;
}

/** The document's text after the changes. */
export function damageJson(document: unknown, mutations: readonly JsonMutation[]): string {
  const root = { root: structuredClone(document) } as Record<string, unknown>;
  /** Texts that JSON.stringify wouldn't write, by the mark that stands for them. */
  const raw = new Map<string, string>();
  const mark = (text: string): string => {
    const name = `raw:${raw.size}:`;
    raw.set(JSON.stringify(name), text);
    return name;
  };
  for (const mutation of mutations) {
    const places = placesOf(root);
    const place = places[mutation.at % places.length]!;
    const { holder, key } = place;
    const inner = holder[key];
    if (mutation.kind === 'value') holder[key] = mark(mutation.text);
    else if (mutation.kind === 'remove') {
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else if (key !== 'root') delete holder[key];
    } else if (mutation.kind === 'key') {
      if (typeof inner === 'object' && inner !== null && !Array.isArray(inner))
        Object.defineProperty(inner, mutation.key, { value: mark(mutation.text), enumerable: true, configurable: true, writable: true });
    } else if (mutation.kind === 'repeat') {
      if (Array.isArray(holder)) holder.push(inner);
    } else if (mutation.kind === 'bury') holder[key] = mark(`${'['.repeat(mutation.depth)}0${']'.repeat(mutation.depth)}`);
  }
  let text = JSON.stringify(root.root) ?? 'null';
  for (const [name, replacement] of raw) text = text.replaceAll(name, () => replacement);
  for (const mutation of mutations) {
    const at = text.length === 0 ? 0 : mutation.at % text.length;
    if (mutation.kind === 'cut') text = text.slice(0, at);
    else if (mutation.kind === 'swap') text = `${text.slice(0, at)}${mutation.character}${text.slice(at + 1)}`;
  }
  return text;
}

const values = fc.constantFrom(
  ...['null', 'true', 'false', '0', '-1', '1', '0.5', '1e308', '-1e308', '1e999', '1e-320', '9007199254740993', '2147483648', '-0', '1.5'],
  ...[
    '""',
    '"x"',
    '"NaN"',
    '"Infinity"',
    '"12"',
    '"\\u0000"',
    '"\\ud800"',
    '"../../etc/passwd"',
    '"<img src=x onerror=alert(1)>"',
    '"$(touch /tmp/x)"',
  ],
  ...[
    '[]',
    '{}',
    '[null]',
    '[[]]',
    '[1,2,3,4]',
    '{"__proto__":{"polluted":true}}',
    '{"constructor":{"prototype":{"polluted":true}}}',
    '{"length":4}',
  ],
  `"${'x'.repeat(5000)}"`,
);

const keys = fc.constantFrom('__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'id', 'x', '', '$', 'bonsai', '\u202e');

const at = fc.nat(1 << 16);
const kind = <K extends JsonMutation['kind']>(value: K) => fc.constant(value);

const jsonMutation: fc.Arbitrary<JsonMutation> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: kind('value'), at, text: values }) },
  { weight: 3, arbitrary: fc.record({ kind: kind('remove'), at }) },
  { weight: 4, arbitrary: fc.record({ kind: kind('key'), at, key: keys, text: values }) },
  { weight: 3, arbitrary: fc.record({ kind: kind('repeat'), at }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('bury'), at, depth: fc.constantFrom(1, 10, 1000, 4000) }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('cut'), at }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: kind('swap'),
      at,
      character: fc.constantFrom('"', '{', '}', '[', ']', ',', ':', '\\', '\u0000', '9', 'e'),
    }),
  },
);

export const jsonMutations = fc.array(jsonMutation, { minLength: 1, maxLength: 5 });
