import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FileError } from '../base/errors.ts'
import { exampleRecord } from '../testing/example-records.ts'
import { finishRun, readRecord, runFile } from './run-folder.ts'
import { readSweepFolder, runsFolder } from './sweep-folder.ts'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'coop-run-folder-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

describe('the result of a run', () => {
  const record = exampleRecord({ id: 'one', elsewhere: { new: 0.25 }, facts: { searched: [0.1, -2e-7] } })
  let run: string
  let written: Buffer
  beforeAll(async () => {
    run = join(runsFolder(root), 'one')
    await mkdir(run, { recursive: true })
    await finishRun(run, record)
    written = await readFile(runFile(run, 'results'))
  })
  const sweep = () => readSweepFolder(root, false, {}).then(({ found }) => found.map((run) => run.record))

  it('comes back as it was', async () => {
    expect(await readRecord(run)).toEqual(record)
    expect(await sweep()).toEqual([record])
  })

  it('is refused, or still the same, when any one byte of it is another one', async () => {
    let refused = 0
    for (let at = 0; at < written.length; at++) {
      const flipped = Uint8Array.from(written)
      flipped[at]! ^= 1
      await writeFile(runFile(run, 'results'), flipped)
      for (const read of [() => readRecord(run), () => sweep().then(([one]) => one)]) {
        const result = await read().catch((error: unknown) => error)
        if (result instanceof FileError) refused++
        else expect(result, `byte ${at}`).toEqual(record)
      }
    }
    expect(refused).toBeGreaterThan(written.length)
  })

  it('says what is wrong and what to do when one digit of it is another one', async () => {
    await writeFile(runFile(run, 'results'), String(written).replace('"accuracy": 0.', '"accuracy": 0.0'))
    await expect(readRecord(run)).rejects.toThrow(/results\.json is damaged: its content is not what was written/)
    await expect(sweep()).rejects.toMatchObject({ remedy: expect.stringContaining('--skip') })
  })

  it('is read with other white space, and without a hash, as earlier versions wrote it', async () => {
    for (const text of [JSON.stringify(JSON.parse(String(written))), JSON.stringify(record)]) {
      await writeFile(runFile(run, 'results'), text)
      expect(await readRecord(run)).toEqual(record)
    }
  })
})
