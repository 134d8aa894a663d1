import { open, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { statIfThere } from './files.ts'

// A file on disk that belongs to a process for a while: its owner moves the file's time every second. Whether an owner
// is still at work is seen in that alone, because a process id may belong to another process by now (in a container it
// always does), and because the clocks of two machines need not agree.

const HEARTBEAT_MS = 1000
const LOOK_MS = 200
/** Milliseconds without a heartbeat after which an owner is gone; other machines see the time of a file later. */
const PATIENCE = { here: 5000, elsewhere: 30_000 } as const
/** Awaited in any case: an old file may be one whose owner is at work and whose clock, or ours, was set. */
const LEAST_MS = 2500

export interface Owner {
  readonly host: string
  readonly pid: number
}

/** Moves a file's time until it is stopped, or the process ends, which this does not keep alive. */
export function heartbeat(path: string, eachTime?: () => Promise<void>): () => void {
  const beat = async () => {
    const now = new Date()
    await eachTime?.()
    await utimes(path, now, now)
  }
  const timer = setInterval(() => void beat().catch(() => undefined), HEARTBEAT_MS).unref()
  return () => clearInterval(timer)
}

/**
 * Whether the owner of a file is still at work, as far as it can be seen: a process of this machine that has ended is
 * not; of any other the file's next heartbeat is awaited, here up to some seconds after the last one.
 * @param thisHost what an owner of this machine calls its host
 */
export async function isAtWork(path: string, owner: Owner | undefined, thisHost = hostname()): Promise<boolean> {
  const isHere = owner === undefined || owner.host === thisHost
  if (owner && isHere && owner.pid !== process.pid && !isRunning(owner.pid)) return false
  const first = await timeOf(path)
  const since = isHere && first !== undefined ? Math.max(0, Date.now() - first) : 0
  const end = performance.now() + Math.max(LEAST_MS, PATIENCE[isHere ? 'here' : 'elsewhere'] - since)
  while (performance.now() < end) {
    await sleep(LOOK_MS)
    const time = await timeOf(path)
    if (time !== first) return time !== undefined
  }
  return false
}

/** Whether an owner seems to be at work, without waiting for its heartbeat: to be shown. */
export function seemsAtWork({ host, pid }: Owner, beat: number): boolean {
  if (host === hostname()) return isRunning(pid) && Date.now() - beat < PATIENCE.here
  return Date.now() - beat < PATIENCE.elsewhere
}

/**
 * When a file was last written; opened for it where that is allowed, because some network file systems remember the
 * answer otherwise.
 */
async function timeOf(path: string): Promise<number | undefined> {
  const file = await open(path).catch(() => undefined)
  if (file === undefined) return (await statIfThere(path))?.mtimeMs
  return file.stat().then(
    ({ mtimeMs }) => file.close().then(() => mtimeMs),
    () => file.close().then(() => undefined),
  )
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return cause instanceof Error && 'code' in cause && cause.code === 'EPERM'
  }
}
