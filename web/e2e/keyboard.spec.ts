import { expect, OWNER, test } from './fixtures';

test('from sign-in to a resolved conversation without a mouse', async ({
  server,
  sandbox,
  context,
  page,
}) => {
  await context.clearCookies();
  const [amira, lukas] = [await sandbox.person('Amira Haddad'), await sandbox.person('Lukas Nyström')];
  await lukas.says('First');
  await amira.says('Second');
  const keys = page.keyboard;

  await page.goto(`${server.url}/login`);
  await expect(page.getByLabel('E-mail')).toBeFocused();
  await keys.type(OWNER.email);
  await keys.press('Tab');
  await keys.type(OWNER.password);
  await keys.press('Enter');
  const list = page.getByRole('list', { name: 'Conversations' });
  await expect(list.getByRole('link')).toHaveCount(2);

  await keys.press('j');
  await expect(list.getByRole('link', { name: 'Amira Haddad' })).toBeFocused();
  await keys.press('j');
  await expect(list.getByRole('link', { name: 'Lukas Nyström' })).toBeFocused();
  await keys.press('k');
  await keys.press('Enter');
  await expect(page.getByRole('log')).toContainText('Second');
  await keys.press('n');
  await expect(page.getByRole('textbox', { name: 'Note' })).toBeFocused();
  await keys.type('j k e are letters here');
  await keys.press('Enter');
  await expect(page.getByRole('log').getByText('j k e are letters here')).toBeVisible();
  await keys.press('Escape');
  await keys.press('r');
  await keys.type('Done');
  await keys.press('Enter');
  await sandbox.expectSent('Done');
  await keys.press('Escape');
  await keys.press('e');
  await expect(page.getByText('Conversation resolved')).toBeVisible();
  await keys.press('Escape');
  await expect(page).toHaveURL(/\/inbox$/);

  await keys.press('Control+k');
  await expect(page.getByRole('combobox', { name: 'Find anything' })).toBeFocused();
  await keys.type('lukas');
  await expect(page.getByRole('option', { name: /Lukas Nyström/ })).toHaveAttribute('aria-selected', 'true');
  await keys.press('Enter');
  await expect(page.getByRole('log')).toContainText('First');
  await keys.press('?');
  await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible();
  await keys.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await keys.press(',');
  await expect(page.getByRole('heading', { name: 'Your profile' })).toBeVisible();
});
