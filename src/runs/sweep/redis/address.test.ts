import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readAddress, withoutAddress } from './address.ts'

it('takes an address from the command line, a file or the environment, and shows host and port of it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'coop-address-'))
  const file = join(folder, 'queue')
  await writeFile(file, '# of the group\n\nrediss://user:s3cret@redis.example:6380/2\n')
  expect(await readAddress('redis://host')).toEqual({ url: 'redis://host', shown: 'host:6379' })
  expect((await readAddress(file)).shown).toBe('redis.example:6380')
  expect((await readAddress(file)).url).toContain('s3cret')
  expect((await readAddress('env', { COOP_TS_QUEUE: 'redis://:s3cret@host:7000' })).shown).toBe('host:7000')
  expect((await readAddress('env', { COOP_TS_QUEUE: file })).shown).toBe('redis.example:6380')
  await rm(folder, { recursive: true })
})

it('refuses what is no address, and a password on the command line, without repeating either', async () => {
  for (const word of [
    'redis://:s3cret@host',
    'redis://s3cret@host',
    'http://s3cret',
    'redis://host/s3cret',
    'redis://h?x=s3cret',
  ]) {
    const refused: unknown = await readAddress(word).catch((error: unknown) => error)
    expect(refused).toMatchObject({ name: 'UsageError', remedy: expect.stringMatching(/COOP_TS_QUEUE/) })
    expect(JSON.stringify([refused, String(refused)])).not.toContain('s3cret')
  }
  await expect(readAddress('env', {})).rejects.toThrow(/COOP_TS_QUEUE is not set/)
  await expect(readAddress('env', { COOP_TS_QUEUE: 'redis://:s3cret@h/x' })).rejects.toThrow(/^(?!.*s3cret)/)
  await expect(readAddress('/nowhere/queue')).rejects.toThrow(/no such file/)
})

it('keeps addresses out of what was typed', () => {
  expect(withoutAddress(['sweep', 'plan.yaml', '--queue', 'redis://user@host:1/2', '--queue=rediss://host'])).toEqual([
    ...['sweep', 'plan.yaml', '--queue', 'host:1', '--queue=host:6379'],
  ])
})
