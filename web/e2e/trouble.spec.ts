import { expect, test } from './fixtures';

test('a killed server is noticed, and after its restart nothing is lost and nothing sent twice', async ({
  desk,
  sandbox,
  server,
}) => {
  const amira = await sandbox.person('Amira Haddad');
  await amira.says('Before the crash');
  await desk.choose('Amira Haddad');
  await desk.write('Sent before');
  await sandbox.expectSent('Sent before');
  await expect(desk.delivery('sent')).toHaveCount(1);

  await server.kill();
  await expect(desk.banner).toContainText('Reconnecting');
  await desk.write('Written while it was down');
  await expect(desk.message('Written while it was down')).toBeVisible();

  await server.start();
  await expect(desk.banner).toHaveCount(0, { timeout: 30_000 });
  await sandbox.expectSent('Written while it was down');
  await amira.says('After the crash');
  await expect(desk.message('After the crash')).toBeVisible();
  await expect(desk.message('Before the crash')).toHaveCount(1);
  await expect(desk.message('Written while it was down')).toHaveCount(1);
  await expect(desk.delivery('sent')).toHaveCount(2);
});

test('what is written while offline is sent once the network is back', async ({ desk, sandbox, context }) => {
  const amira = await sandbox.person('Amira Haddad');
  await amira.says('Hello');
  await desk.choose('Amira Haddad');
  await context.setOffline(true);
  await expect(desk.banner).toContainText('You are offline');
  await desk.write('Written on the train');
  await expect(desk.message('Written on the train')).toBeVisible();
  expect(await sandbox.sent()).toEqual([]);
  await context.setOffline(false);
  await expect(desk.banner).toHaveCount(0);
  await sandbox.expectSent('Written on the train');
  await expect(desk.message('Written on the train')).toHaveCount(1);
});

test('a message that was not confirmed survives a reload and is sent at most once', async ({
  desk,
  sandbox,
  page,
}) => {
  const amira = await sandbox.person('Amira Haddad');
  await amira.says('Hello');
  await desk.choose('Amira Haddad');
  // The server takes the message, but its answer and its event never reach the page.
  await page.routeWebSocket('**/api/v1/live', () => undefined);
  await page.reload();
  await expect(desk.message('Hello')).toBeVisible();
  await page.route('**/messages', async (route) => {
    if (route.request().method() !== 'POST') return route.continue();
    await route.fetch();
    return route.abort();
  });
  await desk.write('Only once');
  await sandbox.expectSent('Only once');
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  await page.reload();
  await expect(desk.message('Only once')).toHaveCount(1);
  await expect(desk.delivery('sent')).toBeVisible();
  await expect(desk.log.getByRole('alert')).toHaveCount(0);
  await sandbox.expectSent('Only once');
});

test('a refused message says why, and is delivered by trying again', async ({ desk, sandbox }) => {
  const amira = await sandbox.person('Amira Haddad');
  await amira.says('Hello');
  await desk.choose('Amira Haddad');
  await sandbox.fault({ kind: '403' });
  await desk.write('Can you read this?');
  await expect(desk.delivery('failed')).toBeVisible();
  await expect(desk.notice).toContainText('blocked by the user');
  await desk.notice.getByRole('button', { name: 'Try again' }).click();
  await expect(desk.delivery('sent')).toBeVisible();
  await expect(desk.notice).toHaveCount(0);
  await sandbox.expectSent('Can you read this?', 2);
});

test('what Telegram may or may not have is shown as unknown and sent again only by a person', async ({
  desk,
  sandbox,
}) => {
  const amira = await sandbox.person('Amira Haddad');
  await amira.says('Hello');
  await desk.choose('Amira Haddad');
  await sandbox.fault({ kind: 'cut_after' });
  await desk.write('Did this arrive?');
  await expect(desk.notice).toContainText('It is not known whether Telegram got this.');
  await sandbox.expectSent('Did this arrive?', 1);
  await desk.notice.getByRole('button', { name: 'Send again (may arrive twice)' }).click();
  await expect(desk.delivery('sent')).toBeVisible();
  await sandbox.expectSent('Did this arrive?', 2);
});

test('an unknown delivery can be left as it is', async ({ desk, sandbox, page }) => {
  const amira = await sandbox.person('Amira Haddad');
  await amira.says('Hello');
  await desk.choose('Amira Haddad');
  await sandbox.fault({ kind: 'cut_after' });
  await desk.write('Did this arrive?');
  await desk.notice.getByRole('button', { name: 'Leave it' }).click();
  await expect(desk.notice).toHaveCount(0);
  await page.reload();
  await expect(desk.delivery('unknown')).toBeVisible();
  await expect(desk.notice).toHaveCount(0);
});

test('a busy Telegram is waited for', async ({ desk, sandbox }) => {
  const amira = await sandbox.person('Amira Haddad');
  await amira.says('Hello');
  await desk.choose('Amira Haddad');
  await sandbox.fault({ kind: '429', retry_after: 2 });
  await desk.write('Patience');
  await expect(desk.delivery('sent')).toBeVisible({ timeout: 30_000 });
  expect((await sandbox.sent()).map((call) => call.outcome).at(-1)).toBe('ok');
});

test('deliveries in trouble are listed, filtered and tried again in settings', async ({
  desk,
  sandbox,
  page,
}) => {
  const amira = await sandbox.person('Amira Haddad');
  await amira.says('Hello');
  await desk.choose('Amira Haddad');
  await desk.write('This one arrives');
  await expect(desk.delivery('sent')).toBeVisible();
  await sandbox.fault({ kind: '403' });
  await desk.write('This one does not');
  await expect(desk.delivery('failed')).toBeVisible();
  await expect(desk.row('Amira Haddad').getByLabel('Not delivered')).toBeVisible();

  await desk.open('/settings/deliveries');
  await page.getByLabel('Filter by state').click();
  await page.getByRole('option', { name: 'Not delivered' }).click();
  await expect(page.getByText('This one does not')).toBeVisible();
  await expect(page.getByText('This one arrives')).toHaveCount(0);
  await page.getByRole('button', { name: 'Try again' }).click();
  await sandbox.expectSent('This one does not', 2);
  await expect(page.getByRole('listitem').getByText('Sent', { exact: true })).toBeVisible();
});
