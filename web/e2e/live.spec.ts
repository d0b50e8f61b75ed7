import { Desk } from './desk';
import { expect, signIn, test } from './fixtures';

test('two tabs show the same, whoever writes', async ({ desk, sandbox, context, server }) => {
  const amira = await sandbox.person('Amira Haddad');
  await amira.says('Hello');
  await desk.choose('Amira Haddad');
  const other = new Desk(await context.newPage(), server.url);
  await other.open(new URL(desk.page.url()).pathname);
  await expect(other.message('Hello')).toBeVisible();

  await desk.write('From the first tab');
  await expect(other.message('From the first tab')).toBeVisible();
  await other.write('From the second tab');
  await expect(desk.message('From the second tab')).toHaveCount(1);
  await amira.says('To both');
  await expect(desk.message('To both')).toBeVisible();
  await expect(other.message('To both')).toBeVisible();
  await sandbox.expectSent('From the first tab');
  await sandbox.expectSent('From the second tab');
});

test('colleagues see who looks and who types', async ({ desk, sandbox, browser, server }) => {
  const amira = await sandbox.person('Amira Haddad');
  await amira.says('Hello');
  await desk.choose('Amira Haddad');
  const colleague = { email: 'jonas@fjord.example', password: 'another horse 43' };
  await desk.page.goto(`${server.url}/settings/members`);
  await desk.page.getByRole('button', { name: 'Invite' }).click();
  await desk.page.getByLabel('E-mail').fill(colleague.email);
  await desk.page.getByRole('button', { name: 'Create invitation' }).click();
  const link = await desk.page.getByLabel('Invitation link').inputValue();
  const context = await browser.newContext();
  const joining = await context.newPage();
  await joining.goto(link);
  await joining.getByLabel('Your name').fill('Jonas Weber');
  await joining.getByLabel('Password', { exact: true }).fill(colleague.password);
  await joining.getByRole('button', { name: 'Accept invitation' }).click();
  const jonas = new Desk(joining, server.url);
  await desk.open();
  await desk.choose('Amira Haddad');
  await jonas.choose('Amira Haddad');
  await expect(desk.page.getByRole('img', { name: 'Jonas Weber is looking at this' })).toBeVisible();
  await jonas.field.pressSequentially('Good morning');
  await expect(desk.page.getByText('Jonas Weber is typing…').first()).toBeVisible();
  await jonas.field.press('Enter');
  await expect(desk.message('Good morning')).toBeVisible();
  await expect(desk.page.getByText('Jonas Weber is typing…')).toHaveCount(0);
  await context.close();
});

test('the list does not move under the pointer', async ({ desk, sandbox, page }) => {
  const [amira, lukas] = [await sandbox.person('Amira Haddad'), await sandbox.person('Lukas Nyström')];
  await lukas.says('First');
  await expect(desk.row('Lukas Nyström')).toBeVisible();
  await amira.says('Second');
  const names = () => desk.list.getByRole('link').allTextContents();
  await expect.poll(async () => (await names())[0]).toContain('Amira Haddad');
  await desk.row('Lukas Nyström').hover();
  await lukas.says('Third');
  await expect(page.getByRole('button', { name: '1 new' })).toBeVisible();
  expect((await names())[0]).toContain('Amira Haddad');
  await page.getByRole('button', { name: '1 new' }).click();
  await expect.poll(async () => (await names())[0]).toContain('Lukas Nyström');
});

test('ending a session closes the other browser', async ({ desk, sandbox: _, browser, server, page }) => {
  const context = await browser.newContext();
  const other = await signIn(context, server.url);
  await desk.open('/settings/profile');
  await page.getByRole('button', { name: 'Sign out', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Sign out' }).click();
  await expect(other.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Sign out', exact: true })).toHaveCount(0);
  await context.close();
});

test('signing out in one tab signs out the others', async ({ desk, sandbox: _, context, server, page }) => {
  const other = new Desk(await context.newPage(), server.url);
  await other.open();
  await expect(other.page.getByRole('heading', { name: 'Inbox' })).toBeVisible();
  await page.bringToFront();
  await page.getByRole('button', { name: /^Account menu/ }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await expect(other.page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  expect(desk.url).toBe(server.url);
});
