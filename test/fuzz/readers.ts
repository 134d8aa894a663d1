import { datasetReaders } from './dataset-readers.ts'
import { modelReaders } from './model-readers.ts'
import { otherReaders } from './other-readers.ts'
import type { Reader } from './reader.ts'
import { runReaders } from './run-readers.ts'
import { tensorReaders } from './tensor-readers.ts'

/** Everything that reads what others wrote. */
export const READERS: readonly Reader[] = [
  ...tensorReaders,
  ...modelReaders,
  ...datasetReaders,
  ...runReaders,
  ...otherReaders,
]
