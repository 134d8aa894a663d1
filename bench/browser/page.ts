import { loadClip } from '../../src/public/index.ts'
import { train, urlModel, webRuntime } from '../../src/public/web.ts'
import { NAMES, SHOTS, stepTimes } from './steps.ts'

const model = () => loadClip(urlModel('/model/', { keep: false }))

async function steps(device: 'cpu' | 'webgpu', threads: number, count: number): Promise<number[]> {
  const runtime = await webRuntime({ device, threads })
  return stepTimes(await model(), runtime, count).finally(() => runtime.close())
}

/** Seconds until hand-written prompts were measured, and until it had learned. */
async function learning(options: { readonly settings: object; readonly views?: number }) {
  const clip = await model()
  const start = performance.now()
  const seconds = () => (performance.now() - start) / 1000
  let zeroShot = 0
  const train_ = NAMES.flatMap((_, label) =>
    Array.from({ length: SHOTS }, (_, i) => ({ path: `/pictures/${label}-${i}.png`, label })),
  )
  const data = { name: 'bench', classNames: NAMES, train: train_, test: train_ }
  const onZeroShot = () => {
    zeroShot = seconds()
  }
  const { steps } = await train(
    data,
    { model: clip, device: 'cpu', method: 'coop', calibrate: false, ...options },
    { onZeroShot },
  )
  return { zeroShot, learned: seconds(), steps }
}

/** Megabytes that the tab holds. The browser answers with its next collection of garbage, for which an idle page may wait a minute. */
async function memory(): Promise<number> {
  const measure: unknown = Reflect.get(performance, 'measureUserAgentSpecificMemory')
  const { bytes } =
    typeof measure === 'function' ? await Reflect.apply(measure, performance, []) : { bytes: Number.NaN }
  return bytes / 1e6
}

Object.assign(window, { steps, learning, memory })
