import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser, BrowserContext } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { renderReport } from '../src/lab/demo/report/page.ts'
import { inspectRun } from '../src/runs/inspect.ts'
import { reportSweeps } from '../src/runs/report.ts'
import { train } from '../src/runs/train.ts'
import { axeFaults, CHROMIUM, openBrowser } from '../src/testing/browser.ts'
import { exampleResult } from '../src/testing/example-demo.ts'
import { DATASETS, exampleRecords, PLAYERS } from '../src/testing/example-records.ts'
import { tinyWorld } from '../src/testing/tiny-world.ts'

// The pages that commands write, in a browser: on a phone, in the dark, and read by a machine for those who cannot see.

if (!CHROMIUM) console.warn('The pages that commands write are not tested in a browser: there is no Chromium here.')

const LONG = `<b>${'verylongname'.repeat(6)}`
const PAGES = ['inspect', 'report', 'demo'] as const

describe.skipIf(!CHROMIUM)('pages that commands write', () => {
  let folder: string
  let browser: Browser
  const contexts: BrowserContext[] = []
  const file = (name: string) => join(folder, `${name}.html`)

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pages-'))
    browser = await openBrowser()
    const world = await tinyWorld(8)
    await rename(join(world.photos, 'red'), join(world.photos, '<b>longname'))
    await rename(join(world.photos, 'blue/1.png'), join(world.photos, `blue/${LONG}.png`))
    const [out, cache] = [join(world.root, 'run'), join(world.root, 'cache')]
    await train(world.photos, { model: world.model, method: 'class-mean', shots: 1, out, cache, threads: 1 })
    await inspectRun(out, { out: file('inspect'), cache, threads: 1 })
    await world.remove()
    await writeSweepReport(folder)
    await writeFile(file('demo'), demoPage())
  }, 60_000)
  afterEach(async () => {
    for (const context of contexts.splice(0)) await context.close()
  })
  afterAll(async () => {
    await browser?.close()
    await rm(folder, { recursive: true, force: true })
  })

  async function open(name: string, { width = 1280, colorScheme = 'light' as 'light' | 'dark' } = {}) {
    const context = await browser.newContext({ viewport: { width, height: 740 }, colorScheme, reducedMotion: 'reduce' })
    contexts.push(context)
    const page = await context.newPage()
    const complaints: string[] = []
    page.on('console', (message) => complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(String(error)))
    page.on('request', (request) => {
      const url = request.url()
      if (!url.startsWith('data:') && !url.startsWith('file:')) complaints.push(`asks for ${url}`)
    })
    await page.goto(pathToFileURL(file(name)).href)
    return { page, complaints }
  }

  describe.each(PAGES)('the page of %s', (name) => {
    it.each(['light', 'dark'] as const)('has nothing serious for axe to find, in %s', async (colorScheme) => {
      const { page, complaints } = await open(name, { colorScheme })
      expect(await axeFaults(page)).toEqual([])
      expect(complaints).toEqual([])
    })

    it.each([360, 1280])('fits into %d pixels, with type that can be read', async (width) => {
      const { page, complaints } = await open(name, { width })
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
      expect(await page.evaluate(SMALLEST_TYPE)).toBeGreaterThanOrEqual(9)
      expect(complaints).toEqual([])
    })

    it('begins with its answer, in a sentence', async () => {
      const { page } = await open(name, { width: 360 })
      const answer = page.locator('h1 + .answer')
      expect(await answer.textContent()).toMatch(/%.*\.$/)
      expect(await answer.boundingBox().then((box) => box && box.y + box.height)).toBeLessThan(740)
    })
  })

  it.each([360, 1280])('a cell of the confusion matrix opens its pictures at %d pixels', async (width) => {
    const { page, complaints } = await open('inspect', { width })
    const cell = page.locator('.matrix button').first()
    const about = (await cell.getAttribute('aria-label')) ?? ''
    await cell.click()
    const dialog = page.locator('[popover]:popover-open')
    expect(await dialog.count()).toBe(1)
    expect(await dialog.getAttribute('aria-label')).toContain(about.split(/[:,]| taken/)[0])
    const photo = dialog.locator('.photo').first()
    expect((await photo.boundingBox())?.width).toBeGreaterThan(60)
    const shown = "getComputedStyle(document.querySelector('[popover]:popover-open .photo')).backgroundImage"
    expect(await page.evaluate(shown)).toMatch(/^url\("data:image\/webp/)
    expect(await axeFaults(page)).toEqual([])
    await page.keyboard.press('Escape')
    expect(await dialog.count()).toBe(0)
    expect(complaints).toEqual([])
  })
})

/** Pixels of the smallest type that is seen, in text and in drawings. */
const SMALLEST_TYPE = `Math.min(...[...document.querySelectorAll('p, li, td, th, small, figcaption, svg text')]
  .filter((element) => element.textContent.trim() !== '' && element.getClientRects().length > 0)
  .map((element) => {
    const size = parseFloat(getComputedStyle(element).fontSize)
    const svg = element.ownerSVGElement
    return svg ? (size * svg.getBoundingClientRect().width) / svg.viewBox.baseVal.width : size
  }))`

/** A sweep as large as the paper's, by made-up figures. */
async function writeSweepReport(folder: string): Promise<void> {
  const sweep = join(folder, 'sweep')
  const players = ['zeroShot', 'linearProbe', 'end', 'endSpecific', 'four'].flatMap((name) => PLAYERS[name] ?? [])
  const model = { name: join(homedir(), 'models/clip'), fingerprint: '0123456789abcdef'.repeat(4) }
  const records = exampleRecords({ players, datasets: DATASETS, shots: [1, 16], seeds: [1], changes: { model } })
  for (const record of records) {
    await mkdir(join(sweep, 'runs', record.id), { recursive: true })
    await writeFile(join(sweep, 'runs', record.id, 'results.json'), JSON.stringify(record))
  }
  await writeFile(join(sweep, 'plan.yaml'), `root: ${join(homedir(), 'data')}\n`)
  await reportSweeps([sweep])
  await rename(join(sweep, 'report.html'), join(folder, 'report.html'))
}

const PIXEL = 'data:image/webp;base64,UklGRiQAAABXRUJQVlA4IBgAAAAwAQCdASoBAAEAAgA0JaQAA3AA/vuUAAA='

function demoPage(): string {
  const examples = ['ski', 'golf', LONG].map((label) => ({ picture: PIXEL, label, before: 'tennis', after: label }))
  const result = exampleResult()
  const tasks = result.tasks.map((task) => ({ ...task, changed: { tested: 40, putRight: 9, madeWrong: 2, examples } }))
  return renderReport({ ...result, tasks })
}
