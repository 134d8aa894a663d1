import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'
import { disableTelemetry } from './telemetry.ts'

let world: TinyWorld
beforeAll(async () => {
  world = await tinyWorld()
})
afterAll(() => world.remove())

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** Trains in a process with a home of its own; gives what it then finds there. */
async function homeAfterTraining(args: readonly string[]) {
  const home = await mkdtemp(join(tmpdir(), 'coop-home-'))
  try {
    const env = { PATH: process.env.PATH, HOME: home, XDG_CACHE_HOME: join(home, 'cache') }
    await promisify(execFile)(process.execPath, args, { cwd: world.root, env })
    return await readdir(home, { recursive: true })
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}

describe('ONNX Runtime writes the identity of the device, for its reports, when it makes its first session', () => {
  const REPORTS = /onnxruntime|Microsoft/
  const words = () =>
    `train photos --shots 1 --epochs 1 --context-length 1 --threads 1 --out run --model ${world.model}`
  const training = () => ({
    ...{ shots: 1, method: 'coop', settings: { epochs: 1, M: 1 }, threads: 1, out: 'library', force: true },
    model: world.model,
  })
  const library = () => `
    const { register } = await import(${JSON.stringify(import.meta.resolve('tsx/esm/api'))})
    register()
    const { train } = await import(${JSON.stringify(import.meta.resolve('../public/node.ts'))})
    await train('photos', ${JSON.stringify(training())})`
  /** In a thread of its own, of which the main thread knows nothing. */
  const inThread = (code: string) => `
    import { once } from 'node:events'
    import { Worker } from 'node:worker_threads'
    await once(new Worker(${JSON.stringify(`(async () => {${code}})()`)}, { eval: true }), 'exit')`
  const run = (code: string) => ['--input-type=module', '-e', code]

  it.each([
    ['the command line', () => ['--import', import.meta.resolve('tsx'), file('../cli/main.ts'), ...words().split(' ')]],
    ['the library', () => run(library())],
    ['the library in a worker thread', () => run(inThread(library()))],
  ])('not for %s', async (_, args) => {
    const found = await homeAfterTraining(args())
    expect(found).toContain(join('cache', 'coop-ts'))
    expect(found.filter((name) => REPORTS.test(name))).toEqual([])
  })

  it('unless the user has decided', async () => {
    vi.stubEnv('ORT_DISABLE_TELEMETRY', '0')
    await disableTelemetry()
    expect(process.env.ORT_DISABLE_TELEMETRY).toBe('0')
    vi.unstubAllEnvs()
  })
})
