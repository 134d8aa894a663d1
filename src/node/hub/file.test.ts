import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { utimesSync } from 'node:fs'
import {
  access,
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Progress } from '../../base/progress.ts'
import { etagOf, type HubFile, type HubServer, hubServer, refuse, type Seen } from '../../testing/hub-server.ts'
import { HubError } from './errors.ts'
import { hubFile, localFiles } from './file.ts'
import { hubFiles } from './listing.ts'
import type { HubRepo } from './repo.ts'
import type { HubSettings } from './settings.ts'

const REPO: HubRepo = { type: 'model', id: 'owner/tiny', revision: 'main' }
const LARGE = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) % 251))
const SMALL = Buffer.from('{"a": 1}\n')
const LARGE_FILE = { content: LARGE, isLarge: true }

let server: HubServer
let cacheDir: string
let hub: HubSettings
let warnings: string[]
let progress: Progress[]
const hooks = {
  onWarning: (text: string) => void warnings.push(text),
  onProgress: (event: Progress) => void progress.push(event),
}

beforeEach(async () => {
  server = await hubServer(
    new Map<string, HubFile>([
      ['large.bin', LARGE_FILE],
      ['small.json', { content: SMALL }],
      ['in/folder.txt', { content: SMALL }],
    ]),
  )
  cacheDir = join(await mkdtemp(join(tmpdir(), 'hub-')), 'hub')
  hub = {
    endpoint: server.endpoint,
    cacheDir,
    token: 'hf_secret',
    offline: false,
    etagTimeout: 20_000,
    downloadTimeout: 20_000,
    retryDelay: 1,
    symlinks: true,
  }
  warnings = []
  progress = []
})

afterEach(async () => {
  await server.close()
  await rm(join(cacheDir, '..'), { recursive: true, force: true })
})

const repoFolder = () => join(cacheDir, 'models--owner--tiny')
const blob = (file = LARGE_FILE) => join(repoFolder(), 'blobs', etagOf(file))
const snapshot = (file: string) => join(repoFolder(), 'snapshots', server.commit, file)
const get = (file: string, repo = REPO) => hubFile(repo, file, hooks, hub)
const isBlobGet = ({ method, url }: Seen) => method === 'GET' && url.startsWith('/blob')
const blobGets = () => server.seen.filter(isBlobGet)
const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )

/** Answers requests for the large file's content with these, one after another, then as it should. */
function answers(...replies: ((response: ServerResponse, seen: Seen) => void)[]): void {
  server.intercept = (seen, response) => {
    const reply = isBlobGet(seen) ? replies.shift() : undefined
    reply?.(response, seen)
    return reply !== undefined
  }
}

/** Announces the whole and cuts the connection after `count` bytes. */
const cutAfter =
  (count: number) =>
  (response: ServerResponse, { headers }: Seen) => {
    const start = Number(/(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0)
    response.setHeader('content-length', LARGE.length - start)
    if (start > 0) response.setHeader('content-range', `bytes ${start}-${LARGE.length - 1}/${LARGE.length}`)
    response.writeHead(start > 0 ? 206 : 200)
    response.write(LARGE.subarray(start, start + count))
    // what has come but was not read yet may be lost with the connection
    setTimeout(() => response.socket?.destroySoon(), count > 0 ? 300 : 0)
  }

async function expectLarge(path: string): Promise<void> {
  expect((await readFile(path)).equals(LARGE)).toBe(true)
}

const sends = (content: Buffer) => (response: ServerResponse) => {
  response.end(content)
}

async function failure(work: Promise<unknown>): Promise<HubError> {
  const error = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(error instanceof HubError)) throw new Error(`expected a HubError, got ${error}`, { cause: error })
  return error
}

