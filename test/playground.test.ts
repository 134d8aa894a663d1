import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import ts from 'typescript'
import { build } from 'vite'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { openRun } from '../src/runs/open-run.ts'
import { train } from '../src/runs/train.ts'
import { axeFaults, CHROMIUM, type FileServer, openBrowser, serveFiles } from '../src/testing/browser.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Where the built page lies on its server: not at the root, as on most web hosts. */
const BELOW = '/some/place/'
const SAMPLE = 'Fantasy beings'

if (!CHROMIUM) console.warn('The playground is not tested: there is no Chromium here.')

it('one file of the page knows the library, by its public entries', async () => {
  const src = join(ROOT, 'web/src')
  const files = (await readdir(src, { recursive: true })).filter((file) => /\.tsx?$/.test(file))
  const imports = await Promise.all(
    files.map(async (file) => {
      const { importedFiles } = ts.preProcessFile(await readFile(join(src, file), 'utf8'))
      return importedFiles.map(({ fileName }) => ({ file, fileName }))
    }),
  )
  const outside = imports.flat().filter(({ file, fileName }) => {
    const target = fileName.startsWith('.') ? join(src, file, '..', fileName) : fileName
    return !target.startsWith(src) && !/^(preact|preact\/hooks|@preact\/signals)$/.test(target)
  })
  expect(outside).toEqual(['coop-ts', 'coop-ts/web'].map((fileName) => ({ file: 'engine.ts', fileName })))
})

