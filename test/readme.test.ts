import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type TinyWorld, tinyWorld } from '../src/testing/tiny-world.ts'
import { readmeExample } from './readme.ts'

let world: TinyWorld
beforeAll(async () => {
  world = await tinyWorld(40)
})
afterAll(() => world.remove())

const here = (path: string) => JSON.stringify(new URL(path, import.meta.url).href)

it('the example of the README learns and classifies, with a tiny model in place of the bundled one', async () => {
  const example = readmeExample()
    .replaceAll("'coop-ts/node'", here('../src/public/node.ts'))
    .replaceAll('cat/1.jpg', 'red/1.png')
    .replace('{ shots: 16,', `{ model: ${JSON.stringify(world.model)}, cache: 'cache', shots: 16,`)
  const { stdout, stderr } = await runIn(world.root, example)
  expect(stderr).toBe('')
  const [, accuracy, label] =
    /^accuracy ([\d.]+) \(cross-validated\); saved in runs\/photos\n\{ label: '(\w+)', probability: [\d.]+ \}\n$/.exec(
      stdout,
    ) ?? []
  expect(Number(accuracy)).toBeGreaterThanOrEqual(0)
  expect(['blue', 'green', 'red']).toContain(label)

  const other = example
    .replace('shots: 16, out:', "method: 'tip-adapter-f', shots: 16, out:")
    .replaceAll('runs/photos', 'runs/tip')
  expect((await runIn(world.root, other)).stdout).toMatch(/^accuracy .* saved in runs\/tip\n\{ label: /)
})

async function runIn(folder: string, program: string) {
  await writeFile(join(folder, 'example.mts'), program)
  const args = ['--import', import.meta.resolve('tsx'), 'example.mts']
  return promisify(execFile)(process.execPath, args, { cwd: folder })
}
