// @ts-check
// The body of a worker that decodes and cuts pictures, so that the page goes on meanwhile.
import { answerPicture } from './picture-work.ts'

self.addEventListener('message', async ({ data: { id, task } }) => {
  const { result, moved } = await answerPicture(task)
  self.postMessage({ id, result }, { transfer: moved })
})
