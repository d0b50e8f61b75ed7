// The drawer in which one arms trouble for the chat on show. `here` is the page's state: bot, person, blocked.

import { $, call, make } from '/assets/dom.js';

const FAULTS = {
  'send-faults': [
    ['429', 'Too many requests', 'Telegram asks to wait five seconds'],
    ['403', 'Blocked by the user', 'Telegram says that you blocked the bot'],
    ['500', 'Server error', 'Telegram fails and takes nothing'],
    ['cut_before', 'Line cut before it arrives', 'Nothing reaches you'],
    ['cut_after', 'Line cut after it arrived', 'You get it; the bot cannot know'],
    ['hang', 'No answer', 'You get it; the bot waits in vain'],
  ],
  'update-faults': [
    ['duplicate_update', 'Delivered twice', 'The bot gets the same update again'],
    ['late_update', 'Delivered late', 'The bot gets it after the one that follows'],
  ],
  lasting: [['down', 'Telegram is down', 'Every call of the bot is cut until you lift it']],
};

function faultBody(here, kind, group) {
  const body = { kind, bot: here.bot.username };
  if (group !== 'lasting') body.chat = here.person.id;
  if (group === 'send-faults') body.method = 'sendMessage';
  if (kind === '429') body.retry_after = 5;
  return body;
}

function option(kind, title, line, press) {
  const mark = make('span', { class: 'mark' });
  const button = make('button', { type: 'button' }, make('span', {}, title), make('small', {}, line), mark);
  button.addEventListener('click', press);
  return make('li', { 'data-kind': kind }, button);
}

/** Runs a deed of the drawer, then shows what is armed, or why it did not work. */
async function deed(here, run) {
  try {
    await run();
    await showArmed(here);
  } catch (error) {
    $('armed').textContent = error.message;
  }
}

/** Fills the drawer and makes its buttons work. */
export function fillDrawer(here) {
  for (const [group, faults] of Object.entries(FAULTS)) {
    $(group).replaceChildren(...faults.map(([kind, title, line]) => option(kind, title, line, () =>
      deed(here, () => call('POST', 'faults', faultBody(here, kind, group))))));
  }
  const block = () => call('POST', 'block', {
    bot: here.bot.username, person: here.person.id, blocked: !here.blocked,
  }).then((answer) => here.blocked = answer.blocked);
  $('lasting').append(option('blocked', 'Block the bot', 'You get nothing from it until you unblock it', () =>
    deed(here, block)));
  $('open-trouble').addEventListener('click', () => {
    $('trouble').showModal();
    deed(here, async () => {});
  });
  $('close-trouble').addEventListener('click', () => $('trouble').close());
  $('trouble').addEventListener('click', (event) => {
    if (event.target === $('trouble')) $('trouble').close();
  });
  $('lift').addEventListener('click', () => deed(here, () => call('DELETE', 'faults')));
}

/** Marks what is armed for this chat, in the drawer and on its button. */
export async function showArmed(here) {
  const faults = (await call('GET', 'faults')).filter((fault) =>
    (fault.bot ?? here.bot.id) === here.bot.id && (fault.chat ?? here.person.id) === here.person.id);
  for (const item of document.querySelectorAll('.faults li')) {
    const { kind } = item.dataset;
    const times = faults.filter((f) => f.kind === kind).reduce((sum, f) => sum + f.times, 0);
    const on = kind === 'down' ? times > 0 : kind === 'blocked' && here.blocked;
    const armed = times > 1 ? `Armed ×${times}` : times === 1 ? 'Armed' : '';
    item.querySelector('.mark').textContent = on ? 'On' : armed;
  }
  $('armed-count').hidden = faults.length === 0;
  $('armed-count').textContent = faults.length;
  $('armed').textContent = faults.length === 0 ? 'Nothing is armed' : `${faults.length} armed`;
  $('lift').disabled = faults.length === 0;
}
