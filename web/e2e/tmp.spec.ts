import { expect, test } from './fixtures';
test('race', async ({ desk, sandbox, page }) => {
  await expect(page.getByRole('heading', { name: 'No conversations yet' })).toBeVisible();
  const [amira, lukas] = [await sandbox.person('Amira Haddad', 'amira'), await sandbox.person('Lukas')];
  await amira.says('Hello https://fjord.example');
  await lukas.says('Hello');
  await lukas.says('Still there?');
  await desk.row('Amira Haddad').click();
  await expect(desk.log).toBeVisible({ timeout: 4000 });
});
