import type { Program } from '../graph/program.ts'
import type { FloatTensor, Tensor } from '../graph/tensor.ts'

/** Where operators run. `auto` takes a GPU where one answers, else the CPU. */
export type Device = 'cpu' | 'webgpu' | 'cuda' | 'auto'

export interface RuntimeOptions {
  readonly device?: Device
  /** Threads of the CPU provider; default: one a core. */
  readonly threads?: number
}

/**
 * Runs programs beside the caller's thread, so that progress, HTTP and timers go on. One runtime may hold several
 * sessions; runs of one runtime come one after the other.
 */
export interface Runtime {
  /** The provider that runs in fact. */
  readonly device: 'cpu' | 'webgpu' | 'cuda'
  /** Said once when it is not the one asked for: why, and what runs instead. */
  readonly note?: string
  /** Makes a session; its weights are held until it is disposed. */
  load(program: Program): Promise<Session>
  /** Ends all sessions. A run that has begun is finished first; those that wait are refused. */
  close(): Promise<void>
}

export interface Session {
  /**
   * Runs the program once.
   * @throws ShapeError when a feed is missing, unknown, or has another shape or type than its input
   */
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, FloatTensor>>
  dispose(): Promise<void>
}

/** What crosses to the worker; each request has an id that its answer repeats. */
export type Request =
  | { readonly kind: 'open'; readonly provider: string; readonly threads: number; readonly probe: Uint8Array }
  | {
      readonly kind: 'load'
      readonly session: number
      readonly model: Uint8Array
      readonly location: string
      readonly weights: Uint8Array
    }
  | { readonly kind: 'run'; readonly session: number; readonly feeds: Readonly<Record<string, Tensor>> }
  | { readonly kind: 'dispose'; readonly session: number }

export type Answer =
  | { readonly id: number; readonly outputs: Record<string, FloatTensor> }
  | { readonly id: number; readonly error: string }