describe('a file of the hub', () => {
  it('lies in the cache as Python lays it out', async () => {
    const paths = await localFiles(REPO, ['large.bin', 'small.json', 'in/folder.txt'], hooks, hub)
    expect(paths).toEqual(['large.bin', 'small.json', 'in/folder.txt'].map(snapshot))
    await expectLarge(snapshot('large.bin'))
    expect(await readlink(snapshot('large.bin'))).toBe(`../../blobs/${etagOf(LARGE_FILE)}`)
    expect(await readlink(snapshot('in/folder.txt'))).toBe(`../../../blobs/${etagOf({ content: SMALL })}`)
    expect((await lstat(blob())).isFile()).toBe(true)
    expect(await readFile(join(repoFolder(), 'refs/main'), 'utf8')).toBe(server.commit)
    expect((await readdir(join(repoFolder(), 'blobs'))).sort()).toEqual(
      [etagOf(LARGE_FILE), etagOf({ content: SMALL })].sort(),
    )
  })

  it('is fetched once', async () => {
    await get('large.bin')
    server.seen.length = 0
    await get('large.bin')
    expect(server.fileRequests()).toEqual(['HEAD /owner/tiny/resolve/main/large.bin'])
    server.seen.length = 0
    await get('large.bin', { ...REPO, revision: server.commit })
    expect(server.seen).toEqual([])
  })

  it('is asked for with the token, and the other host does not see it', async () => {
    await get('large.bin')
    const tokens = server.seen.map(({ host, headers }) => [`http://${host}` === server.endpoint, headers.authorization])
    expect(tokens).toEqual([
      [true, 'Bearer hf_secret'],
      [true, 'Bearer hf_secret'],
      [false, undefined],
    ])
  })

  it('tells its progress in bytes, which only grow', async () => {
    answers(cutAfter(100_000))
    await localFiles(REPO, ['small.json', 'large.bin'], hooks, hub)
    const total = SMALL.length + LARGE.length
    expect(progress.every((event) => event.kind === 'download' && event.total === total)).toBe(true)
    const done = progress.map((event) => event.done)
    expect(done).toEqual([...new Set(done)].sort((a, b) => a - b))
    expect(done.at(-1)).toBe(total)
  })

  it('of another revision has a reference and a snapshot of its own', async () => {
    await get('small.json', { ...REPO, revision: 'refs/convert/parquet' })
    expect(await readFile(join(repoFolder(), 'refs/refs/convert/parquet'), 'utf8')).toBe(server.commit)
  })

  it('is a copy where there are no links', async () => {
    hub = { ...hub, symlinks: false }
    await get('large.bin')
    expect((await lstat(snapshot('large.bin'))).isFile()).toBe(true)
    await expectLarge(snapshot('large.bin'))
  })

  it('with a name that leads out of the cache is refused', async () => {
    await expect(get('../../../evil')).rejects.toThrow(/not a safe file name/)
    expect(server.seen).toEqual([])
  })

  it('whose hash is no name for a file is refused', async () => {
    server.intercept = (_, response) => {
      response.setHeader('x-repo-commit', server.commit)
      response.setHeader('etag', '"../../../evil"')
      response.end()
      return true
    }
    expect(await failure(get('small.json'))).toMatchObject({ fault: 'not-a-hub' })
  })
})

