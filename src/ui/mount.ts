import { mount } from 'svelte';
import App from './App.svelte';

export function mountStudio(target: HTMLElement): void {
  mount(App, { target });
}
