const KEY = 'bonsai-theme';

function stored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** Light or dark: the system's choice until the user makes one. */
class Theme {
  dark = $state((stored() ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark');

  constructor() {
    this.#apply();
  }

  #apply(): void {
    document.documentElement.dataset.theme = this.dark ? 'dark' : 'light';
  }

  toggle(): void {
    this.dark = !this.dark;
    this.#apply();
    try {
      localStorage.setItem(KEY, this.dark ? 'dark' : 'light');
    } catch {
      // Without storage the choice lasts as long as the page.
    }
  }
}

export const theme = new Theme();
