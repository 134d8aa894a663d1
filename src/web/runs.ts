/** Where a run keeps its files by name (settings.json, learned.safetensors ...). */
export interface RunStore {
  /** Undefined where there is no such file. */
  read(file: string): Promise<Uint8Array | undefined>
  /** Whole or not at all. */
  write(file: string, content: Uint8Array): Promise<void>
  remove(file: string): Promise<void>
}

/** A run in the browser's storage. */
export interface BrowserRun {
  readonly name: string
  /** Whether it has its results; one without goes on where it was when train is given its store again. */
  readonly finished: boolean
}

/** The runs that this site keeps in the browser. */
export interface BrowserRuns {
  list(): Promise<BrowserRun[]>
  /** The store of a run, which need not exist yet. */
  open(name: string): Promise<RunStore>
  /** All files of a run, as openRun takes them. */
  files(name: string): Promise<ReadonlyMap<string, Uint8Array>>
  remove(name: string): Promise<void>
}

export function browserRuns(): BrowserRuns {
  throw new Error('not built yet')
}
