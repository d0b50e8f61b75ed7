/** The server forgets after 10 s what is not repeated; a pause this long means that nobody is typing. */
const REPEAT_MS = 5_000;
const IDLE_MS = 6_000;

/** Tells colleagues "typing" while keys are pressed, without a frame per key. */
export class TypingSignal {
  #send: (active: boolean) => void;
  #last = 0;
  #idle: ReturnType<typeof setTimeout> | undefined;

  constructor(send: (active: boolean) => void) {
    this.#send = send;
  }

  active(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.stop(), IDLE_MS);
    const now = performance.now();
    if (this.#last > 0 && now - this.#last < REPEAT_MS) return;
    this.#last = now;
    this.#send(true);
  }

  stop(): void {
    clearTimeout(this.#idle);
    if (this.#last === 0) return;
    this.#last = 0;
    this.#send(false);
  }
}
