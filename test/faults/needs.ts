import { spawnSync } from 'node:child_process'

const works = (command: string, ...words: readonly string[]) =>
  spawnSync(command, words, { stdio: 'ignore', timeout: 20_000 }).status === 0

/** A mount namespace of its own: as root at once, as another user where the system lets one be root in it. */
export const UNSHARE_MOUNTS = works('unshare', '-m', 'true') ? ['-m'] : ['-rm']
const UNSHARE_USER = process.geteuid?.() === 0 ? [] : ['-r']

/** A container as far as a process can tell: its own process ids, the first of which is its own, and its own host name. */
export const CONTAINER: readonly string[] = [
  'unshare',
  ...UNSHARE_USER,
  '--pid',
  '--fork',
  '--mount-proc',
  '--uts',
  '--kill-child=SIGKILL',
  'sh',
  '-c',
  'hostname box && exec "$@"',
  'sh',
]

/** What faults need of a machine, with what is missing where it does not have it. */
const NEEDS = {
  tmpfs: [
    'a tmpfs that may be mounted (root, or unshare -rm)',
    () =>
      works('unshare', ...UNSHARE_MOUNTS, 'sh', '-c', 'mount -t tmpfs -o size=64k none /tmp') &&
      works('nsenter', '--version'),
  ],
  container: ['a container (unshare --pid --uts)', () => works(CONTAINER[0] ?? '', ...CONTAINER.slice(1), 'true')],
  posix: ['permissions of files (not Windows)', () => process.platform !== 'win32'],
  limits: ['limits of memory (prlimit)', () => works('prlimit', '--data=1000000000', 'true')],
  redis: ['redis-server', () => works('redis-server', '--version')],
} as const satisfies Record<string, readonly [string, () => boolean]>

export type Need = keyof typeof NEEDS

const found = new Map<Need, boolean>()

/** What of these this machine does not have. */
export function missing(needs: readonly Need[]): string[] {
  return needs.flatMap((need) => {
    const [what, isThere] = NEEDS[need]
    if (!found.has(need)) found.set(need, isThere())
    return found.get(need) ? [] : [what]
  })
}
