import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { expect, test } from './fixtures';

/** Fails with what is wrong and where, on one page in one theme. */
async function check(page: Page, what: string, without: string[] = []): Promise<void> {
  // Half faded-in text has half its contrast.
  await page.evaluate(() =>
    Promise.all(document.getAnimations().map((one) => one.finished.catch(() => undefined))),
  );
  const { violations } = await new AxeBuilder({ page })
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'])
    .disableRules(without)
    .analyze();
  const found = violations.map(
    (one) => `${one.id}: ${one.nodes.map((node) => node.html + ' ' + node.failureSummary).join('\n')}`,
  );
  expect(found, what).toEqual([]);
}

for (const theme of ['light', 'dark'] as const) {
  test.describe(`in the ${theme} theme`, () => {
    test.use({ colorScheme: theme, contextOptions: { reducedMotion: 'reduce' } });

    test('pages before sign-in have no accessibility problems', async ({ server, page }) => {
      await page.goto(server.setup ?? '');
      await expect(page.getByRole('heading', { name: 'Set up your workspace' })).toBeVisible();
      await check(page, 'setup');
      await page.goto(`${server.url}/login`);
      await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
      await check(page, 'login');
      await page.goto(`${server.url}/reset#token`);
      await expect(page.getByRole('heading', { name: 'Choose a new password' })).toBeVisible();
      await check(page, 'reset');
      await page.goto(`${server.url}/join#nothing`);
      await expect(page.getByRole('heading', { name: 'This invitation cannot be used' })).toBeVisible();
      await check(page, 'join');
    });

    test('the inbox has no accessibility problems', async ({ desk, sandbox, page }) => {
      await expect(page.getByRole('heading', { name: 'No conversations yet' })).toBeVisible();
      await check(page, 'empty inbox');
      const [amira, lukas] = [
        await sandbox.person('Amira Haddad', 'amira'),
        await sandbox.person('Lukas Nyström'),
      ];
      await amira.says('Hello https://fjord.example');
      await lukas.says('Hello');
      await lukas.says('Still there?');
      await desk.choose('Amira Haddad');
      await sandbox.fault({ kind: 'cut_after' });
      await desk.write('Did this arrive?');
      await expect(desk.notice).toBeVisible();
      await desk.note('A note for the team');
      await expect(desk.message('A note for the team')).toBeVisible();
      await check(page, 'thread');
      await desk.filter('All').click();
      await expect(desk.row('Lukas Nyström')).toBeVisible();
      await page.keyboard.press('Control+k');
      await expect(page.getByRole('combobox')).toBeVisible();
      await check(page, 'palette');
      await page.keyboard.press('Escape');
      await page.keyboard.press('?');
      await expect(page.getByRole('dialog')).toBeVisible();
      await check(page, 'shortcuts');
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: /^Account menu/ }).click();
      await expect(page.getByRole('menu')).toBeVisible();
      // A menu floats above all landmarks, and the rule knows only dialogs as an exception.
      await check(page, 'menu', ['region']);
    });

    test('settings have no accessibility problems', async ({ desk, sandbox: _, page }) => {
      const pages = ['profile', 'members', 'bots', 'keys', 'deliveries', 'dead-letters', 'audit'];
      for (const slug of pages) {
        await desk.open(`/settings/${slug}`);
        await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
        await expect(page.getByText('Loading')).toHaveCount(0);
        await check(page, slug);
      }
      await desk.open('/settings/members');
      await page.getByRole('button', { name: 'Invite' }).click();
      await check(page, 'invite');
      await desk.open('/settings/keys');
      await page.getByRole('button', { name: 'Create key' }).first().click();
      await check(page, 'key');
    });
  });
}
