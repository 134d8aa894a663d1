import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, unlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CoopError, FileError } from '../base/errors.ts'
import { openFeatureCache } from '../node/feature-cache.ts'
import { DIM, toyFeatures, toyOptions } from '../testing/toy-encoder.ts'
import { type FeatureOptions, featuresOf } from './features.ts'

let root = ''
let cacheDir = ''
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'coop-features-'))
  cacheDir = join(root, 'cache')
})
afterEach(() => rm(root, { recursive: true, force: true }))

async function put(contents: readonly string[], folder = 'pictures'): Promise<string[]> {
  await mkdir(join(root, folder), { recursive: true })
  return Promise.all(
    contents.map(async (content, i) => {
      const path = join(root, folder, `${String(i).padStart(5, '0')}.png`)
      await writeFile(path, content)
      return path
    }),
  )
}

const contents = (n: number, word = 'picture') => Array.from({ length: n }, (_, i) => `${word} ${i}`)
const expected = (contents: readonly string[], view?: number) =>
  Float32Array.from(contents.flatMap((content) => [...toyFeatures([...new TextEncoder().encode(content)], view)]))

/** Byte for byte; `toEqual` takes seconds for long arrays. */
function expectSame(actual: Float32Array, wanted: Float32Array): void {
  expect(Buffer.from(actual.buffer).equals(Buffer.from(wanted.buffer))).toBe(true)
}

/** The toy with counts of what it was asked to do. */
function counted(changes: Partial<FeatureOptions> = {}) {
  const toy = { ...toyOptions(), ...changes }
  const counts = { loads: 0, encoded: 0, batches: [] as number[] }
  const options: FeatureOptions = {
    ...toy,
    cache: openFeatureCache(cacheDir, toy.encoderKey, toy.dim),
    pixels: (...asked) => {
      counts.loads++
      return toy.pixels(...asked)
    },
    encode: (images) => {
      counts.encoded += images.length
      counts.batches.push(images.length)
      return toy.encode(images)
    },
  }
  return { options, counts }
}

