// @ts-check
import { postAnswer, serving } from '../runtime/serve.js'

/** @import { Answer } from '../runtime/types.ts' */

/** Answers what is posted to this worker. @param {typeof import('onnxruntime-web')} ort */
export function serveOnnx(ort) {
  // What goes wrong comes back as an error; ONNX Runtime need not print it as well.
  ort.env.logLevel = 'fatal'
  const serve = serving(ort, async (provider, threads) => {
    ort.env.wasm.numThreads = threads
    return { executionProviders: provider === 'cpu' ? ['wasm'] : [provider, 'wasm'] }
  })

  let watched = false
  /** A graphics card may be taken away at any time: what it held is gone. */
  async function watchDevice() {
    watched = true
    const device = await ort.env.webgpu.device
    const { message, reason } = await device.lost
    if (reason !== 'destroyed') self.postMessage({ lost: message || 'the browser does not say why' })
  }

  let last = Promise.resolve()
  self.addEventListener('message', ({ data }) => {
    last = last.then(async () => {
      /** @type {Answer} */
      const answer = await serve(data)
      if (data.kind === 'open' && data.provider === 'webgpu' && !('error' in answer) && !watched) void watchDevice()
      postAnswer({ postMessage: (message, transfer = []) => self.postMessage(message, { transfer }) }, answer)
    })
  })
}
