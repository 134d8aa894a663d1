import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { tokenizerFiles } from '../../src/lab/pretrain/save.ts'
import { type HubFile, type HubServer, hubServer } from '../../src/testing/hub-server.ts'
import { tinyTables } from '../../src/testing/tiny-clip.ts'
import { type TinyWorld, tinyWorld } from '../../src/testing/tiny-world.ts'
import { gunzipped } from '../../src/testing/torch-files.ts'
import { buildProgram, type Program } from './program.ts'

/** What all attempts use and none changes: program, model, pictures, a hub, a plan, a checkpoint of the official code. */
export interface World {
  readonly program: Program
  readonly tiny: TinyWorld
  readonly hub: HubServer
  readonly plan: string
  readonly official: { readonly model: string; readonly checkpoint: string }
  /** For folders of attempts and references. */
  readonly scratch: string
  close(): Promise<void>
}

const IMAGES_PER_CLASS = 16
const PLAN = `datasets: photos
models: model
shots: [1, 2]
seeds: [1]
views: 2
methods:
  - {method: coop, M: 2, epochs: 30}
  - {method: tip-adapter-f, epochs: 5}
  - gda
  - zero-shot
`

export async function makeWorld(): Promise<World> {
  const [program, tiny, scratch] = await Promise.all([
    buildProgram(),
    tinyWorld(IMAGES_PER_CLASS),
    mkdtemp(join(tmpdir(), 'coop-faults-')),
  ])
  const at = (name: string) => join(tiny.root, name)
  // other users work here, too
  for (const folder of [tiny.root, scratch]) await chmod(folder, 0o755)
  await writeFile(at('plan.yaml'), PLAN)
  const hub = await slowHub(tiny.model)
  return {
    program,
    tiny,
    hub,
    plan: at('plan.yaml'),
    official: await officialFiles(at('official')),
    scratch,
    async close() {
      await hub.close()
      await Promise.all([program.remove(), tiny.remove(), rm(scratch, { recursive: true, force: true })])
    },
  }
}

async function officialFiles(folder: string) {
  await mkdir(folder)
  const files = { model: join(folder, 'ViT-tiny.pt'), checkpoint: join(folder, 'model.pth.tar-50') }
  const fixture = (name: string) => gunzipped(new URL(`../../src/${name}.gz`, import.meta.url))
  await writeFile(files.model, fixture('formats/torch-file/fixtures/openai-vit.pt'))
  await writeFile(files.checkpoint, fixture('prompt/fixtures/official/unified-end.pth.tar'))
  for (const [file, text] of tokenizerFiles(tinyTables, { contextLength: 16 }))
    await writeFile(join(folder, file), text)
  return files
}

const PIECES = 12
const PIECE_MS = 40

/** A hub with the tiny model, whose weights arrive in pieces. */
async function slowHub(model: string): Promise<HubServer> {
  const names = await readdir(model)
  const files = await Promise.all(
    names.map(async (name): Promise<[string, HubFile]> => {
      return [name, { content: await readFile(join(model, name)), isLarge: name.endsWith('.safetensors') }]
    }),
  )
  const hub = await hubServer(new Map(files))
  hub.intercept = ({ method, url, headers }, response) => {
    if (method !== 'GET' || !url.startsWith('/blob')) return false
    const content = hub.files.get(new URL(url, 'http://hub').searchParams.get('file') ?? '')?.content ?? Buffer.alloc(0)
    const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0)
    if (from >= content.length) return false
    response.setHeader('content-length', content.length - from)
    if (from > 0) response.setHeader('content-range', `bytes ${from}-${content.length - 1}/${content.length}`)
    response.writeHead(from > 0 ? 206 : 200)
    void sendSlowly(response, content, from)
    return true
  }
  return hub
}

async function sendSlowly(response: ServerResponse, content: Buffer, from: number): Promise<void> {
  const size = Math.ceil(content.length / PIECES)
  for (let at = from; at < content.length; at += size) {
    response.write(content.subarray(at, at + size))
    await sleep(PIECE_MS)
  }
  response.end()
}
