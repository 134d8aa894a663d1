import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { train } from '../runs/train.ts'
import { type TinyWorld, tinyWorld } from './tiny-world.ts'

/** Trained runs to be served. */
export interface ServedWorld extends TinyWorld {
  /** A run of CoOp, and one of Tip-Adapter. */
  readonly coop: string
  readonly tip: string
  picture(name: string): Promise<Uint8Array<ArrayBuffer>>
}

export async function servedWorld(): Promise<ServedWorld> {
  const world = await tinyWorld()
  const at = (name: string) => join(world.root, name)
  const given = { model: world.model, cache: at('cache'), threads: 1, shots: 4 }
  await train(world.photos, {
    ...given,
    out: at('coop'),
    method: 'coop',
    settings: { M: 2, recipe: 'fast', epochs: 5 },
  })
  await train(world.photos, { ...given, out: at('tip'), method: 'tip-adapter', settings: { search: false } })
  return {
    ...world,
    coop: at('coop'),
    tip: at('tip'),
    picture: async (name) => new Uint8Array(await readFile(join(world.photos, `${name}.png`))),
  }
}

/** Sends words over a socket as they are, and gives all that comes back until the server ends the connection. */
export async function sayRaw(url: string, words: string | Uint8Array): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => undefined)
  socket.write(words)
  return text(socket).catch(() => '')
}
