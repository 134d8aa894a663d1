// Pictures of the playground for the docs: builds it, learns a sample in headless Chromium, and writes docs/playground-*.png.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import sharp from 'sharp'
import { build } from 'vite'
import { CHROMIUM, openBrowser, serveFiles } from '../src/testing/browser.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const SAMPLE = 'Professions'
/** For a page of documentation. */
const MOST_BYTES = 200_000

const LEARNED = [
  { name: 'light', colorScheme: 'light', width: 1440, height: 900 },
  { name: 'dark', colorScheme: 'dark', width: 1440, height: 900 },
  { name: 'phone', colorScheme: 'light', width: 390, height: 844 },
] as const

if (!CHROMIUM) throw new Error('there is no Chromium here')
const site = await mkdtemp(join(tmpdir(), 'playground-'))
const browser = await openBrowser()
try {
  await build({ configFile: join(ROOT, 'web/vite.config.ts'), logLevel: 'error', build: { outDir: site } })
  const server = await serveFiles({ '/': site }, { isolated: true })
  for (const { name, colorScheme, width, height } of LEARNED) {
    const context = await browser.newContext({ colorScheme, reducedMotion: 'reduce', viewport: { width, height } })
    const page = await context.newPage()
    await page.goto(server.url)
    await page.getByTestId('sample-task').first().waitFor()
    await page.waitForLoadState('networkidle')
    if (name === 'light') await save(page, 'empty')
    await page.getByTestId('sample-task').filter({ hasText: SAMPLE }).click()
    await page.locator('[data-testid=train]:enabled').click()
    if (name === 'light') {
      await page.getByText(/Step [4-9]\d of/).waitFor()
      await save(page, 'learning')
    }
    await page.locator('[data-testid=download]:enabled').waitFor()
    await page.locator('.words li').last().waitFor()
    await page.mouse.move(0, 0)
    if (name === 'phone') await page.evaluate("document.querySelector('#learn').scrollIntoView()")
    await save(page, name)
    if (name === 'light') {
      await page.evaluate("document.querySelector('.changed').scrollIntoView()")
      await save(page, 'changed')
    }
    await context.close()
  }
  await server.close()
} finally {
  await browser.close()
  await rm(site, { recursive: true, force: true })
}

async function save(page: Page, name: string): Promise<void> {
  const png = await sharp(await page.screenshot())
    .png({ palette: true, effort: 10 })
    .toBuffer()
  if (png.length > MOST_BYTES) throw new Error(`docs/playground-${name}.png would have ${png.length} bytes`)
  await writeFile(join(ROOT, `docs/playground-${name}.png`), png)
  console.log(`docs/playground-${name}.png: ${png.length} bytes`)
}
