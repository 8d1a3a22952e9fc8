/** Structured-cloneable values as JSON plus binary parts, and back. */
import { REPORT_IT, StudioError } from '../numerics';

type Plain = null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain };

const ARRAYS = {
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
} as const;
type ArrayName = keyof typeof ARRAYS;

const damaged = (what: string) =>
  new StudioError('bad-file', `The workspace file is damaged: ${what}.`, 'Export it again where it was made.');

/** Far deeper than anything that is stored. */
const MAX_DEPTH = 200;

/** Key that marks what JSON has no word for. */
const TAG = '$';

export interface Packer {
  /** What {@link unpackValue} turns back. Throws StudioError 'runtime' for functions and symbols. */
  pack(value: unknown): Plain;
  /** Binary parts in the order of their numbers; equal buffers once. */
  readonly parts: readonly Blob[];
}

export function openPacker(): Packer {
  const parts: Blob[] = [];
  const known = new Map<unknown, number>();
  const part = (key: unknown, make: () => Blob): number => {
    let index = known.get(key);
    if (index === undefined) {
      index = parts.push(make()) - 1;
      known.set(key, index);
    }
    return index;
  };
  const view = (v: ArrayBufferView): Plain => {
    const of = v.constructor.name;
    if (!Object.hasOwn(ARRAYS, of)) throw new StudioError('runtime', `A ${of} can't be exported.`, REPORT_IT);
    return { [TAG]: 'array', of, part: part(v, () => new Blob([v as BlobPart])) };
  };
  const object = (value: object): Plain => {
    if (Array.isArray(value)) return Array.from(value, pack);
    if (ArrayBuffer.isView(value)) return view(value);
    if (value instanceof ArrayBuffer) return { [TAG]: 'buffer', part: part(value, () => new Blob([value])) };
    if (value instanceof Blob) {
      const plain = { [TAG]: 'blob', type: value.type, part: part(value, () => value) };
      return typeof File !== 'undefined' && value instanceof File ? { ...plain, name: value.name, at: value.lastModified } : plain;
    }
    if (value instanceof Map) return { [TAG]: 'map', entries: [...value].map(([k, v]) => [pack(k), pack(v)]) };
    if (value instanceof Set) return { [TAG]: 'set', entries: [...value].map(pack) };
    if (value instanceof Date) return { [TAG]: 'date', at: pack(value.getTime()) };
    const entries = Object.entries(value).map(([k, v]) => [k, pack(v)] as const);
    // An object with the tag's own key, or one that JSON.parse would read as a prototype, travels as pairs.
    if (entries.some(([k]) => k === TAG || k === '__proto__')) return { [TAG]: 'object', entries };
    return Object.fromEntries(entries);
  };
  function pack(value: unknown): Plain {
    switch (typeof value) {
      case 'string':
      case 'boolean':
        return value;
      case 'number':
        return Number.isFinite(value) && !Object.is(value, -0)
          ? value
          : { [TAG]: 'number', is: Object.is(value, -0) ? '-0' : String(value) };
      case 'bigint':
        return { [TAG]: 'bigint', is: String(value) };
      case 'undefined':
        return { [TAG]: 'undefined' };
      case 'object':
        return value === null ? null : object(value);
      default:
        throw new StudioError('runtime', `A ${typeof value} can't be exported.`, REPORT_IT);
    }
  }
  return { pack, parts };
}

type Tagged = { readonly [key: string]: unknown };

/**
 * @param part binary part by number
 * @throws StudioError 'bad-file' for anything that {@link openPacker} doesn't write
 */
export async function unpackValue(plain: unknown, part: (index: number) => Promise<Blob>, depth = 0): Promise<unknown> {
  if (depth > MAX_DEPTH) throw damaged(`it has values nested more than ${MAX_DEPTH} deep`);
  const inner = (value: unknown) => unpackValue(value, part, depth + 1);
  if (Array.isArray(plain)) return Promise.all(plain.map(inner));
  if (typeof plain !== 'object' || plain === null) return plain;
  const tagged = plain as Tagged;
  if (!Object.hasOwn(tagged, TAG)) {
    const entries = Object.entries(tagged).map(async ([k, v]) => [k, await inner(v)] as const);
    return Object.fromEntries(await Promise.all(entries));
  }
  const blob = () => {
    if (!Number.isInteger(tagged.part)) throw damaged('a part has no number');
    return part(tagged.part as number);
  };
  const list = () => {
    if (!Array.isArray(tagged.entries)) throw damaged('a list is missing');
    return inner(tagged.entries) as Promise<unknown[]>;
  };
  const pairs = async () => {
    const found = await list();
    if (!found.every((pair) => Array.isArray(pair) && pair.length === 2)) throw damaged('a pair is incomplete');
    return found as [unknown, unknown][];
  };
  switch (tagged[TAG]) {
    case 'undefined':
      return undefined;
    case 'number':
      if (typeof tagged.is !== 'string') throw damaged('a number is none');
      return Number(tagged.is);
    case 'bigint':
      if (typeof tagged.is !== 'string' || !/^-?\d+$/.test(tagged.is)) throw damaged('a number is none');
      return BigInt(tagged.is);
    case 'date': {
      const at = await inner(tagged.at);
      if (typeof at !== 'number') throw damaged('a date is none');
      return new Date(at);
    }
    case 'map':
      return new Map(await pairs());
    case 'set':
      return new Set(await list());
    case 'object':
      return Object.fromEntries(
        (await pairs()).map(([k, v]) => {
          if (typeof k !== 'string') throw damaged('a key is no text');
          return [k, v];
        }),
      );
    case 'buffer':
      return (await blob()).arrayBuffer();
    case 'array': {
      if (typeof tagged.of !== 'string' || !Object.hasOwn(ARRAYS, tagged.of))
        throw damaged(typeof tagged.of === 'string' ? `"${tagged.of}" is no array` : 'an array has no kind');
      const type = ARRAYS[tagged.of as ArrayName];
      const buffer = await (await blob()).arrayBuffer();
      if (buffer.byteLength % type.BYTES_PER_ELEMENT !== 0) throw damaged('an array is cut');
      return new type(buffer);
    }
    case 'blob': {
      const type = typeof tagged.type === 'string' ? tagged.type : '';
      const bytes = await blob();
      if (typeof tagged.name !== 'string') return bytes.slice(0, bytes.size, type);
      return new File([bytes], tagged.name, { type, lastModified: typeof tagged.at === 'number' ? tagged.at : 0 });
    }
    default:
      throw damaged(typeof tagged[TAG] === 'string' ? `it has a value of kind "${tagged[TAG]}"` : 'it has a value without a kind');
  }
}
