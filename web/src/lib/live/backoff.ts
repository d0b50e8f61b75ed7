const BASE_MS = 400;
const CAP_MS = 15_000;

/**
 * Milliseconds to wait before the given attempt (1 is the first repeat): doubling up to a cap, and a random half of it,
 * so that a restarted server is not met by all its clients at once.
 */
export function backoff(attempt: number, random: () => number): number {
  const ceiling = Math.min(CAP_MS, BASE_MS * 2 ** (attempt - 1));
  return Math.round(ceiling / 2 + (random() * ceiling) / 2);
}
