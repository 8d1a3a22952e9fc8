import { describe, expect, it } from 'vitest';
import { DEVICES, type Device } from '../../src/devices';
import { factGroups, humanName, valueWords } from '../../src/ui/devices/facts';
import { deviceProfiles } from '../../workers/device';

/** Facts anywhere below a value. */
function countFacts(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  if ('mark' in value && 'source' in value && 'value' in value) return 1;
  return Object.values(value).reduce<number>((sum, entry) => sum + countFacts(entry), 0);
}

describe('a profile as the page gets it', () => {
  it('can be sent, and lacks nothing but functions', () => {
    const profiles = deviceProfiles();
    expect(profiles.map(({ id }) => id)).toEqual(Object.keys(DEVICES));
    for (const profile of profiles) {
      expect(structuredClone(profile)).toEqual(profile);
      const device: Device = DEVICES[profile.id as keyof typeof DEVICES];
      expect(profile.operators.Conv).toEqual(device.operators.Conv);
      expect(profile.scheme).toEqual(device.scheme);
    }
  });

  it('shows every fact that it has, each with its mark and source', () => {
    for (const profile of deviceProfiles()) {
      const lines = factGroups(profile).flatMap((group) => group.lines);
      // Operators are listed apart, with a mark and a source each but no fact.
      expect(lines.length, profile.id).toBe(countFacts(profile));
      expect(new Set(lines.map(({ key }) => key)).size).toBe(lines.length);
      for (const line of lines) expect([line.label, line.value, line.source].every(Boolean), `${profile.id} ${line.key}`).toBe(true);
    }
  });

  it('says what is not public', () => {
    const numbers = factGroups(deviceProfiles().find(({ id }) => id === 'hailo8')!).find(({ id }) => id === 'numbers')!;
    expect(numbers.lines.find(({ key }) => key === 'weightGranularity')).toMatchObject({
      label: 'Weight scales',
      value: 'not stated publicly',
      mark: 'inferred',
    });
  });
});

describe('values in words', () => {
  it('of every kind', () => {
    expect([null, true, false, [8, 16], [], 'half-even', { from: 8, to: 17 }].map(valueWords)).toEqual([
      'not stated publicly',
      'yes',
      'no',
      '8, 16',
      'none',
      'half to even',
      '8 to 17',
    ]);
    expect(humanName('weightBits')).toBe('Weight bits');
  });
});
