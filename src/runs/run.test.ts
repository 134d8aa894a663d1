import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FileError, UsageError } from '../base/errors.ts'
import { floatTensor } from '../graph/tensor.ts'
import { nodeRuntime } from '../node/runtime.ts'
import type { Runtime } from '../runtime/types.ts'
import { toySet, toyTask } from '../testing/toy-task.ts'
import { readRunPrompt, readRunSettings, trainInFolder } from './run.ts'

let runtime: Runtime
let root: string
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 })
  root = await mkdtemp(join(tmpdir(), 'coop-run-'))
})
afterAll(async () => {
  await runtime.close()
  await rm(root, { recursive: true, force: true })
})

const linesOf = async (folder: string) =>
  (await readFile(join(folder, 'metrics.jsonl'), 'utf8').catch(() => '')).split('\n').length - 1

describe('a run in a folder', () => {
  it('leaves settings, a line a step, the checkpoint and the prompt', async () => {
    const folder = join(root, 'plain')
    const task = toyTask(runtime)
    const { prompt, losses } = await trainInFolder(folder, task, { about: { dir: 'photos' } })
    const files = ['checkpoint.safetensors', 'metrics.jsonl', 'prompt.safetensors', 'settings.json']
    expect((await readdir(folder)).sort()).toEqual(files)
    const metrics = (await readFile(join(folder, 'metrics.jsonl'), 'utf8')).trimEnd().split('\n')
    expect(metrics.map((line) => JSON.parse(line).loss)).toEqual(losses)
    const [, , , fourth] = metrics.map((line) => JSON.parse(line))
    expect(fourth).toMatchObject({ step: 4, epoch: 2, learningRate: 0.05, gradientNorm: expect.any(Number) })
    expect(await readRunPrompt(folder)).toEqual(prompt)
    const { settings, about } = await readRunSettings(folder)
    expect(settings).toEqual({ ...task.settings, warmup: 'constant', warmupEpochs: 1 })
    expect(about).toEqual({ dir: 'photos' })
  })

  it('says when it ended at chance', async () => {
    const warnings: string[] = []
    const onWarning = (text: string) => warnings.push(text)
    const good = await trainInFolder(join(root, 'good'), toyTask(runtime), { onWarning })
    expect([good.collapsed, warnings]).toEqual([false, []])
    const task = toyTask(runtime)
    const noise = floatTensor(task.set.features.shape)
    noise.data.fill(1) // every image looks the same
    const set = { ...task.set, features: noise }
    const bad = await trainInFolder(join(root, 'bad'), { ...task, set }, { onWarning })
    expect(bad.collapsed).toBe(true)
    expect(warnings).toEqual([expect.stringMatching(/no better than chance/)])
  })

  it('is not overwritten unless asked', async () => {
    const folder = join(root, 'twice')
    const before = await trainInFolder(folder, toyTask(runtime, { epochs: 1 }))
    await expect(trainInFolder(folder, toyTask(runtime, { epochs: 2 }))).rejects.toThrow(UsageError)
    expect(await readRunPrompt(folder)).toEqual(before.prompt)
    const again = await trainInFolder(folder, toyTask(runtime, { epochs: 2 }), { force: true })
    expect(again.losses).toHaveLength(6)
  })

  it('does not go on with other settings, classes or images, and says which', async () => {
    const folder = join(root, 'other')
    const task = toyTask(runtime)
    await trainInFolder(folder, task)
    const resumed = (changes: Partial<typeof task>) => trainInFolder(folder, { ...task, ...changes }, { resume: true })
    await expect(resumed({ settings: { ...task.settings, seed: 4 } })).rejects.toThrow(/ seed: 3 then, 4 now/)
    await expect(resumed({ classNames: ['dog', 'cat', 'photo'] })).rejects.toThrow(/classNames: /)
    await expect(resumed({ set: toySet(5) })).rejects.toThrow(/images: /)
    await expect(resumed({ set: { ...task.set, labels: task.set.labels.toReversed() } })).rejects.toThrow(/images: /)
    const { losses } = await resumed({})
    expect(losses).toHaveLength(36)
  })

  it('says what a folder lacks that holds no finished run', async () => {
    await expect(readRunPrompt(join(root, 'nowhere'))).rejects.toThrow(/holds no run/)
    const folder = join(root, 'stopped')
    const stop = new AbortController()
    const onProgress = ({ done }: { done: number }) => done === 5 && stop.abort(new Error('enough'))
    await expect(trainInFolder(folder, toyTask(runtime), { onProgress, signal: stop.signal })).rejects.toThrow('enough')
    await expect(readRunPrompt(folder)).rejects.toThrow(/not finished/)
  })

  it('does not go on from a damaged checkpoint', async () => {
    const folder = join(root, 'damaged')
    await trainInFolder(folder, toyTask(runtime))
    const checkpoint = join(folder, 'checkpoint.safetensors')
    await truncate(checkpoint, (await stat(checkpoint)).size - 10)
    await expect(trainInFolder(folder, toyTask(runtime), { resume: true })).rejects.toThrow(FileError)
  })
})

const EPOCHS = 120
const STEPS = 3 * EPOCHS
const KILLS = 3

describe('a run that is killed', () => {
  it('at three random moments, ends with the numbers of one left alone, bit for bit', {
    timeout: 240_000,
  }, async () => {
    const alone = await trainInFolder(join(root, 'alone'), toyTask(runtime, { epochs: EPOCHS }))
    const folder = join(root, 'killed')
    const moments = Array.from({ length: KILLS }, () => Math.floor(Math.random() * STEPS * 0.9)).sort((a, b) => a - b)
    for (const moment of moments) {
      const { child, ended } = start(folder)
      while (child.exitCode === null && (await linesOf(folder)) < moment) await sleep(2)
      await sleep(Math.random() * 10)
      child.kill('SIGKILL')
      await ended
    }
    await writeFile(join(folder, '.metrics.jsonl.0.tmp'), 'left by a kill')
    expect(await start(folder).ended, `kills at steps ${moments}`).toBe(0)

    const resumed = await readRunPrompt(folder)
    expect(resumed.ctx.data).toEqual(alone.prompt.ctx.data)
    const text = (name: string) => readFile(join(root, name), 'utf8')
    expect(await text('killed/metrics.jsonl')).toBe(await text('alone/metrics.jsonl'))
    expect(await linesOf(folder)).toBe(STEPS)
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })
})

function start(folder: string) {
  const script = fileURLToPath(new URL('../testing/train-child.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', script, folder, String(EPOCHS)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve))
  return { child, ended }
}
