export type Part = { text: string; href?: string };

const LINK = /\bhttps?:\/\/[^\s<>"']+/giu;
const TRAILING = /[.,;:!?)\]}»”’]+$/u;

/** Splits a text into plain parts and web addresses. Punctuation that ends a sentence stays outside the link. */
export function linkify(text: string): Part[] {
  const parts: Part[] = [];
  let at = 0;
  for (const match of text.matchAll(LINK)) {
    const href = trimLink(match[0]);
    if (!URL.canParse(href)) continue;
    if (match.index > at) parts.push({ text: text.slice(at, match.index) });
    parts.push({ text: href, href });
    at = match.index + href.length;
  }
  if (at < text.length) parts.push({ text: text.slice(at) });
  return parts;
}

/** A closing bracket belongs to the link when the link opened it, as in addresses of encyclopedias. */
function trimLink(link: string): string {
  const trimmed = link.replace(TRAILING, '');
  return trimmed.includes('(') && link[trimmed.length] === ')' ? trimmed + ')' : trimmed;
}
