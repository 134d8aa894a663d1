import { FileError, UsageError } from '../../../base/errors.ts'
import { readText } from '../../../node/files.ts'

/** Where the address of a queue may stand, so that it is in no list of processes. */
export const QUEUE_VARIABLE = 'COOP_TS_QUEUE'
/** The word for it. */
export const FROM_ENVIRONMENT = 'env'

/** Where a queue is. */
export interface QueueAddress {
  /** With a password, if it needs one: shown nowhere. */
  readonly url: string
  /** What people see of it: host and port. */
  readonly shown: string
}

const WAYS = `redis://HOST:PORT, a file that contains the address, or ${FROM_ENVIRONMENT} for the environment variable ${QUEUE_VARIABLE}`

/**
 * Where the queue is that a word means: `redis://` or `rediss://` (TLS), a file with such an address, or `env`. No error of
 * it repeats an address.
 *
 * @throws UsageError for what is no address, and for a password on the command line
 * @throws FileError where the file has none
 */
export async function readAddress(
  word: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<QueueAddress> {
  if (word !== FROM_ENVIRONMENT) {
    if (!isAddress(word)) return addressInFile(word)
    const url = parsed(word)
    if (url && (url.username !== '' || url.password !== '')) {
      throw new UsageError(
        '--queue: an address with a password on the command line is seen by everybody on this machine (ps)',
        `write it into a file and give that (--queue FILE), or into the environment variable ${QUEUE_VARIABLE} (--queue ${FROM_ENVIRONMENT})`,
      )
    }
    return addressOf(url, '--queue')
  }
  const value = env[QUEUE_VARIABLE]?.trim()
  if (!value) throw new UsageError(`the environment variable ${QUEUE_VARIABLE} is not set`, `give ${WAYS}`)
  return isAddress(value) ? addressOf(parsed(value), QUEUE_VARIABLE) : addressInFile(value)
}

/** What was typed, without the address of a queue. */
export function withoutAddress(words: readonly string[]): string[] {
  return words.map((word) => {
    const [, flag = '', value = ''] = /^(--queue=)?(.*)$/s.exec(word) ?? []
    return isAddress(value) ? `${flag}${shownOf(parsed(value))}` : word
  })
}

const isAddress = (word: string) => /^[a-z][a-z0-9+.-]*:\/\//i.test(word)

function parsed(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isRedis = url && ['redis:', 'rediss:'].includes(url.protocol) && url.hostname !== ''
  return isRedis && /^(\/\d*)?$/.test(url.pathname) && url.search === '' && url.hash === '' ? url : undefined
}

const shownOf = (url: URL | undefined) => (url ? `${url.hostname}:${url.port || 6379}` : '(an address)')

function addressOf(url: URL | undefined, where: string): QueueAddress {
  if (url) return { url: url.href, shown: shownOf(url) }
  throw new UsageError(
    `${where}: this is no address of a Redis server: expected redis://HOST:PORT, or rediss:// for TLS, with the number of a database after a / if it is not 0`,
    `give ${WAYS}`,
  )
}

async function addressInFile(file: string): Promise<QueueAddress> {
  const lines = (await readText(file)).split('\n').map((line) => line.trim())
  const [address = '', ...more] = lines.filter((line) => line !== '' && !line.startsWith('#'))
  const url = more.length === 0 ? parsed(address) : undefined
  if (url) return addressOf(url, file)
  throw new FileError(
    `${file}: expected one line with the address of a Redis server: redis://:PASSWORD@HOST:PORT, or rediss:// for TLS`,
    `give ${WAYS}`,
  )
}
