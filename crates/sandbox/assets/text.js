// Message text with its entities as DOM nodes. Offsets are UTF-16 units, which is how JavaScript counts.

const TAGS = {
  bold: 'b', italic: 'i', underline: 'u', strikethrough: 's', code: 'code', pre: 'pre', blockquote: 'blockquote',
};

/** The nodes of a text. Entities nest: the longest that begins somewhere goes around the others. */
export function text(line, entities) {
  const sorted = entities
    .map((entity) => ({ ...entity, end: entity.offset + entity.length }))
    .sort((a, b) => a.offset - b.offset || b.end - a.end);
  return nodes(line, 0, line.length, sorted);
}

function nodes(line, from, to, entities) {
  const out = [];
  let at = from;
  let rest = entities;
  while (rest.length > 0) {
    const [first, ...others] = rest;
    const end = Math.min(first.end, to);
    const inside = others.filter((entity) => entity.offset < end);
    rest = others.filter((entity) => entity.offset >= end);
    if (first.offset < at || end <= first.offset) continue;
    out.push(line.slice(at, first.offset));
    const element = wrap(first, line.slice(first.offset, end));
    element.append(...nodes(line, first.offset, end, inside));
    out.push(element);
    at = end;
  }
  out.push(line.slice(at, to));
  return out.filter((node) => node !== '');
}

function wrap(entity, shown) {
  if (entity.type === 'text_link' || entity.type === 'url') {
    const address = entity.url ?? shown;
    if (/^https?:\/\//i.test(address)) {
      const link = document.createElement('a');
      link.href = address;
      link.target = '_blank';
      link.rel = 'noopener noreferrer';
      return link;
    }
  }
  const element = document.createElement(TAGS[entity.type] ?? 'span');
  if (entity.type === 'bot_command') element.className = 'command';
  if (entity.type === 'spoiler') {
    element.className = 'spoiler';
    element.tabIndex = 0;
  }
  return element;
}
