// Run by features.test.ts as a process of its own: computes the features of the files of a folder into a cache.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { featuresOf } from '../datasets/features.ts'
import { toyOptions } from './toy-encoder.ts'

const [folder = '', cacheDir = ''] = process.argv.slice(2)
const items = readdirSync(folder)
  .sort()
  .map((name) => ({ path: join(folder, name) }))
const print = (line: string | number) => process.stdout.write(`${line}\n`)
await featuresOf(items, { ...toyOptions(5), cacheDir, batchSize: 16, onProgress: ({ done }) => print(done) })
print('finished')
