import { mount } from 'svelte';
import App from './App.svelte';

/** Puts the studio into `target`. */
export function startStudio(target: HTMLElement): void {
  target.replaceChildren();
  mount(App, { target });
}
