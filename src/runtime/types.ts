import type { FileSlice } from '../graph/onnx.ts'
import type { Program } from '../graph/program.ts'
import type { FloatTensor, Tensor } from '../graph/tensor.ts'

/** What operators can run on. */
const PROVIDERS = ['cpu', 'webgpu', 'cuda'] as const

/** Where operators run. `auto` takes a graphics card where one answers, else the CPU; any other must be there. */
export const DEVICES = [...PROVIDERS, 'auto'] as const
/** What programs run on; `auto` is the fastest that is there. */
export type Device = (typeof DEVICES)[number]

/** How a runtime computes. */
export interface RuntimeOptions {
  readonly device?: Device
  /** Threads of the CPU provider; default: one a core. */
  readonly threads?: number
}

/** A runtime that is looked into. */
export interface ProfiledOptions extends RuntimeOptions {
  /** Folder for ONNX Runtime's profiles: a JSON file of each session, written when it is disposed. Only in Node. */
  readonly profile?: string
}

/** How a program is run. */
export interface LoadOptions {
  /**
   * Whether its threads wait for work in a loop that keeps processors busy, where the runtime's do. Not where the caller has
   * other work for the processors meanwhile, such as decoding pictures; results are the same. Default: true.
   */
  readonly spinning?: boolean
  /**
   * Whether the program runs once only: its weights are then taken as they are. Else they are widened and laid out anew for the
   * products, which takes time and memory for all of them at the start, and a tenth of each run less. The two differ in last
   * digits. Default: false.
   */
  readonly once?: boolean
}

/**
 * Runs programs beside the caller's thread, so that progress, HTTP and timers go on. One runtime may hold several
 * sessions; runs of one runtime come one after the other.
 */
export interface Runtime {
  /** The provider that runs in fact. */
  readonly device: (typeof PROVIDERS)[number]
  /** Said once where `auto` found no graphics card. */
  readonly note?: string
  /**
   * Makes a session; its weights are held until it is disposed. Weights in shared memory (see sharedFloats) are read
   * there, without a copy, and those of large linear layers that are stored in a file (see storedTensor) are taken from that:
   * nobody writes to them.
   */
  load<Out extends string>(program: Program<Out>, options?: LoadOptions): Promise<Session<Out>>
  /** Makes a session of an ONNX file with all of its weights inside; what is fed to it is not checked. */
  loadOnnx(file: Uint8Array): Promise<Session>
  /** Ends all sessions. A run that has begun is finished first; those that wait are refused. */
  close(): Promise<void>
}

/** A program that is ready to run; its outputs are named `Out`. */
export interface Session<Out extends string = string> {
  /**
   * Runs the program once.
   * @throws ShapeError when a feed is missing, unknown, or has another shape or type than its input
   */
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Record<Out, FloatTensor>>
  dispose(): Promise<void>
}

/** Values of a weight, under the name by which the model refers to them. */
export interface WeightFile {
  readonly path: string
  readonly data: Uint8Array
}

/** Weights that lie in files of one folder. */
export interface WeightsInFiles {
  readonly folder: string
  readonly slices: ReadonlyMap<object, FileSlice>
}

/** What crosses to the worker; each request has an id that its answer repeats. */
export type Request =
  | {
      readonly kind: 'open'
      readonly provider: string
      readonly threads: number
      readonly profile?: string
      readonly probe: Uint8Array
    }
  | {
      readonly kind: 'load'
      readonly session: number
      readonly model: Uint8Array
      readonly weights: readonly WeightFile[]
      /** Of the files that the model refers to besides. */
      readonly folder?: string
      readonly spinning: boolean
      readonly once: boolean
    }
  | { readonly kind: 'run'; readonly session: number; readonly feeds: Readonly<Record<string, Tensor>> }
  | { readonly kind: 'dispose'; readonly session: number }

export type Answer =
  | { readonly id: number; readonly outputs: Record<string, FloatTensor> }
  | { readonly id: number; readonly error: string }
