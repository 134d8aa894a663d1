import { randomFor } from '../src/base/random.ts'
import { floatTensor } from '../src/graph/index.ts'
import { learnFewShot, METHODS } from '../src/methods/index.ts'
import { zeroShotFeatures } from '../src/methods/zero-shot/features.ts'
import { absent, type Bench, type Figure, figure, NOT_INSTALLED } from './bench.ts'
import { classNames } from './class-names.ts'
import { madeUp, scikitLearn } from './linear-probe.bench.ts'
import { interleaved, timed } from './measure.ts'
import { benchClip } from './text-model.ts'

/** Those of ViT-B/16. */
const [CLASSES, TRUNK] = [100, 768]
const NAMES = ['gda', 'ss-text', 'prolip', 'best']

export const best: Bench = {
  name: 'best',
  about: "GDA, SS-Text, ProLIP and best at ViT-B/16's sizes, beside scikit-learn's search for C (BENCH_PYTHON)",
  long: true,
  async run(runtime, { quick, threads }) {
    const shots = quick ? 2 : 16
    const clip = await benchClip(undefined, { width: TRUNK, heads: 12 })
    const { embedDim } = clip.config
    const sets = madeUp(shots, embedDim)
    const { x, labels } = sets.train
    const random = randomFor('trunk', 1)
    const trunk = Float32Array.from({ length: labels.length * TRUNK }, () => 0.3 + random.normal() / 10)
    const train = {
      features: floatTensor([labels.length, 1, embedDim], x.data),
      trunk: floatTensor([labels.length, 1, TRUNK], trunk),
      labels,
    }
    const names = classNames(CLASSES).map((name, i) => `${name} ${classNames(2 * CLASSES)[i + 1]}`)
    const classes = { clip, runtime, classNames: names, templates: ['{}.'] }
    const methods = METHODS.filter(({ name }) => NAMES.includes(name))
    const tasks = [
      () => zeroShotFeatures(classes),
      ...methods.map((method) => async () => {
        const { classifier } = await learnFewShot({ ...classes, train, method, shots })
        await classifier.dispose()
      }),
    ]
    await zeroShotFeatures(classes)
    const times = await interleaved(tasks, quick ? 1 : 3)
    const figures: Figure[] = times.map((ms, i) =>
      figure(methods[i - 1]?.name ?? 'the prompts alone', shots, 'learning', 'ms', ms),
    )
    const peer = await timed(() => scikitLearn(sets, 'float64', threads))
    const name = "scikit-learn's search for C"
    figures.push(
      peer.result === undefined
        ? absent(name, shots, NOT_INSTALLED)
        : figure(name, shots, 'learning', 'ms', [peer.result.ms]),
    )
    return { figures, notes: ['size: shots of 100 classes'] }
  },
}
