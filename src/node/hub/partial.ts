import { createHash, randomUUID } from 'node:crypto'
import { readdir, rename, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { Hooks } from '../../base/progress.ts'
import { cacheError } from './cache.ts'
import { sleep } from './request.ts'

// A download grows in a file that one process alone writes: BLOB.HOST-PID-NUMBER.incomplete. What a process leaves that
// fails is called BLOB.incomplete, as Python's huggingface_hub called it; what a killed one leaves keeps its name. Who
// comes next renames either to its own name, which succeeds for one process only, and continues with it.

const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8)
/** After this time without a byte, what a process on another machine downloads counts as left. */
const STALE_MS = 300_000
const POLL_MS = 250

/**
 * What there is of a blob so far, under a name that is this caller's alone; an empty claim where there is nothing.
 * Waits while another process downloads the same, and says so with its `title`. Undefined: the blob is there.
 */
export async function claimPartial(blob: string, title: string, hooks: Hooks): Promise<string | undefined> {
  const own = join(dirname(blob), `${basename(blob)}.${HOST}-${process.pid}-${randomUUID().slice(0, 8)}.incomplete`)
  let warned = false
  for (;;) {
    if (await stat(blob).catch(() => undefined)) return undefined
    const partials = await partialsOf(blob)
    if (partials.some(({ isBusy }) => isBusy)) {
      if (!warned) hooks.onWarning?.(`another process is downloading ${title}: waiting for it`)
      warned = true
      await sleep(POLL_MS)
      continue
    }
    const [largest] = partials.sort((a, b) => b.size - a.size)
    if (largest === undefined) return own
    const claimed = await rename(largest.path, own).then(
      () => true,
      (cause: unknown) => {
        if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return false
        throw cacheError(largest.path, cause)
      },
    )
    if (claimed) return own
  }
}

/** Leaves an own partial file to whoever comes next. */
export async function releasePartial(blob: string, own: string): Promise<void> {
  await rename(own, `${blob}.incomplete`).catch(() => undefined)
}

/** Removes what others have left of a blob that is whole now. */
export async function removePartials(blob: string): Promise<void> {
  const left = (await partialsOf(blob)).filter(({ isBusy }) => !isBusy)
  await Promise.all(left.map(({ path }) => rm(path, { force: true }).catch(() => undefined)))
}

async function partialsOf(blob: string): Promise<{ path: string; size: number; isBusy: boolean }[]> {
  const names = await readdir(dirname(blob)).catch(() => [])
  const found = await Promise.all(
    names.map(async (name) => {
      const owner = ownerOf(basename(blob), name)
      const path = join(dirname(blob), name)
      const file = owner && (await stat(path).catch(() => undefined))
      return owner && file ? [{ path, size: file.size, isBusy: isBusy(owner, file.mtimeMs) }] : []
    }),
  )
  return found.flat()
}

interface Owner {
  readonly host: string
  /** 0: nobody. */
  readonly pid: number
}

/** Whose partial file this is; undefined for other files, Python's present downloads among them. */
function ownerOf(blob: string, name: string): Owner | undefined {
  if (name === `${blob}.incomplete`) return { host: HOST, pid: 0 }
  if (!name.startsWith(`${blob}.`)) return undefined
  const [, host, pid] = /^([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.incomplete$/.exec(name.slice(blob.length + 1)) ?? []
  return host !== undefined && pid !== undefined ? { host, pid: Number(pid) } : undefined
}

function isBusy({ host, pid }: Owner, changedAt: number): boolean {
  if (pid === 0) return false
  if (host !== HOST) return Date.now() - changedAt < STALE_MS
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return cause instanceof Error && 'code' in cause && cause.code === 'EPERM'
  }
}
