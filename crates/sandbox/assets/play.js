// The page on which one plays a Telegram user. Whatever comes from people or bots enters the page as text nodes only.

import { $, call, icon, make, paintAvatar } from '/assets/dom.js';
import { text } from '/assets/text.js';
import { fillDrawer, showArmed } from '/assets/trouble.js';

const username = decodeURIComponent(location.pathname.split('/').pop());
const here = { bot: null, people: [], person: null, stream: null, blocked: false, editing: null, loading: null };
/** Message id to message, and to its element, of the chat on show. */
const messages = new Map();
const rows = new Map();

/** Runs a deed and shows what went wrong, if anything. */
async function attempt(deed) {
  $('problem').textContent = '';
  try {
    await deed();
    return true;
  } catch (error) {
    $('problem').textContent = error.message;
    return false;
  }
}

// People

function showPeople() {
  const items = here.people.map((person) => {
    const avatar = make('span', { class: 'avatar', 'aria-hidden': 'true' });
    paintAvatar(avatar, person.name, person.id);
    const name = make('span', { class: 'who' }, make('span', { dir: 'auto' }, person.name));
    const button = make('button', { type: 'button' }, avatar, name);
    button.setAttribute('aria-current', String(person.id === here.person?.id));
    button.addEventListener('click', () => pick(person, true));
    return make('li', {}, button);
  });
  $('people').replaceChildren(...items);
  $('nobody').hidden = items.length > 0;
}

/** Shows this person's chat; `go` also moves the focus there. */
function pick(person, go) {
  here.person = person;
  here.blocked = false;
  stopEditing();
  history.replaceState(null, '', `#${person.id}`);
  document.body.dataset.pane = 'chat';
  clearMessages();
  showPeople();
  showFoot();
  $('open-trouble').disabled = false;
  follow();
  attempt(() => showArmed(here));
  if (go && matchMedia('(hover: hover)').matches) $('text').focus();
}

// Live

function follow() {
  here.stream?.close();
  const query = new URLSearchParams({ bot: username, person: here.person.id });
  const stream = new EventSource(`/control/stream?${query}`);
  here.stream = stream;
  stream.onmessage = (event) => receive(JSON.parse(event.data));
  stream.onerror = () => {
    if (here.stream === stream) showStatus('Reconnecting…', 'off');
  };
}

/** Loads the chat; what is told meanwhile waits until it is there. */
async function load() {
  const { person } = here;
  here.loading = [];
  try {
    const chat = await call('GET', `chats/${encodeURIComponent(username)}/${person.id}/messages`);
    if (here.person !== person) return;
    clearMessages();
    for (const message of chat.messages) put(message);
    here.blocked = chat.blocked;
    showStatus();
    showFoot();
    toEnd();
  } finally {
    if (here.person === person) {
      const waiting = here.loading ?? [];
      here.loading = null;
      waiting.forEach(receive);
    }
  }
}

function receive(event) {
  if (event.type === 'reset') return void attempt(load);
  if (here.loading) return void here.loading.push(event);
  const pinned = atEnd();
  switch (event.type) {
    case 'message':
      showStatus();
      put(event.message, true);
      showFoot();
      break;
    case 'edited':
      put(event.message);
      break;
    case 'deleted':
      event.message_ids.forEach(remove);
      break;
    case 'action':
      showStatus(`${event.action.replaceAll('_', ' ')}…`, 'action');
      break;
    case 'answer':
      toast(event.text);
      break;
    case 'blocked':
      here.blocked = event.blocked;
      showFoot();
      break;
    case 'trouble':
      notice(event);
      attempt(() => showArmed(here));
      break;
  }
  const mine = event.type === 'message' && !event.message.from.is_bot;
  if (pinned || mine) toEnd();
}

let quiet;

/** The line under the bot's name; a sign of action fades after six seconds, as in Telegram. */
function showStatus(line, live) {
  clearTimeout(quiet);
  $('status').textContent = line ?? `@${username}`;
  $('status').dataset.live = live ?? '';
  $('typing').hidden = live !== 'action';
  if (live === 'action') quiet = setTimeout(showStatus, 6000);
}

