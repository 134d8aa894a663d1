import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import sharp from 'sharp'
import { openFeatureCache } from '../../src/node/feature-cache.ts'
import { cachedCommit, cachedFiles } from '../../src/node/hub/cache.ts'
import { download } from '../../src/node/hub/download.ts'
import { remoteListing } from '../../src/node/hub/listing.ts'
import { fileMetadata } from '../../src/node/hub/metadata.ts'
import type { HubRepo } from '../../src/node/hub/repo.ts'
import { parseHubId } from '../../src/node/hub/repo.ts'
import { type HubSettings, hubSettings } from '../../src/node/hub/settings.ts'
import { decodeImage } from '../../src/node/image.ts'
import { pattern } from '../../src/testing/pattern.ts'
import { encode, type Reader, textReader } from './reader.ts'

const PICTURES: { readonly rows: readonly { readonly name: string; readonly file: string }[] } = JSON.parse(
  readFileSync(new URL('../../src/node/fixtures/pictures.json', import.meta.url), 'utf8'),
)

/** Pictures of a format: those of the decoder's fixtures, and one that sharp writes. */
function pictures(format: 'png' | 'jpeg' | 'webp' | 'gif' | 'tiff' | 'avif'): Reader {
  return {
    name: `${format.toUpperCase()} picture`,
    async prepare() {
      const { width, height, data } = pattern(16, 12)
      const written = await sharp(data, { raw: { width, height, channels: 3 } })
        .toFormat(format)
        .toBuffer()
      const kept = PICTURES.rows.filter(({ name }) => name.toLowerCase().includes(format))
      return {
        seeds: [new Uint8Array(written), ...kept.map(({ file }) => new Uint8Array(Buffer.from(file, 'base64')))],
        read: (input) => decodeImage(input, 'INPUT', { exif: 'turn' }),
      }
    },
  }
}

const OTHERS: { readonly rows: readonly { readonly name: string; readonly file: string }[]; readonly heic: string } =
  JSON.parse(readFileSync(new URL('../../src/node/fixtures/other-pictures.json', import.meta.url), 'utf8'))
const fromBase64 = (text: string) => new Uint8Array(Buffer.from(text, 'base64'))

/** Pictures of the formats that sharp does not read. */
const otherPictures = (name: string, files: readonly string[]): Reader => ({
  name: `${name} picture`,
  prepare: () => ({
    seeds: files.map(fromBase64),
    read: (input) => decodeImage(input, 'INPUT', { exif: 'turn' }),
  }),
})
const filesNamed = (pattern: RegExp) => OTHERS.rows.filter(({ name }) => pattern.test(name)).map(({ file }) => file)

const COMMIT = '918e1cd22b53993bc56d2150a3fc3de92302113a'
const REPO: HubRepo = { type: 'model', id: 'owner/tiny', revision: 'main' }
const INFO = JSON.stringify({
  sha: COMMIT,
  siblings: [{ rfilename: 'config.json', size: 12 }, { rfilename: 'in/folder.txt' }, { rfilename: 'x', size: null }],
})
/** Of `abc`. */
const ABC = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
const SETTINGS = [
  'HF_ENDPOINT=https://mirror.example/hf/\nHF_HUB_ETAG_TIMEOUT=5\nHF_HUB_OFFLINE=1',
  'HF_HOME=~/hf\nHF_HUB_CACHE=$HOME/x\nHF_TOKEN=hf_abc\nXDG_CACHE_HOME=/c',
]
const TREE = JSON.stringify([{ type: 'file', path: 'a', size: 3 }])

const answer = (status: string, headers: Readonly<Record<string, string | number>>, body = ''): Uint8Array => {
  const lines = Object.entries({ ...headers, connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`)
  return encode(`HTTP/1.1 ${status}\r\n${lines.join('')}\r\n${body}`)
}
const jsonAnswer = (body: string, headers: Readonly<Record<string, string>> = {}) =>
  answer('200 OK', { 'content-type': 'application/json', 'content-length': body.length, ...headers }, body)

/** A hub that answers each request with the input and hangs up; the first perhaps as it should. */
function hub(
  name: string,
  seeds: readonly Uint8Array[],
  ask: (hub: HubSettings) => Promise<unknown>,
  first?: Uint8Array,
): Reader {
  return {
    name,
    text: true,
    words: [
      'transfer-encoding: chunked\r\n',
      'content-encoding: gzip\r\n',
      'location: /x\r\n',
      'link: <x>; rel="next"\r\n',
      '100 Continue',
      '301',
      '404',
      '503',
      'retry-after: 1e99\r\n',
    ],
    async prepare(scratch) {
      let answers: Uint8Array[] = []
      const server = createServer((socket) => {
        socket.on('error', () => undefined)
        socket.once('data', () => socket.end((answers.length > 1 ? answers.shift() : answers[0]) ?? ''))
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const address = server.address()
      if (address === null || typeof address === 'string') throw new Error('the server has no port')
      const endpoint = `http://127.0.0.1:${address.port}`
      return {
        seeds,
        read(bytes) {
          answers = first ? [first, bytes] : [bytes]
          const timeouts = { etagTimeout: 1000, downloadTimeout: 500, retryDelay: 1 }
          return ask({
            endpoint,
            cacheDir: join(scratch, 'hub'),
            token: undefined,
            offline: false,
            symlinks: true,
            ...timeouts,
          })
        },
        close: () => void server.close(),
      }
    },
  }
}

