export type ThemeChoice = 'system' | 'light' | 'dark';

const STORE = 'sb.theme';
const system = matchMedia('(prefers-color-scheme: dark)');

/** The theme the person chose; `public/theme.js` reads the same key before the first paint. */
class Theme {
  choice = $state<ThemeChoice>(stored());

  constructor() {
    system.addEventListener('change', () => this.#show());
    addEventListener('storage', (event) => {
      if (event.key !== STORE) return;
      this.choice = stored();
      this.#show();
    });
  }

  set(choice: ThemeChoice): void {
    this.choice = choice;
    if (choice === 'system') localStorage.removeItem(STORE);
    else localStorage.setItem(STORE, choice);
    this.#show();
  }

  #show(): void {
    const dark = this.choice === 'dark' || (this.choice === 'system' && system.matches);
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  }
}

function stored(): ThemeChoice {
  const value = localStorage.getItem(STORE);
  return value === 'light' || value === 'dark' ? value : 'system';
}

export const theme = new Theme();
