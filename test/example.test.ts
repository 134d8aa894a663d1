import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundledModel } from '../src/node/package.ts'
import { CHROMIUM, openBrowser, openPage, serveFiles } from '../src/testing/browser.ts'
import { type TinyWorld, tinyWorld } from '../src/testing/tiny-world.ts'

const at = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url))

describe('examples/vite', () => {
  let world: TinyWorld
  let out: string
  beforeAll(async () => {
    world = await tinyWorld(6)
    out = await mkdtemp(join(tmpdir(), 'coop-example-'))
    await build({
      root: at('examples/vite'),
      configFile: false,
      logLevel: 'error',
      // the package as it is here; a user has it in node_modules
      resolve: { alias: { 'coop-ts/web': at('src/public/web.ts'), 'coop-ts': at('src/public/index.ts') } },
      build: { outDir: out, emptyOutDir: true },
    })
  }, 120_000)
  afterAll(async () => {
    await world.remove()
    await rm(out, { recursive: true, force: true })
  })

  it('is built without settings: workers, and each WebAssembly file once', async () => {
    const names = (await readdir(join(out, 'assets'))).map((name) => name.replace(/-[\w-]{8}(\.\w+)$/, '$1')).sort()
    expect(names).toEqual([
      'index.js',
      'ort-wasm-simd-threaded.asyncify.wasm',
      'ort-wasm-simd-threaded.wasm',
      'picture-worker.js',
      'worker-webgpu.js',
      'worker.js',
    ])
  })

  it.skipIf(CHROMIUM === undefined)('learns from chosen files (skipped without Chromium)', async () => {
    const server = await serveFiles({ '/model/': bundledModel(), '/': out })
    const browser = await openBrowser()
    try {
      const { page } = await openPage(browser, `${server.url}/`)
      for (const [i, name] of ['blue', 'red'].entries()) {
        const files = [0, 1, 2, 3, 4, 5].map((n) => join(world.photos, name, `${n}.png`))
        await page.fill(`#name-${i}`, name)
        await page.setInputFiles(`#files-${i}`, files)
      }
      await page.click('#learn')
      await page.waitForFunction("/learned: \\d+ %/.test(document.getElementById('said').textContent)")
      await page.setInputFiles('#try', join(world.photos, 'red', '5.png'))
      await page.waitForFunction("/^(red|blue) \\d+ %, /.test(document.getElementById('said').textContent)")
      expect(await page.textContent('#said')).toMatch(/^red /)
    } finally {
      await browser.close()
      await server.close()
    }
  })
})
