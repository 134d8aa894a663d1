import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { bytesSource, readPrompt } from '../src/public/index.ts'
import { type TinyWorld, tinyWorld } from '../src/testing/tiny-world.ts'
import { readmeExample } from './readme.ts'

let world: TinyWorld
beforeAll(async () => {
  world = await tinyWorld()
})
afterAll(() => world.remove())

const here = (path: string) => JSON.stringify(new URL(path, import.meta.url).href)

it('the example of the README learns and classifies, with a tiny model in place of the bundled one', async () => {
  const example = readmeExample()
    .replaceAll("'coop-ts'", here('../src/public/index.ts'))
    .replaceAll("'coop-ts/node'", here('../src/public/node.ts'))
    .replace('bundledModel()', JSON.stringify(world.model))
  await writeFile(join(world.root, 'example.mts'), example)
  const args = ['--import', import.meta.resolve('tsx'), 'example.mts']
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: world.root })

  expect(stderr).toBe('')
  const [, loss, accuracy, label] = /^loss ([\d.]+), accuracy ([\d.]+); the first picture: (\w+)\n$/.exec(stdout) ?? []
  expect(Number(loss)).toBeLessThan(Math.log(3)) // of three classes, all equally likely
  expect(Number(accuracy)).toBeLessThanOrEqual(1)
  expect(['blue', 'green', 'red']).toContain(label)
  const file = await readFile(join(world.root, 'prompt.safetensors'))
  const prompt = await readPrompt(bytesSource('prompt', file))
  expect(prompt.classNames).toEqual(['blue', 'green', 'red'])
})
