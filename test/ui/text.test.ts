import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { StudioError } from '../../src/numerics';
import { STEP_META, type Verdict } from '../../src/pipeline';
import { count, duration, moment } from '../../src/ui/format';
import { errorSentence, figureName, locale, named, optionHelp, setLocale, t, verdictSentence } from '../../src/ui/text';
import { en } from '../../src/ui/text/en';
import { core, ja } from '../../src/ui/text/ja';
import { TABLES } from '../../src/ui/text/types';

type Tree = { readonly [key: string]: string | Tree };

function flat(tree: Tree, prefix = ''): Map<string, string> {
  return new Map(
    Object.entries(tree).flatMap(([key, value]) =>
      typeof value === 'string' ? [[prefix + key, value] as const] : [...flat(value, `${prefix}${key}.`)],
    ),
  );
}

const english = flat(en);
const japanese = flat(ja as unknown as Tree);
const isSingular = (key: string) => key.endsWith('_one');
const variables = (text: string) => [...new Set([...text.matchAll(/\{\{\s*([\w.]+)/g)].map((m) => m[1]!))].sort();

function files(folder: string, ending: RegExp): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && ending.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Values that are names, formulas or the same word in both languages. */
const SAME = new Set([
  ...['title', 'engine.wasm', 'engine.webgpu', 'preview.fps', 'layers.columns.macs', 'layers.columns.error'],
  ...['recipe.weights.klWeight', 'recipe.options.concat', 'recipe.options.nms', 'results.macs', 'results.map', 'results.ap50'],
  ...['training.parts.kl', 'training.macsAxis', 'grow.map', 'causes.kinds.conv', 'causes.kinds.pointwise', 'causes.kinds.depthwise'],
  ...['causes.kinds.concat', 'graph.quantities.macs', 'graph.least.error', 'graph.least.pruned', 'graph.most.error', 'graph.most.pruned'],
  'compare.change',
]);

afterEach(() => setLocale('en'));

describe('the texts', () => {
  it('are all there in Japanese, with the same variables', () => {
    expect([...japanese.keys()].sort()).toEqual([...english.keys()].filter((key) => !isSingular(key)).sort());
    for (const [key, text] of japanese) expect(variables(text), key).toEqual(variables(english.get(key)!));
    for (const [key, text] of english)
      if (isSingular(key)) expect(variables(text), key).toEqual(variables(english.get(key.replace(/_one$/, '_other'))!));
  });

  it('are said in Japanese, but for names', () => {
    const same = [...japanese].filter(([key, text]) => text === english.get(key)).map(([key]) => key);
    expect(same.sort()).toEqual([...SAME].sort());
  });

  it('are each used, and only what is there is used', () => {
    const used = new Set<string>();
    const prefixes = new Set<string>();
    for (const file of files('src/ui', /\.(ts|svelte)$/)) {
      if (/src\/ui\/text\//.test(file)) continue;
      const source = readFileSync(file, 'utf8');
      for (const [, argument] of source.matchAll(/(?<![\w.])t\(([^`,)]*)/g))
        for (const [, key] of argument!.matchAll(/'([^']+)'/g)) used.add(key!);
      for (const [, template] of source.matchAll(/(?<![\w.])t\(\s*`([^`]*)`/g)) {
        const prefix = /^([\w.]+\.)\$\{[^}]*\}$/.exec(template!)?.[1];
        expect(prefix, `${file}: \`${template}\` must be a table and a name in it`).toBeTruthy();
        prefixes.add(prefix!);
      }
      for (const [, table] of source.matchAll(/\bnamed\(\s*'([^']+)'/g)) prefixes.add(`${table}.`);
    }
    expect(used.size).toBeGreaterThan(250);
    const base = (key: string) => key.replace(/_(one|other)$/, '');
    const keys = new Set([...english.keys()].map(base));
    expect([...used].filter((key) => !keys.has(key))).toEqual([]);
    const unused = [...keys].filter((key) => !used.has(key) && ![...prefixes].some((prefix) => key.startsWith(prefix)));
    expect(unused).toEqual([]);
    for (const prefix of [...prefixes, ...TABLES.map((table) => `${table}.`)])
      expect(
        [...keys].some((key) => key.startsWith(prefix)),
        prefix,
      ).toBe(true);
  });
});

describe('the core’s English', () => {
  it('is translated where a job says what it does', () => {
    const labels = files('src/steps', /\.ts$/)
      .concat(files('workers', /\.ts$/), files('src/pipeline', /\.ts$/))
      .flatMap((file) =>
        [...readFileSync(file, 'utf8').matchAll(/(?:\blabel: |LABEL = |(?:ctx|kept), )'([A-Z][^']+)'/g)].map((m) => m[1]!),
      );
    expect(labels.length).toBeGreaterThan(20);
    expect([...new Set(labels)].filter((label) => core.say(label) === null)).toEqual([]);
  });

  it('is translated for every option’s hint and unit, and for no other', () => {
    for (const [step, { options }] of Object.entries(STEP_META)) {
      const hints = core.optionHelp[step as keyof typeof core.optionHelp] ?? {};
      expect(Object.keys(hints).sort(), step).toEqual(options.map(({ key }) => key).sort());
      for (const option of options)
        if (option.type === 'number' && option.unit && option.unit !== '%') expect(core.say(option.unit), option.key).not.toBeNull();
    }
  });

  it('is said by code, key and figures in Japanese, and stays as it is in English', async () => {
    const error = new StudioError('bad-file', 'x.onnx is empty.', 'Choose another.');
    const option = { key: 'weights', help: 'One or many.' };
    const figures = { ratio: 3.456, usualLow: -1, usualHigh: 1, lo: -3, hi: 4 };
    const verdict = { kind: 'outliers', sentence: 'A few.', evidence: { figures, role: 'activation' } } as unknown as Verdict;
    expect([errorSentence(error), optionHelp('quantize', option), verdictSentence(verdict), figureName('usualLow')]).toEqual([
      'x.onnx is empty. Choose another.',
      'One or many.',
      'A few.',
      'usual low',
    ]);
    await setLocale('ja');
    expect(errorSentence(error)).toBe('ファイルを読み込めませんでした。x.onnx is empty. Choose another.');
    expect(optionHelp('quantize', option)).toMatch(/^重みスケールを/);
    expect(verdictSentence(verdict)).toBe('わずかな外れ値が範囲を3.46倍に広げています。値の99.8 %は-1…1にありますが、格子は-3…4です。');
    expect(figureName('usualLow')).toBe('通常の下限');
  });
});

describe('a language', () => {
  it('is switched at once, and decides on plurals, numbers, durations and dates', async () => {
    const at = Date.UTC(2026, 10, 28, 12);
    expect([t('preview.found', { count: 1 }), t('preview.found', { count: 1200 })]).toEqual(['1 detection', '1,200 detections']);
    expect([count(12345), duration(200), moment(at)]).toEqual(['12,345', '3 min 20 s', expect.stringMatching(/^11\/28\/26/)]);
    await setLocale('ja');
    expect(locale()).toBe('ja');
    expect([t('preview.found', { count: 1 }), t('preview.found', { count: 1200 })]).toEqual(['検出1件', '検出1,200件']);
    expect([duration(200), moment(at)]).toEqual(['3分20秒', expect.stringMatching(/^2026\/11\/28/)]);
  });

  it('ends as the last one asked for, whichever is loaded first', async () => {
    vi.resetModules(); // as on a first visit, when Japanese is not here yet
    const fresh = await import('../../src/ui/text');
    await Promise.all([fresh.setLocale('ja'), fresh.setLocale('en')]);
    expect(fresh.locale()).toBe('en');
  });

  it('names what it knows, and shows other names as they are', async () => {
    await setLocale('ja');
    expect([named('recipe.steps', 'prune'), named('recipe.steps', 'dream'), named('recipe.steps', 'dream', '?')]).toEqual([
      '枝刈り',
      'dream',
      '?',
    ]);
    expect(named('device.facts', 'precision.sixteenBit')).toBe('precision.sixteenBit');
    expect(named('device.facts', 'precision.sixteenBit.cost')).toBe('16ビットの計算時間（8ビット比）');
  });

  it('takes names as they are, whatever stands in them', () => {
    const name = '$t(title) {{name}} $& $1 <b>.onnx';
    expect(t('alerts.opened', { name })).toBe(`Opened ${name}.`);
  });
});
