// Run by features.test.ts as a process of its own: computes the features of the files of a folder into a cache.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { featuresOf } from '../data/features.ts'
import { openFeatureCache } from '../node/feature-cache.ts'
import { toyOptions } from './toy-encoder.ts'

const [folder = '', cacheDir = ''] = process.argv.slice(2)
const pictures = readdirSync(folder)
  .sort()
  .map((name) => join(folder, name))
const toy = toyOptions(5)
const cache = openFeatureCache(cacheDir, toy.encoderKey, toy.dim)
const print = (line: string | number) => process.stdout.write(`${line}\n`)
await featuresOf(pictures, { ...toy, cache, batchSize: 16, onProgress: ({ done }) => print(done) })
print('finished')
