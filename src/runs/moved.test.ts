import { spawn } from 'node:child_process'
import { cp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'
import { waysTo } from './model-word.ts'
import { openRun } from './open-run.ts'
import { readSavedRun } from './saved-run.ts'

const MAIN = fileURLToPath(new URL('../cli/main.ts', import.meta.url))
const TSX = fileURLToPath(import.meta.resolve('tsx'))

let world: TinyWorld
beforeAll(async () => {
  world = await tinyWorld()
})
afterAll(() => world.remove())
const at = (...path: readonly string[]) => join(world.root, ...path)

/** `coop-ts WORDS` in a folder; its exit status. */
const coopIn = (cwd: string, ...words: readonly string[]) =>
  new Promise<number | null>((resolve) => {
    const child = spawn(process.execPath, ['--import', TSX, MAIN, ...words, '--threads', '1'], { cwd, stdio: 'ignore' })
    child.on('exit', resolve)
  })
const opened = async (run: string) => (await openRun(run, { threads: 1 })).dispose()

const withoutCommand = (results: string) =>
  JSON.stringify(JSON.parse(results), (key, value) => (key === 'command' ? undefined : value))

it('a run knows no absolute path, and finds its model where both were moved, or where it was', async () => {
  for (const name of ['model', 'photos']) await cp(at(name), at('project', name), { recursive: true })
  const words = ['train', 'photos', '--method', 'class-mean', '--shots', '1', '--cache', at('cache')]
  expect(await coopIn(at('project'), ...words, '--model', 'model', '--out', 'runs/a')).toBe(0)
  expect(await coopIn(at('project'), ...words, '--model', 'bundled', '--out', 'runs/b')).toBe(0)
  for (const run of ['a', 'b']) {
    for (const file of await readdir(at('project/runs', run))) {
      const content = (await readFile(at('project/runs', run, file))).toString('latin1')
      // the command is what was typed
      const text = file === 'results.json' ? withoutCommand(content) : content
      expect(text, file).not.toContain(world.root)
      expect(text, file).not.toContain('small-clip')
    }
  }
  expect((await readSavedRun(at('project/runs/b'))).model).toMatchObject({ name: 'bundled' })

  await rename(at('project'), at('renamed'))
  await opened(at('renamed/runs/a'))
  await rename(at('renamed/runs/a'), at('alone'))
  await expect(opened(at('alone'))).rejects.toMatchObject({
    message: expect.stringMatching(
      /the model that .*alone was trained on is no longer in .*model.*; its fingerprint is/,
    ),
    remedy: expect.stringMatching(/--model/),
  })
  await openRun(at('alone'), { threads: 1, model: at('renamed/model') }).then((run) => run.dispose())
  expect(await coopIn(at('renamed'), 'classify', at('alone'), at('renamed/photos/red/1.png'))).toBe(0)
  const { model } = await readSavedRun(at('alone'))
  expect(waysTo(model, at('alone'))).toContain(join(process.cwd(), 'model')) // as it was given
})

it('another model in the place of its own is refused by name', async () => {
  const run = at('renamed/runs/c')
  await rename(at('alone'), run)
  await rm(at('renamed/model'), { recursive: true })
  await cp(world.otherModel, at('renamed/model'), { recursive: true })
  await expect(opened(run)).rejects.toThrow(/was learned with another model, model with fingerprint \w+/)
})
