import { FileError } from '../base/errors.ts'
import { sha256, sha256Sync } from '../base/sha256.ts'
import type { FloatTensor, IntTensor } from '../graph/tensor.ts'
import { type ByteSource, openSafetensors, type SafetensorsFile, writeSafetensors } from './safetensors.ts'

// A file of tensors that can be damaged without anybody seeing it has, among its metadata, the SHA-256 of all its bytes,
// those of the hash itself being zeros.
export const HASH = 'sha256'
const BLANK = '0'.repeat(64)

type Content = ReadonlyMap<string, FloatTensor | IntTensor>
type Metadata = Readonly<Record<string, string>>

/** The bytes of a safetensors file (see writeSafetensors) with a hash of all that is in it. */
export async function writeSealed(tensors: Content, metadata: Metadata = {}): Promise<Uint8Array<ArrayBuffer>> {
  const file = writeSafetensors(tensors, { [HASH]: BLANK, ...metadata })
  return withHash(file, await sha256(file))
}

/** The same at once: for small files. */
export function writeSealedSync(tensors: Content, metadata: Metadata = {}): Uint8Array<ArrayBuffer> {
  const file = writeSafetensors(tensors, { [HASH]: BLANK, ...metadata })
  return withHash(file, sha256Sync(file))
}

function withHash(file: Uint8Array<ArrayBuffer>, hash: string): Uint8Array<ArrayBuffer> {
  sealOf(file).set(new TextEncoder().encode(hash))
  return file
}

/** Opens what writeSealed wrote. Throws FileError where a single bit of it is another one. */
export async function openSealed(source: ByteSource): Promise<SafetensorsFile> {
  const file = await openSafetensors(source)
  const bytes = new Uint8Array(await source.read(0, source.size))
  const seal = sealOf(bytes)
  const hash = new TextDecoder().decode(seal)
  seal.fill(0x30)
  if ((await sha256(bytes)) === hash) return file
  throw new FileError(`${source.name} is damaged: its content is not what was written`, 'write the file again')
}

/** Where the hash stands in the bytes of a file: an empty place where it has none. */
function sealOf(file: Uint8Array): Uint8Array {
  const headerEnd = 8 + Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true))
  // one character a byte; within other texts the quotes have backslashes
  const header = new TextDecoder('latin1').decode(file.subarray(0, headerEnd))
  const mark = `"${HASH}":"`
  const at = header.indexOf(mark)
  const start = at < 0 ? headerEnd : at + mark.length
  return file.subarray(start, at < 0 ? start : Math.min(start + BLANK.length, headerEnd))
}
