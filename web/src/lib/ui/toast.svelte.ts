interface Toast {
  id: number;
  text: string;
  tone: 'good' | 'danger';
}

const SHOWN_MS = 5_000;

/** Short confirmations and failures of actions that have no place of their own on the page. */
class Toasts {
  items = $state<Toast[]>([]);
  #next = 1;

  show(text: string, tone: Toast['tone'] = 'good'): void {
    const id = this.#next++;
    this.items.push({ id, text, tone });
    setTimeout(() => this.dismiss(id), SHOWN_MS);
  }

  dismiss(id: number): void {
    this.items = this.items.filter((item) => item.id !== id);
  }
}

export const toasts = new Toasts();
