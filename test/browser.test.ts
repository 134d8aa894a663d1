import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadClip } from '../src/public/index.ts'
import * as node from '../src/public/node.ts'
import { CHROMIUM, type FileServer, openBrowser, openPage, serveFiles } from '../src/testing/browser.ts'
import { buildPage } from '../src/testing/build-page.ts'
import {
  bytesOfHex,
  LEARNED,
  type Platform,
  type Said,
  type Served,
  say,
  type Trained,
} from '../src/testing/contract/promises.ts'
import { lora } from '../src/testing/lora.ts'
import { type TinyWorld, tinyWorld } from '../src/testing/tiny-world.ts'

// The same promises in Node and in headless Chromium.

const CLASSES = ['blue', 'green', 'red']
const TRAIN = 4

let world: TinyWorld
let root: string
let inNode: Said
let served: Served

async function pictures(folder: string): Promise<void> {
  const data = Uint8Array.from({ length: 20 * 14 * 4 }, (_, i) => (i * 37 + (i >> 3) * 11) % 256)
  const rgba = sharp(data, { raw: { width: 20, height: 14, channels: 4 } })
  const rgb = rgba.clone().removeAlpha()
  const files = {
    'colours.png': rgb.clone().png(),
    'transparent.png': rgba.clone().png(),
    'palette.png': rgba.clone().png({ palette: true, colours: 16 }),
    'grey.png': rgb.clone().toColourspace('b-w').png(),
    'wide.png': rgb.clone().toColourspace('rgb16').png(),
    'profile.png': rgb.clone().withIccProfile('p3').png(),
    'interlaced.png': rgb.clone().png({ progressive: true }),
    'turned.png': rgb.clone().withMetadata({ orientation: 6 }).png(),
    'photo.jpg': rgb.clone().jpeg(),
    'turned.jpg': rgb.clone().withMetadata({ orientation: 8 }).jpeg({ chromaSubsampling: '4:4:4' }),
    'lossless.webp': rgb.clone().webp({ lossless: true }),
    'transparent.webp': rgba.clone().webp({ lossless: true, exact: true }),
    'moving.gif': rgba.clone().gif(),
  }
  await mkdir(folder)
  for (const [name, file] of Object.entries(files)) await writeFile(join(folder, name), await file.toBuffer())
  const header = 'P3 2 1 255\n255 0 0 0 255 128\n'
  await writeFile(join(folder, 'text.ppm'), header)
}

async function filesOf(folder: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const names = await readdir(folder)
  return new Map(
    await Promise.all(names.map(async (name) => [name, new Uint8Array(await readFile(join(folder, name)))] as const)),
  )
}

async function saved(folder: string, files: ReadonlyMap<string, Uint8Array>): Promise<string> {
  await mkdir(folder, { recursive: true })
  for (const [name, content] of files) await writeFile(join(folder, name), content)
  return folder
}

async function nodePlatform(): Promise<Platform> {
  const data = join(root, 'data')
  const clip = await loadClip(node.folderModelFiles(world.model))
  const runtime = await node.nodeRuntime({ threads: 1 })
  let runs = 0
  const folder = () => join(root, `run-${runs++}`)
  const options = { threads: 1, cache: join(root, 'cache') }
  const small = await filesOf(join(root, 'pictures'))
  const wrongTrain = (more: object) => node.train(data, { ...options, model: world.model, out: folder(), ...more })
  return {
    clip,
    runtime,
    pictures: small,
    decodeImage: node.decodeImage,
    async train(how) {
      const run = await node.train(data, { ...options, ...how, model: world.model, out: folder(), seed: 1 })
      return { ...run, files: await filesOf(run.run) } satisfies Trained
    },
    openRun: async (files) => node.openRun(await saved(folder(), files), { runtime, model: clip, methods: [lora] }),
    evaluateRun: async (files) =>
      node.evaluateRun(await saved(folder(), files), data, { ...options, model: world.model, methods: [lora] }),
    wrong: {
      'not a picture': () => node.decodeImage(new TextEncoder().encode('no picture'), 'note.txt'),
      'an empty file': () => node.decodeImage(new Uint8Array(), 'empty.png'),
      'a PNG cut short': () => node.decodeImage((small.get('grey.png') ?? new Uint8Array()).slice(0, 60), 'cut.png'),
      'a JPEG cut short': () => node.decodeImage((small.get('photo.jpg') ?? new Uint8Array()).slice(0, -40), 'cut.jpg'),
      'no such method': () => wrongTrain({ method: 'cop' }),
      'a wrong setting': () => wrongTrain({ settings: { epochs: -1 } }),
      'no such option': () => wrongTrain({ epoch: 3 }),
      'shots of nothing': () => wrongTrain({ shots: 0 }),
      'a run that is none': () => node.openRun(join(root, 'pictures'), { runtime, model: clip }),
      'a thread too few': () => node.nodeRuntime({ threads: 0 }),
    },
  }
}

