import { spawnSync } from 'node:child_process'
import { utimesSync } from 'node:fs'
import { access, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { CLAIM, ClaimedError, withClaim } from './claim.ts'

let folder: string
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'claim-')), 'run')
})
afterEach(() => rm(join(folder, '..'), { recursive: true, force: true }))

/** A claim as its owner left it a minute ago. */
async function left(owner: { readonly host?: string; readonly pid: number }): Promise<string> {
  const path = join(folder, CLAIM)
  const token = '6f1ff1fb-4c2b-4f3e-b2ff-3f3a7d0b8a11'
  await mkdir(folder)
  await writeFile(path, JSON.stringify({ host: hostname(), token, since: '2026-01-02T03:04:05Z', ...owner }))
  const aMinuteAgo = new Date(Date.now() - 60_000)
  await utimes(path, aMinuteAgo, aMinuteAgo)
  return path
}
const ended = () => Number(spawnSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }).stdout)

describe('a claim on a folder', () => {
  it('is held while work goes on, and gone afterwards', async () => {
    const seen = await withClaim(folder, {}, async () => JSON.parse(await readFile(join(folder, CLAIM), 'utf8')))
    expect(seen).toMatchObject({ host: hostname(), pid: process.pid })
    await expect(access(folder)).rejects.toThrow()
    const work = withClaim(folder, {}, () =>
      writeFile(join(folder, 'file'), '').then(() => Promise.reject(new Error('no'))),
    )
    await expect(work).rejects.toThrow('no')
    expect(await readdir(folder)).toEqual(['file'])
  })

  it('keeps out whoever comes next, of any two the second', async () => {
    const work = () => sleep(500)
    const both = await Promise.allSettled([withClaim(folder, {}, work), withClaim(folder, {}, work)])
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    const [refused] = both.filter((result) => result.status === 'rejected')
    expect(refused?.reason).toBeInstanceOf(ClaimedError)
    expect(refused?.reason.message).toMatch(`another process is working in ${folder} (process ${process.pid} on `)
  })

  it.each([
    ['has ended', ended],
    ['had the id of this process', () => process.pid],
    ['had the id of another process of today', () => process.ppid],
  ])('whose owner %s is taken over', async (_, pid) => {
    await left({ pid: pid() })
    expect(await withClaim(folder, {}, async () => 'done')).toBe('done')
    expect(await readdir(folder)).toEqual([])
  })

  it('clears away what was left of files by a process that was killed long ago', async () => {
    const path = await left({ pid: ended() })
    const old = join(folder, '.claim.json.01234567-89ab-cdef-0123-456789abcdef.tmp')
    await writeFile(old, '')
    await utimes(old, new Date(0), new Date(0))
    await withClaim(folder, {}, async () => expect(await readdir(folder)).toEqual([basename(path)]))
  })

  it('that is damaged is one whose owner was killed', { timeout: 60_000 }, async () => {
    await mkdir(folder)
    await writeFile(join(folder, CLAIM), '')
    expect(await withClaim(folder, {}, async () => 'done')).toBe('done')
  })

  it('of a process elsewhere counts as long as it beats', async () => {
    const path = await left({ host: 'elsewhere', pid: 1 })
    const beats = setInterval(() => utimesSync(path, new Date(), new Date()), 300)
    const warnings: string[] = []
    const hooks = { onWarning: (text: string) => void warnings.push(text) }
    const work = withClaim(folder, hooks, async () => 'done').finally(() => clearInterval(beats))
    await expect(work).rejects.toThrow(/process 1 on elsewhere, since 2026-01-02T03:04:05Z/)
    expect(warnings[0]).toMatch(/looking whether the process on elsewhere is still at work/)
  })

  it('counts as long as it beats, whatever the clocks of its owner and of others say', async () => {
    const path = await left({ pid: process.ppid })
    const hours = [-5, 7, -1, 3]
    const beats = setInterval(() => {
      const then = new Date(Date.now() + 3_600_000 * (hours.shift() ?? 0))
      utimesSync(path, then, then)
    }, 1000)
    const work = withClaim(folder, {}, async () => 'done').finally(() => clearInterval(beats))
    await expect(work).rejects.toThrow(/another process is working/)
  })

  it('of an owner that is gone is taken over within seconds, even if the clock is set back meanwhile', async () => {
    const path = await left({ pid: process.ppid })
    await utimes(path, new Date(), new Date())
    const now = vi.spyOn(Date, 'now')
    const work = withClaim(folder, {}, async () => 'done')
    await sleep(200)
    now.mockReturnValue(0)
    expect(await work.finally(() => now.mockRestore())).toBe('done')
  })

  it('is taken over by one of several that try', async () => {
    await left({ pid: ended() })
    let working = 0
    const work = async () => {
      expect(++working).toBe(1)
      await sleep(100)
      working--
    }
    const all = await Promise.allSettled(Array.from({ length: 8 }, () => withClaim(folder, {}, work)))
    expect(all.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(0)
    for (const result of all) if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(ClaimedError)
  })

  it('that is lost stops the work', async () => {
    const work = withClaim(folder, {}, async ({ signal }) => {
      await rm(join(folder, CLAIM))
      await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
    })
    await expect(work).rejects.toThrow(/claim.json is gone/)
  })
})
