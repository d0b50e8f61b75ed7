/** The shortest password the server takes. */
export const MIN_PASSWORD = 10;

/**
 * A rough strength from 0 (too short) to 4. Length counts most; variety and the absence of runs help.
 * A hint for the person, never a barrier: the server alone decides what is taken.
 */
export function strength(password: string): 0 | 1 | 2 | 3 | 4 {
  const length = [...password].length;
  if (length < MIN_PASSWORD) return 0;
  const kinds = [/\p{Ll}/u, /\p{Lu}/u, /\p{N}/u, /[^\p{L}\p{N}]/u].filter((kind) =>
    kind.test(password),
  ).length;
  const distinct = new Set(password.toLowerCase()).size;
  let score = 1;
  if (length >= 12) score += 1;
  if (length >= 16) score += 1;
  if (kinds >= 3) score += 1;
  if (distinct < length / 2 || /(.)\1\1|0123|1234|abcd|qwer/i.test(password)) score -= 1;
  return Math.min(4, Math.max(1, score)) as 1 | 2 | 3 | 4;
}