export const otherReaders: readonly Reader[] = [
  pictures('png'),
  pictures('jpeg'),
  pictures('webp'),
  pictures('gif'),
  pictures('tiff'),
  pictures('avif'),
  otherPictures('BMP', filesNamed(/\.bmp$/)),
  otherPictures('PBM, PGM or PPM', filesNamed(/\.p[bgp]m$/)),
  otherPictures('GIF of a palette', filesNamed(/\.gif$/)),
  otherPictures('HEIC', [OTHERS.heic]),
  hub(
    'list of files on the hub',
    [jsonAnswer(INFO), answer('404 Not Found', { 'x-error-code': 'RepoNotFound' })],
    (settings) => remoteListing(settings, REPO, {}, { once: true }),
  ),
  hub(
    'pages of files on the hub',
    [jsonAnswer(TREE), jsonAnswer('[]')],
    (settings) => remoteListing(settings, REPO, {}, { once: true }),
    jsonAnswer(`{"sha": "${COMMIT}"}`),
  ),
  hub(
    'file on the hub',
    [
      answer('200 OK', { etag: '"0967ef"', 'x-repo-commit': COMMIT, 'content-length': 3 }),
      answer('302 Found', {
        location: '/cdn/x',
        'x-linked-etag': '"9a12"',
        'x-linked-size': 300_000,
        'x-repo-commit': COMMIT,
      }),
    ],
    (settings) => fileMetadata(settings, REPO, 'x.bin', {}, { once: true }),
  ),
  hub(
    'download from the hub',
    [
      answer('200 OK', { 'content-length': 3 }, 'abc'),
      answer('206 Partial Content', { 'content-range': 'bytes 0-2/3', 'content-length': 3 }, 'abc'),
      answer('200 OK', { 'transfer-encoding': 'chunked' }, '3\r\nabc\r\n0\r\n\r\n'),
    ],
    async (settings) => {
      const blob = join(settings.cacheDir, 'blobs', 'abc')
      rmSync(blob, { force: true })
      const file = { repo: REPO, file: 'x.bin', url: `${settings.endpoint}/x.bin`, etag: ABC, size: 3 }
      await download(settings, file, blob, {}, () => undefined)
    },
  ),
  textReader('hub settings', SETTINGS, (text) => {
    const lines = text.split('\n').map((line) => line.split('='))
    return hubSettings(Object.fromEntries(lines.map(([name = '', ...value]) => [name, value.join('=')])))
  }),
  {
    name: 'hub token',
    text: true,
    prepare(scratch) {
      const file = join(scratch, 'token')
      return {
        seeds: [encode('hf_AbCdEf0123456789\n')],
        read(input) {
          writeFileSync(file, input)
          return hubSettings({ HF_TOKEN_PATH: file })
        },
      }
    },
  },
  textReader('hub id', ['hf-hub:owner/name@main', 'https://huggingface.co/owner/name'], (text) => [
    parseHubId(text),
    parseHubId(text, 'dataset'),
  ]),
  {
    name: 'commit in the hub cache',
    text: true,
    prepare(scratch) {
      const folder = join(scratch, 'models--owner--tiny')
      for (const each of ['refs', `snapshots/${COMMIT}`]) mkdirSync(join(folder, each), { recursive: true })
      writeFileSync(join(folder, 'snapshots', COMMIT, 'config.json'), '{}')
      const settings = {
        cacheDir: scratch,
        endpoint: '',
        token: undefined,
        offline: true,
        etagTimeout: 1,
        downloadTimeout: 1,
        retryDelay: 1,
        symlinks: true,
      }
      return {
        seeds: [encode(COMMIT), encode(`${COMMIT}\n`)],
        async read(input) {
          writeFileSync(join(folder, 'refs', 'main'), input)
          const commit = await cachedCommit(settings, REPO)
          return commit === undefined ? [] : cachedFiles(settings, REPO, commit)
        },
      }
    },
  },
  {
    name: 'stored features',
    async prepare(scratch) {
      const ids = ['ab', 'cd'].map((byte) => byte.repeat(32))
      const cache = openFeatureCache(scratch, 'encoder', 3)
      await cache.append(new Map(ids.map((id, i) => [id, Float32Array.of(i, 1, 2)])))
      const [folder = ''] = readdirSync(join(scratch, 'features'))
      const [file = ''] = readdirSync(join(scratch, 'features', folder))
      const path = join(scratch, 'features', folder, file)
      return {
        seeds: [new Uint8Array(readFileSync(path))],
        read(input) {
          writeFileSync(path, input)
          return cache.read(new Set(ids))
        },
      }
    },
  },
]
