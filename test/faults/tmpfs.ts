import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { UNSHARE_MOUNTS } from './needs.ts'
import { endOf, lastWords, start } from './process.ts'

/** A small file system in memory, which only processes in its mount namespace see. */
export interface Tmpfs {
  /** What runs a command in it. */
  readonly within: readonly string[]
  /** Where this process finds it. */
  readonly seen: string
  /** Mounts it again with other options, such as `size=64m` or `ro`. */
  remount(options: string): Promise<void>
  close(): Promise<void>
}

/** Mounts a tmpfs over a folder. It is gone with the process that holds it, however that ends. */
export async function tmpfs(folder: string, options: string): Promise<Tmpfs> {
  const script = `mount -t tmpfs -o ${options} faults "$1" && echo ready && exec cat`
  const holder = spawn('unshare', [...UNSHARE_MOUNTS, 'sh', '-c', script, 'sh', folder], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const closed = once(holder, 'close')
  await Promise.race([once(holder.stdout, 'data'), closed])
  if (holder.exitCode !== null) throw new Error(`cannot mount a tmpfs on ${folder}`)
  const user = UNSHARE_MOUNTS.includes('-rm') ? ['-U', '--preserve-credentials'] : []
  const within = [
    'nsenter',
    '-t',
    String(holder.pid),
    '-m',
    ...user,
    '--',
    'sh',
    '-c',
    'cd "$1" && shift && exec "$@"',
    'sh',
    folder,
  ]
  return {
    within,
    seen: `/proc/${holder.pid}/root${folder}`,
    async remount(options) {
      const script = `process.exit(require('child_process').spawnSync('mount', ['-o', 'remount,${options}', process.argv[1]], { stdio: 'inherit' }).status)`
      const end = await endOf(start(['-e', script, folder], { within }))
      if (end.status !== 0) throw new Error(`cannot mount again with ${options}: ${lastWords(end)}`)
    },
    async close() {
      holder.stdin.end()
      await closed
    },
  }
}
