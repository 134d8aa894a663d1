import { expect, it } from 'vitest'
import { FileError } from '../base/errors.ts'
import type { Label } from '../trained/classify.ts'
import { BATCH, batcher, type SentPicture } from './batcher.ts'
import { Refusal } from './refusal.ts'

/** A run whose work ends when the test says so; a picture is its one byte, 0 is damaged. */
function heldRun() {
  const batches: number[][] = []
  const ends: (() => void)[] = []
  return {
    batches,
    finish: () => ends.shift()?.(),
    async pixels({ 0: byte }: Uint8Array, name: string) {
      if (byte === 0) throw new FileError(`${name} cannot be read`)
      return Float32Array.of(byte ?? 0)
    },
    classifyPixels(pixels: readonly Float32Array[]): Promise<Label[][]> {
      const batch = pixels.map(([value = 0]) => value)
      batches.push(batch)
      return new Promise((resolve) =>
        ends.push(() => resolve(batch.map((value) => [{ label: `${value}`, probability: 1 }]))),
      )
    },
  }
}

const picture = (byte: number): SentPicture => ({ name: `picture ${byte}`, bytes: Uint8Array.of(byte) })
const never = () => new AbortController().signal
const open = (queue = 1000) => {
  const held = heldRun()
  // its pictures are bytes alone
  const run = { ...held, pixels: (given: unknown, name: string) => held.pixels(Uint8Array.from(Object(given)), name) }
  return { held, queue: batcher(run, { queue, maxPixels: 1 }) }
}
const settled = () => new Promise((resolve) => setTimeout(resolve, 20))

it('gives the run one picture at once, then all that came meanwhile, up to a batch', async () => {
  const { held, queue } = open()
  const answers = Array.from({ length: 1 + BATCH + 3 }, (_, i) => queue.classify([picture(i + 1)], never()))
  await settled()
  expect(held.batches).toEqual([[1]])
  expect(queue.waiting()).toBe(answers.length)
  for (const done of [1, 1 + BATCH, answers.length]) {
    held.finish()
    await settled()
    expect(queue.waiting()).toBe(answers.length - done)
  }
  expect(held.batches.map(({ length }) => length)).toEqual([1, BATCH, 3])
  expect((await Promise.all(answers)).map(([labels]) => labels?.[0]?.label)).toEqual(answers.map((_, i) => `${i + 1}`))
})

it('a damaged picture fails its own request, and no other', async () => {
  const { held, queue } = open()
  const bad = queue.classify([picture(1), picture(0)], never())
  const good = queue.classify([picture(2)], never())
  await expect(bad).rejects.toMatchObject({ status: 422, message: 'picture 0 cannot be read' })
  held.finish()
  await settled()
  held.finish()
  expect(await good).toEqual([[{ label: '2', probability: 1 }]])
})

it('who left is not computed for, and makes room', async () => {
  const { held, queue } = open(2)
  const stop = new AbortController()
  const first = queue.classify([picture(1)], never())
  await settled()
  const second = queue.classify([picture(2)], stop.signal)
  await expect(queue.classify([picture(3)], never())).rejects.toMatchObject({ status: 429 })
  stop.abort(new Refusal(408, 'late'))
  await expect(second).rejects.toThrow('late')
  held.finish()
  await first
  await settled()
  expect(held.batches).toEqual([[1]])
  expect(queue.waiting()).toBe(0)
})

it('a run that fails fails those whom it computed for, and goes on', async () => {
  let fails = true
  const queue = batcher(
    {
      pixels: async () => Float32Array.of(1),
      async classifyPixels(pixels) {
        if (!fails) return pixels.map(() => [])
        fails = false
        throw new Error('out of memory')
      },
    },
    { queue: 9, maxPixels: 1 },
  )
  await expect(queue.classify([picture(1)], never())).rejects.toThrow('out of memory')
  expect(await queue.classify([picture(1)], never())).toEqual([[]])
})
