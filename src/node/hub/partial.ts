import { createHash, randomUUID } from 'node:crypto'
import { readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { Hooks } from '../../base/progress.ts'
import { ifThere, statIfThere } from '../files.ts'
import { heartbeat, isAtWork, type Owner } from '../owner.ts'
import { cacheError } from './cache.ts'
import { sleep } from './request.ts'

// A download grows in a file that one process alone writes: BLOB.HOST-PID-NUMBER.incomplete. What a process leaves that
// fails is called BLOB.incomplete, as Python's huggingface_hub called it; what a killed one leaves keeps its name. Who
// comes next renames either to its own name, which succeeds for one process only, and continues with it.

const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8)
const POLL_MS = 250

/** What this process is downloading, with what stops its heartbeat. */
const own = new Map<string, () => void>()

/**
 * What there is of a blob so far, under a name that is this caller's alone; an empty file where there is nothing.
 * Waits while another process downloads the same, and says so with its `title`. Undefined: the blob is there.
 */
export async function claimPartial(blob: string, title: string, hooks: Hooks): Promise<string | undefined> {
  const path = join(dirname(blob), `${basename(blob)}.${HOST}-${process.pid}-${randomUUID().slice(0, 8)}.incomplete`)
  const left = new Set<string>()
  const others = async () => (await partialsOf(blob)).filter((partial) => partial.path !== path)
  const owned = ({ path, owner }: Partial) => owner.pid !== 0 && !left.has(path)
  let warned = false
  for (;;) {
    if (await statIfThere(blob)) return undefined
    const partials = await others()
    const busy = partials.find(owned)
    if (busy) {
      if (own.has(busy.path)) await sleep(POLL_MS)
      else if (!(await isAtWork(busy.path, busy.owner, HOST))) left.add(busy.path)
      if (!warned && !left.has(busy.path)) {
        warned = true
        hooks.onWarning?.(`another process is downloading ${title}: waiting for it`)
      }
      continue
    }
    const [largest, ...rest] = partials.sort((a, b) => b.size - a.size)
    if (!(await obtain(path, largest?.path))) continue
    if ((await others()).some(owned)) {
      // began at the same moment
      await releasePartial(blob, path)
      await sleep(POLL_MS * Math.random())
      continue
    }
    await Promise.all(rest.map(({ path }) => rm(path, { force: true }).catch(() => undefined)))
    own.set(path, heartbeat(path))
    return path
  }
}

/** Puts an own file into the place of one that was left, or an empty one. False where another process was faster. */
async function obtain(path: string, left: string | undefined): Promise<boolean> {
  try {
    if (left === undefined) await writeFile(path, '')
    else await rename(left, path)
    return true
  } catch (cause) {
    if (left !== undefined && cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return false
    throw cacheError(left ?? path, cause)
  }
}

/** Ends work on an own partial file; what is in it is left to whoever comes next. */
export async function releasePartial(blob: string, path: string): Promise<void> {
  own.get(path)?.()
  own.delete(path)
  const file = await stat(path).catch(() => undefined)
  if (file === undefined) return
  await (file.size > 0 ? rename(path, `${blob}.incomplete`) : rm(path, { force: true })).catch(() => undefined)
}

interface Partial {
  readonly path: string
  readonly size: number
  readonly owner: Owner
}

async function partialsOf(blob: string): Promise<Partial[]> {
  const names = (await ifThere(dirname(blob), readdir(dirname(blob)))) ?? []
  const found = await Promise.all(
    names.map(async (name) => {
      const owner = ownerOf(basename(blob), name)
      const path = join(dirname(blob), name)
      const file = owner && (await statIfThere(path))
      return owner && file ? [{ path, size: file.size, owner }] : []
    }),
  )
  return found.flat()
}

/** Whose partial file this is (0: nobody's); undefined for other files, Python's present downloads among them. */
function ownerOf(blob: string, name: string): Owner | undefined {
  if (name === `${blob}.incomplete`) return { host: HOST, pid: 0 }
  if (!name.startsWith(`${blob}.`)) return undefined
  const [, host, pid] = /^([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.incomplete$/.exec(name.slice(blob.length + 1)) ?? []
  return host !== undefined && pid !== undefined ? { host, pid: Number(pid) } : undefined
}
