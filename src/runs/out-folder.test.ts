import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { coop, expectFailure } from '../testing/coop.ts'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'
import { checkOutFolder, heldBy } from './out-folder.ts'

let root: string
const at = (...path: readonly string[]) => join(root, ...path)
const put = async (file: string, content = 'theirs') => {
  await mkdir(join(at(file), '..'), { recursive: true })
  await writeFile(at(file), content)
}
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'coop-out-'))
  await put('theirs/thesis.tex')
  await put('editor/settings.json', '{ "theme": "dark" }')
  await put('run/settings.json', '{ "method": "clip-adapter" }')
  await put('run/my notes.txt')
  await put('sweep/plan.yaml')
  await put('sweep/runs/a/settings.json')
  await put('sweep/my plot.png')
  await put('begun/plan.yaml')
  await put('begun/queue/list.jsonl')
  await put('waiting/queue/people.csv')
  await put('hidden/.DS_Store')
  for (const name of ['report.html', 'report.csv', 'notes.md']) await put(`report/${name}`)
  await put('plans/paper.yaml')
})
afterAll(() => rm(root, { recursive: true }))

describe('what a folder holds', () => {
  it.each([
    ['nowhere', { kind: 'nothing' }],
    ['hidden', { kind: 'nothing' }],
    ['theirs', { kind: 'others', names: ['thesis.tex'] }],
    ['editor', { kind: 'others', names: ['settings.json'] }],
    ['run', { kind: 'run', method: 'clip-adapter' }],
    ['sweep', { kind: 'sweep' }],
    ['begun', { kind: 'sweep' }],
    ['waiting', { kind: 'others', names: ['queue'] }],
    ['report', { kind: 'report' }],
  ])('%s', async (folder, held) => expect(await heldBy(at(folder))).toEqual(held))

  it('is not the plan itself', async () => {
    await expect(checkOutFolder(at('plans'), ['sweep'])).rejects.toThrow(/holds other files: paper\.yaml/)
    expect(await checkOutFolder(at('plans'), ['sweep'], { own: at('plans/paper.yaml') })).toEqual({ kind: 'nothing' })
  })
})

describe('commands that write', () => {
  let world: TinyWorld
  beforeAll(async () => {
    world = await tinyWorld(4)
    await put(
      'plan.yaml',
      `datasets: [${world.photos}]\nmodels: [${world.model}]\nmethods: [class-mean]\nshots: [1]\nseeds: [1]\n`,
    )
  })
  afterAll(() => world.remove())
  const common = () => ['--threads', '1', '--cache', at('cache')]
  const train = (out: string, ...more: readonly string[]) =>
    coop(
      'train',
      world.photos,
      '--model',
      world.model,
      '--method',
      'class-mean',
      '--shots',
      '1',
      '--out',
      at(out),
      ...common(),
      ...more,
    )

  it('ask for --force beside the files of others, and leave them', async () => {
    expectFailure(await train('theirs', '--json'), 2, /theirs holds other files: thesis\.tex/)
    expectFailure(await train('theirs', '--resume', '--json'), 2, /holds other files/)
    expect((await train('theirs', '--force')).status).toBe(0)
    expect(await readFile(at('theirs/thesis.tex'), 'utf8')).toBe('theirs')
    expect(await readdir(at('theirs'))).toContain('results.json')

    await put('theirs too/.draft.tmp')
    await put('theirs too/thesis.tex')
    const sweep = ['sweep', at('plan.yaml'), ...common(), '--out']
    expectFailure(await coop(...sweep, at('theirs too'), '--json'), 2, /holds other files: thesis\.tex/)
    expectFailure(await coop(...sweep, at('run'), '--json'), 2, /holds a run of clip-adapter/)
    expect((await coop(...sweep, at('theirs too'), '--force')).status).toBe(0)
    expect((await coop(...sweep, at('theirs too'))).status).toBe(0) // its own folder now
    expect(await readdir(at('theirs too'))).toEqual(expect.arrayContaining(['.draft.tmp', 'thesis.tex', 'runs']))

    const report = ['report', at('theirs too'), '--out']
    expectFailure(await coop(...report, at('run'), '--json'), 2, /holds a run of clip-adapter/)
    expect((await coop(...report, at('report'))).status).toBe(0)
    expect((await coop(...report, at('run'), '--force')).status).toBe(0)
    expect(await readdir(at('run'))).toEqual(expect.arrayContaining(['settings.json', 'my notes.txt', 'report.md']))
    const importing = [
      'import',
      at('plan.yaml'),
      '--model',
      'bundled',
      '--position',
      'end',
      '--out',
      at('plans'),
      '--json',
    ]
    expectFailure(await coop(...importing), 2, /holds other files: paper\.yaml/)
  })

  it('name the method of the run that is there', async () => {
    expectFailure(
      await train('run', '--json'),
      2,
      /there is already a run in .*run, of the method clip-adapter, not class-mean/,
    )
    expectFailure(await train('sweep', '--json'), 2, /sweep holds a sweep/)
  })
})
