// Programs of other people that run exported files, none of our code in them.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { chromium } from 'playwright-core'
import { z } from 'zod'
import type { FloatTensor } from '../../src/graph/tensor.ts'

/** What a client is asked. */
export interface Asked {
  /** A folder of `coop-ts export --format transformers`. */
  readonly folder: string
  /** Pictures as our own code preprocesses them, `(n, 3, size, size)`. */
  readonly pixels: FloatTensor
  /** Paths of the same pictures. */
  readonly pictures: readonly string[]
}

/** Probabilities, a row a picture: from our pixels, and from the pictures by the client's own preprocessing. */
const answerSchema = z.object({ ours: z.array(z.array(z.number())), own: z.array(z.array(z.number())).optional() })
export type Answer = z.output<typeof answerSchema>

export interface Client {
  readonly name: string
  /** What has to be installed first; undefined: all is there. */
  missing(): string | undefined
  ask(asked: Asked): Promise<Answer>
}

const run = promisify(execFile)
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
/** A folder in which `npm install @huggingface/transformers` was run, and a Python with onnxruntime, numpy and pillow. */
const { COOP_TRANSFORMERS: TRANSFORMERS, COOP_PYTHON: PYTHON } = process.env

/** A script that reads its question as JSON from a file and prints its answer as JSON. */
async function askScript(program: string, script: string, { folder, pixels, pictures }: Asked): Promise<Answer> {
  const work = await mkdtemp(join(tmpdir(), 'coop-client-'))
  try {
    const [question, values] = [join(work, 'question.json'), join(work, 'pixels.f32')]
    await writeFile(values, bytesOf(pixels))
    await writeFile(question, JSON.stringify({ folder, pictures, pixels: values, shape: pixels.shape }))
    const { stdout } = await run(program, [here(script), question, TRANSFORMERS ?? ''], { maxBuffer: 1 << 26 })
    return answerSchema.parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''))
  } finally {
    await rm(work, { recursive: true })
  }
}

const bytesOf = ({ data }: FloatTensor) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)

/** onnxruntime-web in headless Chromium: a page with a module of ten lines. */
async function askPage({ folder, pixels }: Asked): Promise<Answer> {
  const dist = fileURLToPath(new URL('.', import.meta.resolve('onnxruntime-web')))
  const files: Readonly<Record<string, () => Promise<Uint8Array>>> = {
    '/': () => readFile(here('page.html')),
    '/model.onnx': () => readFile(join(folder, 'onnx/model.onnx')),
    '/pixels': async () => bytesOf(pixels),
  }
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://page').pathname
    const name = /^\/dist\/([\w.-]+)$/.exec(path)?.[1]
    const reading = name === undefined ? files[path]?.() : readFile(join(dist, name))
    const type = path === '/' ? 'text/html' : path.endsWith('js') ? 'text/javascript' : 'application/octet-stream'
    if (path.endsWith('.wasm')) response.setHeader('content-type', 'application/wasm')
    else response.setHeader('content-type', type)
    if (reading === undefined) response.writeHead(404).end()
    else reading.then((bytes) => response.end(bytes)).catch(() => response.writeHead(404).end())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
  try {
    const page = await browser.newPage()
    await page.goto(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/?n=${pixels.shape.join()}`)
    const text = await page.locator('pre').textContent({ timeout: 60_000 })
    return answerSchema.parse(JSON.parse(text ?? ''))
  } finally {
    await browser.close()
    server.close()
  }
}

export const CLIENTS: readonly Client[] = [
  {
    name: 'onnxruntime-web in a page',
    missing: () => (existsSync(CHROMIUM) ? undefined : `Chromium (CHROMIUM names its path, ${CHROMIUM} is not there)`),
    ask: askPage,
  },
  {
    name: '@huggingface/transformers',
    missing: () =>
      TRANSFORMERS && existsSync(join(TRANSFORMERS, 'node_modules/@huggingface/transformers'))
        ? undefined
        : '@huggingface/transformers (COOP_TRANSFORMERS names a folder in which npm installed it)',
    ask: (asked) => askScript(process.execPath, 'transformers.mjs', asked),
  },
  {
    name: "Python's onnxruntime",
    missing: () =>
      PYTHON && existsSync(PYTHON) ? undefined : 'Python (COOP_PYTHON names one with onnxruntime, numpy and pillow)',
    ask: (asked) => askScript(PYTHON ?? '', 'classify.py', asked),
  },
]
