import { Desk } from './desk';
import { expect, OWNER, test } from './fixtures';
import { Sandbox } from './sandbox';

test('from the setup link to the first answered customer', async ({ server, page, context }) => {
  await page.goto(server.setup ?? '');
  await page.getByLabel('Workspace').fill('Fjord Bikes');
  await page.getByLabel('Your name').fill(OWNER.name);
  await page.getByLabel('E-mail').fill(OWNER.email);
  await page.getByLabel('Password', { exact: true }).fill(OWNER.password);
  await expect(page.getByLabel('Also start with a sandbox bot')).toBeChecked();
  expect(new URL(page.url()).hash).toBe('');
  await page.getByRole('button', { name: 'Create workspace' }).click();

  await expect(page.getByRole('heading', { name: 'Your bot is connected' })).toBeVisible();
  const opening = context.waitForEvent('page');
  await page.getByRole('link', { name: 'Play the customer' }).click();
  const play = await opening;
  await page.getByRole('link', { name: 'Open the inbox' }).click();
  await expect(page.getByRole('heading', { name: 'No conversations yet' })).toBeVisible();

  await play.getByLabel('New customer').fill('Amira Haddad');
  await play.getByRole('button', { name: 'Add' }).click();
  const start = play.getByRole('button', { name: 'Start' });
  await expect(start.or(play.getByRole('textbox', { name: 'Your message' })).first()).toBeVisible();
  if (await start.isVisible()) await start.click();
  await play.getByRole('textbox', { name: 'Your message' }).fill('Is my order on its way?');
  await play.getByRole('button', { name: 'Send', exact: true }).click();

  const desk = new Desk(page, server.url);
  await desk.choose('Amira Haddad');
  await expect(desk.message('Is my order on its way?')).toBeVisible();
  await desk.write('It left this morning.');
  await expect(desk.delivery('sent')).toBeVisible();
  await expect(play.getByText('It left this morning.')).toBeVisible();
  const sandbox = await Sandbox.of(server.sandbox);
  await sandbox.expectSent('It left this morning.');
});

test('a wrong setup code is refused in words, and the form keeps what was typed', async ({
  server,
  page,
}) => {
  await page.goto(`${server.url}/setup`);
  await page.getByLabel('Setup code').fill('not-the-code-at-all');
  await page.getByLabel('Workspace').fill('Fjord Bikes');
  await page.getByLabel('Your name').fill(OWNER.name);
  await page.getByLabel('E-mail').fill(OWNER.email);
  await page.getByLabel('Password', { exact: true }).fill(OWNER.password);
  await page.getByRole('button', { name: 'Create workspace' }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  await expect(page.getByLabel('Workspace')).toHaveValue('Fjord Bikes');
});

test('a new server leads to its setup page, and a set up one to sign-in and back to where one wanted to go', async ({
  server,
  page,
  context,
}) => {
  await page.goto(server.url);
  await expect(page.getByRole('heading', { name: 'Set up your workspace' })).toBeVisible();
  await context.request.post(`${server.url}/api/v1/setup`, {
    data: { code: 'journey-setup-code-0001', workspace: 'Fjord', ...OWNER },
  });
  await context.clearCookies();
  await page.goto(`${server.url}/settings/bots`);
  await page.getByLabel('E-mail').fill(OWNER.email);
  await page.getByLabel('Password', { exact: true }).fill('not the password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  await page.getByLabel('Password', { exact: true }).fill(OWNER.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('heading', { name: 'Bots', level: 1 })).toBeVisible();
});
