import type { Hooks } from '../base/progress.ts'
import type { ByteSource } from '../formats/safetensors.ts'

/** One step of a method that learns by gradients. */
export interface Step {
  /** Counted from 1. */
  readonly step: number
  readonly loss: number
  readonly learningRate: number
  /** Euclidean length of the gradient. */
  readonly gradientNorm: number
}

/** Where a method that takes long keeps what it needs to go on after a kill; one file, written whole or not at all. */
export interface CheckpointStore {
  read(): Promise<ByteSource | undefined>
  write(bytes: Uint8Array): Promise<void>
}

export interface LearnOptions extends Hooks {
  readonly checkpoint?: CheckpointStore
  /** Stops learning before the next step; the promise is then rejected with the signal's reason. */
  readonly signal?: AbortSignal
}
