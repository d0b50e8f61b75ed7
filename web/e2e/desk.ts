import { expect, type Locator, type Page } from '@playwright/test';

/** The inbox as a person sees it: everything is found by role and name. */
export class Desk {
  readonly list: Locator;
  readonly log: Locator;
  readonly banner: Locator;

  constructor(
    readonly page: Page,
    readonly url: string,
  ) {
    this.list = page.getByRole('list', { name: 'Conversations' });
    this.log = page.getByRole('log');
    this.banner = page.getByTestId('banner');
  }

  async open(path = '/inbox'): Promise<void> {
    await this.page.goto(this.url + path);
  }

  row(name: string): Locator {
    return this.list.getByRole('link', { name });
  }

  async choose(name: string): Promise<void> {
    await this.row(name).click();
    await expect(this.log).toBeVisible();
    // The list holds still under the pointer; a person moves on to the thread as well.
    await this.page.mouse.move(900, 300);
  }

  /** A message by its whole text. */
  message(text: string): Locator {
    return this.log.getByText(text, { exact: true });
  }

  /** The bubble of a message of ours together with what is said below it. */
  delivery(state: string): Locator {
    return this.log.locator(`[data-delivery="${state}"]`);
  }

  get notice(): Locator {
    return this.log.getByTestId('delivery-notice');
  }

  get field(): Locator {
    return this.page.getByRole('tabpanel').getByRole('textbox');
  }

  async write(text: string): Promise<void> {
    await this.field.fill(text);
    await this.field.press('Enter');
  }

  async note(text: string): Promise<void> {
    await this.page.getByRole('tab', { name: 'Note' }).click();
    await this.write(text);
    await this.page.getByRole('tab', { name: 'Reply' }).click();
  }

  filter(name: 'Open' | 'Resolved' | 'All'): Locator {
    return this.page.getByRole('group', { name: 'Show' }).getByRole('button', { name });
  }
}