async function cacheFiles(): Promise<string[]> {
  const entries = await readdir(cacheDir, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
}

async function errorOf(run: Promise<unknown>): Promise<CoopError> {
  const error = await run.catch((thrown: unknown) => thrown)
  if (!(error instanceof CoopError)) throw new Error(`expected a CoopError, got ${error}`)
  return error
}

describe('featuresOf', () => {
  it('gives one row an item in the order of the items, in batches, with and without a cache', async () => {
    const texts = contents(75)
    const items = await put(texts)
    const { options, counts } = counted({ batchSize: 20 })
    for (const cache of [undefined, options.cache]) {
      counts.batches = []
      const { features, kept, bad } = await featuresOf(items, { ...options, cache })
      expect(features.shape).toEqual([75, 1, DIM])
      expectSame(features.data, expected(texts))
      expect(kept).toEqual(items.map((_, i) => i))
      expect(bad).toEqual([])
      expect(counts.batches).toEqual([20, 20, 20, 15])
    }
  })

  it('computes each content once, wherever it lies and whatever its name', async () => {
    const items = await put(['a', 'b', 'a', 'a'])
    const first = counted()
    expectSame((await featuresOf(items, first.options)).features.data, expected(['a', 'b', 'a', 'a']))
    expect(first.counts).toMatchObject({ loads: 2, encoded: 2 })

    const moved = await put(['c', 'b', 'a'], 'elsewhere')
    const second = counted()
    expectSame((await featuresOf(moved, second.options)).features.data, expected(['c', 'b', 'a']))
    expect(second.counts).toMatchObject({ loads: 1, encoded: 1 })
  })

  it('computes anew when a file, the encoder or the views change', async () => {
    const items = await put(['a', 'b'])
    await featuresOf(items, counted().options)
    await writeFile(items[0] ?? '', 'changed')
    const changed = counted()
    expectSame((await featuresOf(items, changed.options)).features.data, expected(['changed', 'b']))
    expect(changed.counts.encoded).toBe(1)

    for (const changes of [
      { encoderKey: 'other' },
      { views: { count: 1, seed: 1 } },
      { views: { count: 1, seed: 2 } },
    ]) {
      const { options, counts } = counted(changes)
      await featuresOf(items, options)
      expect(counts.encoded).toBe(2)
    }
  })

  it('has views as a second axis; more views need only the new ones', async () => {
    const texts = contents(7)
    const items = await put(texts)
    await featuresOf(items, counted({ views: { count: 2, seed: 1 } }).options)
    const { options, counts } = counted({ views: { count: 3, seed: 1 }, batchSize: 4 })
    const { features } = await featuresOf(items, options)
    expect(features.shape).toEqual([7, 3, DIM])
    for (let view = 0; view < 3; view++) {
      const rows = texts.flatMap((_, i) => [...features.data.subarray((i * 3 + view) * DIM, (i * 3 + view + 1) * DIM)])
      expectSame(Float32Array.from(rows), expected(texts, view))
    }
    expect(counts).toMatchObject({ loads: 7, encoded: 7 })
  })

  it('says which view of which content it wants', async () => {
    const [a, b] = await put(['a', 'b'])
    const seen: string[] = []
    const { options } = counted({ views: { count: 2, seed: 5 } })
    const pixels: FeatureOptions['pixels'] = (picture, name, views) => {
      for (const view of views) seen.push(`${view?.seed} ${view?.content.slice(0, 4)} ${view?.index}`)
      return options.pixels(picture, name, views)
    }
    await featuresOf([a ?? '', b ?? ''], { ...options, pixels })
    expect(seen.sort()).toEqual(['5 3e23 0', '5 3e23 1', '5 ca97 0', '5 ca97 1'])
  })

  it('reports progress that only grows, from none to all, cached and bad pictures among them', async () => {
    const items = await put([...contents(40), 'bad', 'picture 3'])
    for (let run = 0; run < 2; run++) {
      const reports: { done: number; total: number }[] = []
      const onProgress: FeatureOptions['onProgress'] = (report) => reports.push(report)
      await featuresOf(items, { ...counted().options, onProgress, skipBadImages: true, batchSize: 8 })
      expect(reports.every(({ total }) => total === 42)).toBe(true)
      expect(reports.every(({ done }, i) => i === 0 || done >= reports[i - 1]!.done)).toBe(true)
      expect([reports[0]?.done, reports.at(-1)?.done]).toEqual([0, 42])
    }
  })

  it('decodes the next batch while one is encoded, and never runs further ahead', async () => {
    const items = await put(contents(24))
    const toy = toyOptions()
    let [loaded, encoded, encoding] = [0, 0, false]
    const ahead: number[] = []
    let overlapped = false
    await featuresOf(items, {
      ...toy,
      batchSize: 4,
      pixels: (...asked) => {
        loaded++
        overlapped ||= encoding
        ahead.push(loaded - encoded)
        return toy.pixels(...asked)
      },
      encode: async (images) => {
        expect(encoding).toBe(false)
        encoding = true
        await new Promise((resolve) => setTimeout(resolve, 5))
        encoding = false
        encoded += images.length
        return toy.encode(images)
      },
    })
    expect(overlapped).toBe(true)
    expect(Math.max(...ahead)).toBeLessThanOrEqual(8)
  })

  it('takes pictures as paths, as bytes and decoded, the same content once', async () => {
    const bytes = new TextEncoder().encode('a')
    const decoded = { width: 1, height: 1, data: bytes }
    const { options, counts } = counted()
    const { features } = await featuresOf([...(await put(['a', 'b'])), bytes, decoded, { ...decoded }], options)
    expectSame(features.data, expected(['a', 'b', 'a', 'a', 'a']))
    expect(counts.encoded).toBe(3)
    const bad = new TextEncoder().encode('bad')
    const error = await errorOf(featuresOf([bytes, bad], options))
    expect(error.message).toBe('cannot read the picture picture 2: not a picture')
  })

  it('has a key of contents in their order, views and encoder', async () => {
    const [a = '', b = ''] = await put(['a', 'b'])
    const [moved = ''] = await put(['a'], 'elsewhere')
    const key = async (pictures: string[], changes: Partial<FeatureOptions> = {}) =>
      (await featuresOf(pictures, counted({ skipBadImages: true, ...changes }).options)).key
    const keys = [
      key([a, b]),
      key([b, a]),
      key([a]),
      key([a, b], { encoderKey: 'other' }),
      key([a, b], { views: { count: 1, seed: 1 } }),
      key([a, b], { views: { count: 2, seed: 1 } }),
      key([a, b], { views: { count: 1, seed: 2 } }),
    ]
    expect(new Set(await Promise.all(keys)).size).toBe(keys.length)
    expect(await key([moved, join(root, 'missing.png'), b], { cache: undefined })).toBe(await key([a, b]))
  })

  it('gives no rows for no items', async () => {
    expect((await featuresOf([], counted().options)).features.shape).toEqual([0, 1, DIM])
  })
})

describe('featuresOf on bad pictures', () => {
  it('names the first of them, and keeps what was computed before', async () => {
    const items = await put([...contents(30), 'bad 1', 'bad 2'])
    const error = await errorOf(featuresOf(items, counted({ batchSize: 8 }).options))
    expect(error).toBeInstanceOf(FileError)
    expect(error.message).toMatch(/00030.png: not a picture/)
    expect(error.remedy).toMatch(/--skip-bad-images/)
    const again = counted()
    await featuresOf(items.slice(0, 30), again.options)
    expect(again.counts.encoded).toBe(6)
  })

  it('leaves them out and names them with skipBadImages, a missing file too', async () => {
    const texts = ['a', 'bad', 'b', 'bad', 'c']
    const items = [...(await put(texts)), join(root, 'missing.png')]
    const { features, kept, bad } = await featuresOf(items, counted({ skipBadImages: true, batchSize: 2 }).options)
    expect(kept).toEqual([0, 2, 4])
    expectSame(features.data, expected(['a', 'b', 'c']))
    expect(bad.map(({ name }) => name)).toEqual([1, 3, 5].map((i) => items[i]))
    expect(bad[0]?.reason).toMatch(/not a picture/)
    expect(bad[2]?.reason).toMatch(/no such file/)
  })

  it('throws when none is left', async () => {
    const error = await errorOf(featuresOf(await put(['bad', 'bad']), counted({ skipBadImages: true }).options))
    expect(error.message).toMatch(/none of the 2 pictures/)
  })

  it('refuses and never keeps features that are not finite or of the wrong number', async () => {
    const items = await put(['a'])
    const nan = async () => new Float32Array(DIM).fill(Number.NaN)
    expect((await errorOf(featuresOf(items, counted({ encode: nan }).options))).message).toMatch(
      /00000.png are not finite/,
    )
    const short = async () => new Float32Array(3)
    expect((await errorOf(featuresOf(items, counted({ encode: short }).options))).message).toMatch(
      /3 values for 1 images/,
    )
    expectSame((await featuresOf(items, counted().options)).features.data, expected(['a']))
  })
})

describe('the cache on disk', () => {
  it('has the folder and the ids that it always had, so that what people have is found again', async () => {
    const items = await put(['a'])
    await featuresOf(items, counted().options)
    await featuresOf(items, counted({ views: { count: 1, seed: 3 } }).options)
    const files = await cacheFiles()
    expect(new Set(files.map((file) => relative(cacheDir, dirname(file))))).toEqual(
      new Set([join('features', '09d44d9b65f81fd64893c5aa65a791ea')]),
    )
    const ids = await Promise.all(files.map(async (file) => (await readFile(file)).toString('hex', 16, 48)))
    expect(ids.sort()).toEqual([
      '4c0012406da3075b9345e702821191f7107751a7e85deba7a3d9a9129cccde30',
      'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',
    ])
  })

  it('takes damage of any kind for absence', async () => {
    const texts = contents(12)
    const items = await put(texts)
    await featuresOf(items, counted().options)
    const [file = ''] = await cacheFiles()
    const whole = await readFile(file)
    const damage = fc.oneof(
      fc.record({ at: fc.nat(whole.length - 1), bit: fc.nat(7) }),
      fc.record({ at: fc.nat(900), bit: fc.nat(7) }),
      fc.record({ length: fc.nat(whole.length - 1) }),
    )
    await fc.assert(
      fc.asyncProperty(damage, async (change) => {
        for (const other of await cacheFiles()) await unlink(other)
        const damaged = Buffer.from(whole)
        if ('at' in change) damaged[change.at]! ^= 1 << change.bit
        await writeFile(file, 'length' in change ? damaged.subarray(0, change.length) : damaged)
        const { options, counts } = counted()
        expectSame((await featuresOf(items, options)).features.data, expected(texts))
        expect(counts.encoded).toBeGreaterThan(0)
        const repaired = counted()
        expectSame((await featuresOf(items, repaired.options)).features.data, expected(texts))
        expect(repaired.counts.encoded).toBe(0)
      }),
      { numRuns: 40 },
    )
  })

  it('goes on without one that cannot be written, and says so', async () => {
    const items = await put(['a'])
    await writeFile(cacheDir, 'a file where the folder should be')
    const warnings: string[] = []
    const { options } = counted({ onWarning: (warning) => warnings.push(warning) })
    expectSame((await featuresOf(items, options)).features.data, expected(['a']))
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(/not cached/)
  })

  it('clears what a killed process left, but not what another is writing', async () => {
    const items = await put(['a'])
    const leftover = (name: string) => `.${name}.01234567-89ab-cdef-0123-456789abcdef.tmp`
    await featuresOf(items, counted().options)
    const [file = ''] = await cacheFiles()
    for (const name of ['old', 'new']) await writeFile(join(file, '..', leftover(name)), 'half')
    const long = new Date(Date.now() - 2 * 3_600_000)
    await utimes(join(file, '..', leftover('old')), long, long)
    await featuresOf(items, counted().options)
    expect((await cacheFiles()).map((path) => path.split('/').at(-1)).filter((name) => name?.endsWith('.tmp'))).toEqual(
      [leftover('new')],
    )
  })
})

describe('processes that share a cache', () => {
  const script = fileURLToPath(new URL('../testing/cache-features.ts', import.meta.url))
  const pictures = () => join(root, 'pictures')

  /** Runs the toy in a process; kills it (SIGKILL) once it has reported so many pictures; true when it came to its end. */
  function runProcess(killAfter = Number.POSITIVE_INFINITY): Promise<boolean> {
    const child = spawn(process.execPath, ['--import', 'tsx', script, pictures(), cacheDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let finished = false
    child.stdout.on('data', (data) => {
      const lines = String(data).trim().split('\n')
      finished ||= lines.includes('finished')
      if (lines.some((line) => Number(line) >= killAfter)) child.kill('SIGKILL')
    })
    return new Promise((resolve) => {
      child.on('close', () => resolve(finished))
    })
  }

  it('gives the right features after kill -9 at any moment, and need not begin anew', async () => {
    const texts = contents(1000)
    const items = await put(texts)
    for (const pictures of [300, 600]) expect(await runProcess(pictures)).toBe(false)
    const { options, counts } = counted()
    const { features } = await featuresOf(items, options)
    expectSame(features.data, expected(texts))
    expect(counts.encoded).toBeLessThan(800)
  }, 180_000)

  it('gives both the right features when two write at once', async () => {
    const texts = contents(300)
    const items = await put(texts)
    expect(await Promise.all([runProcess(), runProcess()])).toEqual([true, true])
    const { options, counts } = counted()
    expectSame((await featuresOf(items, options)).features.data, expected(texts))
    expect(counts.encoded).toBe(0)
  }, 180_000)
})
