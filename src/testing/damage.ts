import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const WEIGHTS = 'open_clip_model.safetensors'
const CONFIG = 'open_clip_config.json'

interface Entry {
  dtype: string
  shape: number[]
  data_offsets: [number, number]
}

/** Entries of a safetensors header, in the order of the data. */
type Header = Record<string, Entry>

/** A copy of a model folder whose weights file has other bytes. */
export async function damagedWeights(model: string, copy: string, change: (bytes: Buffer) => Buffer): Promise<string> {
  await cp(model, copy, { recursive: true })
  const file = join(copy, WEIGHTS)
  await writeFile(file, change(await readFile(file)))
  return copy
}

/** A copy of a model folder whose configuration says something else. */
export async function damagedConfig(model: string, copy: string, change: (text: string) => string): Promise<string> {
  await cp(model, copy, { recursive: true })
  const file = join(copy, CONFIG)
  await writeFile(file, change(await readFile(file, 'utf8')))
  return copy
}

/** Another header before the same data. `change` gets the entries and the names of all tensors, first in the file first. */
export const withHeader =
  (change: (header: Header, names: readonly [string, string, ...string[]]) => void) =>
  (bytes: Buffer): Buffer => {
    const length = Number(bytes.readBigUInt64LE(0))
    const { __metadata__: metadata, ...header } = JSON.parse(bytes.toString('utf8', 8, 8 + length))
    const [first = '', second = '', ...others] = Object.keys(header)
    change(header, [first, second, ...others])
    const text = Buffer.from(JSON.stringify({ __metadata__: metadata, ...header }))
    const start = Buffer.alloc(8)
    start.writeBigUInt64LE(BigInt(text.length))
    return Buffer.concat([start, text, bytes.subarray(8 + length)])
  }