// Messages

function clearMessages() {
  messages.clear();
  rows.clear();
  $('messages').replaceChildren();
  showHint();
}

function put(message, fresh = false) {
  const known = rows.get(message.message_id);
  messages.set(message.message_id, message);
  const row = bubble(message);
  rows.set(message.message_id, row);
  if (known) {
    row.className = known.className;
    row.classList.remove('fresh');
    known.replaceWith(row);
    return;
  }
  const list = $('messages');
  const last = list.lastElementChild;
  const day = new Date(message.date * 1000).toDateString();
  if (list.dataset.day !== day || !last) {
    list.dataset.day = day;
    list.append(make('li', {}, make('span', { class: 'day' }, dayName(day))));
  }
  const side = row.classList.contains('mine') ? 'mine' : 'theirs';
  const goesOn = last?.classList.contains(side) && list.lastElementChild === last;
  if (goesOn) last.classList.remove('last');
  else row.classList.add('turn');
  row.classList.add('last');
  if (fresh) row.classList.add('fresh');
  list.append(row);
  showHint();
}

function remove(id) {
  rows.get(id)?.remove();
  rows.delete(id);
  messages.delete(id);
  if (here.editing === id) stopEditing();
}

function dayName(day) {
  if (day === new Date().toDateString()) return 'Today';
  return new Date(day).toLocaleDateString(undefined, { day: 'numeric', month: 'long' });
}

function bubble(message) {
  const mine = !message.from.is_bot;
  const body = make('div', { class: 'bubble', dir: 'auto' });
  if (message.reply_to_message) {
    body.append(make('div', { class: 'quote', dir: 'auto' }, message.reply_to_message.text));
  }
  const time = new Date(message.date * 1000);
  const shown = time.toLocaleTimeString(undefined, { timeStyle: 'short' });
  const stamp = make('span', { class: 'stamp' }, message.edit_date ? `edited ${shown}` : shown);
  const speaker = make('span', { class: 'hidden' }, mine ? 'You: ' : `${here.bot.name}: `);
  body.prepend(speaker);
  body.append(...text(message.text, message.entities ?? []), stamp);
  const line = make('div', { class: 'line' }, body);
  if (mine) line.prepend(editButton(message));
  const row = make('li', { class: mine ? 'mine' : 'theirs' }, line);
  if (message.reply_markup) row.append(keyboard(message));
  return row;
}

function editButton(message) {
  const button = make('button', { class: 'icon edit', type: 'button', title: 'Edit', 'aria-label': 'Edit your message' });
  button.append(icon('M4 20h4L19 9l-4-4L4 16v4z'));
  button.addEventListener('click', () => startEditing(message.message_id));
  return button;
}

/** The buttons under a message: those with data tell the bot, those with an address open it. */
function keyboard(message) {
  const lines = message.reply_markup.inline_keyboard.map((line) =>
    make('div', {}, ...line.map((key) => keyOf(message, key))));
  return make('div', { class: 'keys' }, ...lines);
}

function keyOf(message, key) {
  if (/^https?:\/\//i.test(key.url ?? '')) {
    return make('a', { class: 'button', href: key.url, target: '_blank', rel: 'noopener noreferrer' }, key.text);
  }
  const button = make('button', { type: 'button' }, String(key.text));
  button.disabled = key.callback_data === undefined;
  button.addEventListener('click', () => attempt(() => call('POST', 'press', {
    bot: username, from: here.person.id, message_id: message.message_id, data: key.callback_data,
  })));
  return button;
}

const atEnd = () => {
  const box = $('scroller');
  return box.scrollHeight - box.scrollTop - box.clientHeight < 80;
};

function toEnd() {
  const box = $('scroller');
  box.scrollTop = box.scrollHeight;
}

function showHint() {
  const hint = $('hint');
  hint.hidden = messages.size > 0;
  $('messages').hidden = messages.size === 0;
  const [title, line] = here.person
    ? [`You are ${here.person.name}`, `Press Start to open the conversation with ${here.bot.name}, as people do in Telegram.`]
    : ['Who do you want to be?', 'Pick a customer, or add one by name. You then write to the bot as that person.'];
  hint.querySelector('h2').textContent = title;
  hint.querySelector('p').textContent = line;
  const face = here.person ?? here.bot;
  paintAvatar(hint.querySelector('.avatar'), face.name, face.id);
}