describe('a download', () => {
  const ranges = () => blobGets().map(({ headers }) => headers.range)

  it('goes on after cut connections', async () => {
    answers(cutAfter(100_000), cutAfter(50_000))
    await get('large.bin')
    await expectLarge(snapshot('large.bin'))
    expect(ranges()[0]).toBeUndefined()
    expect(
      ranges()
        .slice(1)
        .every((range) => /^bytes=[1-9]\d*-$/.test(range ?? '')),
    ).toBe(true)
    expect(warnings[0]).toMatch(/resuming large.bin/)
  })

  it('goes on with what an earlier one left', async () => {
    await mkdir(join(repoFolder(), 'blobs'), { recursive: true })
    await writeFile(`${blob()}.incomplete`, LARGE.subarray(0, 123_456))
    await get('large.bin')
    expect(ranges()).toEqual(['bytes=123456-'])
    await expectLarge(blob())
    expect(await readdir(join(repoFolder(), 'blobs'))).toEqual([etagOf(LARGE_FILE)])
  })

  it('that is given up leaves its part, and nothing under the final names', async () => {
    answers(...Array.from({ length: 10 }, (_, i) => cutAfter(i === 0 ? 100_000 : 0)))
    expect(await failure(get('large.bin'))).toMatchObject({ fault: 'unreachable' })
    expect(await isThere(blob())).toBe(false)
    expect(await isThere(snapshot('large.bin'))).toBe(false)
    const part = await readFile(`${blob()}.incomplete`)
    expect(part.length).toBeGreaterThan(0)
    expect(part.equals(LARGE.subarray(0, part.length))).toBe(true)
    answers()
    server.seen.length = 0
    await get('large.bin')
    expect(ranges()).toEqual([`bytes=${part.length}-`])
    await expectLarge(blob())
  })

  const left = async (pid: number, bytes: number) => {
    await mkdir(join(repoFolder(), 'blobs'), { recursive: true })
    const host = createHash('sha256').update(hostname()).digest('hex').slice(0, 8)
    const path = `${blob()}.${host}-${pid}-0123abcd.incomplete`
    await writeFile(path, LARGE.subarray(0, bytes))
    const aMinuteAgo = new Date(Date.now() - 60_000)
    await utimes(path, aMinuteAgo, aMinuteAgo)
    return path
  }

  it('goes on with what a killed process left', async () => {
    const child = spawnSync(process.execPath, ['-e', 'console.log(process.pid)'], { encoding: 'utf8' })
    await left(Number(child.stdout), 1000)
    await get('large.bin')
    expect(ranges()).toEqual(['bytes=1000-'])
    expect(await readdir(join(repoFolder(), 'blobs'))).toEqual([etagOf(LARGE_FILE)])
  })

  it.each([
    ['of the same id as this one, as in a container', () => process.pid],
    ['whose id belongs to another one by now', () => process.ppid],
  ])('goes on with what a killed process left %s', async (_, pid) => {
    await left(pid(), 1000)
    await get('large.bin')
    expect(ranges()).toEqual(['bytes=1000-'])
    expect(warnings).toEqual([])
    expect(await readdir(join(repoFolder(), 'blobs'))).toEqual([etagOf(LARGE_FILE)])
  })

  it('waits as long as the owner of a part shows that it is at work', async () => {
    const path = await left(process.ppid, 1000)
    const beats = setInterval(() => utimesSync(path, new Date(), new Date()), 100)
    await vi.waitUntil(async () => (await stat(path)).mtimeMs > Date.now() - 1000)
    const getting = get('large.bin')
    await vi.waitUntil(() => warnings.length > 0, { timeout: 30_000, interval: 5 })
    expect(warnings[0]).toMatch(/another process is downloading large.bin/)
    expect(blobGets()).toEqual([])
    clearInterval(beats)
    await writeFile(blob(), LARGE)
    await rm(path)
    await getting
    expect(blobGets()).toEqual([])
  })

  it('waits while another one fetches the same, and takes what it has fetched', async () => {
    answers((response) => {
      response.setHeader('content-length', LARGE.length)
      response.write(LARGE.subarray(0, 1000))
      setTimeout(() => response.end(LARGE.subarray(1000)), 150)
    })
    const first = get('large.bin')
    await vi.waitUntil(() => blobGets().length > 0, { timeout: 30_000, interval: 5 })
    await Promise.all([first, get('large.bin')])
    expect(blobGets().length).toBe(1)
    expect(warnings).toEqual([
      expect.stringMatching(/another process is downloading large.bin of owner\/tiny: waiting/),
    ])
  })

  it('starts anew where the server cannot go on', async () => {
    answers(cutAfter(100_000), sends(LARGE))
    await get('large.bin')
    expect(ranges()).toEqual([undefined, expect.stringMatching(/^bytes=[1-9]\d*-$/)])
    await expectLarge(blob())
  })

  it('starts anew where a wrong part comes, or the part that was left is too long', async () => {
    await mkdir(join(repoFolder(), 'blobs'), { recursive: true })
    await writeFile(`${blob()}.incomplete`, LARGE.subarray(0, 1000))
    answers((response) => {
      response.setHeader('content-range', `bytes 5-${LARGE.length - 1}/${LARGE.length}`)
      response.writeHead(206).end(LARGE.subarray(5))
    })
    await get('large.bin')
    await expectLarge(blob())
    await rm(join(cacheDir, 'models--owner--tiny/snapshots'), { recursive: true })
    await rm(blob())
    await writeFile(`${blob()}.incomplete`, Buffer.concat([LARGE, LARGE]))
    await get('large.bin')
    await expectLarge(blob())
  })

  const turned = Buffer.from(LARGE)
  turned[1000] = (turned[1000] ?? 0) ^ 1
  it.each([
    ['too short', LARGE.subarray(0, 1000), /with 1000 of 300000 bytes, twice/],
    ['too long', Buffer.concat([LARGE, SMALL]), /longer than the 300000 bytes announced, twice/],
    ['with another content', turned, /with a wrong checksum, twice/],
  ])('that comes %s is tried once more, then refused', async (_, content, message) => {
    answers(sends(content))
    await get('large.bin')
    await expectLarge(blob())
    expect(warnings[0]).toMatch(/downloading it again/)

    await rm(repoFolder(), { recursive: true })
    answers(sends(content), sends(content))
    const error = await failure(get('large.bin'))
    expect(error).toMatchObject({ fault: 'damaged' })
    expect(error.message).toMatch(message)
    expect(await readdir(join(repoFolder(), 'blobs'))).toEqual([])
    expect(await isThere(snapshot('large.bin'))).toBe(false)
  })

  it('of a small file with a wrong checksum is refused too', async () => {
    server.intercept = ({ method }, response) => {
      if (method === 'GET') response.end(SMALL.toString().replace('1', '2'))
      return method === 'GET'
    }
    expect((await failure(get('small.json'))).message).toMatch(/wrong checksum/)
  })

  it('that stands still is cut and goes on', async () => {
    hub = { ...hub, downloadTimeout: 1500 }
    answers((response) => {
      response.setHeader('content-length', LARGE.length)
      response.write(LARGE.subarray(0, 1000))
    })
    await get('large.bin')
    expect(ranges().at(-1)).toBe('bytes=1000-')
  })

  it('of a web page in place of the file is refused', async () => {
    answers((response) => {
      response.setHeader('content-type', 'text/html; charset=utf-8')
      response.end('<html>log in</html>')
    })
    const error = await failure(get('large.bin'))
    expect(error).toMatchObject({ fault: 'not-a-hub' })
    expect(error.message).toMatch(/sent a web page instead of large.bin/)
  })

  it('into a folder that cannot be written is refused by name', async () => {
    await writeFile(join(cacheDir, '..', 'file'), '')
    hub = { ...hub, cacheDir: join(cacheDir, '..', 'file', 'hub') }
    await expect(get('small.json')).rejects.toThrow(/cannot write .*part of its path is not a folder/)
    if (process.platform === 'linux') {
      hub = { ...hub, cacheDir: '/proc/hub' } // recursive mkdir of Node never ends there
      await expect(get('small.json')).rejects.toThrow(/cannot write .*\/proc\/hub/)
    }
    if (process.getuid?.() === 0) return // for root nothing is read-only
    hub = { ...hub, cacheDir }
    await mkdir(cacheDir, { recursive: true })
    await chmod(cacheDir, 0o500)
    await expect(get('small.json')).rejects.toThrow(/permission denied/)
  })
})

