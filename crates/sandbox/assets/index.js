// The list of bots.

const list = document.querySelector('#bots');
const template = document.querySelector('#bot');
const problem = document.querySelector('#problem');

/** One card. Text only ever enters the page as text. */
function card(bot) {
  const part = template.content.cloneNode(true);
  const avatar = part.querySelector('.avatar');
  avatar.textContent = [...bot.name][0].toUpperCase();
  avatar.style.setProperty('--hue', String(bot.id % 360));
  part.querySelector('h3').textContent = bot.name;
  part.querySelector('.username').textContent = `@${bot.username}`;
  part.querySelector('.api').textContent = location.origin;
  part.querySelector('.token').textContent = bot.token;
  const link = part.querySelector('a');
  link.href = `/play/${encodeURIComponent(bot.username)}`;
  link.setAttribute('aria-label', `Play a customer of ${bot.name}`);
  return part;
}

async function show() {
  const answer = await fetch('/control/bots');
  if (!answer.ok) throw new Error(`The sandbox answered ${answer.status}.`);
  const bots = await answer.json();
  list.replaceChildren(...bots.map(card));
  document.querySelector('#empty').hidden = bots.length > 0;
}

document.querySelector('#new').addEventListener('submit', async (event) => {
  event.preventDefault();
  const form = event.currentTarget;
  const body = JSON.stringify({ name: new FormData(form).get('name') });
  const headers = { 'Content-Type': 'application/json' };
  problem.textContent = '';
  try {
    const answer = await fetch('/control/bots', { method: 'POST', headers, body });
    if (!answer.ok) throw new Error((await answer.json()).error);
    form.reset();
    await show();
  } catch (error) {
    problem.textContent = `The bot was not made: ${error.message}`;
  }
});

show().catch((error) => {
  problem.textContent = error.message;
});
