import type { ByteSource } from '../formats/safetensors.ts'
import type { TokenizerTables } from './tokenizer/tokenizer.ts'
import type { Towers } from './types.ts'
import type { Hash } from './weights/fingerprint.ts'

/** The files of one model: a folder, a hub repository, a set of URLs. File names have no folders in them. */
export interface ModelFiles {
  /** What messages call the model: a folder or an address. */
  readonly name: string
  /** The one file that is the model, such as OpenAI's `RN50.pt`; other files are looked for beside it. */
  readonly single?: string
  /** Whether float16 weights stay float16 in memory: half of it, and some time wherever they are used. */
  readonly small?: boolean
  has(file: string): Promise<boolean>
  text(file: string): Promise<string>
  open(file: string): Promise<ByteSource>
  /** The fingerprint of what was read, which may be known; left out: it is computed. */
  fingerprint?(compute: () => Promise<string>, read: Towers): Promise<string>
  /** SHA-256 of what comes in pieces. */
  hash?(): Hash
  /** CLIP's own vocabulary (49,408 tokens), for models that have none beside them; left out: those are refused. */
  clipTables?(): Promise<TokenizerTables>
}
