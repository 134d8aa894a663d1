import { FileError } from '../../base/errors.ts'
import type { ByteSource } from '../safetensors.ts'

const SAVE_AGAIN =
  'in Python, if you trust the file: torch.save(torch.load(FILE, map_location="cpu"), NEW) with torch 1.6 or newer'

interface Kind {
  readonly what: string
  readonly remedy: string
  is(head: Uint8Array): boolean
}

const FETCH = "download the file again from the model's source"

/** What people take for a torch file, by its first bytes. */
const OTHER_KINDS: readonly Kind[] = [
  {
    what: 'a torch file in the old format without zip (torch before 1.6)',
    remedy: SAVE_AGAIN,
    // PROTO 2, then the number 0x1950a86a20f9469cfc6c
    is: startsWith([0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]),
  },
  {
    what: 'a bare pickle, not a torch file: it could run any code when Python opens it, so it is not read here',
    remedy: `save its tensors with torch.save; ${SAVE_AGAIN}`,
    is: (head) => head[0] === 0x80 && (head[1] ?? 0) >= 1 && (head[1] ?? 0) <= 5,
  },
  {
    what: 'a tar archive (as written by torch before 0.4)',
    remedy: SAVE_AGAIN,
    is: (head) => ascii(head, 257, 'ustar'),
  },
  { what: 'compressed with gzip', remedy: 'unpack it (gunzip)', is: startsWith([0x1f, 0x8b]) },
  {
    what: 'a safetensors file',
    remedy: 'give the folder that contains it and its configuration',
    is: (head) => head[8] === 0x7b && head[5] === 0 && head[6] === 0 && head[7] === 0,
  },
  {
    what: 'a Git LFS pointer, not the file itself',
    remedy: 'download the file (git lfs pull)',
    is: (head) => ascii(head, 0, 'version https://git-lfs'),
  },
  { what: 'a web page, not a model', remedy: FETCH, is: (head) => /^\s*<(!doctype|html|\?xml)/i.test(latin(head)) },
]

/** Throws FileError, saying what the file is, unless it begins as the zip archives of torch do. */
export async function checkTorchFile(source: ByteSource): Promise<void> {
  const head = await source.read(0, Math.min(source.size, 512))
  if (startsWith([0x50, 0x4b, 3, 4])(head)) return
  if (source.size === 0) throw new FileError(`${source.name} is empty`, FETCH)
  const kind = OTHER_KINDS.find(({ is }) => is(head))
  if (kind) throw new FileError(`${source.name} is ${kind.what}`, kind.remedy)
  throw new FileError(
    `${source.name} is not a torch file: it is not a zip archive`,
    `a model is a folder, a hub id, or one of OpenAI's files such as RN50.pt: if this is one, ${FETCH}`,
  )
}

function startsWith(bytes: readonly number[]): (head: Uint8Array) => boolean {
  return (head) => bytes.every((byte, i) => head[i] === byte)
}

function latin(head: Uint8Array): string {
  return String.fromCharCode(...head)
}

function ascii(head: Uint8Array, at: number, text: string): boolean {
  return latin(head.subarray(at, at + text.length)) === text
}
