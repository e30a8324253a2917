// The browser, as people use it.

import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { patience } from './patience.ts'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']
// A distribution's Chromium, as root, that requests nothing but the page.
const args = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Starts it with an empty profile. `more`: further arguments. Throws how to install it when there is none. */
export function openBrowser(more: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: findBrowser(), args: [...args, ...more], timeout: patience(30_000) })
}

function findBrowser(): string {
  for (const folder of ['/usr/bin', ...(process.env.PATH ?? '').split(delimiter)]) {
    for (const name of NAMES) {
      const path = join(folder, name)
      try {
        accessSync(path, constants.X_OK)
        return path
      } catch {
        // No Chromium at this path.
      }
    }
  }
  throw new Error('this test needs Chromium. On Debian: sudo apt-get install chromium')
}
