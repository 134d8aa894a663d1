import { type ChildProcess, spawnSync } from 'node:child_process'
import { copyFile, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { coop, expectFailure, onlyJson } from '../testing/coop.ts'
import { coopProcess, NODE } from '../testing/coop-process.ts'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'

let world: TinyWorld
beforeAll(async () => {
  world = await tinyWorld()
})
afterAll(() => world.remove())

const at = (name: string) => join(world.root, name)
const common = () => ['--threads', '1', '--cache', at('cache'), '--json']

describe('from a folder of pictures to an answer', () => {
  const trained = () => at('run')
  const share = expect.toSatisfy((x) => typeof x === 'number' && x >= 0 && x <= 1)
  const probability = expect.toSatisfy((x) => typeof x === 'number' && x >= 0 && x <= 1.000001)

  it('train', async () => {
    for (const n of [1, 2, 3, 4, 5]) await writeFile(join(world.photos, 'red', `broken${n}.png`), `not a picture, ${n}`)
    const settings = [
      '--model',
      world.model,
      '--shots',
      '4',
      '--context-length',
      '2',
      '--seed',
      '0',
      '--skip-bad-images',
    ]
    const ended = await coopProcess(['train', world.photos, ...settings, '--out', trained(), ...common()])
    const results = JSON.parse(await readFile(join(trained(), 'results.json'), 'utf8'))
    const { sha256, ...environment } = results.environment // the file's hash of itself
    expect(sha256).toMatch(/^[0-9a-f]{64}$/)
    expect(onlyJson(ended)).toEqual({ ...results, environment, run: trained() })
    expect(results).toMatchObject({
      method: 'coop',
      zeroShot: share,
      accuracy: share,
      collapsed: expect.any(Boolean),
      steps: 100,
      seconds: expect.any(Number),
    })
    expect(ended.status).toBe(0)
    expect(ended.stderr).toMatch(/warning: left out: .*broken\d\.png cannot be read as a picture/)
    expect(ended.stderr).toMatch(/training \[=+\] 100\/100, loss \d/)
    const written = JSON.parse(await readFile(join(trained(), 'settings.json'), 'utf8'))
    expect(written).toMatchObject({ method: 'coop', seed: 0, shots: 4, settings: { M: 2 } })
  })

  it('evaluate: the same accuracy as after training', async () => {
    const words = ['evaluate', trained(), world.photos, '--skip-bad-images', ...common()]
    const ended = await coopProcess(words)
    const record = JSON.parse(await readFile(join(trained(), 'results.json'), 'utf8'))
    const { accuracy, tested, chance, interval, top5, meanPerClass, confusion } = record
    expect(onlyJson(ended)).toEqual({
      ...{ accuracy, tested, chance, interval, top5, meanPerClass, confusion },
      measured: 'cross-validated',
      transforms: '2021-10',
      perClass: { blue: share, green: share, red: share },
    })
    expect(ended.status).toBe(0)
  })

  it('evaluate: pictures are cut as for training; another way is warned of', async () => {
    const folder = join(world.root, 'squashed')
    const given = '--shots 4 --seed 0 --epochs 4 --context-length 2 --warmup linear --views online --test-share 0.3'
    const learning = given.split(' ')
    const words = ['--model', world.model, ...learning, '--transforms', '2021-09', '--skip-bad-images']
    const ended = await coopProcess(['train', world.photos, ...words, '--out', folder, ...common()])
    expect(ended.status).toBe(0)
    const { accuracy } = Object.assign({ accuracy: Number.NaN }, onlyJson(ended))
    const written = JSON.parse(await readFile(join(folder, 'settings.json'), 'utf8'))
    expect(written).toMatchObject({
      settings: { warmup: 'linear', warmupEpochs: 1 },
      views: 'online',
      transforms: '2021-09',
    })
    const evaluate = ['evaluate', folder, world.photos, '--skip-bad-images', ...common()]
    const own = await coopProcess(evaluate)
    expect(onlyJson(own)).toMatchObject({ accuracy, transforms: '2021-09' })
    expect(own.stderr).not.toMatch(/compare/)
    const other = await coopProcess([...evaluate, '--transforms', '2021-10'])
    expect(onlyJson(other)).toMatchObject({ transforms: '2021-10' })
    expect(other.stderr).toMatch(
      /warning: .*preprocessed as in 2021-09 and is now given pictures preprocessed as in 2021-10/,
    )
  })

  it('classify: labels by falling probability, images in the order given', async () => {
    const images = ['red/1.png', 'blue/2.png'].map((name) => join(world.photos, name))
    const ended = await coopProcess(['classify', trained(), ...images, ...common()])
    const labels = ['blue', 'green', 'red'].map(() => ({ label: expect.any(String), probability }))
    expect(onlyJson(ended)).toEqual({ images: images.map((file) => ({ file, labels })) })
    const [first] = JSON.parse(ended.stdout).images
    const found = first.labels.map((entry: { probability: number }) => entry.probability)
    expect(found).toEqual([...found].sort((a, b) => b - a))
    expect(found.reduce((a: number, b: number) => a + b)).toBeCloseTo(1, 4)
    expect(onlyJson(await coop('classify', trained(), ...images, '--top', '1', ...common()))).toMatchObject({
      images: images.map(() => ({ labels: [{}] })),
    })
  })

  it('classify: folders, paths on standard input, and CSV', async () => {
    await mkdir(at('inbox/deeper, "still"'), { recursive: true })
    const files = ['inbox/b.png', 'inbox/a.png', 'inbox/deeper, "still"/c.png'].map(at)
    for (const file of files) await copyFile(join(world.photos, 'red', '1.png'), file)
    for (const name of ['notes.txt', 'IMG.dng', 'deeper, "still"/Thumbs.db']) await writeFile(at(`inbox/${name}`), 'x')
    await symlink('..', at('inbox/deeper, "still"/up'))
    const quiet = ['--top', '1', '--threads', '1', '--cache', at('cache')]
    const listed = await coop('classify', trained(), at('inbox'), ...quiet, '--csv')
    const [head, ...rows] = listed.stdout.split('\n')
    expect(head).toBe('file,label,probability')
    expect(rows.map((row) => row.replace(/,(red|blue|green),[01]?\.\d+$/, ''))).toEqual([
      at('inbox/a.png'),
      at('inbox/b.png'),
      `"${at('inbox/deeper, ""still""/c.png')}"`,
      '',
    ])
    expect(listed.stderr).toMatch(
      /inbox: 3 pictures; left out: 1 \.dng \(not read: convert to JPEG or PNG\), 1 \.txt, 1 broken or circular link\n/,
    )
    expectFailure(await coop('classify', trained(), at('inbox'), ...quiet, '--csv', '--json'), 2, /--csv and --json/)

    const given = `${files.join('\n')}\n${join(world.photos, 'red', 'broken1.png')}\n`
    const piped = await coopProcess(['classify', trained(), '-', ...quiet, '--skip-bad-images', '--json'], (child) =>
      child.stdin?.end(given),
    )
    expect(onlyJson(piped)).toMatchObject({ images: files.map((file) => ({ file, labels: [{}] })) })
    expect(piped.stderr).toMatch(/left out: .*broken1\.png cannot be read as a picture: it is not a picture of a kind/)
    const none = await coopProcess(['classify', trained(), '-', ...quiet, '--json'], (child) => child.stdin?.end())
    expectFailure(none, 2, /no picture is given/)
  })

  it('zero-shot: what train compared with', async () => {
    const words = ['zero-shot', world.photos, '--model', world.model, '--skip-bad-images', ...common()]
    const { zeroShot } = JSON.parse(await readFile(join(trained(), 'results.json'), 'utf8'))
    expect(onlyJson(await coopProcess(words))).toMatchObject({ accuracy: zeroShot, perClass: { blue: share } })
  })

  it('and in words, without --json', async () => {
    const quiet = ['--threads', '1', '--cache', at('cache'), '--skip-bad-images', '--quiet']
    const table = await coop('evaluate', trained(), world.photos, ...quiet)
    expect(table).toMatchObject({ status: 0, stderr: '' })
    expect(table.stdout).toMatch(/^(blue|green|red) +\d+\.\d %\n/)
    expect(table.stdout).toMatch(
      /\nall pictures +\d+\.\d %\n\ncross-validated on \d+ pictures, each judged by a learner .*: 95 % interval [\d.]+ to [\d.]+ %, chance [\d.]+ % .*\n$/,
    )
    const answer = await coop('classify', trained(), join(world.photos, 'red', '1.png'), ...quiet)
    expect(answer.stdout).toMatch(/red.1\.png\n( {2}(blue|green|red) +\d+\.\d %\n){3}$/)
  })
})

describe('a training run that is stopped', () => {
  const EPOCHS = 2000
  const words = (run: string) => [
    ...['train', world.photos, '--model', world.model, '--shots', '2', '--context-length', '2'],
    ...['--epochs', String(EPOCHS), '--skip-bad-images', '--out', at(run), '--resume', ...common()],
  ]
  const steps = async (run: string) =>
    (await readFile(join(at(run), 'metrics.jsonl'), 'utf8').catch(() => '')).split('\n').length - 1

  /** Sends a signal some steps into the run. */
  const stopWith = (run: string, signal: NodeJS.Signals) => async (child: ChildProcess) => {
    await rm(join(at(run), 'metrics.jsonl'), { force: true }) // of the process before, else taken for this one's
    const enough = 20 + Math.floor(Math.random() * 200)
    while (child.exitCode === null && (await steps(run)) < enough) await setTimeout(5)
    child.kill(signal)
  }

  it('by kill -9 and by Ctrl-C leaves nothing half written and ends with the numbers of one left alone', async () => {
    expect((await coop(...words('alone'))).status).toBe(0)
    const killed = await coopProcess(words('stopped'), stopWith('stopped', 'SIGKILL'))
    expect(killed).toMatchObject({ status: null, stdout: '' })
    expectFailure(await coop('classify', at('stopped'), 'x.png', ...common()), 1, /is not finished/)

    const interrupted = await coopProcess(words('stopped'), stopWith('stopped', 'SIGINT'))
    expectFailure(interrupted, 130, /^interrupted$/)
    expect(await readdir(at('stopped'))).not.toContain('learned.safetensors')

    const finished = await coop(...words('stopped'))
    expect(onlyJson(finished)).toMatchObject({ steps: EPOCHS })
    for (const file of ['learned.safetensors', 'metrics.jsonl', 'settings.json']) {
      expect(await readFile(join(at('stopped'), file))).toEqual(await readFile(join(at('alone'), file)))
    }
    expect((await readdir(at('stopped'))).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })
})

describe('the process', () => {
  it('ends with the status of the command', async () => {
    expectFailure(await coopProcess(['train', at('nowhere'), '--json']), 1, /no such folder/)
    expectFailure(await coopProcess(['train', '--json']), 2, /missing required argument 'data'/)
  })

  it('is quiet when the reader of its output goes away', () => {
    const command = `${[process.execPath, ...NODE].map((word) => `'${word}'`).join(' ')} train --help | head -c 1`
    expect(spawnSync('sh', ['-c', command], { encoding: 'utf8' }).stderr).toBe('')
  })
})
