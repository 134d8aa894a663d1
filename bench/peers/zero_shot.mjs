// FOLDER MODEL PICTURES LABELS THREADS: pipeline('zero-shot-image-classification') of @huggingface/transformers, installed in
// FOLDER, on a model's folder and the paths of pictures, batch by batch. Prints the answers as JSON, then for each line that it
// reads does the same again and prints its milliseconds.
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const [installed, model, pictures, labels, threads] = process.argv.slice(2)
const entry = createRequire(join(installed, 'package.json')).resolve('@huggingface/transformers')
const { env, pipeline } = await import(pathToFileURL(entry).href)
env.allowRemoteModels = false
env.localModelPath = dirname(model)
const classify = await pipeline('zero-shot-image-classification', basename(model), {
  dtype: 'fp32',
  session_options: { intraOpNumThreads: Number(threads) },
})
const batches = JSON.parse(pictures)

async function all() {
  const answers = []
  for (const batch of batches) {
    const found = await classify(batch, JSON.parse(labels), { hypothesis_template: 'a photo of a {}.' })
    answers.push(...found.map(([best]) => best.label))
  }
  return answers
}

console.log(JSON.stringify(await all()))
for await (const _ of createInterface(process.stdin)) {
  const started = performance.now()
  await all()
  console.log(performance.now() - started)
}
