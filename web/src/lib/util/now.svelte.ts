/** The current time as state, advanced every half minute, so that relative times grow older by themselves. */
class Now {
  ms = $state(Date.now());

  constructor() {
    setInterval(() => (this.ms = Date.now()), 30_000);
  }
}

export const now = new Now();
