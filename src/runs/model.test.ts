import { readdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Towers } from '../clip/types.ts'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'
import { openModel } from './model.ts'

let world: TinyWorld
beforeAll(async () => {
  world = await tinyWorld()
})
afterAll(() => world.remove())

it('a model is told of before its fingerprint is computed, and not where that is known', async () => {
  const cache = join(world.root, 'cache')
  const told: Towers[] = []
  // to a fraction of a second, and later than the first reading
  const changed = new Date(Math.ceil(Date.now() / 1000) * 1000 + 500)
  for (const file of await readdir(world.model)) await utimes(join(world.model, file), changed, changed)
  const open = () => openModel(world.model, {}, { cache, onNew: (clip) => told.push(clip) })
  const first = await open()
  expect(told.map(({ weights }) => weights)).toEqual([first.clip.weights])
  // what has just changed is not kept
  await new Promise((resolve) => setTimeout(resolve, 2100))
  await open()
  const again = await open()
  expect(again.clip.fingerprint).toBe(first.clip.fingerprint)
  expect(told).toHaveLength(2)
})
