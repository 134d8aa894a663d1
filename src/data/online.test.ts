import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FileError } from '../base/errors.ts'
import { DIM, toyFeatures, toyOptions } from '../testing/toy-encoder.ts'
import { type OnlineOptions, onlineViews } from './online.ts'

let root: string
let items: string[]
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'coop-online-'))
  items = Array.from({ length: 23 }, (_, i) => join(root, `${i}.png`))
  await Promise.all(items.map((path, i) => writeFile(path, `picture ${i}`)))
})
afterAll(() => rm(root, { recursive: true, force: true }))

function counted(changes: Partial<OnlineOptions> = {}) {
  const toy = toyOptions()
  const counts = { loads: 0, largest: 0 }
  const options: OnlineOptions = {
    ...toy,
    seed: 1,
    batchSize: 10,
    load: (picture, name) => {
      counts.loads++
      return toy.load(picture, name)
    },
    encode: (images) => {
      counts.largest = Math.max(counts.largest, images.length)
      return toy.encode(images)
    },
    ...changes,
  }
  return { options, counts }
}

describe('onlineViews', () => {
  it('gives each picture the view of the epoch, row by row', async () => {
    const { options, counts } = counted()
    const { features } = await onlineViews(items, options)
    for (const epoch of [0, 7]) {
      const { shape, data } = await features(epoch)
      expect(shape).toEqual([23, 1, DIM])
      for (const i of items.keys()) {
        const wanted = toyFeatures([...new TextEncoder().encode(`picture ${i}`)], epoch)
        expect(data.subarray(i * DIM, (i + 1) * DIM)).toEqual(wanted)
      }
    }
    expect(counts).toEqual({ loads: 23, largest: 10 })
  })

  it('decodes again what found no room', async () => {
    const { options, counts } = counted({ memory: 3 * 3 * 'picture 0'.length })
    const { features } = await onlineViews(items, options)
    await features(0)
    await features(1)
    expect(counts.loads).toBeGreaterThan(23 + 10)
    expect(counts.loads).toBeLessThan(2 * 23)
  })

  it('has a key of pictures, seed and encoder', async () => {
    const key = async (changes: Partial<OnlineOptions> = {}, of = items) =>
      (await onlineViews(of, counted(changes).options)).key
    const keys = [key(), key({ seed: 2 }), key({ encoderKey: 'other' }), key({}, items.slice(1))]
    expect(new Set(await Promise.all(keys)).size).toBe(4)
    expect(await key({ batchSize: 4 })).toBe(await key())
    // of old: training that was stopped goes on only with the key that it began with
    const one = new TextEncoder().encode('a')
    expect((await onlineViews([one], counted({ seed: 3 }).options)).key).toBe(
      'c855322451c16df28d77285e89395c834b53ce011491ce9a25eb888ead3357f6',
    )
  })

  it('names a picture that cannot be read', async () => {
    const gone = [...items, join(root, 'gone.png')]
    await expect(onlineViews(gone, counted().options)).rejects.toThrow(FileError)
  })
})
