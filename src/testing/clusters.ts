import { randomFor } from '../base/random.ts'
import { floatTensor } from '../graph/tensor.ts'

/** Rows around a centre for each class. */
export function cluster(classes: number, perClass: number, d: number, spread: number, key: string) {
  const labels = Array.from({ length: classes * perClass }, (_, i) => i % classes)
  const x = floatTensor([labels.length, d])
  for (const [i, label] of labels.entries()) {
    const [centre, noise] = [randomFor('centre', label), randomFor(key, i)]
    for (let j = 0; j < d; j++) x.data[i * d + j] = centre.normal() + spread * noise.normal()
  }
  return { x, labels }
}
