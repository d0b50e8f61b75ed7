import { expect, OWNER, test } from './fixtures';

test('an invited operator answers, and does not see what is for admins', async ({
  desk,
  sandbox,
  browser,
  server,
  page,
}) => {
  const amira = await sandbox.person('Amira Haddad');
  await amira.says('Hello');
  await desk.open('/settings/members');
  await page.getByRole('button', { name: 'Invite' }).click();
  await page.getByLabel('E-mail').fill('jonas@fjord.example');
  await page.getByLabel('Role', { exact: true }).click();
  await page.getByRole('option', { name: /^Operator/ }).click();
  await page.getByRole('button', { name: 'Create invitation' }).click();
  const link = await page.getByLabel('Invitation link').inputValue();
  await page.getByRole('button', { name: 'Done' }).click();
  await expect(page.getByText('jonas@fjord.example')).toBeVisible();

  const context = await browser.newContext();
  const jonas = await context.newPage();
  await jonas.goto(link);
  await expect(jonas.getByRole('heading', { name: 'Join Fjord Bikes' })).toBeVisible();
  await jonas.getByLabel('Your name').fill('Jonas Weber');
  await jonas.getByLabel('Password', { exact: true }).fill('another horse 43');
  await jonas.getByRole('button', { name: 'Accept invitation' }).click();
  await jonas.getByRole('link', { name: 'Amira Haddad' }).click();
  await jonas.getByRole('textbox', { name: 'Reply' }).fill('Jonas here');
  await jonas.keyboard.press('Enter');
  await sandbox.expectSent('Jonas here');

  await jonas.goto(`${server.url}/settings`);
  const menu = jonas.getByRole('navigation', { name: 'Settings' });
  await expect(menu.getByRole('link', { name: 'Members' })).toBeVisible();
  await expect(menu.getByRole('link', { name: 'API keys' })).toHaveCount(0);
  await expect(menu.getByRole('link', { name: 'Audit log' })).toHaveCount(0);
  await jonas.goto(`${server.url}/settings/keys`);
  await expect(jonas.getByRole('heading', { name: 'Not for your role' })).toBeVisible();
  await jonas.goto(`${server.url}/settings/members`);
  await expect(jonas.getByText('Jonas Weber')).toBeVisible();
  await expect(jonas.getByRole('button', { name: 'Invite' })).toHaveCount(0);

  // The owner's open page hears of it, and a used link is of no more use.
  await expect(page.getByRole('list').getByText('Jonas Weber')).toBeVisible();
  await expect(page.getByText('Accepted')).toBeVisible();
  await jonas.goto('about:blank');
  await jonas.goto(link);
  await expect(jonas.getByRole('heading', { name: 'This invitation cannot be used' })).toBeVisible();
  await context.close();
});

test('a changed role takes effect on the open page', async ({ desk, sandbox, browser, server, page }) => {
  const amira = await sandbox.person('Amira Haddad');
  await amira.says('Hello');
  await desk.open('/settings/members');
  await page.getByRole('button', { name: 'Invite' }).click();
  await page.getByLabel('E-mail').fill('jonas@fjord.example');
  await page.getByRole('button', { name: 'Create invitation' }).click();
  const link = await page.getByLabel('Invitation link').inputValue();
  await page.getByRole('button', { name: 'Done' }).click();
  const context = await browser.newContext();
  const jonas = await context.newPage();
  await jonas.goto(link);
  await jonas.getByLabel('Your name').fill('Jonas Weber');
  await jonas.getByLabel('Password', { exact: true }).fill('another horse 43');
  await jonas.getByRole('button', { name: 'Accept invitation' }).click();
  await jonas.getByRole('link', { name: 'Amira Haddad' }).click();
  await expect(jonas.getByRole('textbox', { name: 'Reply' })).toBeVisible();

  await page.getByLabel('Role of Jonas Weber').click();
  await page.getByRole('option', { name: /^Moderator/ }).click();
  await expect(page.getByText('Jonas Weber is now Moderator')).toBeVisible();
  await expect(jonas.getByText('Your role reads conversations but does not answer them.')).toBeVisible();
  await expect(jonas.getByRole('textbox', { name: 'Reply' })).toHaveCount(0);
  expect(server.url).toBeTruthy();
  await context.close();
});

