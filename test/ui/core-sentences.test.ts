import { describe, expect, it } from 'vitest';
import { foreign, sentences as japanese, rooms } from '../../src/ui/text/ja/sentences';
import { translator } from '../../src/ui/text/sentences';
import { literals, sentences } from './core-sentences';

const all = literals();
const said = sentences(all);
const places = (text: string) => [...text.matchAll(/\{(\d+)/g)].map(([, place]) => Number(place));
const gaps = (template: string) => template.split('{}').length - 1;

/** The same in both languages. */
const NAMES = ['Hailo Dataflow Compiler {}'];

describe('what the core says in English', () => {
  it('is found in the sources', () => {
    expect(said.length).toBeGreaterThan(900);
    const found = new Set(said.map(({ template }) => template));
    for (const one of ['The file is empty (0 bytes).', 'It becomes a weight.', '{} level{}', 'Scanning sensitivity'])
      expect(found).toContain(one);
  });

  it('is said in Japanese: every sentence has an entry', () => {
    const missing = said.filter(({ template }) => !Object.hasOwn(japanese, template));
    expect(missing.map(({ template, where }) => `${where}: ${template}`)).toEqual([]);
  });

  it('has no entry that nothing says, and none twice', () => {
    const templates = new Set(all.map(({ template }) => template));
    const keys = rooms.flatMap(Object.keys);
    expect(keys.filter((key) => !templates.has(key))).toEqual([]);
    expect(keys.filter((key, i) => keys.indexOf(key) !== i || Object.hasOwn(foreign, key))).toEqual([]);
  });

  it('keeps its values: each is put in, but for what only makes a plural', () => {
    const wrong = all.flatMap(({ template, grammar, where }) => {
      const text = Object.hasOwn(japanese, template) ? japanese[template]! : null;
      if (text === null) return [];
      const used = new Set(places(text));
      const lost = Array.from({ length: gaps(template) }, (_, i) => i).filter((i) => !used.has(i) && !grammar.has(i));
      return lost.length > 0 || [...used].some((i) => i >= gaps(template)) ? [`${where}: ${template} → ${text}`] : [];
    });
    expect(wrong).toEqual([]);
  });

  it('is really Japanese', () => {
    const same = Object.entries(japanese).filter(
      ([, text]) => !/[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}、：「（]/u.test(text),
    );
    expect(same.map(([english]) => english)).toEqual(NAMES);
    const quoted = /「[^」]*」|"[^"]*"/g;
    const left = Object.values(japanese).filter((text) =>
      /\b(the|an?|is|are|of|and|or|not|its?|with|for)\b/i.test(text.replace(quoted, '')),
    );
    expect(left).toEqual([]);
    // A sentence ends as one.
    const open = Object.entries(japanese).filter(([english, text]) => /[a-z)”"]\.$/.test(english) && !/[。）]$|\{\d:ja\}$/.test(text));
    expect(open).toEqual([]);
  });
});

describe('a translator', () => {
  const say = translator({
    'Node "{}" ({}) has no {}.': 'ノード「{0}」（{1}）に{2:ja}がありません。',
    'Node "{}" is odd.': 'ノード「{0}」は異常です。',
    input: '入力',
    'Repair it.': '直してください。',
    'Two. Sentences.': '二文。',
    '{} image{}': '画像{0}枚',
    '{} left out: {}': '{0:n}個を除外：{1:ja}',
    'gave up': '断念',
  });

  it('puts values in as they are, or says them too where the sentence asks for that', () => {
    expect(say('Node "input" (Conv) has no input.')).toBe('ノード「input」（Conv）に入力がありません。');
    expect(say('Node "input" (Conv) has no soul.')).toBe('ノード「input」（Conv）にsoulがありません。');
    expect(say('3 images')).toBe('画像3枚');
    expect(say('1,024 boxes left out: gave up')).toBe('1,024個を除外：断念');
  });

  it('takes the template with more fixed words, and any name', () => {
    expect(say('Node "a" is odd.')).toBe('ノード「a」は異常です。');
    for (const name of ['{0}', '$&', '" is odd.', '{1:ja}', '']) expect(say(`Node "${name}" is odd.`)).toContain(`「${name}」`);
  });

  it('says sentences one by one, in as long pieces as it knows', () => {
    expect(say('Node "a" is odd. Repair it.')).toBe('ノード「a」は異常です。直してください。');
    expect(say('Two. Sentences. Repair it.')).toBe('二文。直してください。');
    expect(say('Nobody knows. Repair it.')).toBe('Nobody knows. 直してください。');
    expect(say('a.onnx, gave up, b')).toBe('a.onnx、断念、b');
    expect(say('Gave up')).toBe('断念');
  });

  it('knows nothing else', () => {
    expect(say('Nobody knows this, nor that.')).toBeNull();
    expect(say('Node "a" is odd')).toBeNull();
    expect(say('')).toBeNull();
  });

  it('is as fast on hostile names as on others', () => {
    const started = performance.now();
    for (const piece of ['" (', 'Node "', '{}', '. A', ', ']) say(`Node "${piece.repeat(20_000)}" is od.`);
    expect(performance.now() - started).toBeLessThan(500);
  });
});
