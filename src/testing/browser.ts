// A real browser for tests: headless Chromium, pages built by Vite, a server of files.
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { z } from 'zod'

/** Chromium of this machine; undefined where there is none. */
export const CHROMIUM = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser'].find(
  (path) => path !== undefined && existsSync(path),
)

/** WebGPU by software, as in a browser with a graphics card. */
const SOFTWARE_GPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan']

/** Headless Chromium; with `webgpu` it has WebGPU, computed by software. */
export function openBrowser({ webgpu = false }: { readonly webgpu?: boolean } = {}): Promise<Browser> {
  const args = ['--no-sandbox', ...(webgpu ? SOFTWARE_GPU : ['--disable-features=WebGPU'])]
  return chromium.launch({ executablePath: CHROMIUM, args })
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
  '.css': 'text/css',
}

/** A server of files on this machine. */
export interface FileServer {
  readonly url: string
  /** Paths that were asked for. */
  readonly asked: string[]
  close(): Promise<void>
}

/** What a path is answered with instead of a file. */
export interface Answered {
  readonly status?: number
  readonly type?: string
  readonly body: string | Uint8Array
  /** Bytes after which the connection is cut. */
  readonly cutAt?: number
}

/**
 * Serves folders, each below a path. With `isolated` the pages may use shared memory; `answers` replace files.
 */
export async function serveFiles(
  folders: Readonly<Record<string, string>>,
  {
    isolated = false,
    answers = {},
  }: { readonly isolated?: boolean; readonly answers?: Readonly<Record<string, Answered>> } = {},
): Promise<FileServer> {
  const asked: string[] = []
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname)
    asked.push(path)
    if (isolated) {
      response.setHeader('Cross-Origin-Opener-Policy', 'same-origin')
      response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp')
    }
    const answer = path === '/favicon.ico' ? { status: 204, body: '' } : answers[path]
    if (answer !== undefined) {
      const body = Buffer.from(answer.body)
      response.writeHead(answer.status ?? 200, {
        'Content-Type': answer.type ?? 'application/octet-stream',
        'Content-Length': body.length,
      })
      if (answer.cutAt === undefined || request.method === 'HEAD') return response.end(body)
      return response.write(body.subarray(0, answer.cutAt), () => setTimeout(() => response.destroy(), 100))
    }
    for (const [prefix, folder] of Object.entries(folders)) {
      if (!path.startsWith(prefix)) continue
      const rest = normalize(`/${path.slice(prefix.length)}`)
      const file = join(folder, rest.endsWith('/') ? `${rest}index.html` : rest)
      const content = await readFile(file).catch(() => undefined)
      if (content === undefined) continue
      const type = TYPES[extname(file)] ?? 'application/octet-stream'
      response.writeHead(200, { 'Content-Type': type, 'Content-Length': content.length })
      return response.end(content)
    }
    response.writeHead(404, { 'Content-Type': 'text/plain' })
    return response.end('not found')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port }: AddressInfo = Object(server.address())
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

/** A page and all that it complained of. */
export interface WatchedPage {
  readonly page: Page
  /** Errors and warnings of its console, and what nobody caught. */
  readonly complaints: string[]
}

/** Opens an address in a page of its own. */
export async function openPage(browser: Browser, url: string): Promise<WatchedPage> {
  const context = await browser.newContext()
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  await page.goto(url)
  return { page, complaints }
}

const AXE = fileURLToPath(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url))
const axeSchema = z.object({
  violations: z.array(
    z.object({ id: z.string(), impact: z.string().nullable(), nodes: z.array(z.object({ target: z.unknown() })) }),
  ),
})

/** What axe calls serious or critical in a page. */
export async function axeFaults(page: Page): Promise<string[]> {
  // a tag would be against the page's policy
  await page.evaluate(await readFile(AXE, 'utf8'))
  const { violations } = axeSchema.parse(await page.evaluate('axe.run()'))
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes[0]?.target}`)
}
