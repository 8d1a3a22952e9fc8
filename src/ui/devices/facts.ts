/** A device's profile as lines to read: what is stated, how far it can be trusted, where it was read. */
import type { DeviceProfile } from '../../../workers/device';
import type { OptionValues } from '../../pipeline';
import { repairWords } from '../causes/words';
import { coreWords, named, t } from '../text';

export type Mark = DeviceProfile['compiler']['mark'];

export interface FactLine {
  readonly key: string;
  readonly label: string;
  readonly value: string;
  readonly mark: Mark;
  readonly source: string;
}

export interface FactGroup {
  readonly id: 'numbers' | 'layers' | 'precision' | 'export';
  readonly lines: readonly FactLine[];
}

interface AnyFact {
  readonly value: unknown;
  readonly mark: Mark;
  readonly source: string;
}

const isFact = (value: unknown): value is AnyFact =>
  typeof value === 'object' && value !== null && 'value' in value && 'mark' in value && 'source' in value;

/** "weightBits" → "Weight bits" */
export function humanName(key: string): string {
  const words = key.replace(/([a-z0-9])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`);
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function valueWords(value: unknown): string {
  if (value === null || value === undefined) return t('device.notStated');
  if (typeof value === 'boolean') return value ? t('device.yes') : t('device.no');
  if (Array.isArray(value)) return value.length ? value.map(valueWords).join(', ') : t('device.none');
  if (typeof value === 'object')
    return 'from' in value && 'to' in value
      ? t('device.range', value as { from: number; to: number })
      : repairWords(value as OptionValues).join(t('marks.comma'));
  return typeof value === 'string' ? named('device.values', value, coreWords(value)) : String(value);
}

function line(path: string, { value, mark, source }: AnyFact): FactLine {
  const key = path.split('.').at(-1)!;
  return {
    key: path,
    label: path.startsWith('sharing.') ? key : named('device.facts', path, humanName(key)),
    value: valueWords(value),
    mark,
    source: coreWords(source),
  };
}

/** Every fact below `value`, by its path; a key that isn't known to the texts is shown under its own name. */
function factsIn(value: unknown, path: string): readonly FactLine[] {
  if (isFact(value)) return [line(path, value)];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, entry]) => factsIn(entry, path ? `${path}.${key}` : key));
}

export function factGroups(profile: DeviceProfile): readonly FactGroup[] {
  const { scheme, fusions, sharing, precision, exports, compiler, loads, staticShapes, quantizeDefaults } = profile;
  const groups: readonly FactGroup[] = [
    { id: 'numbers', lines: factsIn(scheme, '') },
    {
      id: 'layers',
      lines: [
        ...fusions.map((fusion, i): FactLine => {
          const { layers, activations } = fusion.value;
          const names = { layers: layers.join(', '), activations: activations.join(', ') };
          const value = names.activations ? t('device.fusion', names) : names.layers;
          return { ...line(`fusions.${i}`, fusion), label: t('device.fused'), value };
        }),
        ...factsIn(sharing, 'sharing'),
        ...factsIn({ staticShapes }, ''),
      ],
    },
    { id: 'precision', lines: factsIn(precision, 'precision') },
    { id: 'export', lines: factsIn({ compiler, loads, ...exports, quantizeDefaults }, '') },
  ];
  return groups.filter(({ lines }) => lines.length > 0);
}
