import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { SAMPLE_TASKS, samplePaths } from '../data/samples.ts'
import { readImageFolder } from '../datasets/folder.ts'
import { bundledSamples } from '../node/package.ts'
import { sampleTasks } from '../runs/samples.ts'
import { coop, expectFailure, onlyJson } from '../testing/coop.ts'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'coop-samples-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))
const at = (path: string) => join(root, path)

describe('coop samples', () => {
  it('copies the tasks as folders that other commands read', async () => {
    const ended = await coop('samples', at('all'), '--json')
    expect(ended.status).toBe(0)
    expect(onlyJson(ended)).toMatchObject({
      tasks: SAMPLE_TASKS.map((name) => ({ name, folder: at(`all/${name}`) })),
      next: [
        expect.stringContaining(`train ${at('all/fantasy')} --method coop --recipe fast --template "an emoji of a {}`),
        {},
        {},
      ],
    })
    for (const task of await sampleTasks()) {
      const paths = samplePaths(task)
      for (const path of paths)
        expect((await readFile(at(`all/${path}`))).equals(await readFile(join(bundledSamples(), path)))).toBe(true)
      const warned = vi.fn()
      const { classNames, train, test } = await readImageFolder(at(`all/${task.name}`), {}, { onWarning: warned })
      expect(classNames).toEqual(task.classes.map(({ name }) => name))
      expect(train.length + test.length).toBe(paths.length)
      expect(warned).not.toHaveBeenCalled()
    }
    expect(await readFile(at('all/style/LICENSE.txt'), 'utf8')).toMatch(/Copyright \(c\) Microsoft Corporation/)
  })

  it('copies one task, and says what to try', async () => {
    const { status, stdout } = await coop('samples', 'style', at('my own'))
    expect(status).toBe(0)
    expect(stdout).toContain(`npx coop-ts classify runs/style "${at('my own/style/test/monochrome')}"`)
    expect(await readdir(at('my own'))).toEqual(['style'])
  })

  it('writes over files only with --force, and leaves those of others', async () => {
    await coop('samples', 'style', at('twice'))
    const [first = ''] = samplePaths((await sampleTasks('style'))[0] ?? { name: 'style', classes: [] })
    await writeFile(at(`twice/${first}`), 'mine')
    await writeFile(at('twice/style/mine.txt'), 'mine')
    expectFailure(await coop('samples', at('twice'), '--json'), 2, /style holds files already/)
    expect(await readdir(at('twice'))).toEqual(['style'])
    expect(await readFile(at(`twice/${first}`), 'utf8')).toBe('mine')
    expect((await coop('samples', at('twice'), '--force')).status).toBe(0)
    expect((await readFile(at(`twice/${first}`))).length).toBeGreaterThan(100)
    expect(await readFile(at('twice/style/mine.txt'), 'utf8')).toBe('mine')
  })

  it('lists them', async () => {
    const { stdout } = await coop('samples', '--list')
    expect(stdout).toMatch(/^fantasy +168 pictures +elf, fairy, /)
    expect(onlyJson(await coop('samples', '--list', '--json'))).toMatchObject({
      tasks: SAMPLE_TASKS.map((name) => ({ name, about: expect.stringMatching(/Fluent emoji/) })),
    })
  })

  it.each([
    [['samples'], /no folder given/],
    [['samples', 'sports'], /no folder given to copy the task to/],
    [['samples', 'cats', 'DIR'], /there is no sample task "cats"/],
    [['samples', 'cats', '--list'], /there is no sample task "cats"/],
    [['samples', 'style', 'DIR', 'more'], /too many arguments/],
    [['demo', 'cats'], /there is no sample task "cats"/],
  ])('%j is refused', async (words, message) => {
    expectFailure(await coop(...words, '--json'), 2, message)
  })

  it('refuses a file where a folder should be', async () => {
    await writeFile(at('file'), '')
    expectFailure(await coop('samples', at('file'), '--json'), 1, /file is a file/)
  })
})

describe('coop demo', () => {
  it('learns more than the hand-written prompt knows, keeps nothing without --out, and the runs with it', async () => {
    const temporary = await mkdtemp(at('temporary-'))
    vi.stubEnv('TMPDIR', temporary)
    const ended = await coop('demo', 'style', '--threads', '1', '--out', at('runs'), '--json')
    vi.unstubAllEnvs()
    expect(ended.status).toBe(0)
    const { tasks, next } = demoResult(onlyJson(ended))
    const [{ zeroShot = 1, accuracy = 0 } = {}] = tasks
    expect(accuracy - zeroShot).toBeGreaterThan(0.2)
    expect(next).toContain('npx coop-ts samples samples')
    expect(await readdir(temporary)).toEqual([])
    expect(await readdir(at('runs'))).toEqual(['style'])
    const asked = await coop(
      'evaluate',
      at('runs/style'),
      join(bundledSamples(), 'style'),
      '--cache',
      at('cache'),
      '--json',
    )
    expect(onlyJson(asked)).toMatchObject({ accuracy })
    expectFailure(await coop('demo', 'style', '--out', at('runs'), '--json'), 2, /already a run/)
  })
})

function demoResult(json: unknown) {
  const none: { tasks: { zeroShot: number; accuracy: number }[]; next: string[] } = { tasks: [], next: [] }
  return Object.assign(none, json)
}