describe('a hub that does not give it', () => {
  const refuses = (status: number, code?: string, message?: string) => {
    server.intercept = (_, response) => {
      refuse(response, status, code, message)
      return true
    }
  }

  it.each<[string, number, string | undefined, string, RegExp, RegExp]>([
    [
      'gated',
      403,
      'GatedRepo',
      'refused',
      /does not give you access to/,
      /accept its conditions on .*owner\/tiny.*HF_TOKEN/,
    ],
    ['gated, without a login', 401, 'GatedRepo', 'refused', /does not give you access to/, /accept its conditions/],
    [
      'private or missing',
      401,
      'RepoNotFound',
      'no-repository',
      /has no model owner\/tiny, or it is private/,
      /HF_TOKEN/,
    ],
    ['a bad token', 401, undefined, 'refused', /rejects the token/, /valid token/],
    ['no such revision', 404, 'RevisionNotFound', 'no-revision', /no revision "main"/, /branches/],
    ['no such file', 404, 'EntryNotFound', 'no-file', /has no file large.bin/, /tree\/main/],
    ['another answer', 418, undefined, 'not-a-hub', /answered 418/, /HF_ENDPOINT/],
  ])('%s', async (_, status, code, fault, message, remedy) => {
    refuses(status, code)
    const error = await failure(get('large.bin'))
    expect(error.fault).toBe(fault)
    expect(error.message).toMatch(message)
    expect(error.remedy).toMatch(remedy)
    expect(server.seen.length).toBe(1)
  })

  it.each([429, 500, 502, 503, 504])('%i is asked again, then said', async (status) => {
    refuses(status)
    const error = await failure(get('large.bin'))
    expect(error.fault).toBe('unreachable')
    expect(error.message).toContain(String(status))
    expect(server.seen.length).toBe(5)
  })

  it('just now is asked again after the time that it asks for', async () => {
    let count = 0
    server.intercept = (_, response) => {
      if (count++ > 0) return false
      response.setHeader('retry-after', '1')
      refuse(response, 429)
      return true
    }
    const started = performance.now()
    await get('small.json')
    expect(performance.now() - started).toBeGreaterThan(950)
    expect(warnings[0]).toMatch(/\(429\).*trying again in 1 s/)
  })

  it('for hours is not waited for', async () => {
    server.intercept = (_, response) => {
      response.setHeader('retry-after', '86400')
      refuse(response, 429)
      return true
    }
    await failure(get('small.json'))
    expect(server.seen.length).toBe(1)
  })

  it('and sends in a circle, or to a strange place', async () => {
    const redirects = (location: string) => {
      server.intercept = (_, response) => {
        response.setHeader('location', location)
        response.writeHead(307).end()
        return true
      }
    }
    redirects('/owner/tiny/resolve/main/small.json')
    expect((await failure(get('small.json'))).message).toMatch(/redirects more than 10 times/)
    redirects('file:///etc/passwd')
    expect((await failure(get('small.json'))).message).toMatch(/redirects to file:/)
  })

  it('under an old name is followed', async () => {
    server.intercept = ({ url }, response) => {
      if (!url.startsWith('/old/name/')) return false
      response.setHeader('location', url.replace('/old/name/', '/owner/tiny/'))
      response.writeHead(307).end()
      return true
    }
    expect(await readFile(await get('small.json', { ...REPO, id: 'old/name' }))).toEqual(SMALL)
  })

  it('because there is no network: a cached file is taken with a warning', async () => {
    const path = await get('large.bin')
    await server.close()
    expect(await get('large.bin')).toBe(path)
    expect(warnings.at(-1)).toMatch(/cannot reach 127.0.0.1:\d+: the connection is refused; using the cached large.bin/)
    const error = await failure(get('small.json'))
    expect(error.message).toMatch(/the connection is refused/)
    expect(error.remedy).toMatch(/HF_ENDPOINT/)
  })

  it('because it may not be asked', async () => {
    const path = await get('large.bin')
    server.seen.length = 0
    hub = { ...hub, offline: true }
    expect(await get('large.bin')).toBe(path)
    expect((await failure(get('small.json'))).message).toMatch(
      /HF_HUB_OFFLINE is set, and small.json .* is not in the cache/,
    )
    expect(server.seen).toEqual([])
  })
})

