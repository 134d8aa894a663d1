import { breathing } from '../../base/breathe.ts'
import { dims, type FloatTensor, floatTensor, softmax } from '../../graph/index.ts'
import type { TrainingSet } from '../../learning/batches.ts'
import type { NamedClasses } from '../../learning/classifier.ts'
import { imageLogits } from '../../learning/logits.ts'
import { mapRows } from '../../learning/rows.ts'
import { normaliseRows } from '../../learning/vectors.ts'

/**
 * How much each class is held to its text feature: the probability of the right class by hand-written prompts, in the
 * mean over all views of its images.
 *
 * @param text `(classes, embed)`, of any length
 * @returns `(classes)`
 */
export async function multipliersOf(
  { clip, runtime }: Pick<NamedClasses, 'clip' | 'runtime'>,
  text: FloatTensor,
  { features, labels }: TrainingSet,
): Promise<FloatTensor> {
  const [images, views, embed] = dims(features, 3, 'features')
  const [classes] = dims(text, 2, 'text features')
  const unit = normaliseRows(text)
  const rows = floatTensor([images * views, embed], features.data)
  const probabilities = await mapRows(runtime, rows, (x) => softmax(imageLogits(clip, x, x.graph.weight('text', unit))))
  const sums = new Float64Array(classes)
  const counts = new Float64Array(classes)
  await breathing(images * views, (row) => {
    const label = labels[Math.floor(row / views)]!
    sums[label]! += probabilities.data[row * classes + label]!
    counts[label]! += 1
  })
  return floatTensor(
    [classes],
    Float32Array.from(sums, (sum, c) => sum / counts[c]!),
  )
}