describe.skipIf(!CHROMIUM)('the playground', () => {
  let folder: string
  let server: FileServer
  let browser: Browser
  const contexts: BrowserContext[] = []

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'playground-'))
    await build({
      configFile: join(ROOT, 'web/vite.config.ts'),
      logLevel: 'error',
      build: { outDir: join(folder, 'site') },
    })
    server = await serveFiles({ [BELOW]: join(folder, 'site') })
    browser = await openBrowser()
  }, 180_000)
  afterEach(async () => {
    for (const context of contexts.splice(0)) await context.close()
  })
  afterAll(async () => {
    await browser?.close()
    await server?.close()
    await rm(folder, { recursive: true, force: true })
  })

  /** The page, and what its console complained of. */
  async function openPage(of = browser) {
    const context = await of.newContext({ reducedMotion: 'reduce' })
    contexts.push(context)
    const page = await context.newPage()
    const complaints: string[] = []
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(String(error)))
    await page.goto(server.url + BELOW)
    await page.getByTestId('sample-task').first().waitFor()
    return { context, page, complaints }
  }

  it('learns a sample, shows what changed, and gives a file that Node reads and the page takes again', async () => {
    const { page, complaints } = await openPage()
    await page.getByTestId('sample-task').filter({ hasText: SAMPLE }).click()
    const byHand = await figure(page, 'zero-shot-accuracy')
    await trainIt(page)
    const learned = await figure(page, 'learned-accuracy')
    expect(learned).toBeGreaterThan(byHand + 10)
    for (const title of ['Where the two disagree', 'What is taken for what', 'The nearest words']) {
      await page.getByRole('heading', { name: title }).waitFor()
    }
    const elf = join(ROOT, 'samples/fantasy/test/elf/1f9dd-1f3fe-3d.png')
    await page.getByTestId('try-files').setInputFiles(elf)
    await page.getByRole('button', { name: 'Try 1f9dd-1f3fe-3d.png' }).first().waitFor()
    await page.getByText('this page calibrates nothing').waitFor()

    const download = page.waitForEvent('download')
    await page.getByTestId('download').click()
    const file = join(folder, 'learned.safetensors')
    await (await download).saveAs(file)
    const run = await openRun(folder, { model: 'bundled' })
    const [labels] = await run.classify([elf])
    await run.dispose()
    expect(labels?.[0]?.label).toBe('elf')

    await page.reload()
    await page.getByTestId('train').waitFor()
    await page.getByTestId('try-files').setInputFiles(elf)
    await page.getByTestId('load-run').setInputFiles(file)
    const row = page.getByRole('row').filter({ has: page.getByRole('rowheader', { name: 'elf', exact: true }) })
    await expect
      .poll(async () => Number(await row.locator('td.learned .value').textContent()), POLL)
      .toBeGreaterThan(40)
    const inNode = 100 * (labels?.[0]?.probability ?? 0)
    expect(Number(await row.locator('td.learned .value').textContent())).toBeCloseTo(inNode, 0)
    expect(complaints).toEqual([])
  })

  it('reaches the accuracy and the loss of Node from the same seed', async () => {
    const { page } = await openPage()
    await page.getByTestId('sample-task').filter({ hasText: SAMPLE }).click()
    const zeroShot = await figure(page, 'zero-shot-accuracy')
    await trainIt(page)
    const run = join(folder, 'node')
    const { tasks } = indexSchema.parse(JSON.parse(await readFile(join(ROOT, 'samples/index.json'), 'utf8')))
    const { template } = tasks.find(({ title }) => title === SAMPLE) ?? {}
    const result = await train(join(ROOT, 'samples/fantasy'), {
      out: run,
      method: 'coop',
      settings: { recipe: 'fast' },
      views: 0,
      templates: template === undefined ? undefined : [template],
      seed: 1,
      threads: 1,
      cache: join(folder, 'cache'),
    })
    expect(await figure(page, 'learned-accuracy')).toBeCloseTo(100 * (result.accuracy ?? 0), 1)
    expect(zeroShot).toBeCloseTo(100 * (result.zeroShot ?? 0), 1)
    const lines = (await readFile(join(run, 'metrics.jsonl'), 'utf8')).trim().split('\n')
    const { loss }: { loss: number } = JSON.parse(lines.at(-1) ?? '')
    expect(Math.abs(Number(await page.getByTestId('loss').textContent()) - loss)).toBeLessThan(1.5e-3)
  })

  // two classes and fifty steps: by software a step takes a second, and one of all classes three
  it('learns on WebGPU, computed by software, what it learns on the CPU', { timeout: 900_000 }, async () => {
    const graphics = await openBrowser({ webgpu: true })
    const poll = { timeout: 400_000, interval: 500 }
    const learn = async (of: Browser, device: 'cpu' | 'webgpu') => {
      const { page, complaints } = await openPage(of)
      await page.getByTestId('device').selectOption(device)
      await addClasses(page, ['elf', 'vampire'], 4)
      await expect.poll(() => page.getByTestId('train').isEnabled(), poll).toBe(true)
      await page.getByText('Settings').click()
      await page.getByLabel('Recipe').selectOption('paper')
      await page.getByLabel('Pictures a class').selectOption('1')
      await page.getByTestId('train').click()
      await expect.poll(() => page.getByTestId('download').isEnabled(), poll).toBe(true)
      expect(complaints).toEqual([])
      const shown = await page.locator('.taken').textContent()
      return { shown, accuracy: await figure(page, 'learned-accuracy'), loss: await figure(page, 'loss') }
    }
    try {
      const [onCpu, onGpu] = [await learn(browser, 'cpu'), await learn(graphics, 'webgpu')]
      expect(onCpu.shown).toMatch(/^CPU/)
      expect(onGpu.shown).toBe('GPU')
      expect(Math.abs(onGpu.loss - onCpu.loss)).toBeLessThan(1.5e-3)
      expect(onGpu.accuracy).toBe(onCpu.accuracy)
    } finally {
      await graphics.close()
    }
  })

  it("learns classes of one's own files, and says what is wrong with others", async () => {
    const { page, complaints } = await openPage()
    await addClasses(page, ['elf', 'vampire'], 6)
    await figure(page, 'zero-shot-accuracy')
    const text = join(folder, 'not-a-picture.png')
    await writeFile(text, 'this is no picture')
    const cut = join(folder, 'cut.jpg')
    await writeFile(cut, Buffer.from('ffd8ffe000104a46494600010100000100010000ffdb0043', 'hex'))
    await page.getByTestId('class-files').first().setInputFiles([text, cut])
    await page.getByRole('alert').filter({ hasText: 'not-a-picture.png' }).waitFor()
    await page.getByRole('alert').filter({ hasText: 'cut.jpg' }).waitFor()
    await trainIt(page)
    await figure(page, 'learned-accuracy')
    await page.getByTestId('load-run').setInputFiles(text)
    await page.getByLabel('Messages').getByRole('alert').waitFor()
    expect(complaints).toEqual([])
  })

  it('can be driven by the keyboard alone', async () => {
    const { page } = await openPage()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await press(page, 'sample-task', 'Enter')
    await figure(page, 'zero-shot-accuracy')
    await untilOpen(page)
    await press(page, 'train', 'Space')
    await finished(page)
    await press(page, 'download', null)
    expect(await figure(page, 'learned-accuracy')).toBeGreaterThan(50)
  })

  it('works without a network after the first visit', async () => {
    const { page, context, complaints } = await openPage()
    await page.getByText('works without a network').waitFor({ timeout: 60_000 })
    await context.setOffline(true)
    await page.reload()
    await page.getByTestId('sample-task').filter({ hasText: SAMPLE }).click()
    await trainIt(page)
    expect(await figure(page, 'learned-accuracy')).toBeGreaterThan(50)
    expect(complaints).toEqual([])
  })

  it('offers to go on with a training that the closing of the tab cut off', async () => {
    const { page, context } = await openPage()
    await page.getByTestId('sample-task').filter({ hasText: SAMPLE }).click()
    await untilOpen(page)
    await page.getByText('Settings').click()
    await page.getByLabel('Recipe').selectOption('paper')
    await page.getByTestId('train').click()
    const stepOf = async (page: Page) =>
      Number(/Step (\d+)/.exec((await page.locator('.status').textContent()) ?? '')?.[1])
    await expect.poll(() => stepOf(page), POLL).toBeGreaterThan(2)
    await page.waitForTimeout(3500) // a checkpoint is written every three seconds
    await expect.poll(() => stepOf(page), POLL).toBeGreaterThan(10)
    await page.close()
    const next = await context.newPage()
    await next.goto(server.url + BELOW)
    await next.getByRole('button', { name: 'Go on' }).click()
    await expect.poll(() => stepOf(next), POLL).toBeGreaterThan(2)
    expect(await figure(next, 'zero-shot-accuracy')).toBeGreaterThan(0)
    await next.getByRole('button', { name: 'Stop' }).click()
    await next.getByText('Training was stopped.').waitFor()
  })

  it('has nothing serious for axe to find, in light and dark', async () => {
    const { page } = await openPage()
    const inBoth = async () => {
      const found: string[] = []
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
        found.push(...(await axeFaults(page)))
      }
      return found
    }
    expect(await inBoth()).toEqual([])
    await page.getByTestId('sample-task').first().click()
    await trainIt(page)
    await page.getByText('Settings').click()
    await page
      .getByRole('listitem')
      .filter({ hasText: /\d\.\d\d/ })
      .first()
      .waitFor()
    expect(await inBoth()).toEqual([])
  })

  it('may connect to nothing but its own server, and with hub.html to the hub', async () => {
    const policyOf = async (file: string) =>
      / connect-src ([^;]*);/.exec(await readFile(join(folder, 'site', file), 'utf8'))?.[1]
    expect(await policyOf('index.html')).toBe("'self'")
    expect(await policyOf('hub.html')).toMatch(
      /^'self' https:\/\/huggingface.co( https:\/\/\*\.(huggingface|hf)\.co)+$/,
    )
    const { page, complaints } = await openPage()
    const refused = page.evaluate(() =>
      fetch('https://example.com').then(
        () => 'reached',
        () => 'refused',
      ),
    )
    expect(await refused).toBe('refused')
    expect(complaints.join()).toContain('Content Security Policy')
  })
})

