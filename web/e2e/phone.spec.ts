import { devices } from '@playwright/test';
import { expect, test } from './fixtures';

test.use({ ...devices['iPhone 14'], defaultBrowserType: 'chromium', viewport: { width: 390, height: 844 } });

test('a phone shows one pane at a time and does the whole job', async ({ desk, sandbox, page }) => {
  const amira = await sandbox.person('Amira Haddad with a name that is far too long for a phone');
  await amira.says('Hello from the bus');
  await desk.row('Amira Haddad').tap();
  await expect(desk.list).toBeHidden();
  await expect(page.getByRole('navigation', { name: 'Main' })).toBeHidden();
  await desk.field.fill('Hello from the desk');
  await page.getByRole('button', { name: 'Send' }).tap();
  await sandbox.expectSent('Hello from the desk');
  await expect(desk.delivery('sent')).toBeVisible();

  await page.getByRole('button', { name: 'Details' }).tap();
  await expect(page.getByRole('complementary', { name: 'Details' })).toBeVisible();
  await page.getByRole('complementary').getByRole('button', { name: 'Close' }).tap();
  await page.getByRole('button', { name: 'Resolve' }).tap();
  await page.getByRole('link', { name: 'Back to the inbox' }).tap();
  await expect(page.getByRole('heading', { name: 'All done' })).toBeVisible();

  await page.getByRole('link', { name: 'Settings' }).tap();
  await page.getByRole('link', { name: 'Members' }).tap();
  await expect(page.getByRole('heading', { name: 'Members', level: 1 })).toBeVisible();
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(overflow).toBeLessThanOrEqual(0);
});
