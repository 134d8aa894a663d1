import type { Runtime } from '../../runtime/types.ts'

export interface StudyOptions {
  /** Folder of the data, where a study takes one. */
  readonly root: string | undefined
  /** File that the rows are kept in. */
  readonly rows: string
  /** Only the table of the rows that are kept, complete or not. */
  readonly table: boolean
  readonly say: (line: string) => void
}

/** A measurement behind a choice that the docs explain; it takes long, and goes on where it was stopped. */
export interface Study {
  readonly name: string
  readonly about: string
  /** Measures what is not yet kept; the table. */
  run(runtime: Runtime, options: StudyOptions): Promise<string>
}
