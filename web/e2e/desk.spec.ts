import { expect, test } from './fixtures';

test('reply, note, resolve, and the next message reopens', async ({ desk, sandbox }) => {
  const amira = await sandbox.person('Amira Haddad', 'amira');
  await amira.says('Where is my order?');
  await desk.choose('Amira Haddad');
  await desk.note('Ask the warehouse first');
  await expect(desk.message('Ask the warehouse first')).toBeVisible();
  await desk.write('It left this morning.');
  await sandbox.expectSent('It left this morning.');
  await expect(desk.delivery('sent')).toBeVisible();
  expect((await sandbox.sent()).map((call) => call.text)).not.toContain('Ask the warehouse first');

  await desk.page.getByRole('button', { name: 'Resolve', exact: true }).click();
  await expect(desk.row('Amira Haddad')).toBeHidden();
  await expect(desk.filter('Resolved')).toContainText('1');
  await expect(desk.page.getByRole('heading', { name: 'All done' })).toBeVisible();

  await amira.says('Thank you! One more thing');
  await expect(desk.row('Amira Haddad')).toBeVisible();
  await expect(desk.page.getByRole('button', { name: 'Resolve', exact: true })).toBeVisible();
  await expect(desk.message('Thank you! One more thing')).toBeVisible();
  await expect(desk.filter('Open')).toContainText('1');
});

test('what is unread is counted, marked in the thread, and read once it was seen', async ({
  desk,
  sandbox,
}) => {
  const [amira, lukas] = [await sandbox.person('Amira Haddad'), await sandbox.person('Lukas Nyström')];
  await amira.says('First');
  await lukas.says('One');
  await lukas.says('Two');
  await expect(desk.row('Lukas Nyström')).toContainText('2 unread messages');
  await desk.choose('Lukas Nyström');
  await expect(desk.log.getByText('2 new messages')).toBeVisible();
  await expect(desk.row('Lukas Nyström')).not.toContainText('unread');
  await desk.page.reload();
  await expect(desk.row('Amira Haddad')).toContainText('1 unread message');
  await expect(desk.row('Lukas Nyström')).not.toContainText('unread');
});

test('a half written answer waits in its conversation', async ({ desk, sandbox }) => {
  const [amira, lukas] = [await sandbox.person('Amira Haddad'), await sandbox.person('Lukas Nyström')];
  await amira.says('Hello');
  await lukas.says('Hello');
  await desk.choose('Amira Haddad');
  await desk.field.fill('I am looking into');
  await desk.choose('Lukas Nyström');
  await expect(desk.field).toHaveValue('');
  await expect(desk.row('Amira Haddad')).toContainText('Draft: I am looking into');
  await desk.page.reload();
  await desk.choose('Amira Haddad');
  await expect(desk.field).toHaveValue('I am looking into');
});

test('an answer to something older than the newest message asks first', async ({ page, desk, sandbox }) => {
  const amira = await sandbox.person('Amira Haddad');
  await amira.says('Cancel my order please');
  // Holds the stream back, as a slow network would, while requests still pass.
  let held = false;
  await page.routeWebSocket('**/api/v1/live', (socket) => {
    const server = socket.connectToServer();
    server.onMessage((message) => {
      if (!held) socket.send(message);
    });
  });
  await page.reload();
  await desk.choose('Amira Haddad');
  await expect(desk.message('Cancel my order please')).toBeVisible();
  held = true;
  await amira.says('No wait, keep it');
  const conversation = new URL(page.url()).pathname.split('/').at(-1);
  const counted = async () => {
    const session = await (
      await page.request.post(`${desk.url}/api/v1/auth/refresh`, { headers: { Origin: desk.url } })
    ).json();
    const answer = await page.request.get(`${desk.url}/api/v1/conversations/${conversation}/messages`, {
      headers: { Authorization: `Bearer ${session.access_token}` },
    });
    return (await answer.json()).items.length;
  };
  await expect.poll(counted).toBe(2);

  await desk.write('Cancelled.');
  await expect(desk.log.getByRole('alert')).toContainText('Newer messages came in');
  await expect(desk.message('No wait, keep it')).toBeVisible();
  expect(await sandbox.sent()).toEqual([]);
  await desk.log.getByRole('button', { name: 'Send anyway' }).click();
  await sandbox.expectSent('Cancelled.');
});

test('older history loads on the way up and does not move what is being read', async ({ desk, sandbox }) => {
  const amira = await sandbox.person('Amira Haddad');
  for (let i = 1; i <= 120; i++) await amira.says(`Message ${i}`);
  await desk.choose('Amira Haddad');
  await expect(desk.log.getByText('120 new messages')).toBeVisible();
  await desk.page.getByRole('button', { name: 'Jump to latest' }).click();
  await expect(desk.row('Amira Haddad')).not.toContainText('unread');

  await desk.page.reload();
  await expect(desk.message('Message 120')).toBeInViewport();
  await expect(desk.message('Message 20')).toHaveCount(0);
  await desk.log.evaluate((log) => (log.scrollTop = 300));
  await expect.poll(() => desk.log.evaluate((log) => log.scrollTop)).toBeGreaterThan(1000);
  await desk.log.evaluate((log) => (log.scrollTop = 300));
  await expect(desk.message('Message 1')).toHaveCount(1);
  await desk.page.getByRole('button', { name: 'Jump to latest' }).click();
  await expect(desk.message('Message 120')).toBeInViewport();
});

test('text in any script is shown as written, and markup stays text', async ({ desk, sandbox }) => {
  const noa = await sandbox.person('نوا <b>');
  await noa.says('مرحبا <img src=x onerror=alert(1)> https://fjord.example/a?b=1&c=2');
  await desk.choose('نوا <b>');
  await expect(desk.log.locator('img')).toHaveCount(0);
  await expect(desk.log.getByRole('link', { name: 'https://fjord.example/a?b=1&c=2' })).toHaveAttribute(
    'rel',
    'noopener noreferrer',
  );
});