const indexSchema = z.object({ tasks: z.array(z.object({ title: z.string(), template: z.string() })) })

const POLL = { timeout: 60_000, interval: 100 }

/** The number that an element shows, once it shows one. */
async function figure(page: Page, testId: string): Promise<number> {
  const text = page.getByTestId(testId)
  await expect.poll(() => text.textContent(), POLL).toMatch(/\d/)
  return Number.parseFloat((await text.textContent()) ?? '')
}

const untilOpen = (page: Page) => expect.poll(() => page.getByTestId('train').isEnabled(), POLL).toBe(true)
const finished = (page: Page) => expect.poll(() => page.getByTestId('download').isEnabled(), POLL).toBe(true)

async function trainIt(page: Page): Promise<void> {
  await untilOpen(page)
  await page.getByTestId('train').click()
  await finished(page)
}

/** Classes of the sample as files of one's own. */
async function addClasses(page: Page, names: readonly string[], pictures: number): Promise<void> {
  for (const [i, name] of names.entries()) {
    const from = join(ROOT, 'samples/fantasy/train', name)
    const files = (await readdir(from)).slice(0, pictures).map((file) => join(from, file))
    await page.getByTestId('add-class').click()
    await page.getByTestId('class-name').nth(i).fill(name)
    await page.getByTestId('class-files').nth(i).setInputFiles(files)
  }
}

/** Goes to an element with the tab key and presses another. */
async function press(page: Page, testId: string, key: string | null): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const focused = await page.evaluate('document.activeElement?.dataset.testid')
    if (focused === testId) {
      if (key !== null) await page.keyboard.press(key)
      return
    }
    await page.keyboard.press('Tab')
  }
  throw new Error(`the tab key does not lead to ${testId}`)
}
