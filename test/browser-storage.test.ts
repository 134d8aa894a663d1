import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answered, CHROMIUM, type FileServer, openBrowser, openPage, serveFiles } from '../src/testing/browser.ts'
import { buildPage } from '../src/testing/build-page.ts'
import { type TinyWorld, tinyWorld } from '../src/testing/tiny-world.ts'

// What a page keeps, and what it says of models that it cannot have.

const WEIGHTS = 'open_clip_model.safetensors'

describe.skipIf(CHROMIUM === undefined)('a page in headless Chromium (skipped where there is none)', () => {
  let world: TinyWorld
  let root: string
  let browser: Browser
  let server: FileServer
  let page: Page
  const answers: Record<string, Answered> = {}

  beforeAll(async () => {
    world = await tinyWorld(5)
    root = await mkdtemp(join(tmpdir(), 'coop-storage-'))
    await buildPage(new URL('../src/testing/contract', import.meta.url), root)
    const weights = await readFile(join(world.model, WEIGHTS))
    for (const file of await readdir(world.model)) {
      const body = await readFile(join(world.model, file))
      for (const folder of ['gone', 'html', 'cut']) answers[`/${folder}/${file}`] = { body }
    }
    answers[`/gone/${WEIGHTS}`] = { status: 404, body: 'not found' }
    answers[`/html/${WEIGHTS}`] = { type: 'text/html', body: '<h1>Welcome</h1>' }
    answers[`/cut/${WEIGHTS}`] = { body: weights, cutAt: 1000 }
    server = await serveFiles({ '/model/': world.model, '/photos/': world.photos, '/': root }, { answers })
    browser = await openBrowser()
    page = (await openPage(browser, `${server.url}/`)).page
  }, 120_000)
  afterAll(async () => {
    await browser.close()
    await server.close()
    await world.remove()
    await rm(root, { recursive: true, force: true })
  })

  const load = (address: string, options = '{}'): Promise<string> =>
    page.evaluate(`loadClip(web.urlModel('${address}', ${options})).then(
      ({ fingerprint }) => fingerprint,
      (error) => error.message + ' -- ' + error.remedy,
    )`)

  it.each([
    ['of an address without weights', '/gone/', /contains no CLIP model.* -- give the folder/],
    ['of an address that answers with a page', '/html/', /contains no CLIP model|is a web page/],
    [
      'whose download is cut off',
      '/cut/',
      /the download of .* was cut off after \d+ of \d+ bytes -- check the network/,
    ],
    [
      'of a server that is not there',
      'http://127.0.0.1:9/model/',
      /cannot fetch .* -- check the address and the network/,
    ],
  ])('a model %s is refused in plain words', async (_, address, message) => {
    expect(await load(address)).toMatch(message)
  })

  it('a model is fetched once, with progress, and then taken from the storage; it can be removed', async () => {
    const progress: { done: number; total: number; detail: string }[] = await page.evaluate(`(async () => {
      const heard = []
      await loadClip(web.urlModel('/model/', { onProgress: (event) => heard.push(event) }))
      return heard.filter(({ kind, detail }) => kind === 'download' && detail === '${WEIGHTS}')
    })()`)
    const { size } = await readFile(join(world.model, WEIGHTS)).then(({ length }) => ({ size: length }))
    expect(progress.at(-1)).toMatchObject({ done: size, total: size })
    const before = server.asked.filter((path) => path === `/model/${WEIGHTS}`).length
    const again = await load('/model/')
    expect(again).toMatch(/^[0-9a-f]{64}$/)
    expect(server.asked.filter((path) => path === `/model/${WEIGHTS}`)).toHaveLength(before)
    const stored: { name: string; bytes: number }[] = await page.evaluate('web.storedModels()')
    const [model] = stored.filter(({ name }) => name.endsWith('/model'))
    expect(model?.bytes).toBeGreaterThan(size)
    await page.evaluate(`web.removeStoredModel(${JSON.stringify(model?.name)})`)
    expect(JSON.stringify(await page.evaluate('web.storedModels()'))).not.toContain('/model"')
    expect(await load('/model/')).toBe(again)
    expect(server.asked.filter((path) => path === `/model/${WEIGHTS}`).length).toBeGreaterThan(before)
  })

  it('a model is used all the same when the storage is full, with a warning', async () => {
    const client = await page.context().newCDPSession(page)
    await page.evaluate(`Promise.all(['/model'].map((end) => web.storedModels().then((all) => Promise.all(
      all.filter(({ name }) => name.endsWith(end)).map(({ name }) => web.removeStoredModel(name))))))`)
    await client.send('Storage.overrideQuotaForOrigin', { origin: server.url, quotaSize: 500 })
    try {
      const warnings: string[] = await page.evaluate(`(async () => {
        const heard = []
        await loadClip(web.urlModel('/model/', { onWarning: (text) => heard.push(text) }))
        return heard
      })()`)
      expect(warnings.join()).toMatch(/storage for this site is full; it is fetched again next time/)
    } finally {
      await client.send('Storage.overrideQuotaForOrigin', { origin: server.url })
    }
  })

  it('a chosen model is read from its files', async () => {
    const fingerprint: string = await page.evaluate(`(async () => {
      const names = ${JSON.stringify(await readdir(world.model))}
      const files = await Promise.all(names.map(async (name) => new File([await (await fetch('/model/' + name)).blob()], name)))
      return (await loadClip(web.fileModel(files))).fingerprint
    })()`)
    expect(fingerprint).toBe(await load('/model/'))
  })

  it('a run goes on after its tab was closed, and ends as one left alone', async () => {
    const names = ['blue', 'green', 'red']
    const items = names.flatMap((name, label) =>
      [0, 1, 2, 3, 4].map((i) => ({ path: `/photos/${name}/${i}.png`, label })),
    )
    const start = (store: string, stopAfter: number) => `(async () => {
      const data = { name: 'photos', classNames: ${JSON.stringify(names)}, train: ${JSON.stringify(items)}, test: [] }
      const options = { model: web.urlModel('/model/'), device: 'cpu', settings: { epochs: 40, M: 2 }, checkpointSeconds: 0 }
      const store = ${store}
      let first
      const onSteps = (steps) => {
        first ??= steps.length
        if (steps.length === ${stopAfter}) { window.reached = true; return new Promise(() => {}) }
      }
      const { files } = await web.train(data, { ...options, store }, { onSteps })
      const learned = await web.readRun(files)
      return { first, ctx: Array.from(learned.tensors.get('ctx').data), steps: new TextDecoder().decode(files.get('metrics.jsonl')).trim().split('\\n').length }
    })()`
    interface Ended {
      readonly first: number
      readonly ctx: number[]
      readonly steps: number
    }
    const whole: Ended = await page.evaluate(start('undefined', -1))
    const tab = await page.context().newPage()
    await tab.goto(`${server.url}/`)
    tab.evaluate(start("await web.browserRuns().open('a run')", 17)).catch(() => undefined)
    await tab.waitForFunction('window.reached')
    await tab.close()
    expect(await page.evaluate('web.browserRuns().list()')).toEqual([{ name: 'a run', finished: false }])
    const resumed: Ended = await page.evaluate(start("await web.browserRuns().open('a run')", -1))
    expect(resumed.first).toBeGreaterThanOrEqual(16)
    expect(resumed.steps).toBe(whole.steps)
    expect(resumed.ctx).toEqual(whole.ctx)
    expect(await page.evaluate('web.browserRuns().list()')).toEqual([{ name: 'a run', finished: true }])
    const files: string[] = await page.evaluate(
      "web.browserRuns().files('a run').then((files) => [...files.keys()].sort())",
    )
    expect(files).toEqual(['learned.safetensors', 'metrics.jsonl', 'results.json', 'settings.json'])
    await page.evaluate("web.browserRuns().remove('a run')")
    expect(await page.evaluate('web.browserRuns().list()')).toEqual([])
  })

  it('the page goes on while it learns, and a signal stops it', async () => {
    const said: { reason: string; turns: number } = await page.evaluate(`(async () => {
      const path = (name, i) => '/photos/' + name + '/' + i + '.png'
      const train = ['blue', 'red'].flatMap((name, label) => [0, 1, 2].map((i) => ({ path: path(name, i), label })))
      const stop = new AbortController()
      let turns = 0
      const timer = setInterval(() => turns++, 5)
      const options = { model: web.urlModel('/model/'), device: 'cpu', settings: { epochs: 100000, M: 2 }, signal: stop.signal }
      const onSteps = (steps) => steps.length === 200 && stop.abort(new Error('enough'))
      const work = web.train({ name: 'photos', classNames: ['blue', 'red'], train, test: [] }, options, { onSteps })
      const reason = await work.then(() => 'it ended', (error) => error.message)
      clearInterval(timer)
      return { reason, turns }
    })()`)
    expect(said.reason).toBe('enough')
    expect(said.turns).toBeGreaterThan(5)
  })
})
