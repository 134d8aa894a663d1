import { readFileSync } from 'node:fs'
import { CoopError } from '../../src/base/errors.ts'
import { exampleRecord } from '../../src/testing/example-records.ts'
import { RUN_FILES, settingsText } from '../../src/trained/run-files.ts'
import { encode, json, type Reader } from './reader.ts'

/** What pages read foreign bytes with; another configuration of the compiler checks it, with a browser's types. */
interface Page {
  answerPicture(task: object): Promise<{ readonly result: { readonly fault?: string; readonly error?: string } }>
  PageStore: new (store: object, every: undefined) => { finished(settings: object): Promise<unknown> }
  hubModel(id: string, options: object): Promise<unknown>
}
const page = async (file: string): Promise<Page> => import(new URL(`../../src/web/${file}.ts`, import.meta.url).href)

interface Row {
  readonly name: string
  readonly file: string
}
const fixture = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../src/node/fixtures/${name}.json`, import.meta.url), 'utf8'))
const ROWS: readonly Row[] = [...fixture('pictures').rows, ...fixture('other-pictures').rows]
const filesOf = (pattern: RegExp) =>
  ROWS.filter(({ name }) => pattern.test(name)).map(({ file }) => new Uint8Array(Buffer.from(file, 'base64')))

/** What a page does with the bytes of a picture; where the browser decodes it, up to there. */
const pagePicture = (name: string, pattern: RegExp): Reader => ({
  name: `${name} in a page`,
  async prepare() {
    const { answerPicture } = await page('picture-work')
    let handedOver = false
    Reflect.set(globalThis, 'createImageBitmap', () => {
      handedOver = true
      return Promise.reject(new Error('Node is no browser'))
    })
    return {
      seeds: filesOf(pattern),
      async read(bytes) {
        handedOver = false
        const { result } = await answerPicture({ kind: 'decode', bytes, exif: 'turn' })
        if (result.error !== undefined) throw new Error(result.error)
        if (result.fault !== undefined && !handedOver) throw new CoopError(result.fault)
      },
    }
  },
})

const SETTINGS = { method: 'coop', settings: { M: 4 }, model: 'f00d' }
const INFO = {
  sha: '918e1cd22b53993bc56d2150a3fc3de92302113a',
  siblings: [
    { rfilename: 'config.json', size: 12 },
    { rfilename: 'model.safetensors', size: 300 },
    { rfilename: 'vocab.json' },
  ],
}

export const pageReaders: readonly Reader[] = [
  pagePicture('PNG', /png/i),
  pagePicture('JPEG', /jpe?g/i),
  pagePicture('GIF', /gif/i),
  pagePicture('BMP, PBM, PGM or PPM', /\.bmp$|\.p[bgp]m$/),
  {
    name: 'results.json of a page',
    text: true,
    async prepare() {
      const { PageStore } = await page('page-store')
      return { seeds: [json(exampleRecord())], read }

      function read(input: Uint8Array) {
        const files = new Map([
          [RUN_FILES.settings as string, encode(settingsText(SETTINGS))],
          [RUN_FILES.results as string, input],
        ])
        const store = {
          read: async (file: string) => files.get(file),
          write: async () => undefined,
          remove: async () => undefined,
        }
        return new PageStore(store, undefined).finished(SETTINGS)
      }
    },
  },
  {
    name: 'model of the hub in a page',
    text: true,
    async prepare() {
      const { hubModel } = await page('models')
      return { seeds: [json(INFO)], read }

      async function read(input: Uint8Array) {
        const { fetch } = globalThis
        globalThis.fetch = async () => new Response(new Uint8Array(input), { status: 200 })
        try {
          return await hubModel('owner/tiny', { keep: false })
        } finally {
          globalThis.fetch = fetch
        }
      }
    },
  },
]