test('an API key is shown once, works, and is refused after it was revoked', async ({
  desk,
  sandbox: _,
  page,
  server,
  playwright,
}) => {
  await desk.open('/settings/keys');
  await page.getByRole('button', { name: 'Create key' }).first().click();
  await page.getByLabel('Name', { exact: true }).fill('Nightly export');
  await page.getByLabel('Read conversations').check();
  await page.getByRole('dialog').getByRole('button', { name: 'Create key' }).click();
  const secret = await page.getByLabel('API key', { exact: true }).inputValue();
  await page.getByRole('button', { name: 'Done' }).click();
  await expect(page.getByText('Nightly export')).toBeVisible();

  const api = await playwright.request.newContext({
    extraHTTPHeaders: { Authorization: `Bearer ${secret}` },
  });
  expect((await api.get(`${server.url}/api/v1/conversations`)).status()).toBe(200);
  expect((await api.get(`${server.url}/api/v1/keys`)).status()).toBe(403);
  await page.getByRole('button', { name: 'Revoke Nightly export' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await expect(page.getByText('Revoked')).toBeVisible();
  expect((await api.get(`${server.url}/api/v1/conversations`)).status()).toBe(401);
  await api.dispose();
});

test('a bot is checked, and a wrong token is refused with the words of Telegram', async ({
  desk,
  sandbox,
  server,
  page,
}) => {
  await desk.open('/settings/bots');
  await expect(page.getByText('Connected')).toBeVisible();
  await page.getByRole('button', { name: 'More actions' }).click();
  await page.getByRole('menuitem', { name: 'Check now' }).click();
  await expect(page.getByText('Checked with Telegram')).toBeVisible();

  await page.getByRole('button', { name: 'Connect a bot' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Bot token').fill('hello');
  await expect(dialog.getByText('This does not look like a bot token')).toBeVisible();
  const token = '1234567890:AAbbccddeeffgghhiijjkkllmmnnooppqqr';
  await dialog.getByLabel('Bot token').fill(token);
  await dialog.getByRole('button', { name: 'Check and connect' }).click();
  await expect(dialog.getByRole('alert')).toContainText('Telegram');

  // With the sandbox in the place of Telegram, somebody is there to refuse it.
  await server.kill();
  server.settings['telegram.api_url'] = sandbox.url;
  await server.start();
  await dialog.getByLabel('Bot token').fill(token);
  await expect(dialog.getByRole('alert')).toHaveCount(0);
  await dialog.getByRole('button', { name: 'Check and connect' }).click();
  await expect(dialog.getByRole('alert')).toContainText('Unauthorized');
});

test('the name and the password can be changed', async ({ desk, sandbox: _, page }) => {
  await desk.open('/settings/profile');
  await page.getByLabel('Your name').fill('Marta L.');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('button', { name: 'Account menu of Marta L.' })).toBeVisible();
  await page.getByLabel('Current password').fill('not this one');
  await page.getByLabel('New password').fill('a better horse 44');
  await page.getByRole('button', { name: 'Change password' }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  await page.getByLabel('Current password').fill('correct horse 42');
  await page.getByRole('button', { name: 'Change password' }).click();
  await expect(page.getByText('Your other sessions have ended')).toBeVisible();
  await desk.open('/settings/audit');
  await expect(page.getByText('connected the bot')).toBeVisible();
});

test('a forgotten password is replaced by a one-time link', async ({ server, sandbox: _, page, context }) => {
  await server.kill();
  const link = new URL(await server.command('user', 'reset-password', OWNER.email));
  await server.start();
  await context.clearCookies();
  await page.goto(`${server.url}/reset${link.hash}`);
  await page.getByLabel('New password').fill('a new horse altogether 45');
  await page.getByRole('button', { name: 'Set password' }).click();
  await page.getByRole('link', { name: 'Go to sign-in' }).click();
  await page.getByLabel('E-mail').fill(OWNER.email);
  await page.getByLabel('Password', { exact: true }).fill('a new horse altogether 45');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('heading', { name: 'Inbox', level: 1 })).toBeVisible();
  await page.goto(`${server.url}/reset${link.hash}`);
  await page.getByLabel('New password').fill('and another one 46');
  await page.getByRole('button', { name: 'Set password' }).click();
  await expect(page.getByRole('alert')).toBeVisible();
});
