/** Class names of a network: from its metadata, COCO's 80, or numbered. */
import type { Model } from '../onnx';
import { COCO_NAMES } from './coco';

const KEYS = ['names', 'class_names', 'classes', 'labels'];

/** Reads JSON or Python text: ["a", "b"], {"0": "a"}, {0: 'a', 1: "b's"}, or a plain list by commas or lines. */
export function parseNames(text: string): readonly string[] | null {
  const trimmed = text.trim();
  try {
    return fromValue(JSON.parse(trimmed));
  } catch {
    // Not JSON: Python's repr or plain text.
  }
  if (/^[[{(]/.test(trimmed)) {
    const strings = [...trimmed.matchAll(/(?:(\d+)\s*:\s*)?(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")/g)];
    const entries = strings.map((m, i) => [Number(m[1] ?? i), (m[2] ?? m[3] ?? '').replace(/\\(.)/g, '$1')] as const);
    return entries.length > 0 ? inOrder(entries) : null;
  }
  const parts = trimmed.split(/[\n,;]/).map((part) => part.trim());
  return parts.length > 1 && parts.every((part) => part !== '') ? parts : null;
}

function fromValue(value: unknown): readonly string[] | null {
  if (Array.isArray(value)) return value.length > 0 ? value.map(String) : null;
  if (!value || typeof value !== 'object') return null;
  return inOrder(Object.entries(value).map(([key, name]) => [Number(key), String(name)] as const));
}

/** Names by index, null unless the indices are 0…n−1. */
function inOrder(entries: readonly (readonly [number, string])[]): readonly string[] | null {
  const names: string[] = [];
  for (const [index, name] of entries) names[index] = name;
  return entries.length > 0 && names.length === entries.length && Object.keys(names).length === names.length ? names : null;
}

/** Names that the file itself gives, whatever their number; null when it gives none. */
export function metadataNames(model: Model): readonly string[] | null {
  for (const key of KEYS) {
    const names = model.metadata[key] === undefined ? null : parseNames(model.metadata[key]);
    if (names) return names;
  }
  return null;
}

/** `count` names: the file's own when it has as many, COCO's for 80, "class 0" … otherwise. */
export function classNamesFor(model: Model, count: number): readonly string[] {
  const own = metadataNames(model);
  if (own?.length === count) return own;
  return count === COCO_NAMES.length ? COCO_NAMES : Array.from({ length: count }, (_, i) => `class ${i}`);
}
