import { chmod, chown, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { FileError } from '../base/errors.ts'
import { seenBy } from '../data/items.ts'
import { checkImages } from '../datasets/check-images.ts'
import { openDataset } from '../datasets/open.ts'
import { withClaim } from '../node/claim.ts'
import { openFeatureCache } from '../node/feature-cache.ts'
import { existsNow } from '../node/files.ts'
import { cachedCommit, cachedFile, cachedFiles } from '../node/hub/cache.ts'
import { parseHubId } from '../node/hub/repo.ts'
import { hubSettings } from '../node/hub/settings.ts'
import { heartbeat, isAtWork } from '../node/owner.ts'
import { heldBy } from '../runs/out-folder.ts'
import { pictureFiles } from '../runs/picture-files.ts'
import { readSavedRun } from '../runs/saved-run.ts'
import { NOBODY, withoutPermission } from '../testing/nobody.ts'

// What may not be seen is named with the reason: it is never taken for what is not there.

let root = ''
const at = (name: string) => join(root, name)
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'coop-denied-'))
  await chmod(root, 0o777)
})
afterAll(() => rm(root, { recursive: true, force: true }))
beforeEach(async () => {
  await rm(at('x'), { recursive: true, force: true })
  await put('x/photos/cat/1.png', 'x/photos/cat/2.png', 'x/photos/dog/1.png', 'x/photos/dog/2.png')
  await put('x/photos/dog/more/3.png')
  await put('x/run/settings.json', 'x/run/runs/a', 'x/hub/models--a--b/refs/main', 'x/cache/features/one')
  await put('x/home/token', 'x/parquet/0000.parquet', 'x/parquet/README.md', 'x/list/classes.txt')
})

/** Files that only have to be there. */
async function put(...files: readonly string[]): Promise<void> {
  for (const file of files) {
    await mkdir(dirname(at(file)), { recursive: true })
    await writeFile(at(file), '{}')
  }
}

const hub = () => hubSettings({ HF_HUB_CACHE: at('x/hub'), HF_TOKEN: 'hf_x' })
const repo = () => {
  const found = parseHubId('hf-hub:a/b', 'model')
  if (!found) throw new Error('no repository')
  return found
}
const COMMIT = 'a'.repeat(40)
const photo = (file: string) => ({ path: at(`x/photos/${file}`), label: 0 })
const photos = () => {
  const items = [photo('cat/1.png'), photo('dog/1.png')]
  return seenBy('turn', { name: 'photos', root: at('x'), classNames: ['cat'], train: items, val: [], test: [] })
}
const open = (what: string) => openDataset(at(what), { cache: at('x/cache') })

it.each<[string, string, () => Promise<unknown>]>([
  ['a data set', 'x/photos', () => open('x/photos')],
  ['a class folder', 'x/photos/cat', () => open('x/photos')],
  ['a folder in a class folder', 'x/photos/dog/more', () => open('x/photos')],
  ['the folder of an image that a list names', 'x/photos/cat', () => checkImages(photos())],
  ['the card of a data set', 'x/parquet/README.md', () => open('x/parquet')],
  ['a picture to classify', 'x/photos', () => pictureFiles([at('x/photos/cat')], {})],
  ['the folder for a run', 'x/run', () => heldBy(at('x/run'))],
  ['the settings of the run in it', 'x/run/settings.json', () => heldBy(at('x/run'))],
  ['a run', 'x/run', () => readSavedRun(at('x/run'))],
  ['the place of a word in a plan', 'x/photos', async () => existsNow(at('x/photos/cat'))],
  ['a hub token', 'x/home/token', () => hubSettings({ HF_HOME: at('x/home') })],
  ['a revision in the hub cache', 'x/hub/models--a--b', async () => cachedCommit(await hub(), repo())],
  ['a file in the hub cache', 'x/hub/models--a--b', async () => cachedFile(await hub(), repo(), COMMIT, 'c.json')],
  ['the files of a revision', 'x/hub/models--a--b', async () => cachedFiles(await hub(), repo(), COMMIT)],
])('%s without permission', async (_, locked, work) => {
  const error = await withoutPermission(at(locked), () => work().catch((cause: unknown) => cause))
  expect(error).toBeInstanceOf(FileError)
  expect(error).toMatchObject({ message: expect.stringMatching(/^cannot read \S+: permission denied$/) })
  expect(String(error)).toContain(at(locked))
  expect(error).toMatchObject({ remedy: expect.stringMatching(/permissions/) })
})

describe('without permission', () => {
  it('a link is not broken', async () => {
    await put('x/elsewhere/3.jpg')
    await symlink(at('x/elsewhere/3.jpg'), at('x/photos/cat/3.jpg'))
    await expect(withoutPermission(at('x/elsewhere'), () => open('x/photos'))).rejects.toThrow(
      /cannot read .*cat\/3\.jpg: permission denied/,
    )
  })

  it('stored features are not absent', async () => {
    const cache = openFeatureCache(at('x/cache'), 'key', 2)
    await cache.append(new Map([['00'.repeat(32), Float32Array.of(1, 2)]]))
    const reading = () => cache.read(new Set(['00'.repeat(32)]))
    await expect(withoutPermission(at('x/cache'), reading)).rejects.toThrow(/cannot read .*permission denied/)
    expect((await reading()).size).toBe(1)
  })

  it('a claim is not waited for without end', async () => {
    await put('x/run/claim.json')
    const work = () => withClaim(at('x/run'), {}, async () => 'done')
    await expect(withoutPermission(at('x/run/claim.json'), work)).rejects.toThrow(/claim\.json: permission denied/)
  })

  it("a file's owner that may not be read is seen at work", async () => {
    const partial = at('x/run/partial')
    await put('x/run/partial')
    if (process.geteuid?.() === 0) await chown(partial, NOBODY, NOBODY) // only its owner may move its time
    await withoutPermission(partial, async () => {
      const stop = heartbeat(partial)
      expect(await isAtWork(partial, { host: 'here', pid: process.ppid }, 'here')).toBe(true)
      stop()
    })
  })
})
