/**
 * What the core says, in another language: a table from English templates, `{}` for each value that is put in, to
 * sentences that name the values by their place: `{0}` as it is, `{0:ja}` said in that language too, `{0:n}` only the
 * number that it begins with. Values are found by the words around them, in one pass and without regular expressions
 * over what files put into sentences.
 */

export type Templates = Readonly<Record<string, string>>;

interface Template {
  /** The words before, between and after the values. */
  readonly words: readonly string[];
  readonly said: string;
  /** Letters that must fit: of two templates that fit, the one with more is meant. */
  readonly weight: number;
}

const VALUE = /\{(\d+)(?::(ja|n))?\}/g;
/** Where one sentence ends and the next begins. */
const BETWEEN = /(?<=[.?!]) (?=[A-Z“"])/;
/** What is longer isn't taken apart. */
const MOST_PARTS = 12;
/** Pages say the same few hundred sentences again and again. */
const KEPT = 2000;

/** The values of `text`, or null where the template doesn't fit. */
function valuesOf(text: string, words: readonly string[]): readonly string[] | null {
  const [first, ...rest] = words as [string, ...string[]];
  const last = rest.pop();
  if (last === undefined) return text === first ? [] : null;
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return null;
  const end = text.length - last.length;
  const values: string[] = [];
  let at = first.length;
  for (const word of rest) {
    const next = text.indexOf(word, at);
    if (next < 0 || next + word.length > end) return null;
    values.push(text.slice(at, next));
    at = next + word.length;
  }
  return [...values, text.slice(at, end)];
}

/** A translator for the sentences of a table; null = it doesn't know the sentence. */
export function translator(table: Templates): (text: string) => string | null {
  const known = new Map<string, string | null>();
  const whole = new Map<string, string>();
  /** By the first word where one is fixed, all others together; those with more letters first. */
  const byStart = new Map<string, Template[]>();
  const startOf = (text: string): string => /^[^\s{]+(?=\s)/.exec(text)?.[0] ?? '';
  for (const [english, said] of Object.entries(table)) {
    const words = english.split('{}');
    if (words.length === 1) whole.set(english, said);
    else {
      const start = startOf(words[0]!);
      const template = { words, said, weight: words.join('').length };
      byStart.set(start, [...(byStart.get(start) ?? []), template]);
    }
  }
  for (const templates of byStart.values()) templates.sort((a, b) => b.weight - a.weight);

  function fill(said: string, values: readonly string[]): string {
    return said.replace(VALUE, (_, place: string, how?: string) => {
      const value = values[Number(place)]!;
      if (how === 'n') return /^[\d.,]+/.exec(value)?.[0] ?? value;
      return how === 'ja' ? (say(value.trim()) ?? value) : value;
    });
  }

  function one(text: string): string | null {
    const plain = whole.get(text);
    if (plain !== undefined) return plain;
    let best: { readonly template: Template; readonly values: readonly string[] } | null = null;
    for (const template of [...(byStart.get(startOf(text)) ?? []), ...(byStart.get('') ?? [])]) {
      if (best && template.weight <= best.template.weight) continue;
      const values = valuesOf(text, template.words);
      if (values) best = { template, values };
    }
    return best && fill(best.template.said, best.values);
  }

  /** What is said one after the other, in pieces as long as one template reaches; what isn't known stays as it is. */
  function row(text: string, between: string | RegExp, glue: string, joint: string): string | null {
    const parts = text.split(between, MOST_PARTS + 1);
    if (parts.length === 1 || parts.length > MOST_PARTS) return null;
    const said: string[] = [];
    let any = false;
    for (let from = 0; from < parts.length; ) {
      let to = from === 0 ? parts.length - 1 : parts.length;
      let found = one(parts.slice(from, to).join(glue));
      while (found === null && --to > from) found = one(parts.slice(from, to).join(glue));
      any ||= found !== null;
      said.push(found ?? (joint === '' ? `${parts[from]!} ` : parts[from]!));
      from = Math.max(to, from + 1);
    }
    return any ? said.join(joint).trim() : null;
  }

  function find(text: string): string | null {
    const lower = text.charAt(0).toLowerCase() + text.slice(1);
    return (
      one(text) ??
      (lower === text ? null : one(lower)) ??
      row(text, BETWEEN, ' ', '') ??
      row(text, '; ', '; ', '、') ??
      row(text, ', ', ', ', '、')
    );
  }

  function say(text: string): string | null {
    const before = known.get(text);
    if (before !== undefined) return before;
    const said = find(text);
    if (known.size >= KEPT) known.clear();
    known.set(text, said);
    return said;
  }
  return say;
}
