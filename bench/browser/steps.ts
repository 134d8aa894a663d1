import {
  type Clip,
  contextShape,
  coopStep,
  floatTensor,
  intTensor,
  promptLayout,
  type Runtime,
  randomFor,
} from '../../src/public/index.ts'

export const [CLASSES, SHOTS, M, BATCH] = [8, 16, 16, 32]
const NAMES = ['apple', 'boat', 'chair', 'dog', 'engine', 'flower', 'guitar', 'house']

/** Milliseconds of steps of CoOp at the paper's batch, after some that warm up; the same in Node and in a page. */
export async function stepTimes(clip: Clip, runtime: Runtime, count: number): Promise<number[]> {
  const layout = promptLayout(clip.tokenizer, NAMES, { M, position: 'end', classSpecific: false })
  const session = await runtime.load(coopStep(clip, layout, BATCH))
  const { normal, int } = randomFor('bench', 1)
  const floats = (shape: readonly number[], scale: number) =>
    floatTensor(
      shape,
      Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => scale * normal()),
    )
  const feeds = {
    ctx: floats(contextShape(clip, layout), 0.02),
    features: floats([BATCH, clip.config.embedDim], 1),
    labels: intTensor(
      [BATCH],
      Array.from({ length: BATCH }, () => int(CLASSES)),
    ),
  }
  const times: number[] = []
  for (let i = 0; i < count + 2; i++) {
    const start = performance.now()
    await session.run(feeds)
    if (i >= 2) times.push(performance.now() - start)
  }
  await session.dispose()
  return times
}

export { NAMES }
