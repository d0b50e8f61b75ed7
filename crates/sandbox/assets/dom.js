// What every part of the play page uses: the control API and small pieces of DOM.

export const $ = (id) => document.getElementById(id);

/** A call of the control API; the error is a sentence for people. */
export async function call(method, path, body) {
  const options = { method };
  if (body) {
    options.body = JSON.stringify(body);
    options.headers = { 'Content-Type': 'application/json' };
  }
  let answer;
  try {
    answer = await fetch(`/control/${path}`, options);
  } catch {
    throw new Error('The sandbox cannot be reached. Is it still running?');
  }
  const result = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(result.error ?? `The sandbox answered ${answer.status}.`);
  return result;
}

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function icon(path) {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const line = document.createElementNS(space, 'path');
  line.setAttribute('d', path);
  svg.append(line);
  return svg;
}

export function paintAvatar(element, name, id) {
  element.textContent = [...name][0].toUpperCase();
  element.style.setProperty('--hue', String(id % 360));
}
