import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { UsageError } from '../../base/errors.ts'
import { withoutSecrets } from '../../base/secrets.ts'
import { ifThere } from '../files.ts'

/** How the Hugging Face hub is reached and where its files are kept. */
export interface HubSettings {
  /** `https://huggingface.co`, or a mirror of it; no slash at the end. */
  readonly endpoint: string
  /** The folder that holds `models--owner--name`. */
  readonly cacheDir: string
  readonly token: string | undefined
  /** No request at all: what is not in the cache is not there. */
  readonly offline: boolean
  /** Milliseconds that an answer to a question about a file may take. */
  readonly etagTimeout: number
  /** Milliseconds that a download may stand still. */
  readonly downloadTimeout: number
  /** Milliseconds before the second attempt; doubled for each one after it. */
  readonly retryDelay: number
  readonly symlinks: boolean
}

type Env = Readonly<Record<string, string | undefined>>

const DEFAULT_ENDPOINT = 'https://huggingface.co'
const DEFAULT_TIMEOUT_SECONDS = 10

/**
 * The settings in the environment, by the names and rules of Python's huggingface_hub.
 * Throws UsageError for an endpoint that is no address, and for a token that none can be.
 */
export async function hubSettings(env: Env = process.env): Promise<HubSettings> {
  const home = expand(env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface'), env)
  return {
    endpoint: endpointOf(env),
    cacheDir: expand(env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(home, 'hub'), env),
    token: await tokenOf(env, home),
    offline: isTrue(env.HF_HUB_OFFLINE || env.TRANSFORMERS_OFFLINE),
    etagTimeout: milliseconds(env.HF_HUB_ETAG_TIMEOUT),
    downloadTimeout: milliseconds(env.HF_HUB_DOWNLOAD_TIMEOUT),
    retryDelay: 1000,
    symlinks: !isTrue(env.HF_HUB_DISABLE_SYMLINKS),
  }
}

function endpointOf(env: Env): string {
  const endpoint = (env.HF_ENDPOINT || DEFAULT_ENDPOINT).trim().replace(/\/+$/, '')
  if (/^https?:\/\/[^\s/?#]+[^\s?#]*$/.test(endpoint) && URL.canParse(endpoint)) {
    if (!hasLogin(new URL(endpoint))) return endpoint
    throw new UsageError(
      'HF_ENDPOINT has a user name or password in it, which would be sent and shown with every address',
      'leave it out of HF_ENDPOINT; a token goes into HF_TOKEN',
    )
  }
  throw new UsageError(
    `HF_ENDPOINT is not a URL: ${JSON.stringify(withoutSecrets(env.HF_ENDPOINT ?? '', env))}`,
    `give one such as ${DEFAULT_ENDPOINT}, or unset it`,
  )
}

/** Whether an address has a user name or password in it. */
export const hasLogin = ({ username, password }: URL): boolean => username !== '' || password !== ''

async function tokenOf(env: Env, home: string): Promise<string | undefined> {
  const token = await findToken(env, home)
  if (token === undefined || /^[\x21-\x7e]+$/.test(token)) return token
  throw new UsageError(
    'the hub token contains characters that are not allowed in a token',
    'set HF_TOKEN to a token, or unset it',
  )
}

async function findToken(env: Env, home: string): Promise<string | undefined> {
  const named = clean(env.HF_TOKEN) ?? clean(env.HUGGING_FACE_HUB_TOKEN)
  if (named !== undefined || isTrue(env.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return named
  const file = expand(env.HF_TOKEN_PATH || join(home, 'token'), env)
  return clean(await ifThere(file, readFile(file, 'utf8')))
}

/** A token without the line breaks that copying leaves, or undefined for an empty one. */
const clean = (token: string | undefined): string | undefined => token?.replace(/[\r\n]/g, '').trim() || undefined

const isTrue = (value: string | undefined): boolean => /^(1|on|yes|true)$/i.test(value ?? '')

function milliseconds(seconds: string | undefined): number {
  const value = Number(seconds)
  return 1000 * (Number.isFinite(value) && value > 0 ? value : DEFAULT_TIMEOUT_SECONDS)
}

/** `~/x` and `$NAME/x` as a shell reads them; a name that is not set stays as it is. */
function expand(path: string, env: Env): string {
  const named = path.replace(/^~(?=$|[/\\])/, () => homedir())
  return named.replace(/\$(?:(\w+)|\{(\w+)\})/g, (whole, plain, braced) => env[plain ?? braced] ?? whole)
}