const STRUCK = {
  429: 'was refused: too many requests', 403: 'was refused: blocked by the user', 500: 'met a server error',
  cut_before: 'was cut off before it arrived', cut_after: 'arrived, but the answer was cut off',
  hang: 'arrived, but was never answered', down: 'found Telegram down',
};

/** A line in the chat that says which trouble has just struck. */
function notice(event) {
  const deed = event.method.toLowerCase() === 'sendmessage' ? "The bot's message" : `The bot's ${event.method}`;
  const line = make('span', { class: 'notice' }, `${deed} ${STRUCK[event.kind] ?? event.kind}.`);
  $('messages').append(make('li', {}, line));
}

let fading;

function toast(line) {
  clearTimeout(fading);
  $('toast').textContent = line;
  fading = setTimeout(() => $('toast').textContent = '', 4000);
}

// Writing

function showFoot() {
  const begun = messages.size > 0;
  $('start').hidden = !here.person || here.blocked || begun;
  $('unblock').hidden = !here.person || !here.blocked;
  $('composer').hidden = !here.person || here.blocked || !begun;
}

const say = (line) => call('POST', 'messages', { bot: username, from: here.person.id, text: line });

async function send() {
  const field = $('text');
  const line = field.value;
  if (!line.trim()) return;
  const id = here.editing;
  const done = await attempt(() => id === null
    ? say(line)
    : call('POST', 'edits', { bot: username, from: here.person.id, message_id: id, text: line }));
  if (done && here.editing === id && field.value === line) stopEditing();
  field.focus();
}

function startEditing(id) {
  here.editing = id;
  $('editing').hidden = false;
  $('text').value = messages.get(id).text;
  $('text').focus();
}

function stopEditing() {
  here.editing = null;
  $('editing').hidden = true;
  $('text').value = '';
}

$('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  send();
});
$('text').addEventListener('keydown', (event) => {
  if (event.isComposing) return;
  if (event.key === 'Enter' && !event.shiftKey) {
    event.preventDefault();
    send();
  } else if (event.key === 'Escape' && here.editing !== null) {
    stopEditing();
  } else if (event.key === 'ArrowUp' && $('text').value === '') {
    const own = [...messages.values()].findLast((m) => !m.from.is_bot);
    if (own) {
      event.preventDefault();
      startEditing(own.message_id);
    }
  }
});
$('cancel-edit').addEventListener('click', () => {
  stopEditing();
  $('text').focus();
});
$('start').addEventListener('click', () => attempt(async () => {
  await say('/start');
  $('composer').hidden = false;
  $('text').focus();
}));
$('unblock').addEventListener('click', () => attempt(() => call('POST', 'block', { bot: username, person: here.person.id, blocked: false })));
$('back').addEventListener('click', () => {
  document.body.dataset.pane = 'people';
  $('people').querySelector('[aria-current=true]')?.focus();
});
$('new-person').addEventListener('submit', (event) => {
  event.preventDefault();
  const form = event.currentTarget;
  attempt(async () => {
    const person = await call('POST', 'people', { name: new FormData(form).get('name'), language: navigator.language });
    here.people.push(person);
    form.reset();
    pick(person, true);
  });
});

// Start

async function begin() {
  const [bots, people] = await Promise.all([call('GET', 'bots'), call('GET', 'people')]);
  here.bot = bots.find((bot) => bot.username === username);
  here.people = people;
  if (!here.bot) throw new Error('There is no such bot any more.');
  document.title = `${here.bot.name} · sandbox`;
  $('bot-name').textContent = here.bot.name;
  paintAvatar($('bot-avatar'), here.bot.name, here.bot.id);
  showStatus();
  showPeople();
  showHint();
  fillDrawer(here);
  const wanted = people.find((person) => String(person.id) === location.hash.slice(1));
  if (wanted) pick(wanted, false);
}

attempt(begin);
