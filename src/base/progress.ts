/** What long work tells about itself. `done` only grows within a phase and `total` stays. */
export type Progress =
  | {
      readonly kind: 'render' | 'unpack' | 'features' | 'evaluate' | 'search' | 'folds'
      readonly done: number
      readonly total: number
    }
  | { readonly kind: 'train' | 'pretrain'; readonly done: number; readonly total: number; readonly loss?: number }
  /** The runs of a sweep; `detail` names the one that spoke last. The runs differ too much for their number to tell the time left. */
  | {
      readonly kind: 'sweep'
      readonly done: number
      readonly total: number
      readonly detail?: string
      readonly secondsLeft?: number
    }
  /** The demo's runs; `detail` names the one under way (`sports, 16 shots, seed 2`). */
  | { readonly kind: 'demo'; readonly done: number; readonly total: number; readonly detail?: string }
  /** `done` and `total` in bytes; `detail` names the file. */
  | { readonly kind: 'download'; readonly done: number; readonly total: number; readonly detail?: string }

/** What is being done, of which progress is told. */
export type ProgressKind = Progress['kind']

/** How long work speaks to whoever started it: a command, a test, a page. */
export interface Hooks {
  readonly onProgress?: (event: Progress) => void
  /** Something was left out or done differently than requested; work continues. */
  readonly onWarning?: (text: string) => void
  /**
   * Stops long work soon; the promise is then rejected with the signal's reason. Learning keeps a checkpoint of the last
   * step first.
   */
  readonly signal?: AbortSignal
}

/** Hooks of work that may have something large to do that nobody asked for, such as a download. */
export interface AskingHooks extends Hooks {
  /** Whether to do it; left out: it is not done, and that is said. */
  readonly onQuestion?: (text: string) => Promise<boolean>
}
