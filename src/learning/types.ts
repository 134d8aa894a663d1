import type { Hooks } from '../base/progress.ts'
import type { FloatTensor } from '../graph/tensor.ts'

/** Tensors by name. */
export type Tensors = ReadonlyMap<string, FloatTensor>

/** One step of a method that learns by gradients. */
export interface Step {
  /** Counted from 1. */
  readonly step: number
  /** Counted from 1. */
  readonly epoch: number
  readonly learningRate: number
  readonly loss: number
  /** Euclidean length of the gradient. */
  readonly gradientNorm: number
}

/** Where learning keeps what it needs to go on after a kill; written whole or not at all. */
export interface CheckpointStore {
  /** Undefined where there is none. */
  read(): Promise<Tensors | undefined>
  write(tensors: Tensors): Promise<void>
  /** Seconds between writes (default 10). */
  readonly seconds?: number
}

/** What can be heard of learning, kept of it and stopped on the way. */
export interface LearnOptions extends Hooks {
  readonly checkpoint?: CheckpointStore
  /**
   * Gets all steps so far, and what is learned as it stands: first those of a checkpoint that training resumes from, then
   * after each step. Awaited; the tensors change with the next step.
   */
  readonly onSteps?: (steps: readonly Step[], tensors: Tensors) => unknown
}
