import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where things that can be computed or fetched again are kept: COOP_CACHE, else `coop-ts` in the user's cache folder. */
export function defaultCacheDir(env: Readonly<Record<string, string | undefined>> = process.env): string {
  if (env.COOP_CACHE) return env.COOP_CACHE
  const userCache = env.XDG_CACHE_HOME || env.LOCALAPPDATA || join(homedir(), '.cache')
  return join(userCache, 'coop-ts')
}
