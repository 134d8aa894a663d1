import { answerPicture, type PictureResult, type PictureTask } from './picture-work.ts'

/** Workers that decode and cut pictures at the same time. */
const WORKERS = Math.max(1, Math.min(2, (globalThis.navigator?.hardwareConcurrency ?? 2) - 1))

interface Member {
  readonly worker: Worker
  readonly waiting: Map<number, { readonly task: PictureTask; resolve(result: PictureResult): void }>
}

let members: Member[] | undefined
/** A page may not be allowed to start workers, or not be bundled: the work is then done on its own thread. */
let alone = typeof Worker === 'undefined'
let next = 0

/** Has work with a picture done beside the page's thread, where that can be. */
export async function withPicture(task: PictureTask): Promise<PictureResult> {
  if (alone) return (await answerPicture(task)).result
  members ??= Array.from({ length: WORKERS }, start)
  const member = members.reduce((a, b) => (b.waiting.size < a.waiting.size ? b : a))
  const id = next++
  return new Promise((resolve) => {
    member.waiting.set(id, { task, resolve })
    member.worker.postMessage({ id, task })
  })
}

function start(): Member {
  const worker = new Worker(new URL('./picture-worker.js', import.meta.url), { type: 'module' })
  const waiting: Member['waiting'] = new Map()
  worker.addEventListener(
    'message',
    ({ data: { id, result } }: MessageEvent<{ id: number; result: PictureResult }>) => {
      waiting.get(id)?.resolve(result)
      waiting.delete(id)
    },
  )
  worker.addEventListener('error', (event) => {
    event.preventDefault()
    alone = true
    worker.terminate()
    for (const { task, resolve } of waiting.values()) void answerPicture(task).then(({ result }) => resolve(result))
    waiting.clear()
  })
  return { worker, waiting }
}
