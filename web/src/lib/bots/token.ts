/**
 * Whether a text looks like a bot token (digits, a colon, at least 30 letters, digits, `-` or `_`).
 * Only a hint while typing: whether the token is good, Telegram alone knows.
 */
export function tokenShape(text: string): 'partial' | 'whole' | 'wrong' {
  if (/^\d{6,}:[\w-]{30,}$/.test(text)) return 'whole';
  if (/^\d{0,14}$/.test(text) || /^\d{6,}:[\w-]*$/.test(text)) return 'partial';
  return 'wrong';
}
