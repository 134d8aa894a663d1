import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomFor } from '../src/base/random.ts'
import { bundledClip } from '../src/lab/bundled-clip.ts'
import { encodePng } from '../src/node/image.ts'
import { bundledModel } from '../src/node/package.ts'
import { nodeRuntime } from '../src/node/runtime.ts'
import { CHROMIUM, openBrowser, openPage, serveFiles } from '../src/testing/browser.ts'
import { buildPage } from '../src/testing/build-page.ts'
import { absent, type Bench, type Figure, figure, NOT_INSTALLED } from './bench.ts'
import { CLASSES, SHOTS, stepTimes } from './browser/steps.ts'

const SIDE = 128

/** Steps of CoOp in headless Chromium against Node, and how long a page takes to learn. */
export const browser: Bench = {
  name: 'browser',
  about: 'a step of CoOp in headless Chromium against Node, and learning in a page: bundled model, 8 classes, 16 shots',
  long: true,
  async run(_, { quick }) {
    if (CHROMIUM === undefined) return { figures: [absent('Chromium', '', NOT_INSTALLED)], notes: [] }
    const count = quick ? 5 : 20
    const clip = await bundledClip()
    const figures: Figure[] = []
    for (const threads of [1, 2]) {
      const runtime = await nodeRuntime({ threads })
      const times = await stepTimes(clip, runtime, count).finally(() => runtime.close())
      figures.push(figure('Node', threads, 'step', 'ms', times))
    }
    const root = await mkdtemp(join(tmpdir(), 'coop-bench-'))
    const server = await serveFiles(
      { '/model/': bundledModel(), '/pictures/': root, '/': join(root, 'page') },
      { isolated: true },
    )
    const chromium = await openBrowser({ webgpu: true })
    try {
      await savePictures(root)
      await buildPage(new URL('./browser', import.meta.url), join(root, 'page'))
      const { page } = await openPage(chromium, `${server.url}/`)
      for (const threads of [1, 2]) {
        const times: number[] = await page.evaluate(`steps('cpu', ${threads}, ${count})`)
        figures.push(figure('Chromium, WebAssembly', threads, 'step', 'ms', times))
      }
      for (const [name, options] of Object.entries(RECIPES).slice(0, quick ? 1 : undefined)) {
        const { zeroShot, learned, steps }: Record<'zeroShot' | 'learned' | 'steps', number> = await page.evaluate(
          `learning(${JSON.stringify(options)})`,
        )
        figures.push(
          figure(name, 2, 'hand-written prompts measured after', 's', [zeroShot]),
          figure(name, 2, `learned after (${steps} steps)`, 's', [learned]),
        )
      }
      figures.push(figure('Chromium, WebAssembly', 2, 'memory of the tab', 'MB', [await page.evaluate('memory()')]))
      const slow: number[] = await page.evaluate("steps('webgpu', 1, 1)")
      figures.push(figure('Chromium, WebGPU computed by software', 1, 'step', 'ms', slow))
    } finally {
      await chromium.close()
      await server.close()
      await rm(root, { recursive: true, force: true })
    }
    return {
      figures,
      notes: ['size: threads', 'WebGPU by software says nothing of graphics cards; it shows that the step runs there'],
    }
  },
}

/** The playground takes pictures as they are, `train` four views of each. */
const RECIPES = {
  "the playground's default": { settings: { recipe: 'fast' }, views: 0 },
  'paper, 50 epochs': { settings: { recipe: 'paper', epochs: 50 } },
  "the paper's recipe": { settings: {} },
}

async function savePictures(folder: string): Promise<void> {
  for (let label = 0; label < CLASSES; label++) {
    for (let i = 0; i < SHOTS; i++) {
      const random = randomFor('bench picture', label, i)
      const data = Uint8Array.from(
        { length: SIDE * SIDE * 3 },
        (_, at) => (label * 30 + at / SIDE + random.int(60)) % 256,
      )
      await writeFile(join(folder, `${label}-${i}.png`), await encodePng({ width: SIDE, height: SIDE, data }))
    }
  }
}
