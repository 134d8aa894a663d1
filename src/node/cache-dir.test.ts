import { homedir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { defaultCacheDir } from './cache-dir.ts'

it('takes COOP_CACHE, then the user cache folder of the system, then ~/.cache; empty variables do not count', () => {
  expect(defaultCacheDir({ COOP_CACHE: '/c', XDG_CACHE_HOME: '/x' })).toBe('/c')
  expect(defaultCacheDir({ COOP_CACHE: '', XDG_CACHE_HOME: '/x' })).toBe(join('/x', 'coop-ts'))
  expect(defaultCacheDir({ LOCALAPPDATA: '/l' })).toBe(join('/l', 'coop-ts'))
  expect(defaultCacheDir({})).toBe(join(homedir(), '.cache', 'coop-ts'))
})
