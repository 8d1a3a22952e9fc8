import { createInstance, type TFunction } from 'i18next';
import { en } from './en';
import type { Core, Table } from './types';

/** In the order in which they are offered. */
export const LOCALES = ['en', 'ja'] as const;
export type Locale = (typeof LOCALES)[number];

const KEY = 'bonsai-locale';
const isLocale = (value: string | null | undefined): value is Locale => LOCALES.includes(value as Locale);

const i18n = createInstance();
// Everything is at hand, so this is done before it returns.
void i18n.init({
  lng: 'en',
  fallbackLng: 'en',
  resources: { en: { translation: en } },
  initAsync: false,
  nsSeparator: false,
  interpolation: { escapeValue: false },
});

let current = $state<Locale>('en');
let wanted: Locale = 'en';
let japanese: Core | null = null;

/** The language that the page speaks now; reactive. */
export const locale = (): Locale => current;

/** What dates are written by: the browser's own variant of the language (en-GB) where it has one. */
export function formatLocale(): string {
  const own = typeof navigator === 'undefined' ? [] : navigator.languages;
  return own.find((language) => language.split('-')[0] === current) ?? current;
}

/** Text `key` in the current language, with its variables filled in; what reads it is drawn anew on a switch. */
export const t: TFunction = ((key: string, variables?: Record<string, unknown>) =>
  i18n.t(key as never, { ...variables, lng: current } as never)) as unknown as TFunction;

/** The text of a name out of the core (a step, an option, a repair), else `fallback`. */
export function named(table: Table, name: string, fallback = name): string {
  const found = [current, 'en'].map((lng) => i18n.getResource(lng, 'translation', `${table}.${name}`) as unknown);
  return found.find((text) => typeof text === 'string') ?? fallback;
}

/** What the core's own English is replaced by; null where the page speaks English. */
export const coreTexts = (): Core | null => (current === 'ja' ? japanese : null);

async function load(next: Locale): Promise<void> {
  if (i18n.hasResourceBundle(next, 'translation')) return;
  const { core, ja } = await import('./ja');
  japanese = core;
  i18n.addResourceBundle('ja', 'translation', ja);
}

async function speak(next: Locale): Promise<void> {
  wanted = next;
  await load(next);
  if (wanted === next) current = next;
}

/** Switches the page's language, for this visit and the next. */
export async function setLocale(next: Locale): Promise<void> {
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
  await speak(next);
}

/** The first language: the one chosen before, else the browser's, else English. Never fails: without its texts, English. */
export async function startLocale(): Promise<void> {
  let chosen: string | null = null;
  try {
    chosen = localStorage.getItem(KEY);
  } catch {
    // Then the browser decides.
  }
  const own = navigator.languages.map((language) => language.split('-')[0]).find(isLocale);
  await speak(isLocale(chosen) ? chosen : (own ?? 'en')).catch(() => {});
}
