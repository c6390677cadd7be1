import { removeFolder, tempFolder } from '@meadow/testkit';
import { chromium, type BrowserContext, type Page } from 'playwright-core';

const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface Browser extends AsyncDisposable {
  readonly page: Page;
  /** Errors that the page threw or logged, in order. */
  readonly errors: readonly string[];
}

/** Debian's Chromium with a fresh profile and one page. */
export async function openBrowser(
  size: { width: number; height: number } = { width: 1440, height: 900 },
): Promise<Browser> {
  const folder = tempFolder('chromium');
  const context: BrowserContext = await chromium.launchPersistentContext(folder, {
    executablePath: '/usr/bin/chromium',
    args: ARGS,
    viewport: size,
  });
  const page = context.pages()[0] ?? (await context.newPage());
  page.setDefaultTimeout(15_000);
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  return {
    page,
    errors,
    [Symbol.asyncDispose]: async () => {
      await context.close();
      await removeFolder(folder);
    },
  };
}
