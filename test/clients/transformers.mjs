// QUESTION.json FOLDER: what pipeline('image-classification') of @huggingface/transformers, installed in FOLDER, answers.
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [, , file, installed] = process.argv
const question = JSON.parse(await readFile(file, 'utf8'))
const entry = createRequire(join(installed, 'package.json')).resolve('@huggingface/transformers')
const { pipeline, Tensor } = await import(pathToFileURL(entry).href)
const classifier = await pipeline('image-classification', question.folder)
const labels = Object.values(classifier.model.config.id2label)

const { buffer } = new Uint8Array(await readFile(question.pixels))
const pixel_values = new Tensor('float32', new Float32Array(buffer), question.shape)
const { logits } = await classifier.model({ pixel_values })
const ours = logits.tolist().map((row) => {
  const most = Math.max(...row)
  const powers = row.map((x) => Math.exp(x - most))
  const sum = powers.reduce((a, b) => a + b)
  return powers.map((x) => x / sum)
})
const own = []
for (const picture of question.pictures) {
  const answer = await classifier(picture, { top_k: labels.length })
  own.push(labels.map((label) => answer.find((each) => each.label === label).score))
}
console.log(JSON.stringify({ ours, own }))
