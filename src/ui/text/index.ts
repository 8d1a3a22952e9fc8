/**
 * Every text of the page. To add one: put it under a key into the panel's file of `en/` and of `ja/` (the same key;
 * `_one` and `_other` where a number decides, Japanese `_other` only), with variables as `{{name}}`, numbers as
 * `{{count, number}}`. Say it with `t('panel.key', { name })` in a template, `$derived` or function, never in a
 * module's constant: it follows the language. A key that depends on a value: `` t(`panel.table.${value}`) ``, or, where
 * the value is a name that may be unknown, `named('panel.table', value)`. Texts that the core makes: `core.ts`.
 */
export { coreWords, errorSentence, figureName, optionHelp, verdictSentence } from './core';
export { formatLocale, LOCALES, type Locale, locale, named, setLocale, startLocale, t } from './i18n.svelte';
