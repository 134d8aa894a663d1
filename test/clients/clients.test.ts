import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { coop } from '../../src/testing/coop.ts'
import { type TinyWorld, tinyWorld } from '../../src/testing/tiny-world.ts'
import { differences, type Question, question } from './ask.ts'
import { CLIENTS } from './clients.ts'

let world: TinyWorld
let asked: Question
beforeAll(async () => {
  world = await tinyWorld()
  const run = join(world.root, 'run')
  const words = ['--method', 'tip-adapter', '--shots', '2', '--threads', '1', '--model', world.model]
  const trained = await coop('train', world.photos, '--out', run, '--cache', join(world.root, 'cache'), ...words)
  expect(trained.status, trained.stderr).toBe(0)
  const red = join(world.photos, 'red')
  const pictures = (await readdir(red)).map((name) => join(red, name))
  asked = await question(run, join(world.root, 'exported'), pictures)
})
afterAll(() => world.remove())

describe('an exported run gives our probabilities in', () => {
  for (const client of CLIENTS) {
    const missing = client.missing()
    it.skipIf(missing !== undefined)(
      missing === undefined ? client.name : `${client.name}: needs ${missing}`,
      async () => {
        const { ours, own } = await differences(client, asked)
        expect(ours).toBeLessThan(1e-5)
        if (client.name.startsWith('Python')) expect(own).toBeLessThan(1e-5)
      },
    )
  }
})
