import { datasetReaders } from './dataset-readers.ts'
import { importReaders } from './import-readers.ts'
import { modelReaders } from './model-readers.ts'
import { otherReaders } from './other-readers.ts'
import { pageReaders } from './page-readers.ts'
import { queueReaders } from './queue-readers.ts'
import type { Reader } from './reader.ts'
import { runReaders } from './run-readers.ts'
import { serveReaders } from './serve-readers.ts'
import { sweepReaders } from './sweep-readers.ts'
import { tensorReaders } from './tensor-readers.ts'

/** Everything that reads what others wrote. */
export const READERS: readonly Reader[] = [
  ...tensorReaders,
  ...modelReaders,
  ...datasetReaders,
  ...runReaders,
  ...importReaders,
  ...otherReaders,
  ...pageReaders,
  ...serveReaders,
  ...sweepReaders,
  ...queueReaders,
]
