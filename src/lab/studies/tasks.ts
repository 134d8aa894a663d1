import { imageEncoder } from '../../clip/encode.ts'
import { trunkWidth } from '../../clip/towers/image-tower.ts'
import type { Clip } from '../../clip/types.ts'
import { openOfficialDataset } from '../../datasets/official/open.ts'
import { floatTensor } from '../../graph/tensor.ts'
import type { TrainingSet } from '../../learning/batches.ts'
import { defaultCacheDir } from '../../node/cache-dir.ts'
import { encodeSets } from '../../runs/pictures.ts'
import type { Runtime } from '../../runtime/types.ts'
import { encodePictures } from '../demo/encode.ts'
import { demoTasks } from '../demo/tasks.ts'
import type { DemoImage } from '../demo/types.ts'

/** A task with its pictures as features. */
export interface StudyTask {
  readonly name: string
  readonly classNames: readonly string[]
  readonly templates: readonly string[]
  /** One view each; of these shots are drawn. */
  readonly train: TrainingSet
  readonly test: TrainingSet
}

/** The demo's tasks whose styles are the same in both parts. */
export async function drawnTasks(clip: Clip, runtime: Runtime): Promise<StudyTask[]> {
  const encoder = imageEncoder(clip, runtime, 32)
  const { embedDim } = clip.config
  const encoded = async (images: readonly DemoImage[]): Promise<TrainingSet> => {
    const width = trunkWidth(clip.config)
    const trunk = await encodePictures(clip, { encode: encoder.trunk }, images, () => undefined, width)
    const features = floatTensor([images.length, 1, embedDim], await encoder.project(trunk.data))
    const labels = images.map(({ label }) => label)
    return { features, trunk: floatTensor([images.length, 1, width], trunk.data), labels }
  }
  const tasks: StudyTask[] = []
  for (const { name, classNames, prompt, train, test, shift } of await demoTasks()) {
    if (shift) continue
    tasks.push({ name, classNames, templates: [prompt], train: await encoded(train), test: await encoded(test) })
  }
  await encoder.dispose()
  return tasks
}

/** Caltech101 by its official split; `root` holds the folder caltech-101. */
export async function caltechTask(clip: Clip, runtime: Runtime, root: string): Promise<StudyTask> {
  const dataset = await openOfficialDataset('caltech101', root)
  const { name, classNames, templates = [] } = dataset
  const [train, test] = await encodeSets(clip, runtime, [{ items: dataset.train }, { items: dataset.test }], {
    cache: defaultCacheDir(),
  })
  return { name, classNames, templates, train, test }
}
