import { test as base, type BrowserContext, expect, type Page } from '@playwright/test';
import { Desk } from './desk';
import { Sandbox } from './sandbox';
import { Server, SETUP_CODE } from './server';

export const OWNER = { name: 'Marta Lindqvist', email: 'marta@fjord.example', password: 'correct horse 42' };

interface Fixtures {
  /** A fresh server that nobody has set up. */
  server: Server;
  /** The same with a workspace, its owner signed in to `page`, and a sandbox bot. */
  sandbox: Sandbox;
  desk: Desk;
}

export const test = base.extend<Fixtures>({
  server: async ({}, use, info) => {
    const server = new Server();
    await server.start();
    await use(server);
    await server.stop();
    if (info.status !== info.expectedStatus) {
      await info.attach('server log', { body: server.text, contentType: 'text/plain' });
    }
  },
  sandbox: async ({ server, context }, use) => {
    const response = await context.request.post(`${server.url}/api/v1/setup`, {
      data: { code: SETUP_CODE, workspace: 'Fjord Bikes', ...OWNER, sandbox: true },
    });
    expect(response.status(), await response.text()).toBe(201);
    await use(await Sandbox.of(server.sandbox));
  },
  desk: async ({ server, sandbox: _, page }, use) => {
    const desk = new Desk(page, server.url);
    await desk.open();
    await use(desk);
  },
});

export { expect };

/** Signs a second browser in through the form, as another person or the same one elsewhere. */
export async function signIn(
  context: BrowserContext,
  url: string,
  who: { email: string; password: string } = OWNER,
): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${url}/login`);
  await page.getByLabel('E-mail').fill(who.email);
  await page.getByLabel('Password', { exact: true }).fill(who.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('heading', { name: 'Inbox', level: 1 })).toBeVisible();
  return page;
}
