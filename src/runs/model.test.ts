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
  const open = () => openModel(world.model, {}, { cache, onNew: (clip) => told.push(clip) })
  const first = await open()
  expect(told.map(({ weights }) => weights)).toEqual([first.clip.weights])
  // of files that have just changed it is not kept
  await new Promise((resolve) => setTimeout(resolve, 150))
  await open()
  const before = told.length
  const again = await open()
  expect(again.clip.fingerprint).toBe(first.clip.fingerprint)
  expect(told).toHaveLength(before)
})