describe.skipIf(CHROMIUM === undefined)('in headless Chromium (skipped where there is none)', () => {
  beforeAll(async () => {
    world = await tinyWorld(TRAIN + 3)
    root = await mkdtemp(join(tmpdir(), 'coop-contract-'))
    await pictures(join(root, 'pictures'))
    const parts: Record<'train' | 'test', { path: string; label: number }[]> = { train: [], test: [] }
    for (const [label, name] of CLASSES.entries()) {
      for (const [i, file] of (await readdir(join(world.photos, name))).sort().entries()) {
        const part = i < TRAIN ? 'train' : 'test'
        const path = join(part, name, file)
        await mkdir(join(root, 'data', part, name), { recursive: true })
        await writeFile(join(root, 'data', path), await readFile(join(world.photos, name, file)))
        parts[part].push({ path: `/root/data/${path}`, label })
      }
    }
    served = {
      model: '/model/',
      classNames: CLASSES,
      ...parts,
      pictures: (await readdir(join(root, 'pictures'))).map((name) => `/root/pictures/${name}`),
    }
    await buildPage(new URL('../src/testing/contract', import.meta.url), join(root, 'page'))
    const platform = await nodePlatform()
    inNode = await say(platform).finally(() => platform.runtime.close())
  }, 300_000)
  afterAll(async () => {
    await world.remove()
    await rm(root, { recursive: true, force: true })
  })

  const open = async (webgpu: boolean, isolated: boolean): Promise<[Browser, FileServer, Page, string[]]> => {
    const folders = { '/model/': world.model, '/root/': root, '/': join(root, 'page') }
    const server = await serveFiles(folders, { isolated })
    const browser = await openBrowser({ webgpu })
    const { page, complaints } = await openPage(browser, `${server.url}/`)
    return [browser, server, page, complaints]
  }
  async function told(page: Page, device: 'cpu' | 'webgpu', methods?: readonly string[]): Promise<Said> {
    const call = `contract(${JSON.stringify(served)}, '${device}', ${JSON.stringify(methods)})`
    return page.evaluate(call)
  }

  function compare(said: Said, name: string): void {
    const [a, b] = [said.runs[name], inNode.runs[name]]
    if (a === undefined || b === undefined) throw new Error(`there is no run ${name}`)
    expect(a.losses.length, name).toBe(b.losses.length)
    for (const [i, loss] of a.losses.entries())
      expect(Math.abs(loss - (b.losses[i] ?? Number.NaN)), name).toBeLessThan(1e-3)
    expect({ ...a, losses: 0, probabilities: 0, learned: 0 }, name).toEqual({
      ...b,
      losses: 0,
      probabilities: 0,
      learned: 0,
    })
    for (const [i, row] of a.probabilities.entries()) {
      for (const [c, p] of row.entries()) expect(p, name).toBeCloseTo(b.probabilities[i]?.[c] ?? Number.NaN, 3)
    }
  }

  describe.each([
    { isolated: true, threads: 'with threads' },
    { isolated: false, threads: 'without threads' },
  ])('$threads', ({ isolated }) => {
    let said: Said
    let answered: number[][]
    let complaints: string[]
    beforeAll(async () => {
      const [browser, server, page, heard] = await open(false, isolated)
      complaints = heard
      said = await told(page, 'cpu', isolated ? undefined : ['coop', 'zero-shot'])
      const [first, second, third] = served.pictures
      const given = [served.model, inNode.runs.coop?.learned, [first, second, third]].map((x) => JSON.stringify(x))
      answered = await page.evaluate(`asked(${given.join()})`)
      await browser.close()
      await server.close()
    }, 300_000)

    it('pictures have the pixels of Node', () => {
      expect(Object.keys(said.pixels).length).toBeGreaterThan(10)
      expect(said.pixels).toEqual(inNode.pixels)
    })
    it('the model is the same, and its features of texts', () => {
      expect(said.fingerprint).toBe(inNode.fingerprint)
      for (const [i, x] of said.texts.entries()) expect(x).toBeCloseTo(inNode.texts[i] ?? Number.NaN, 4)
    })
    it.each(LEARNED.map(({ name }) => name).filter((name) => isolated || ['coop', 'zero-shot'].includes(name)))(
      '%s learns as in Node: settings, losses, accuracy, answers',
      (name) => compare(said, name),
    )
    it('wrong values are refused by errors of ours', () => {
      expect(Object.keys(said.refused)).toEqual(Object.keys(inNode.refused))
      for (const [what, message] of Object.entries({ ...said.refused, ...inNode.refused })) {
        expect(message, what).not.toMatch(/^(it was not refused|not an error of ours)/)
      }
    })
    it('nothing is complained of in the console', () => {
      expect(complaints.filter((text) => !/404/.test(text))).toEqual([])
    })
    it('a run of Node opens in the page', () => {
      for (const [i, row] of answered.entries()) {
        for (const [c, p] of row.entries())
          expect(p).toBeCloseTo(inNode.runs.coop?.probabilities[i]?.[c] ?? Number.NaN, 3)
      }
      expect(answered).toHaveLength(3)
    })
    it('a run of the page opens in Node', async () => {
      const { learned = '', probabilities } = said.runs.coop ?? {}
      const run = await saved(
        join(root, `page-run-${isolated}`),
        new Map([['learned.safetensors', bytesOfHex(learned)]]),
      )
      const opened = await node.openRun(run, { model: world.model, threads: 1 })
      const files = await filesOf(join(root, 'pictures'))
      const labels = await opened.classify([...files.values()].slice(0, 3))
      await opened.dispose()
      for (const [i, row] of labels.entries()) {
        for (const { label, probability } of row) {
          expect(probability).toBeCloseTo(probabilities?.[i]?.[CLASSES.indexOf(label)] ?? Number.NaN, 3)
        }
      }
    })
  })

  it('a graphics card that is lost ends the runtime, which says so', async () => {
    const [browser, server, page] = await open(true, false)
    try {
      await page.evaluate(`(async () => {
        window.runtime = await web.webRuntime({ device: 'webgpu' })
        window.clip = await loadClip(web.urlModel('/model/', { keep: false }))
        await encodeTexts(clip, runtime, ['a cat'])
      })()`)
      const graphics = await browser.newBrowserCDPSession()
      // the session is kept, so that the device is held
      const said = page.evaluate(`(async () => {
        const session = await runtime.load(probe())
        window.held = true
        while (true) {
          try {
            await session.run({})
          } catch (error) {
            return error.message
          }
          await new Promise((resolve) => setTimeout(resolve, 50))
        }
      })()`)
      await page.waitForFunction('window.held')
      await graphics.send('Browser.crashGpuProcess')
      expect(await said).toMatch(/ONNX Runtime|the graphics card was lost/)
      const later = await page.evaluate(
        'encodeTexts(clip, runtime, ["a dog"]).then(() => "it went on", (error) => error.message)',
      )
      expect(later).toMatch(/the runtime has ended: the graphics card was lost/)
    } finally {
      await browser.close()
      await server.close()
    }
  })

  it('auto measures both devices, takes WebAssembly over WebGPU by software, and says so', async () => {
    const [browser, server, page] = await open(true, false)
    try {
      // it learns until both were timed, however long that takes here
      const [note, device] = await page.evaluate<[string, string]>(`(async () => {
        const { classNames, train, model } = ${JSON.stringify(served)}
        const runtime = await web.webRuntime({ device: 'auto' })
        const enough = new AbortController()
        const options = { model: web.urlModel(model, { keep: false }), runtime, settings: { M: 2, epochs: 1000 } }
        const look = setInterval(() => runtime.note.includes(' ms') && enough.abort(), 50)
        while (!enough.signal.aborted) {
          await web.train({ name: 'photos', classNames, train, test: [] }, { ...options, signal: enough.signal }).catch(() => {})
        }
        clearInterval(look)
        return [runtime.note, runtime.device]
      })()`)
      expect(note).toMatch(/WebAssembly.*a step takes [\d.]+ ms.*WebGPU .*ms/)
      expect(device).toBe('cpu')
    } finally {
      await browser.close()
      await server.close()
    }
  })

  // without folds, which are programs of other shapes: to compile a program by software takes longer than to run it
  it('WebGPU, computed by software, gives the losses of Node', { timeout: 600_000 }, async () => {
    const [browser, server, page] = await open(true, false)
    try {
      const losses: number[] = await page.evaluate(`(async () => {
        const { classNames, train, model } = ${JSON.stringify(served)}
        const { settings } = ${JSON.stringify(LEARNED.find(({ name }) => name === 'coop'))}
        const options = { model: web.urlModel(model, { keep: false }), device: 'webgpu', settings, calibrate: false }
        const { files, device } = await web.train({ name: 'photos', classNames, train, test: [] }, options)
        if (device !== 'webgpu') throw new Error(device)
        const lines = new TextDecoder().decode(files.get('metrics.jsonl')).trim().split('\\n')
        return lines.map((line) => JSON.parse(line).loss)
      })()`)
      const wanted = inNode.runs.coop?.losses ?? []
      expect(losses).toHaveLength(wanted.length)
      for (const [i, loss] of losses.entries()) expect(Math.abs(loss - (wanted[i] ?? Number.NaN))).toBeLessThan(1e-3)
    } finally {
      await browser.close()
      await server.close()
    }
  })
})
