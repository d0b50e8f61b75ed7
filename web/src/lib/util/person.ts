/** Up to two letters that stand for a name; grapheme by grapheme, so that no emoji or accent is cut apart. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const picked = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  const letters = picked.map((word) => firstGrapheme(word ?? '')).join('');
  return letters.toLocaleUpperCase() || '?';
}

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

function firstGrapheme(word: string): string {
  for (const { segment } of segmenter.segment(word)) {
    if (/[\p{L}\p{N}\p{Emoji_Presentation}]/u.test(segment)) return segment;
  }
  return '';
}

/** A hue in degrees that stays the same for an id and differs well between ids (FNV-1a, then steps of 24 degrees). */
export function hue(id: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  return ((hash >>> 0) % 15) * 24;
}
