import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { chosenReaders, inputOf } from './cases.ts'
import { READERS } from './readers.ts'
import { fuzz } from './run.ts'

it('each reader accepts the first of the inputs that its cases are made from', async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'coop-fuzz-seeds-'))
  for (const [i, { name, prepare }] of READERS.entries()) {
    const folder = join(scratch, String(i))
    await mkdir(folder)
    const { seeds, read, close } = await prepare(folder)
    await expect(Promise.resolve(seeds[0] ?? new Uint8Array()).then(read), name).resolves.not.toThrow()
    await close?.()
  }
  await rm(scratch, { recursive: true })
})

it('no reader fails in another way than by a message of ours, whatever it reads', async () => {
  const { findings, tallies } = await fuzz({ cases: 40 * chosenReaders([]).length, seed: 20 })
  expect(findings).toEqual([])
  for (const [name, { cases }] of tallies) expect(cases, name).toBeGreaterThan(30)
})

it('a case is the same each time, and of its own', async () => {
  const [reader] = READERS
  const made = await reader!.prepare('')
  const [a, b, c] = await Promise.all([7, 7, 8].map((i) => inputOf(reader!, made, 1, i)))
  expect(a).toEqual(b)
  expect(a).not.toEqual(c)
})
