const STORE = 'sb.context';
const wide = matchMedia('(min-width: 1280px)');

/** Whether the pane with the contact's details is open: remembered where there is room, closed where it would cover. */
class Panes {
  context = $state(wide.matches && localStorage.getItem(STORE) !== 'closed');

  constructor() {
    wide.addEventListener('change', () => {
      this.context = wide.matches && localStorage.getItem(STORE) !== 'closed';
    });
  }

  /** On a narrow screen the pane lies over the thread, and Escape closes it first. */
  get covers(): boolean {
    return this.context && !wide.matches;
  }

  toggle(): void {
    this.context = !this.context;
    if (wide.matches) localStorage.setItem(STORE, this.context ? 'open' : 'closed');
  }
}

export const panes = new Panes();
