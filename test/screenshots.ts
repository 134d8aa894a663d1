// Pictures for the docs, as headless Chromium shows them: of the playground, which is built and learns a sample
// (docs/playground-*.png), and of the pages that commands write (docs/inspect-*.png; those of report and demo, to be looked at, in runs/screenshots).
// `npm run screenshots -- pages` takes only the latter.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import sharp from 'sharp'
import { build } from 'vite'
import { renderReport } from '../src/lab/demo/report/page.ts'
import { demo } from '../src/lab/demo/run-demo.ts'
import { inspectRun } from '../src/runs/inspect.ts'
import { reportSweeps } from '../src/runs/report.ts'
import { train } from '../src/runs/train.ts'
import { CHROMIUM, openBrowser, serveFiles } from '../src/testing/browser.ts'
import { DATASETS, exampleRecords, PLAYERS } from '../src/testing/example-records.ts'

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
const scratch = await mkdtemp(join(tmpdir(), 'screenshots-'))
const browser = await openBrowser()
try {
  if (!process.argv.includes('pages')) await takePlayground(browser, join(scratch, 'playground'))
  await takePages(browser, scratch)
} finally {
  await browser.close()
  await rm(scratch, { recursive: true, force: true })
}

async function takePlayground(browser: Browser, site: string): Promise<void> {
  await build({ configFile: join(ROOT, 'web/vite.config.ts'), logLevel: 'error', build: { outDir: site } })
  const server = await serveFiles({ '/': site }, { isolated: true })
  for (const { name, colorScheme, width, height } of LEARNED) {
    const context = await browser.newContext({ colorScheme, reducedMotion: 'reduce', viewport: { width, height } })
    const page = await context.newPage()
    await page.goto(server.url)
    await page.getByTestId('sample-task').first().waitFor()
    await page.waitForLoadState('networkidle')
    if (name === 'light') await save(page, 'playground-empty')
    await page.getByTestId('sample-task').filter({ hasText: SAMPLE }).click()
    await page.locator('[data-testid=train]:enabled').click()
    if (name === 'light') {
      await page.getByText(/Step [4-9]\d of/).waitFor()
      await save(page, 'playground-learning')
    }
    await page.locator('[data-testid=download]:enabled').waitFor()
    await page.locator('.words li').last().waitFor()
    await page.mouse.move(0, 0)
    if (name === 'phone') await page.evaluate("document.querySelector('#learn').scrollIntoView()")
    await save(page, `playground-${name}`)
    if (name === 'light') {
      await page.evaluate("document.querySelector('.changed').scrollIntoView()")
      await save(page, 'playground-changed')
    }
    await context.close()
  }
  await server.close()
}

/** The pages that commands write: of a run and a demo on the samples, and of a sweep of made-up figures. */
async function takePages(browser: Browser, scratch: string): Promise<void> {
  const at = (name: string) => join(scratch, name)
  const data = join(ROOT, 'samples', 'professions')
  await train(data, { out: at('photos'), settings: { recipe: 'fast' }, cache: at('cache') })
  await inspectRun(at('photos'), { out: at('inspect.html'), cache: at('cache') })
  const tasks = ['sports', 'fantasy', 'gestures']
  const found = await demo({ model: 'bundled', quick: true, tasks, shots: [1, 4, 16] }, {})
  await writeFile(at('demo.html'), renderReport(found))
  const players = ['zeroShot', 'linearProbe', 'end', 'middle', 'endSpecific'].flatMap((name) => PLAYERS[name] ?? [])
  const model = { name: 'example', fingerprint: '0123456789abcdef'.repeat(4) }
  const course = { players, datasets: DATASETS, shots: [1, 2, 4, 8, 16], seeds: [1, 2, 3], changes: { model } }
  for (const record of exampleRecords(course)) {
    await mkdir(at(`runs/${record.id}`), { recursive: true })
    await writeFile(at(`runs/${record.id}/results.json`), JSON.stringify(record))
  }
  await reportSweeps([scratch], { force: true })
  for (const page of ['inspect', 'demo', 'report']) {
    for (const { name, colorScheme, width, height } of LEARNED) {
      const context = await browser.newContext({ colorScheme, reducedMotion: 'reduce', viewport: { width, height } })
      const opened = await context.newPage()
      await opened.goto(pathToFileURL(at(`${page}.html`)).href)
      if (page === 'report') await opened.evaluate("document.querySelector('.figure').scrollIntoView()")
      await save(opened, `${page}-${name}`, page === 'inspect' ? 'docs' : 'runs/screenshots')
      await context.close()
    }
  }
}

async function save(page: Page, name: string, folder = 'docs'): Promise<void> {
  const png = await sharp(await page.screenshot())
    .png({ palette: true, effort: 10 })
    .toBuffer()
  if (png.length > MOST_BYTES) throw new Error(`${folder}/${name}.png would have ${png.length} bytes`)
  await mkdir(join(ROOT, folder), { recursive: true })
  await writeFile(join(ROOT, `${folder}/${name}.png`), png)
  console.log(`${folder}/${name}.png: ${png.length} bytes`)
}