describe('the files of a repository', () => {
  const DATA: HubRepo = { type: 'dataset', id: 'owner/data', revision: 'main' }

  it('are listed with their sizes and commit', async () => {
    const { repo, files, complete } = await hubFiles(REPO, hooks, hub)
    expect(repo).toEqual({ ...REPO, revision: server.commit })
    expect(complete).toBe(true)
    expect(files).toContainEqual({ path: 'large.bin', size: LARGE.length })
    expect(await readFile(join(repoFolder(), 'refs/main'), 'utf8')).toBe(server.commit)
  })

  it('are those of the cache where the hub is away', async () => {
    await get('large.bin')
    await server.close()
    const { repo, files, complete } = await hubFiles(REPO, hooks, hub)
    expect({ repo, files, complete }).toEqual({
      repo: { ...REPO, revision: server.commit },
      files: [{ path: 'large.bin' }],
      complete: false,
    })
    expect(warnings.at(-1)).toMatch(/using the cached files of/)
  })

  it('are those of a data set as well', async () => {
    await server.close()
    server = await hubServer(new Map([['data/train.parquet', LARGE_FILE]]), 'datasets/owner/data')
    hub = { ...hub, endpoint: server.endpoint }
    const { repo, files } = await hubFiles(DATA, hooks, hub)
    const [path = ''] = await localFiles(
      repo,
      files.map((file) => file.path),
      hooks,
      hub,
    )
    expect(path).toBe(join(cacheDir, 'datasets--owner--data/snapshots', server.commit, 'data/train.parquet'))
    await expectLarge(path)
  })

  it('come in pages where the short answer has none', async () => {
    server.intercept = ({ url }, response) => {
      if (url.startsWith('/api/models/owner/tiny/revision/')) {
        response.end(JSON.stringify({ sha: server.commit }))
        return true
      }
      if (!url.startsWith('/api/models/owner/tiny/tree/')) return false
      const isFirst = !url.includes('cursor')
      if (isFirst) response.setHeader('link', `<${server.endpoint}${url}&cursor=2>; rel="next"`)
      const path = isFirst ? 'a.bin' : 'b.bin'
      response.end(
        JSON.stringify([
          { type: 'directory', path: 'd' },
          { type: 'file', path, size: 3 },
        ]),
      )
      return true
    }
    const { files } = await hubFiles(REPO, hooks, hub)
    expect(files).toEqual(['a.bin', 'b.bin'].map((path) => ({ path, size: 3 })))
  })

  it('of no such repository or revision', async () => {
    expect(await failure(hubFiles({ ...REPO, id: 'owner/other' }, hooks, hub))).toMatchObject({
      fault: 'no-repository',
    })
    expect(await failure(hubFiles({ ...REPO, revision: 'v9' }, hooks, hub))).toMatchObject({ fault: 'no-revision' })
  })
})
