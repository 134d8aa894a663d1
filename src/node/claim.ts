import { randomUUID } from 'node:crypto'
import { readFileSync, rmSync } from 'node:fs'
import { link, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { CoopError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { anySignal } from '../base/stop.ts'
import { fileError, ifThere, LEFTOVER_AGE_MS, makeFolder, removeLeftovers, statIfThere } from './files.ts'
import { heartbeat, isAtWork } from './owner.ts'

/** In a folder that a process writes a run into, as long as it does. */
export const CLAIM = 'claim.json'

/** A folder that another process is working in. */
export class ClaimedError extends CoopError {}

const claimSchema = z.object({
  host: z.string(),
  pid: z.int(),
  /** Of this claim alone: process ids return. */
  token: z.string(),
  since: z.string(),
  /** Owners in a row that were gone before they had ended their work. */
  lost: z.int().min(0).optional(),
})
export type Claim = z.output<typeof claimSchema>

/** Claims that this process holds, by their file. */
const held = new Map<string, string>()

// what Ctrl-C and other sudden ends leave to do
process.on('exit', () => {
  for (const [path, token] of held) {
    try {
      if (parseClaim(readFileSync(path, 'utf8'))?.token === token) rmSync(path)
    } catch {
      // the next one sees that its owner is gone
    }
  }
})

/**
 * Works in a folder, which is made where it is missing, as the only process that does: on this machine or on another that
 * shares it. A claim whose owner is gone is taken over.
 *
 * @param work its hooks tell it to stop when the claim is lost, as it may be after a long sleep of the machine
 * @throws ClaimedError where another process works in it
 */
export async function withClaim<T>(folder: string, hooks: Hooks, work: (hooks: Hooks) => Promise<T>): Promise<T> {
  const isNew = (await statIfThere(folder)) === undefined
  const path = join(folder, CLAIM)
  const token = randomUUID()
  await take(path, token, hooks)
  await removeLeftovers(folder, LEFTOVER_AGE_MS)
  const lost = new AbortController()
  held.set(path, token)
  const stop = heartbeat(path, async () => {
    // twice: a claim that is looked at may be away for a moment
    if ((await tokenAt(path)) === token || (await tokenAt(path)) === token) return
    const gone = `${path} is gone: another process has taken over the folder, or somebody has removed the file`
    lost.abort(new ClaimedError(gone, 'look whether another process is at work there'))
  })
  try {
    return await work({ ...hooks, signal: anySignal(hooks.signal, lost.signal) })
  } finally {
    stop()
    held.delete(path)
    if ((await tokenAt(path)) === token) await rm(path, { force: true })
    if (isNew) await rmdir(folder).catch(() => undefined) // not empty unless the work was refused
  }
}

async function take(path: string, token: string, hooks: Hooks): Promise<void> {
  const own = { host: hostname(), pid: process.pid, token, since: new Date().toISOString() }
  let lost: number | undefined
  for (;;) {
    if (await create(path, { ...own, lost })) return
    const text = await ifThere(path, readFile(path, 'utf8'))
    if (text === undefined) continue // released meanwhile
    const other = parseClaim(text)
    if (other?.host !== own.host) {
      hooks.onWarning?.(`${path}: looking whether the process on ${other?.host ?? 'another machine'} is still at work`)
    }
    if ((other && held.get(path) === other.token) || (await isAtWork(path, other)))
      throw claimedBy(dirname(path), other)
    await removeClaim(path, text, token)
    lost = (other?.lost ?? 0) + 1
  }
}

/** Who claims a folder, and when that was last confirmed, in milliseconds; undefined where nobody does. */
export async function claimOf(folder: string): Promise<(Claim & { readonly seen: number }) | undefined> {
  const path = join(folder, CLAIM)
  const text = await ifThere(path, readFile(path, 'utf8'))
  const claim = text === undefined ? undefined : parseClaim(text)
  const seen = (await statIfThere(path))?.mtimeMs
  return claim && seen !== undefined ? { ...claim, seen } : undefined
}

/** Whether the owner of a folder's claim is still at work; takes some seconds where only its heartbeat tells. */
export const isClaimed = async (folder: string, claim: Claim): Promise<boolean> => isAtWork(join(folder, CLAIM), claim)

/** Removes the claim that a process of this machine left which was killed when its work was done. */
export async function removeDeadClaim(folder: string): Promise<void> {
  const path = join(folder, CLAIM)
  const text = await ifThere(path, readFile(path, 'utf8'))
  const claim = text === undefined ? undefined : parseClaim(text)
  if (text === undefined || claim?.host !== hostname() || (await isAtWork(path, claim))) return
  await removeClaim(path, text, randomUUID())
}

/** False where there is a claim already. */
async function create(path: string, claim: Claim): Promise<boolean> {
  const content = `${JSON.stringify(claim)}\n`
  try {
    await makeFolder(dirname(path))
    await writeFile(path, content, { flag: 'wx' })
    return true
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') return false
    // a full disk takes the file, and not what is in it
    const written = await readFile(path, 'utf8').catch(() => undefined)
    if (written !== undefined && content.startsWith(written)) await rm(path, { force: true }).catch(() => undefined)
    throw fileError('write', path, cause)
  }
}

/** Removes a claim unless it has become another's meanwhile: of several that try, one moves it away. */
async function removeClaim(path: string, text: string, token: string): Promise<void> {
  const away = join(dirname(path), `.${CLAIM}.${token}.tmp`)
  if ((await ifThere(path, readFile(path, 'utf8'))) !== text) return
  await ifThere(path, rename(path, away))
  if ((await readFile(away, 'utf8').catch(() => text)) !== text) await link(away, path).catch(() => undefined)
  await rm(away, { force: true })
}

async function tokenAt(path: string): Promise<string | undefined> {
  const text = await ifThere(path, readFile(path, 'utf8'))
  return text === undefined ? undefined : parseClaim(text)?.token
}

/** Undefined for what is not a claim, such as one whose owner was killed when it wrote it. */
function parseClaim(text: string): Claim | undefined {
  try {
    return claimSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

function claimedBy(folder: string, owner: Claim | undefined): ClaimedError {
  const who = owner ? ` (process ${owner.pid} on ${owner.host}, since ${owner.since})` : ''
  return new ClaimedError(
    `another process is working in ${folder}${who}`,
    'wait until it has finished, end it, or choose another folder (--out)',
  )
}
