import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { randomFor } from '../base/random.ts'
import type { Exif } from '../pictures/picture.ts'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'
import { classifyImages, evaluateRun } from './evaluate.ts'
import { openRun } from './open-run.ts'
import { train } from './train.ts'

// Two classes: bright at the top, bright at the left. A phone writes both lying on their side with orientation 6, which
// says to turn them to the right: the left of their pixels is then the top, and the bottom the left.

const SIDE = 32
const BRIGHT = {
  top: (_: number, y: number) => y < SIDE / 2,
  left: (x: number) => x < SIDE / 2,
  bottom: (_: number, y: number) => y >= SIDE / 2,
}

async function savePicture(file: string, bright: keyof typeof BRIGHT, orientation: 1 | 6): Promise<void> {
  const random = randomFor('sides', file)
  const data = Uint8Array.from({ length: 3 * SIDE * SIDE }, (_, i) => {
    const pixel = Math.floor(i / 3)
    return (BRIGHT[bright](pixel % SIDE, Math.floor(pixel / SIDE)) ? 200 : 20) + random.int(30)
  })
  await mkdir(dirname(file), { recursive: true })
  await sharp(data, { raw: { width: SIDE, height: SIDE, channels: 3 } })
    .withMetadata({ orientation })
    .jpeg({ quality: 95 })
    .toFile(file)
}

let world: TinyWorld
const at = (...path: readonly string[]) => join(world.root, ...path)
beforeAll(async () => {
  world = await tinyWorld()
  for (const i of [1, 2, 3, 4]) {
    await savePicture(at(`phone/top/${i}.jpg`), 'left', 6)
    await savePicture(at(`phone/left/${i}.jpg`), 'bottom', 6)
    await savePicture(at(`upright/top/${i}.jpg`), 'top', 1)
    await savePicture(at(`upright/left/${i}.jpg`), 'left', 1)
  }
  await train(at('phone'), { ...SETTINGS, model: world.model, cache: at('cache'), out: at('run') })
})
afterAll(() => world.remove())

const SETTINGS = { method: 'class-mean', threads: 1, testShare: 0.25 } as const

/** What three ways of asking the run say of a phone's picture that is bright at the top. */
async function answers(exif?: Exif): Promise<{ opened?: string; classified?: string; evaluated: number }> {
  const asked = { exif, threads: 1, cache: at('cache') }
  const picture = at('phone/top/1.jpg')
  const run = await openRun(at('run'), { exif, threads: 1 })
  const [labels] = await run.classify([picture])
  await run.dispose()
  const [classified] = await classifyImages(at('run'), [picture], { ...asked, top: 1 }, {})
  const { accuracy } = await evaluateRun(at('run'), at('phone'), { ...asked, testShare: 1 })
  return { opened: labels?.[0]?.label, classified: classified?.labels[0]?.label, evaluated: accuracy }
}

it('a run of own pictures learned them turned, and turns those that it is asked about', async () => {
  const upright = await evaluateRun(at('run'), at('upright'), { threads: 1, cache: at('cache'), testShare: 1 })
  expect(upright.accuracy).toBe(1)
  expect(await answers()).toEqual({ opened: 'top', classified: 'top', evaluated: 1 })
  expect(await answers('turn')).toEqual(await answers())
})

it('does not turn them where it is asked not to', async () => {
  const { opened, classified, evaluated } = await answers('ignore')
  expect({ opened, classified }).toEqual({ opened: 'left', classified: 'left' })
  expect(evaluated).toBeLessThanOrEqual(0.5) // what is bright at the bottom is neither
})
