import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { hashOf } from './content-hash.ts'
import { fileState, isSettled } from './file-state.ts'
import { writeFileAtomic } from './files.ts'
import { packageVersion } from './package.ts'

/**
 * The fingerprint of a model whose files were read, from the cache folder where it was computed of the same files before: of the
 * same place, number, size and times of change. It is kept only where all files are older than `since`, when reading them began.
 */
export async function knownFingerprint(
  cacheDir: string,
  files: readonly string[],
  since: number,
  compute: () => Promise<string>,
): Promise<string> {
  const sorted = [...files].sort() // they are read side by side, and come in any order
  const about = await Promise.all(sorted.map((file) => stat(file).catch(() => undefined)))
  const told = about.flatMap((found, i) => (found ? [[sorted[i], fileState(found)]] : []))
  if (told.length < files.length) return compute()
  const path = join(cacheDir, 'fingerprints', hashOf(JSON.stringify([packageVersion(), told])).slice(0, 32))
  const known = await readFile(path, 'utf8').catch(() => '')
  if (/^[0-9a-f]{64}$/.test(known)) return known
  const fingerprint = await compute()
  const settled = about.every((found) => found !== undefined && isSettled(found, since))
  // a cache that cannot be written costs the time to compute it again
  if (settled) await writeFileAtomic(path, fingerprint, { sync: false }).catch(() => undefined)
  return fingerprint
}
